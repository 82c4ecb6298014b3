package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/config"
	"rowhouse/internal/dbtest"
)

const (
	issuer    = "https://project.example.com/auth/v1"
	jwtSecret = "a shared secret of at least 32 bytes"
)

// forServe is what `rowhouse serve` needs to run on d.
func forServe(t testing.TB, d *dbtest.Database) environment {
	t.Helper()
	return environment{
		"ADDR": freeAddress(t), "DATABASE_URL": d.URL("rowhouse_api"), "SEAL_KEYS": dbtest.KeysText,
		"INVITE_KEYS": dbtest.InviteKeysText, "JWT_ISSUER": issuer, "JWT_SECRET": jwtSecret, "RATE_LIMIT_PER_MINUTE": "0",
	}
}

// serve runs `rowhouse serve` until it answers.
func serve(t testing.TB, env environment) (p *process, base string) {
	t.Helper()
	p, base = start(t, env, "serve"), "http://"+env["ADDR"]
	p.serves(t, base)
	return p, base
}

// claims are those of an access token of Supabase Auth.
func claims(t testing.TB, user uuid.UUID) jwt.Token {
	t.Helper()
	token, err := jwt.NewBuilder().Issuer(issuer).Subject(user.String()).Audience([]string{"authenticated"}).
		IssuedAt(time.Now()).Expiration(time.Now().Add(time.Hour)).
		Claim("role", "authenticated").Claim("session_id", uuid.NewString()).Claim("is_anonymous", false).Build()
	require.NoError(t, err)
	return token
}

// as is a client of user, whose token is signed with the shared secret.
func as(t testing.TB, base string, user uuid.UUID) client {
	t.Helper()
	token, err := jwt.Sign(claims(t, user), jwt.WithKey(jwa.HS256, []byte(jwtSecret)))
	require.NoError(t, err)
	return newClient(base, string(token))
}

func TestServe(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	env := forServe(t, d)
	p, base := serve(t, env)
	require.Equal(t, 1, as(t, base, ann.UserID).units(t, "").Pagination.Total)

	code, output := outcome(t, env, "serve")
	require.Equal(t, 1, code)
	require.Contains(t, output, "is taken by process")

	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.exit(t, soon), p.output.tail())
}

// TestServeSessions: with keys for sessions the process signs browsers in, and says
// what it needs for that.
func TestServeSessions(t *testing.T) {
	t.Parallel()
	env := forServe(t, dbtest.New(t))
	env["SESSION_KEYS"] = "s1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	code, output := outcome(t, env, "serve")
	require.Equal(t, 1, code)
	for _, name := range []string{"PUBLIC_URL", "SUPABASE_URL", "SUPABASE_ANON_KEY"} {
		require.Contains(t, output, name+" is not set")
	}
	provider := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(provider.Close)
	env["PUBLIC_URL"], env["SUPABASE_URL"], env["SUPABASE_ANON_KEY"] = "http://app.example.com", provider.URL, "anon"
	code, output = outcome(t, env, "serve")
	require.Equal(t, 1, code)
	require.Contains(t, output, "PUBLIC_URL must be https")
	require.NotContains(t, output, env["SESSION_KEYS"])

	env["PUBLIC_URL"] = "https://app.example.com"
	_, base := serve(t, env)
	nobody := newClient(base, "")
	nobody.must(t, http.StatusUnauthorized, "GET", "/auth/session", nil)
	nobody.must(t, http.StatusForbidden, "POST", "/auth/refresh", nil, "Origin", "https://evil.example")
	nobody.must(t, http.StatusUnauthorized, "POST", "/auth/refresh", nil, "Origin", "https://app.example.com")
	nobody.must(t, http.StatusUnauthorized, "GET", "/api/v1/me", nil, "Cookie", "__Host-rowhouse-session=x")
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env, dir := forServe(t, d), tempDir(t)
	for _, name := range []string{"DATABASE_URL", "SEAL_KEYS", "JWT_SECRET"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(env[name]+"\n"), 0o600))
		env[name+"_FILE"] = path
		delete(env, name)
	}
	_, base := serve(t, env)
	as(t, base, d.Landlord(t, "ann").UserID).must(t, http.StatusOK, "GET", "/api/v1/me", nil)

	env["SEAL_KEYS_FILE"] = filepath.Join(dir, "absent")
	code, output := outcome(t, env, "serve")
	require.Equal(t, 1, code)
	require.Contains(t, output, "SEAL_KEYS_FILE")
	require.Contains(t, output, "no such file")
}

