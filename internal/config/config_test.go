package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/config"
)

const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// These tests set the environment of the process, and so cannot be parallel.

func clear(t *testing.T) {
	t.Helper()
	for _, v := range config.Variables() {
		for _, name := range []string{v.Name, v.Name + "_FILE"} {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
}

func TestDefaults(t *testing.T) {
	clear(t)
	cfg, err := config.Load()
	require.NoError(t, err)
	require.Equal(t, "localhost:8080", cfg.Addr)
	require.Empty(t, cfg.Passwords())
	require.EqualError(t, cfg.Require("DATABASE_URL", "SEAL_KEYS", "ADDR"), "DATABASE_URL is not set\nSEAL_KEYS is not set")
}

func TestSecretFromFile(t *testing.T) {
	clear(t)
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte("k1:"+key+"\n"), 0o600))
	t.Setenv("SEAL_KEYS_FILE", path)
	cfg, err := config.Load()
	require.NoError(t, err)
	require.Equal(t, "k1", cfg.SealKeys.Keys()[0].ID)

	t.Setenv("SEAL_KEYS_FILE", path+".missing")
	_, err = config.Load()
	require.ErrorContains(t, err, "SEAL_KEYS_FILE")

	clear(t)
	t.Setenv("ADDR_FILE", path) // not a secret: files are for those
	cfg, err = config.Load()
	require.NoError(t, err)
	require.Equal(t, "localhost:8080", cfg.Addr)
}

// TestErrorsHoldNoValue: what is wrong is named, and what was given is not shown.
func TestErrorsHoldNoValue(t *testing.T) {
	clear(t)
	t.Setenv("SEAL_KEYS", "k1:c2VjcmV0LXNlY3JldA==")
	t.Setenv("REQUEST_TIMEOUT", "soon")
	_, err := config.Load()
	require.ErrorContains(t, err, "SEAL_KEYS: seal key k1")
	require.ErrorContains(t, err, "REQUEST_TIMEOUT: ")
	require.NotContains(t, err.Error(), "c2VjcmV0")
}

func TestSupabase(t *testing.T) {
	clear(t)
	t.Setenv("SUPABASE_URL", "https://ref.supabase.co/")
	t.Setenv("DATABASE_URL", "postgres://api")
	cfg, err := config.Load()
	require.NoError(t, err)
	require.Equal(t, "https://ref.supabase.co/auth/v1", cfg.JWTIssuer)
	require.Equal(t, "https://ref.supabase.co/auth/v1/.well-known/jwks.json", cfg.JWKSURL)
	require.Equal(t, "postgres://api", cfg.MigrateDatabaseURL)

	t.Setenv("JWT_ISSUER", "https://auth.example.com")
	cfg, err = config.Load()
	require.NoError(t, err)
	require.Equal(t, "https://auth.example.com", cfg.JWTIssuer)

	cfg = cfg.WithSupabase("http://localhost:9999", "anon")
	require.Equal(t, "http://localhost:9999/auth/v1", cfg.JWTIssuer)
	require.Equal(t, "anon", cfg.SupabaseAnonKey)
}

// TestEveryVariableIsDocumented keeps --help whole.
func TestEveryVariableIsDocumented(t *testing.T) {
	require.NotEmpty(t, config.Variables())
	for _, v := range config.Variables() {
		require.NotEmpty(t, v.Name)
		require.NotEmpty(t, v.Doc, v.Name)
	}
}
