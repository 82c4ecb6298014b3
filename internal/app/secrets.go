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

	"rowhouse/internal/invitetoken"
	"rowhouse/internal/seal"
	"rowhouse/internal/sealedcookie"
)

// secrets are what dev makes up on its first start and keeps with the data that
// they open.
type secrets struct {
	Superuser   string `json:"superuser"` // of the embedded Postgres
	API         string `json:"api"`       // rowhouse_api's password
	Worker      string `json:"worker"`    // rowhouse_worker's password
	Auth        string `json:"auth"`      // supabase_auth_admin's password
	SealKeys    string `json:"sealKeys"`
	Invites     string `json:"inviteKeys"`
	SessionKeys string `json:"sessionKeys"`
	AuthHooks   string `json:"authHooks"`   // AUTH_HOOK_SECRETS
	AuthWebhook string `json:"authWebhook"` // AUTH_WEBHOOK_SECRET

	keyring    seal.Keyring
	inviteKeys invitetoken.Keyring
	sessions   sealedcookie.Keyring
}

func loadSecrets(dir string) (secrets, error) {
	path := filepath.Join(dir, "secrets.json")
	var s secrets
	data, err := os.ReadFile(path) //nolint:gosec // the developer's own folder
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.complete() {
		if err := s.write(dir, path); err != nil {
			return secrets{}, fmt.Errorf("make %s: %w", path, err)
		}
	}
	if s.keyring, err = seal.ParseKeyring(s.SealKeys); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.inviteKeys, err = invitetoken.ParseKeyring(s.Invites); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.sessions, err = sealedcookie.ParseKeyring(s.SessionKeys); err != nil {
		return secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// complete makes up what is missing, and says whether anything was: on the first
// start all, later what an earlier build did not need.
func (s *secrets) complete() (changed bool) {
	for secret, made := range map[*string]func() string{
		&s.Superuser: rand.Text, &s.API: rand.Text, &s.Worker: rand.Text, &s.Auth: rand.Text, &s.SealKeys: devKey, &s.Invites: devKey, &s.SessionKeys: devKey,
		&s.AuthWebhook: rand.Text, &s.AuthHooks: func() string { return "v1,whsec_" + randomKey() },
	} {
		if *secret == "" {
			*secret, changed = made(), true
		}
	}
	return changed
}

func devKey() string { return "dev:" + randomKey() }

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return base64.StdEncoding.EncodeToString(key)
}

func (s *secrets) write(dir, path string) error {
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
