package web_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/localauth"
	"rowhouse/internal/sealedcookie"
	"rowhouse/internal/web"
)

const refreshing = "/token refresh_token"

// nearEnd moves the clock to where a token of an hour is due for the next one.
func (w *world) nearEnd() { w.advance(time.Hour - 30*time.Second) }

// TestOneRefresh: twenty requests with a cookie that is due, and more with it after
// the answer, cost one refresh, and all succeed.
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	w.nearEnd()
	old := b.copyOf()

	const many = 20
	arrived := make(chan struct{}, 1)
	release := make(chan struct{})
	w.provider.on(refreshing, func(http.ResponseWriter, *http.Request) bool {
		select {
		case arrived <- struct{}{}:
		default: // one too many, which is counted
		}
		<-release
		return true
	})
	var all sync.WaitGroup
	answers := make(chan answer, many)
	for range many {
		all.Go(func() { answers <- old.copyOf().get("/api/v1/me") })
	}
	<-arrived
	close(release)
	all.Wait()
	for range many {
		a := (<-answers).ok(http.StatusOK)
		require.NotEmpty(t, a.header.Get("Set-Cookie"), "every answer brings the new cookie: any may be the last")
	}
	require.Equal(t, 1, w.provider.count(refreshing))

	// who comes late with the old cookie gets the same
	late := old.copyOf()
	late.get("/api/v1/me").ok(http.StatusOK)
	late.get("/auth/session").ok(http.StatusOK)
	require.Equal(t, 1, w.provider.count(refreshing))

	// after half a minute it is asked for again, which the provider takes from the last
	// token before the newest
	w.advance(31 * time.Second)
	old.copyOf().get("/api/v1/me").ok(http.StatusOK)
	require.Equal(t, 2, w.provider.count(refreshing))
	b.get("/api/v1/me").ok(http.StatusOK)
}

// TestRefreshOutlivesItsCaller: who asked first goes away; the others get the answer.
func TestRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	w.nearEnd()
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	w.provider.on(refreshing, func(http.ResponseWriter, *http.Request) bool {
		select {
		case arrived <- struct{}{}:
		default: // one too many, which is counted
		}
		<-release
		return true
	})
	first, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/auth/session", nil)
	require.NoError(t, err)
	for name, value := range b.cookies {
		first.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := http.Client{Timeout: 0}
	ctx, cancel := contextWithCancel(t)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if answer, err := client.Do(first.WithContext(ctx)); err == nil {
			_ = answer.Body.Close()
		}
	}()
	<-arrived
	second := make(chan answer, 1)
	go func() { second <- b.get("/auth/session") }()
	cancel()
	<-gone
	close(release)
	require.Equal(t, http.StatusOK, (<-second).status)
	require.Equal(t, 1, w.provider.count(refreshing))
}

// TestConflict: another process has the session's lock at the provider.
func TestConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	w.nearEnd()
	first := true
	w.provider.on(refreshing, func(rw http.ResponseWriter, _ *http.Request) bool {
		if !first {
			return true
		}
		first = false
		rw.WriteHeader(http.StatusConflict)
		_, _ = rw.Write([]byte(`{"code":"conflict","message":"Too many concurrent token refresh requests"}`))
		return false
	})
	b.get("/api/v1/me").ok(http.StatusOK)
	require.Equal(t, 2, w.provider.count(refreshing))
}

// TestProviderDownLater: a session goes on until its token ends, and is there again
// when the provider is.
func TestProviderDownLater(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"away":           down,
		"out of order":   answers(http.StatusInternalServerError, `{"code":"unexpected_failure","message":"x"}`),
		"too busy":       answers(http.StatusTooManyRequests, `{"code":"over_request_rate_limit","message":"x"}`),
		"another's page": answers(http.StatusOK, `<html>`),
		"wrong key":      answers(http.StatusUnauthorized, `{"message":"Invalid API key"}`),
		"hook refuses":   answers(http.StatusForbidden, `{"code":"unknown","message":"x"}`),
		"no token in it": answers(http.StatusOK, `{"access_token":"x.y.z","refresh_token":""}`),
		"elsewhere":      answers(http.StatusFound, ``),
		"breaks off":     func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"half an answer": answers(http.StatusOK, `{"access_token":"`),
		"an endless one": endless,
		"silence":        silence,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			b.signUp("ann@example.com")
			w.impatient()
			w.nearEnd()
			w.provider.on(refreshing, fault)
			b.get("/api/v1/me").ok(http.StatusOK)
			b.get("/auth/session").ok(http.StatusOK)
			require.True(t, b.signedIn())

			w.advance(31 * time.Second)
			a := b.get("/api/v1/me").refused(http.StatusServiceUnavailable, "auth_unavailable")
			require.Equal(t, "5", a.header.Get("Retry-After"))
			b.get("/auth/session").refused(http.StatusServiceUnavailable, "auth_unavailable")
			require.True(t, b.signedIn())

			w.provider.on(refreshing, nil)
			w.start(w.config)
			b.get("/api/v1/me").ok(http.StatusOK)
		})
	}
}

