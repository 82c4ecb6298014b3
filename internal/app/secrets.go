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
	"rowhouse/internal/sealedcookie"
)

// secrets are what dev makes up on its first start and keeps with the data that
// they open.
type secrets struct {
	Superuser   string `json:"superuser"` // of the embedded Postgres
	API         string `json:"api"`       // rowhouse_api's password
	Auth        string `json:"auth"`      // supabase_auth_admin's password
	SealKeys    string `json:"sealKeys"`
	SessionKeys string `json:"sessionKeys"`

	keyring  seal.Keyring
	sessions sealedcookie.Keyring
}

func loadSecrets(dir string) (secrets, error) {
	path := filepath.Join(dir, "secrets.json")
	data, err := os.ReadFile(path) //nolint:gosec // the developer's own folder
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte("{}")
	} else if err != nil {
		return secrets{}, err
	}
	var s secrets
	if err := json.Unmarshal(data, &s); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.complete() {
		if err := s.save(dir, path); err != nil {
			return secrets{}, fmt.Errorf("make %s: %w", path, err)
		}
	}
	if s.keyring, err = seal.ParseKeyring(s.SealKeys); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.sessions, err = sealedcookie.ParseKeyring(s.SessionKeys); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// complete makes up what is missing, all on the first start, and reports whether
// anything was.
func (s *secrets) complete() (changed bool) {
	for secret, generate := range map[*string]func() string{
		&s.Superuser: rand.Text, &s.API: rand.Text, &s.Auth: rand.Text, &s.SealKeys: devKey, &s.SessionKeys: devKey,
	} {
		if *secret == "" {
			*secret, changed = generate(), true
		}
	}
	return changed
}

func devKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return "dev:" + base64.StdEncoding.EncodeToString(key)
}

func (s *secrets) save(dir, path string) error {
	data, err := json.MarshalIndent(s, "", "  ") //nolint:gosec // the file is where they are kept
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the server runs as another user and has to pass through
		return err
	}
	// whole or not at all: a half one would lock the data away
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