func TestMissingVariables(t *testing.T) {
	t.Parallel()
	for command, names := range map[string][]string{
		"serve":        {"DATABASE_URL", "SEAL_KEYS", "INVITE_KEYS", "SUPABASE_URL"},
		"worker":       {"WORKER_DATABASE_URL", "SEAL_KEYS", "INVITE_KEYS", "SMTP_URL", "MAIL_FROM", "PUBLIC_URL"},
		"migrate":      {"MIGRATE_DATABASE_URL", "SEAL_KEYS"},
		"policy apply": {"MIGRATE_DATABASE_URL"},
		"seed":         {"DATABASE_URL", "SEAL_KEYS", "SUPABASE_URL", "SUPABASE_ANON_KEY"},
	} {
		code, output := outcome(t, nil, strings.Fields(command)...)
		require.Equal(t, 1, code, command)
		for _, name := range names {
			require.Contains(t, output, name+" is not set", command)
		}
	}
}

// What is wrong is named, and the value of a secret is not.
func TestMalformedVariables(t *testing.T) {
	t.Parallel()
	complete := environment{
		"ADDR": freeAddress(t), "DATABASE_URL": "postgres://rowhouse_api:hunter2@127.0.0.1:1/x", "SEAL_KEYS": dbtest.KeysText,
		"INVITE_KEYS": dbtest.InviteKeysText, "JWT_ISSUER": issuer, "JWT_SECRET": jwtSecret,
	}
	for _, c := range []struct {
		name, value, says string
	}{
		{"DATABASE_URL", "postgres://rowhouse_api:hunter2@[::1/x", "not a valid Postgres URL"},
		{"SEAL_KEYS", "k1:hunter2", "seal key k1"},
		{"INVITE_KEYS", "k1:hunter2", "invite key k1"},
		{"MAIL_HOOK_SECRET", "hunter2", "want 32 characters"},
		{"REQUEST_TIMEOUT", "hunter2", "REQUEST_TIMEOUT"},
		{"DATABASE_MAX_CONNS", "hunter2", "DATABASE_MAX_CONNS"},
		{"LOG_LEVEL", "hunter2", "LOG_LEVEL"},
		{"LOG_FORMAT", "hunter2", "LOG_FORMAT"},
		{"JWT_SECRET", "hunter2", "needs 32"},
	} {
		code, output := outcome(t, complete.with(environment{c.name: c.value}), "serve")
		require.Equal(t, 1, code, "%s=%s: %s", c.name, c.value, output)
		require.Contains(t, output, c.says)
		if c.name == "DATABASE_URL" || strings.HasSuffix(c.name, "_KEYS") || c.name == "MAIL_HOOK_SECRET" || c.name == "JWT_SECRET" {
			require.NotContains(t, output, "hunter2", c.name)
		}
	}
	code, output := outcome(t, complete.with(environment{"LOG_LEVEL": "x", "REQUEST_TIMEOUT": "x", "DATABASE_POOLER": "x"}), "serve")
	require.Equal(t, 1, code)
	require.Contains(t, output, "REQUEST_TIMEOUT")
	require.Contains(t, output, "DATABASE_POOLER")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "dev", "serve", "migrate", "import", "policy", "policy plan", "policy apply", "policy drift", "seed", "version"} {
		code, output := outcome(t, nil, append(strings.Fields(command), "--help")...)
		require.Zero(t, code, command)
		for _, v := range config.Variables() {
			require.Contains(t, output, "  "+v.Name, command)
			require.Contains(t, output, v.Doc, command)
			require.Contains(t, output, v.Default, command)
		}
	}
	for _, command := range []string{"dev", "serve", "migrate", "import", "policy plan", "policy apply", "policy drift", "seed", "version"} {
		_, output := outcome(t, nil, "--help")
		require.Contains(t, output, command)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	code, output := outcome(t, nil, "version")
	require.Zero(t, code)
	require.Regexp(t, `^rowhouse [0-9a-z.-]+\n$`, output)
	for _, wrong := range []string{"", "unknown", "policy", "policy unknown", "serve --unknown", "serve here"} {
		code, output := outcome(t, nil, strings.Fields(wrong)...)
		require.NotZero(t, code, wrong)
		require.Contains(t, output, "rowhouse: error:", wrong)
	}
}
