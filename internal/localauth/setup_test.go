package localauth

import (
	"context"
	"crypto/ecdsa"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	admin, d := newDatabase(t)
	ctx := t.Context()
	for range 2 {
		require.NoError(t, Setup(ctx, admin, servicePassword))
	}
	service, err := pgx.Connect(ctx, login(t, d, "supabase_auth_admin", servicePassword))
	require.NoError(t, err)
	require.NoError(t, service.Close(ctx))
	_, err = pgx.Connect(ctx, login(t, d, "supabase_auth_admin", "wrong"))
	require.Error(t, err)

	var plain bool
	require.NoError(t, admin.QueryRow(ctx, `select rolcanlogin and not (rolinherit or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
		from pg_roles where rolname = 'supabase_auth_admin'`).Scan(&plain))
	require.True(t, plain)

	rows, err := admin.Query(ctx, `
		select 'schema ' || nspname from pg_namespace where nspname = 'auth'
			and (nspowner <> 'supabase_auth_admin'::regrole or exists (select from aclexplode(nspacl) where grantee <> nspowner))
		union all
		select relname from pg_class where relnamespace = 'auth'::regnamespace
			and (relowner <> 'supabase_auth_admin'::regrole or exists (select from aclexplode(relacl) where grantee <> relowner))
		union all
		select relname || ' without RLS' from pg_class where relnamespace = 'auth'::regnamespace and relkind = 'r' and not relrowsecurity`)
	require.NoError(t, err)
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, open, "nothing is granted to others")
	var tables int
	require.NoError(t, admin.QueryRow(ctx, "select count(*) from pg_class where relnamespace = 'auth'::regnamespace and relkind = 'r'").Scan(&tables))
	require.Equal(t, 9, tables)
}

func TestSetupLeavesTheRealServiceAlone(t *testing.T) {
	t.Parallel()
	admin, _ := newDatabase(t)
	_, err := admin.Exec(t.Context(), "create schema auth; create table auth.schema_migrations (version text)")
	require.NoError(t, err)
	require.ErrorContains(t, Setup(t.Context(), admin, servicePassword), "the real Supabase Auth")
	require.ErrorContains(t, Setup(t.Context(), admin, ""), "password")
	var exists bool
	require.NoError(t, admin.QueryRow(t.Context(), "select to_regclass('auth.users') is not null").Scan(&exists))
	require.False(t, exists)
}

func TestRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t)
	cfg := Config{Pool: pool, SiteURL: siteURL, ExternalURL: siteURL, KeyFile: filepath.Join(t.TempDir(), "keys.json"), Deliver: func(context.Context, Mail) error { return nil }, HashCost: bcrypt.MinCost}
	for addr, fine := range map[string]bool{
		"127.0.0.1:0": true, "127.8.9.1:0": true, "[::1]:0": true, "localhost:0": true, "[::ffff:127.0.0.1]:0": true,
		"": false, ":9999": false, "0.0.0.0:0": false, "[::]:0": false, "10.0.0.1:0": false, "example.com:0": false,
		"localhost.example.com:0": false, "127.0.0.1": false, "localhost": false, "[::ffff:0.0.0.0]:0": false, "2130706433:0": false,
	} {
		cfg.Addr = addr
		_, err := New(cfg)
		require.Equal(t, fine, err == nil, "%q: %v", addr, err)
	}

	cfg.Addr = "127.0.0.1:0"
	server, err := New(cfg)
	require.NoError(t, err)
	everywhere, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	require.ErrorContains(t, server.Serve(t.Context(), everywhere), "not a loopback address")
	_, err = everywhere.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestRefusesBadConfig(t *testing.T) {
	t.Parallel()
	pool, _ := newPool(t)
	for name, spoil := range map[string]func(*Config){
		"no pool":            func(c *Config) { c.Pool = nil },
		"no site":            func(c *Config) { c.SiteURL = "" },
		"no external URL":    func(c *Config) { c.ExternalURL = "localhost:9999" },
		"no way for mails":   func(c *Config) { c.Deliver = nil },
		"endless passwords":  func(c *Config) { c.MinPasswordLength = 73 },
		"no key file":        func(c *Config) { c.KeyFile = "" },
		"webhook, no host":   func(c *Config) { c.Webhook = &Webhook{URL: "localhost:1"} },
		"hook elsewhere":     func(c *Config) { c.Hooks.SendEmail = &Hook{URI: "http://api:8080", Secrets: secretOne} },
		"hook not http":      func(c *Config) { c.Hooks.SendEmail = &Hook{URI: "pg-functions://x/y/z", Secrets: secretOne} },
		"hook, no secret":    func(c *Config) { c.Hooks.SendEmail = &Hook{URI: "http://localhost/"} },
		"hook, short secret": func(c *Config) { c.Hooks.SendEmail = &Hook{URI: "http://localhost/", Secrets: "v1,whsec_c2hvcnQ="} },
		"hook, bad base64": func(c *Config) {
			c.Hooks.SendEmail = &Hook{URI: "http://localhost/", Secrets: secretOne + "|" + secretOne + "x"}
		},
	} {
		cfg := Config{
			Addr: "127.0.0.1:0", Pool: pool, SiteURL: siteURL, ExternalURL: siteURL, KeyFile: filepath.Join(t.TempDir(), "keys.json"),
			Deliver: func(context.Context, Mail) error { return nil }, HashCost: bcrypt.MinCost,
		}
		_, err := New(cfg)
		require.NoError(t, err)
		spoil(&cfg)
		_, err = New(cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "whsec_M", name)
	}
}

