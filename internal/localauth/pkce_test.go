package localauth

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The verifier and challenge of RFC 7636, appendix B.
const (
	verifier      = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeS256 = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// withChallenge is a request's body for ann@example.com with a challenge.
func withChallenge(more string) string {
	return `{"email":"ann@example.com","code_challenge":"` + challengeS256 + `","code_challenge_method":"S256"` + more + `}`
}

func (w *world) exchange(code, verifier string) reply {
	w.t.Helper()
	return w.post("/token?grant_type=pkce", fmt.Sprintf(`{"auth_code":%q,"code_verifier":%q}`, code, verifier))
}

func method(claims map[string]any) any {
	return claims["amr"].([]any)[0].(map[string]any)["method"]
}

func TestPKCE(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ path, body, action, method string }{
		{"/signup", withChallenge(`,"password":"correct horse"`), "signup", "email/signup"},
		{"/resend", withChallenge(`,"type":"signup"`), "signup", "email/signup"},
		{"/recover", withChallenge(""), "recovery", "recovery"},
		{"/otp", withChallenge(""), "magiclink", "magiclink"},
		{"/magiclink", withChallenge(""), "magiclink", "magiclink"},
	} {
		w.advance(time.Minute)
		require.Equal(t, 200, w.post(c.path+"?redirect_to=http://localhost/in?a=1", c.body).status, c.path)
		mail := w.lastMail()
		require.Equal(t, c.action, mail.Action, c.path)
		require.Regexp(t, `^pkce_[0-9a-f]{56}$`, mail.TokenHash)
		if c.path == "/signup" {
			continue // left for /resend
		}
		target := w.follow(mail.Link)
		require.Equal(t, "1", target.Query().Get("a"))
		require.Empty(t, target.Fragment)
		code := target.Query().Get("code")

		wrong := w.exchange(code, verifier+"x")
		require.Equal(t, "bad_code_verifier", wrong.body["error_code"], c.path)
		require.Equal(t, 400, wrong.status)
		session := w.exchange(code, verifier)
		require.Equal(t, 200, session.status, "%s: a wrong verifier leaves the code alone: %s", c.path, session.text)
		require.Equal(t, c.method, method(w.claims(session)), c.path)
		require.NotEmpty(t, session.body["refresh_token"])
		require.NotContains(t, session.body, "provider_token")

		again := w.exchange(code, verifier)
		require.Equal(t, 404, again.status)
		require.Equal(t, "flow_state_not_found", again.body["error_code"])
		query := w.follow(mail.Link).Query()
		require.Equal(t, "otp_expired", query.Get("error_code"), "used; the error is in the query too")
		require.Equal(t, "access_denied", query.Get("error"))
	}
}

func TestPlainChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	w.signUp("ann@example.com")
	require.Equal(t, 200, w.post("/otp", `{"email":"ann@example.com","code_challenge":"`+verifier+`","code_challenge_method":"plain"}`).status)
	code := w.follow(w.lastMail().Link).Query().Get("code")
	require.Equal(t, 400, w.exchange(code, challengeS256).status)
	require.Equal(t, 200, w.exchange(code, verifier).status)
}

func TestCodeOfAFlowExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	w.signUp("ann@example.com")
	for path, fromTheClick := range map[string]bool{"/recover": false, "/otp": true} {
		w.advance(time.Minute)
		require.Equal(t, 200, w.post(path, withChallenge("")).status)
		w.advance(flowLife + time.Second)
		code := w.follow(w.lastMail().Link).Query().Get("code")
		require.NotEmpty(t, code, "the link lives longer than the flow")
		got := w.exchange(code, verifier)
		if fromTheClick {
			require.Equal(t, 200, got.status, got.text)
			continue
		}
		require.Equal(t, 422, got.status)
		require.Equal(t, "flow_state_expired", got.body["error_code"])
	}

	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/otp", withChallenge("")).status)
	code := w.follow(w.lastMail().Link).Query().Get("code")
	w.advance(flowLife + time.Second)
	require.Equal(t, "flow_state_expired", w.exchange(code, verifier).body["error_code"])
}

func TestCodeTypedInInAFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, 200, w.post("/signup", withChallenge(`,"password":"correct horse"`)).status)
	got := w.post("/verify", `{"type":"signup","email":"ann@example.com","token":"`+w.lastMail().Code+`"}`)
	require.Equal(t, 200, got.status, "the code signs in without an exchange: %s", got.text)
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/recover", withChallenge("")).status)
	got = w.post("/verify", `{"type":"recovery","token_hash":"`+w.lastMail().TokenHash+`"}`)
	require.Equal(t, 200, got.status, "and so does the hash: %s", got.text)
	require.Equal(t, "otp", method(w.claims(got)))
}

func TestLinkWithoutItsFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, 200, w.post("/signup", withChallenge(`,"password":"correct horse"`)).status)
	_, err := w.admin.Exec(t.Context(), "delete from auth.flow_state")
	require.NoError(t, err)
	target := w.follow(w.lastMail().Link)
	require.Equal(t, "flow_state_not_found", target.Query().Get("error_code"))
	fragment, err := url.ParseQuery(target.Fragment)
	require.NoError(t, err)
	require.Equal(t, "invalid_request", fragment.Get("error"))
	require.True(t, fragment.Has("sb"))
	require.Zero(t, w.count("select count(*) from auth.users where email_confirmed_at is not null"), "nothing of it stays")
}

func TestTokenHookNamesTheMethod(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, echo(func(map[string]any) {}))
	w := newWorld(t, func(c *Config) { c.Hooks.CustomAccessToken = rc.hook() })
	require.Equal(t, 200, w.post("/signup", withChallenge(`,"password":"correct horse"`)).status)
	require.Equal(t, http.StatusOK, w.exchange(w.follow(w.lastMail().Link).Query().Get("code"), verifier).status)
	require.Equal(t, 200, w.post("/recover", `{"email":"ann@example.com"}`).status)
	w.follow(w.lastMail().Link)
	var methods []any
	for _, r := range rc.seen() {
		methods = append(methods, r.body["authentication_method"])
	}
	require.Equal(t, []any{"email/signup", "otp"}, methods, "only an exchange tells what the mail was")
}
