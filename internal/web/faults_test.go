package web_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// answers is a provider that says that.
func answers(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if status == http.StatusFound {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return false
	}
}

// silence is a provider that never answers.
func silence(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the caller has gone
	<-r.Context().Done()
	return false
}

// endless is a provider whose answer has no end.
func endless(w http.ResponseWriter, r *http.Request) bool {
	_, _ = io.WriteString(w, `{"access_token":"`)
	filler := make([]byte, 64<<10)
	for i := range filler {
		filler[i] = 'x'
	}
	for r.Context().Err() == nil {
		if _, err := w.Write(filler); err != nil {
			break
		}
	}
	return false
}

// asking are requests of every kind that asks the provider; those with an email of
// "" need a session.
var asking = map[string]struct {
	method, path string
	body         object
	signedIn     bool
}{
	"sign-up":        {http.MethodPost, "/auth/sign-up", object{"email": "new@example.com", "password": password}, false},
	"sign-in":        {http.MethodPost, "/auth/sign-in", object{"email": "ann@example.com", "password": password}, false},
	"forgot":         {http.MethodPost, "/auth/forgot", object{"email": "ann@example.com"}, false},
	"magic link":     {http.MethodPost, "/auth/magic-link", object{"email": "ann@example.com"}, false},
	"resend":         {http.MethodPost, "/auth/resend", object{"email": "ann@example.com", "type": "signup"}, false},
	"confirm":        {http.MethodPost, "/auth/confirm", object{"tokenHash": "0123456789abcdef0123456789abcdef", "type": "signup"}, false},
	"refresh":        {http.MethodPost, "/auth/refresh", nil, true},
	"factors":        {http.MethodGet, "/auth/mfa/factors", nil, true},
	"enroll":         {http.MethodPost, "/auth/mfa/enroll", object{"name": "phone"}, true},
	"challenge":      {http.MethodPost, "/auth/mfa/challenge", object{"factorId": someID}, true},
	"verify":         {http.MethodPost, "/auth/mfa/verify", object{"factorId": someID, "challengeId": someID, "code": "123456"}, true},
	"unenroll":       {http.MethodPost, "/auth/mfa/unenroll", object{"factorId": someID}, true},
	"password":       {http.MethodPost, "/auth/account/password", object{"currentPassword": password, "password": "another horse"}, true},
	"address":        {http.MethodPost, "/auth/account/email", object{"currentPassword": password, "email": "anna@example.com"}, true},
	"reauthenticate": {http.MethodPost, "/auth/account/reauthenticate", nil, true},
}

const someID = "0f0e0d0c-0b0a-4908-8706-050403020100"

// TestProviderGone asks everything of a provider that is away, that breaks down, or
// that never answers: it is said, nothing is half done, and who is signed in stays so.
func TestProviderGone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"away": down, "silent": silence, "broken": answers(http.StatusInternalServerError, `{"code":"unexpected_failure","message":"x"}`),
		"late": answers(http.StatusGatewayTimeout, `{"code":"request_timeout","message":"x"}`), "mad": answers(http.StatusOK, `"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.browser()
			ann.signUp("ann@example.com")
			w.impatient()
			w.provider.on("", fault)
			for what, request := range asking {
				b := w.browser()
				if request.signedIn {
					b = ann.copyOf()
				}
				before := b.copyOf().cookies
				var body any
				if request.body != nil {
					body = request.body
				}
				if name == "mad" && (what == "sign-up" || what == "forgot" || what == "magic link" || what == "resend" || what == "reauthenticate" || what == "unenroll") {
					continue // what says nothing is not read
				}
				a := b.send(request.method, request.path, body)
				require.Equal(t, http.StatusServiceUnavailable, a.status, "%s: %s", what, a.text)
				a.refused(http.StatusServiceUnavailable, "auth_unavailable")
				require.Equal(t, "5", a.header.Get("Retry-After"), what)
				require.Equal(t, before, b.cookies, what)
			}
			page := w.browser().get("/auth/oauth/google")
			require.Equal(t, http.StatusServiceUnavailable, page.status)
			require.Equal(t, "5", page.header.Get("Retry-After"))

			ann.get("/api/v1/me").ok(http.StatusOK)
			if name == "mad" {
				return
			}
			out := ann.copyOf()
			out.post("/auth/sign-out", nil).refused(http.StatusServiceUnavailable, "auth_unavailable")
			require.Empty(t, out.cookies, "the browser is signed out all the same")
			ann.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
		})
	}
}

// TestProviderSlow: two seconds are slow and not too slow.
func TestProviderSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.browser()
	ann.signUp("ann@example.com")
	w.provider.on("", func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(2 * time.Second)
		return true
	})
	done := make(chan answer, 3)
	go func() { done <- w.browser().signIn("ann@example.com") }()
	go func() { done <- ann.copyOf().get("/auth/mfa/factors") }()
	go func() { done <- w.browser().post("/auth/forgot", object{"email": "stranger@example.com"}) }()
	for range 3 {
		require.Less(t, (<-done).status, 300)
	}
}

// TestKeysUnreachable: without the provider's keys nobody's token can be checked. The
// API says so, nobody is signed out, and it goes on when the keys are there.
func TestKeysUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	const keys = "/.well-known/jwks.json"
	w.provider.on(keys, down)
	again, err := auth.NewVerifier(t.Context(), auth.Config{JWKSURL: w.provider.url + "/auth/v1" + keys, Issuer: w.provider.url + "/auth/v1"})
	require.NoError(t, err)
	t.Cleanup(again.Close)
	known := w.tokens
	w.tokens = again
	w.start(w.config)
	a := b.get("/api/v1/me").refused(http.StatusServiceUnavailable, "auth_unavailable")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	b.get("/auth/session").ok(http.StatusOK)
	other := w.browser()
	other.signIn("ann@example.com").ok(http.StatusOK)
	require.True(t, b.signedIn())

	w.provider.on(keys, nil)
	require.Eventually(t, func() bool { return b.get("/api/v1/me").status == http.StatusOK }, 30*time.Second, 50*time.Millisecond)

	// later: a process that has the keys needs the address no more
	w.provider.on(keys, down)
	w.tokens = known
	w.start(w.config)
	other.get("/api/v1/me").ok(http.StatusOK)
}