// TestRefused: a session that the provider has ended is over, with the cookie.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	w.database.Exec(t, "delete from auth.sessions")
	b.get("/api/v1/me").ok(http.StatusOK) // until its token is due
	asking := b.copyOf()
	asking.get("/auth/mfa/factors").refused(http.StatusUnauthorized, "session_ended") // the provider was asked
	require.Empty(t, asking.cookies)

	w.nearEnd()
	b.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
	require.Empty(t, b.cookies)
	b.get("/api/v1/me").refused(http.StatusUnauthorized, "token_missing")
}

// TestRevokedByReuse: an old refresh token ends the session at the provider, and the
// browser hears of it.
func TestRevokedByReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	stolen := b.copyOf()
	for range 2 {
		b.post("/auth/refresh", nil).ok(http.StatusOK)
	}
	w.advance(time.Hour) // nothing is remembered, and the token has ended
	stolen.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
	w.advance(11 * time.Second) // so long the provider takes the others still
	b.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
}

// TestLifetimes ends sessions that are not used, and those that are.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *localauth.Config, c *web.Config) { c.Idle, c.Lifetime = 20*time.Minute, 50*time.Minute })
	idle, busy := w.browser(), w.browser()
	idle.signUp("ann@example.com")
	busy.signIn("ann@example.com").ok(http.StatusOK)
	for range 2 {
		w.advance(12*time.Minute + 30*time.Second)
		busy.get("/auth/session").ok(http.StatusOK)
	}
	idle.get("/auth/session").refused(http.StatusUnauthorized, "session_ended")
	require.Empty(t, idle.cookies)
	w.advance(15 * time.Minute)
	busy.get("/auth/session").ok(http.StatusOK)
	w.advance(11 * time.Minute)
	busy.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
	require.Empty(t, busy.cookies)
}

// TestSpoiledCookies: what does not open is as good as none.
func TestSpoiledCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	value := b.cookies[cookie]
	for name, spoiled := range map[string]string{
		"changed": value[:60] + map[bool]string{true: "B", false: "A"}[value[60] == 'A'] + value[61:],
		"cut":     value[:len(value)-8],
		"empty":   "",
		"another": "1.one." + strings.Repeat("A", 200),
	} {
		for _, path := range []string{"/api/v1/me", "/auth/session"} {
			c := b.copyOf()
			c.cookies[cookie] = spoiled
			c.get(path).refused(http.StatusUnauthorized, "session_ended")
			require.Empty(t, c.cookies, name)
		}
	}
	// the cookie of the OAuth flow is no session
	c := w.browser()
	require.Equal(t, http.StatusFound, c.get("/auth/oauth/google").status)
	c.cookies[cookie] = c.cookies["__Host-rowhouse-oauth"]
	c.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
}

// TestRotation: cookies of the last key open as long as it is in the ring.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	restart := func(keys string) {
		ring, err := sealedcookie.ParseKeyring(keys)
		require.NoError(t, err)
		c := w.config
		c.Keys = ring
		w.start(c)
	}
	restart(keyTwo + "," + keyOne)
	before := b.copyOf()
	b.get("/api/v1/me").ok(http.StatusOK)
	require.Equal(t, before.cookies, b.cookies)
	b.post("/auth/refresh", nil).ok(http.StatusOK)
	restart(keyTwo)
	b.get("/api/v1/me").ok(http.StatusOK)
	before.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
	require.Empty(t, before.cookies)
	restart(strings.Replace(keyOne, "one:", "two:", 1)) // another key under the same id
	b.get("/auth/session").refused(http.StatusUnauthorized, "session_ended")
}

