// Package auth tests Rowhouse together with the service that signs its users in.
//
// By default that is the stand-in of `rowhouse dev`, in a process of the tests'. With
// these set, it is a real Supabase Auth, and the same tests run against it:
//
//	SUPABASE_URL                its address, without /auth/v1
//	SUPABASE_ANON_KEY           its public API key
//	SUPABASE_SERVICE_ROLE_KEY   a token with the role service_role, for what only an administrator may do
//	AUTH_HOOK_SECRETS           what it signs its calls of the hooks with
//	ROWHOUSE_TEST_HOOKS_ADDR    host:port on this machine where it calls the hooks, at /hooks/auth/…
//
// It needs ES256 keys, an address that is confirmed by mail and changed with the consent
// of both, passwords of 10 characters, no reauthentication for a new one, TOTP, tokens
// of an hour, codes of 6 digits, http://127.0.0.1:3000 as the site's address, all four
// hooks, and no limits: GOTRUE_SMTP_MAX_FREQUENCY=1ns, GOTRUE_RATE_LIMIT_EMAIL_SENT high.
// The tests sign up people under example.com with addresses of their own for each run,
// and leave them there.
package auth

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/localauth"
)

const (
	soon = 10 * time.Second

	beforeUserCreated = "before-user-created"
	afterUserCreated  = "after-user-created"
	customAccessToken = "custom-access-token"
	sendEmail         = "send-email"

	// what the stand-in is set to; a real one may differ in nothing but the address
	siteURL = "http://127.0.0.1:3000"
	secrets = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=|v1,whsec_c2Vjb25kLXNlY3JldC1vZi0yNC1ieXRlcw=="
)

var nothingToSay = log.New(io.Discard, "", 0)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := buildDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return dbtest.Main(m)
}

// provider is a service and what the tests know of it.
type provider struct {
	url, anonKey string
	adminKey     string // "" if the tests are not told it
	hookSecrets  string
	hooks        *gate
}

// real is the one that the environment names; it has one address for its hooks, so
// tests take turns with it.
var real struct {
	sync.Mutex
	hooks *gate
}

// newProvider is the real service, or a stand-in of the test's own, which keeps its
// users in d. Its hooks come to the gate, where everything is agreed to at first.
func newProvider(t testing.TB, d *dbtest.Database) *provider {
	t.Helper()
	address := os.Getenv("SUPABASE_URL")
	if address == "" {
		return newStandIn(t, d)
	}
	p := &provider{
		url: address, anonKey: os.Getenv("SUPABASE_ANON_KEY"), adminKey: os.Getenv("SUPABASE_SERVICE_ROLE_KEY"),
		hookSecrets: os.Getenv("AUTH_HOOK_SECRETS"),
	}
	hooksAddress := os.Getenv("ROWHOUSE_TEST_HOOKS_ADDR")
	require.False(t, p.anonKey == "" || p.hookSecrets == "" || hooksAddress == "", "SUPABASE_URL is set, but not all that the package comment names")
	real.Lock()
	t.Cleanup(real.Unlock)
	if real.hooks == nil {
		listener, err := net.Listen("tcp", hooksAddress)
		require.NoError(t, err)
		real.hooks = openGate(listener)
	}
	real.hooks.put(http.HandlerFunc(agree))
	real.hooks.take()
	p.hooks = real.hooks
	return p
}

func newStandIn(t testing.TB, d *dbtest.Database) *provider {
	t.Helper()
	const password = "supabase_auth_admin" // roles are the server's, which other tests use too
	require.NoError(t, localauth.Setup(t.Context(), d.Connect(t, "postgres"), password))
	login, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	login.User = url.UserPassword("supabase_auth_admin", password)
	pool, err := pgxpool.New(t.Context(), login.String())
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	hooksListener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hooksListener.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &provider{url: "http://" + listener.Addr().String(), hookSecrets: secrets, hooks: openGate(hooksListener)}
	hook := func(name string) *localauth.Hook {
		return &localauth.Hook{URI: "http://" + hooksListener.Addr().String() + "/hooks/auth/" + name, Secrets: secrets}
	}
	server, err := localauth.New(localauth.Config{
		Addr: listener.Addr().String(), Pool: pool, SiteURL: siteURL, ExternalURL: p.url + "/auth/v1",
		KeyFile: filepath.Join(t.TempDir(), "keys.json"), MailInterval: time.Nanosecond, MinPasswordLength: 10, HashCost: bcrypt.MinCost,
		Hooks: localauth.Hooks{
			BeforeUserCreated: hook(beforeUserCreated), AfterUserCreated: hook(afterUserCreated),
			CustomAccessToken: hook(customAccessToken), SendEmail: hook(sendEmail),
		},
	})
	require.NoError(t, err)
	p.anonKey, err = server.AnonKey()
	require.NoError(t, err)
	p.adminKey, err = server.ServiceKey()
	require.NoError(t, err)

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return p
}
