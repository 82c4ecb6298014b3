package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// code is what an authenticator shows.
func (w *world) code(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.now())
	require.NoError(w.t, err)
	return code
}

// enroll gives b a second factor and returns its id and secret.
func (b *browser) enroll() (id, secret string) {
	b.t.Helper()
	enrolled := b.post("/auth/mfa/enroll", object{"name": "phone"}).ok(http.StatusCreated)
	require.Less(b.t, len(enrolled.text), 1000, "the picture stays at the provider")
	id, secret = enrolled.body["id"].(string), enrolled.body["secret"].(string)
	require.Contains(b.t, enrolled.body["uri"], "otpauth://totp/Rowhouse")
	b.passChallenge(id, secret)
	return id, secret
}

func (b *browser) passChallenge(id, secret string) {
	b.t.Helper()
	challenge := b.post("/auth/mfa/challenge", object{"factorId": id}).ok(http.StatusCreated)
	came := b.post("/auth/mfa/verify", object{"factorId": id, "challengeId": challenge.body["id"], "code": b.code(secret)}).ok(http.StatusOK)
	require.Equal(b.t, "aal2", came.body["aal"])
}

// TestSecondFactor goes from enrolling over signing in with a code to the end.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	require.Equal(t, []any{}, b.get("/auth/mfa/factors").ok(http.StatusOK).body["factors"])
	before := b.copyOf()
	id, secret := b.enroll()
	require.Equal(t, "aal2", w.claims()["aal"], "what the API gets")
	b.get("/api/v1/me").ok(http.StatusOK)

	// what was under way with the cookie from before brings the new one along
	before.get("/auth/session").ok(http.StatusOK)
	require.Equal(t, "aal2", before.get("/auth/session").body["aal"])

	in := w.browser()
	came := in.signIn("ann@example.com").ok(http.StatusOK)
	require.Equal(t, "aal1", came.body["aal"])
	require.Equal(t, true, came.body["secondFactor"])
	in.post("/auth/account/password", object{"currentPassword": password, "password": "another horse battery"}).refused(http.StatusForbidden, "aal2_required")
	in.post("/auth/mfa/unenroll", object{"factorId": id}).refused(http.StatusForbidden, "aal2_required")
	challenge := in.post("/auth/mfa/challenge", object{"factorId": id}).ok(http.StatusCreated).body["id"]
	wrong := "000000"
	if w.code(secret) == wrong {
		wrong = "000001"
	}
	in.post("/auth/mfa/verify", object{"factorId": id, "challengeId": challenge, "code": wrong}).refused(http.StatusUnprocessableEntity, "code_wrong")
	in.post("/auth/mfa/challenge", object{"factorId": someID}).refused(http.StatusNotFound, "not_found")
	w.advance(time.Minute) // a code works once
	in.passChallenge(id, secret)
	in.post("/auth/refresh", nil).ok(http.StatusOK)
	require.Equal(t, "aal2", in.get("/auth/session").body["aal"])
	factors := in.get("/auth/mfa/factors").ok(http.StatusOK).body["factors"].([]any)
	require.Equal(t, []any{object{"id": id, "name": "phone", "verified": true}}, factors)

	gone := in.post("/auth/mfa/unenroll", object{"factorId": id}).ok(http.StatusOK)
	require.Equal(t, "aal1", gone.body["aal"])
	require.Equal(t, false, gone.body["secondFactor"])
	logged.RequireWithout(t, secret)
}