func TestServeStops(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = &Hook{URI: receiver.URL, Secrets: secretOne} })

	ctx, cancel := context.WithCancel(t.Context())
	ln, err := w.server.Listen(ctx)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, ln) }()
	busy := &world{t: t, url: "http://" + ln.Addr().String()}
	answered := make(chan reply, 1)
	go func() { answered <- busy.post("/signup", credentials("ann@example.com", goodPassword)) }()
	<-entered
	cancel()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, time.Second, 10*time.Millisecond, "no new connections")
	close(release)
	require.Equal(t, 200, (<-answered).status, "what is in flight finishes")
	require.NoError(t, <-served)
}

func TestServeCutsWhatHangs(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	t.Cleanup(receiver.Close)
	t.Cleanup(func() { close(release) })
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = &Hook{URI: receiver.URL, Secrets: secretOne} })
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := w.server.Listen(ctx)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	body := credentials("ann@example.com", goodPassword)
	_, err = conn.Write([]byte("POST /signup HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body))
	require.NoError(t, err)
	<-entered
	start := time.Now()
	cancel()
	require.NoError(t, <-served)
	require.Less(t, time.Since(start), 4*time.Second)
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "keys.json")
	first, err := openKeyring(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	leftovers, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, leftovers, 1)

	token, err := first.sign(map[string]string{"sub": "x"})
	require.NoError(t, err)
	second, err := openKeyring(path)
	require.NoError(t, err)
	payload, err := second.verify(token)
	require.NoError(t, err)
	require.JSONEq(t, `{"sub":"x"}`, string(payload))
	require.Equal(t, first.refresh, second.refresh)

	var private ecdsa.PrivateKey
	require.NoError(t, first.signing.Raw(&private))
	anonymous, err := jws.Sign([]byte(`{"sub":"x"}`), jws.WithKey(jwa.ES256, &private))
	require.NoError(t, err)
	_, err = first.verify(string(anonymous))
	require.Error(t, err, "signed by the right key, but without a kid")

	stranger, err := openKeyring(filepath.Join(t.TempDir(), "keys.json"))
	require.NoError(t, err)
	_, err = stranger.verify(token)
	require.Error(t, err)

	for name, text := range map[string]string{
		"empty":     ``,
		"no keys":   `{"keys":[]}`,
		"symmetric": `{"keys":[{"kty":"oct","alg":"HS256","kid":"a","k":"c2VjcmV0","key_ops":["sign"]}]}`,
	} {
		bad := filepath.Join(t.TempDir(), "keys.json")
		require.NoError(t, os.WriteFile(bad, []byte(text), 0o600))
		_, err := openKeyring(bad)
		require.Error(t, err, name)
	}
}
