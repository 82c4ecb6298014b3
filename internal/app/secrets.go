package app

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rowhouse/internal/seal"
)

// secrets are what dev makes up on its first start and keeps with the data that
// they open.
type secrets struct {
	Superuser string `json:"superuser"` // of the embedded Postgres
	API       string `json:"api"`       // rowhouse_api's password
	Auth      string `json:"auth"`      // supabase_auth_admin's password
	SealKeys  string `json:"sealKeys"`

	keyring seal.Keyring
}

func loadSecrets(dir string) (secrets, error) {
	path := filepath.Join(dir, "secrets.json")
	data, err := os.ReadFile(path) //nolint:gosec // the developer's own folder
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = makeSecrets(dir, path); err != nil {
			return secrets{}, fmt.Errorf("make %s: %w", path, err)
		}
	} else if err != nil {
		return secrets{}, err
	}
	var s secrets
	if err := json.Unmarshal(data, &s); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.keyring, err = seal.ParseKeyring(s.SealKeys); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func makeSecrets(dir, path string) ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(secrets{
		Superuser: rand.Text(), API: rand.Text(), Auth: rand.Text(),
		SealKeys: "dev:" + base64.StdEncoding.EncodeToString(key),
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the server runs as another user and has to pass through
		return nil, err
	}
	// whole or not at all: a half one would lock the data away
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return nil, err
	}
	return data, os.Rename(temporary, path)
}