// TestLargeSession: a token that fills several cookies works, and one that fills more
// than there are opens no session.
func TestLargeSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	grow := func(n int) {
		w.database.Exec(t, `update auth.users set raw_user_meta_data = jsonb_build_object('note', repeat('x', $1))`, n)
	}
	grow(5000)
	b.post("/auth/refresh", nil).ok(http.StatusOK)
	require.Len(t, b.cookies, 3)
	b.get("/api/v1/me").ok(http.StatusOK)
	grow(0)
	b.post("/auth/refresh", nil).ok(http.StatusOK)
	require.Len(t, b.cookies, 1)
	b.get("/api/v1/me").ok(http.StatusOK)
	grow(20000)
	other := w.browser()
	other.signIn("ann@example.com").refused(http.StatusUnprocessableEntity, "session_too_large")
	require.Empty(t, other.cookies)
}

// TestHeaderWins: a request that brings a token of its own is that token's.
func TestHeaderWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.browser(), w.browser()
	ann.signUp("ann@example.com")
	tokens := w.provider.secrets()
	bob.signUp("bob@example.com")
	require.Equal(t, "ann@example.com", bob.get("/api/v1/me", "Authorization: Bearer "+tokens[0]).ok(http.StatusOK).body["email"])
	bob.get("/api/v1/me", "Authorization: Bearer nonsense").refused(http.StatusUnauthorized, "invalid_token")
	require.True(t, bob.signedIn())
	bob.cookies[cookie] = "spoiled"
	a := bob.get("/api/v1/me", "Authorization: Bearer "+tokens[0]).ok(http.StatusOK)
	require.Empty(t, a.header.Get("Set-Cookie"))
}

// TestOrigins: no other origin's page can use the cookie, and none can sign anybody in.
func TestOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	id := b.get("/auth/session").body["userId"]
	host := strings.TrimPrefix(w.origin, "http://")
	for name, c := range map[string]struct {
		headers []string
		allowed bool
	}{
		"our own page":              {[]string{"Sec-Fetch-Site: same-origin"}, true},
		"typed in":                  {[]string{"Sec-Fetch-Site: none", "Origin: "}, true},
		"no browser":                {[]string{"Origin: "}, true},
		"our own page, old browser": {nil, true},
		"our origin behind a proxy": {[]string{"Sec-Fetch-Site: cross-site", "Origin: " + w.origin}, true},
		"another site":              {[]string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, false},
		"another site, no origin":   {[]string{"Sec-Fetch-Site: cross-site", "Origin: "}, false},
		"a sister domain":           {[]string{"Sec-Fetch-Site: same-site", "Origin: https://www.example.com"}, false},
		"another site, old browser": {[]string{"Origin: https://evil.example"}, false},
		"a page without origin":     {[]string{"Origin: null"}, false},
		"another port":              {[]string{"Origin: http://localhost:1"}, false},
		"our name as a prefix":      {[]string{"Origin: http://" + host + ".evil.example"}, false},
	} {
		if name == "our own page, old browser" {
			c.headers = []string{"Origin: " + w.origin}
		}
		for _, request := range []struct{ method, path, body string }{
			{http.MethodGet, "/api/v1/me", ""},
			{http.MethodPatch, "/api/v1/me", `{"fullName":"Ann"}`},
			{http.MethodGet, "/auth/session", ""},
			{http.MethodPost, "/auth/refresh", ""},
			{http.MethodPost, "/auth/forgot", `{"email":"stranger@example.com"}`},
			{http.MethodPost, "/auth/sign-in", `{"email":"ann@example.com","password":"` + password + `"}`},
		} {
			var body any
			if request.body != "" {
				body = request.body
			}
			a := b.copyOf().send(request.method, request.path, body, c.headers...)
			if c.allowed {
				require.Contains(t, []int{http.StatusOK, http.StatusAccepted, http.StatusTooManyRequests}, a.status, "%s: %s %s: %s", name, request.method, request.path, a.text)
				continue
			}
			a.refused(http.StatusForbidden, "cross_origin")
			require.Empty(t, a.header.Get("Set-Cookie"))
			require.NotContains(t, a.text, id)
		}
	}
}