// TestCodesAreNotGuessed: tries are counted by user, whatever their session.
func TestCodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	id, secret := b.enroll()
	w.advance(time.Minute)
	b = w.browser()
	b.signIn("ann@example.com").ok(http.StatusOK)
	tries := 0
	for range 20 {
		challenge := b.post("/auth/mfa/challenge", object{"factorId": id}).ok(http.StatusCreated).body["id"]
		wrong := map[bool]string{true: "000001", false: "000000"}[w.code(secret) == "000000"]
		a := b.post("/auth/mfa/verify", object{"factorId": id, "challengeId": challenge, "code": wrong})
		if a.status == http.StatusTooManyRequests {
			a.refused(http.StatusTooManyRequests, "rate_limited")
			require.NotEmpty(t, a.header.Get("Retry-After"))
			break
		}
		tries++
	}
	require.LessOrEqual(t, tries, 10)
	again := w.browser()
	again.signIn("ann@example.com").ok(http.StatusOK)
	challenge := again.post("/auth/mfa/challenge", object{"factorId": id}).ok(http.StatusCreated).body["id"]
	again.post("/auth/mfa/verify", object{"factorId": id, "challengeId": challenge, "code": w.code(secret)}).refused(http.StatusTooManyRequests, "rate_limited")
}

// consent says yes or no as kay@example.com at the other provider, and returns the
// path to which that leads here.
func (w *world) consent(start answer, decision string) string {
	w.t.Helper()
	require.Equal(w.t, http.StatusFound, start.status, start.text)
	page, err := url.Parse(start.header.Get("Location"))
	require.NoError(w.t, err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"state": {page.Query().Get("state")}, "provider": {"google"}, "email": {"kay@example.com"}, "verified": {"true"}, "consent": {decision}}
	target := page.String()
	step, err := client.PostForm(target, form)
	for {
		require.NoError(w.t, err)
		require.NoError(w.t, step.Body.Close())
		target = step.Header.Get("Location")
		require.NotEmpty(w.t, target, step.Status)
		if path, ours := strings.CutPrefix(target, w.origin); ours {
			return path
		}
		step, err = client.Get(target)
	}
}

// TestOAuth signs in with another provider, in the one browser that began it.
func TestOAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	start := b.get("/auth/oauth/google?next=/units")
	require.NotEmpty(t, b.cookies["__Host-rowhouse-oauth"])
	require.NotContains(t, start.header.Get("Location"), "code_verifier")
	back := w.consent(start, "yes")

	stranger := w.browser()
	require.Equal(t, http.StatusBadRequest, stranger.get(back).status, "a link that signs its victim in as somebody else")
	require.Empty(t, stranger.cookies)
	elsewhere := w.browser()
	elsewhere.get("/auth/oauth/google")
	require.Equal(t, http.StatusBadRequest, elsewhere.get(back).status, "with a flow of one's own")
	require.False(t, elsewhere.signedIn())

	again := b.copyOf()
	landed := b.get(back)
	require.Equal(t, http.StatusSeeOther, landed.status, landed.text)
	require.Equal(t, "/units", landed.header.Get("Location"))
	require.NotContains(t, b.cookies, "__Host-rowhouse-oauth")
	require.Equal(t, "kay@example.com", b.get("/api/v1/me").ok(http.StatusOK).body["email"])
	require.Equal(t, http.StatusBadRequest, again.get(back).status, "a code works once")
	require.False(t, again.signedIn())

	for name, back := range map[string]func(answer) string{
		"refused": func(start answer) string { return w.consent(start, "no") },
		"no code": func(start answer) string {
			back, err := url.Parse(w.consent(start, "yes"))
			require.NoError(t, err)
			return back.Path + "?state=" + back.Query().Get("state")
		},
		"another code": func(start answer) string { return w.consent(start, "yes") + "x" },
		"no state":     func(answer) string { return "/auth/callback?code=0f0e0d0c-0b0a-4908-8706-050403020100" },
		"too late": func(start answer) string {
			back := w.consent(start, "yes")
			w.advance(6 * time.Minute)
			return back
		},
	} {
		c := w.browser()
		a := c.get(back(c.get("/auth/oauth/google")))
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", name, a.text)
		require.False(t, c.signedIn(), name)
	}
	require.Equal(t, http.StatusUnprocessableEntity, w.browser().get("/auth/oauth/github").status, "the provider does not know it")
	require.Equal(t, http.StatusNotFound, w.browser().get("/auth/oauth/..%2f").status)
	w.browser().get("/auth/oauth/a")
}
