package localauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func google(c *Config) { c.OAuthProviders = []string{"google"} }

// consents walks from /authorize over the consent page and returns where the
// callback leads.
func (w *world) consents(query string, typed url.Values) *url.URL {
	w.t.Helper()
	begun := w.send(http.MethodGet, "/authorize?provider=google&"+query, "")
	require.Equal(w.t, http.StatusFound, begun.status, begun.text)
	page := strings.TrimPrefix(begun.header.Get("Location"), w.url)
	shown := w.send(http.MethodGet, page, "")
	require.Equal(w.t, http.StatusOK, shown.status)
	require.Contains(w.t, shown.text, "Sign in with google")

	to, err := url.Parse(page)
	require.NoError(w.t, err)
	typed.Set("provider", to.Query().Get("provider"))
	typed.Set("state", to.Query().Get("state"))
	return w.returns(w.send(http.MethodPost, to.Path, typed.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

// returns follows the provider's redirect to the callback.
func (w *world) returns(answer reply) *url.URL {
	w.t.Helper()
	require.Equal(w.t, http.StatusSeeOther, answer.status, answer.text)
	back := w.send(http.MethodGet, strings.TrimPrefix(answer.header.Get("Location"), w.url), "")
	require.Contains(w.t, []int{http.StatusFound, http.StatusSeeOther}, back.status, back.text)
	target, err := url.Parse(back.header.Get("Location"))
	require.NoError(w.t, err)
	return target
}

func kay() url.Values {
	return url.Values{"email": {"Kay@example.com"}, "name": {"Kay One"}, "verified": {"true"}}
}

const withPKCE = "redirect_to=http://localhost/in?a=1&code_challenge=" + challengeS256 + "&code_challenge_method=s256"

func TestOAuth(t *testing.T) {
	t.Parallel()
	before, after := newReceiver(t, says(200, `{}`)), newReceiver(t, says(200, `{}`))
	w := newWorld(t, google, func(c *Config) { c.Hooks.BeforeUserCreated, c.Hooks.AfterUserCreated = before.hook(), after.hook() })

	target := w.consents(withPKCE, kay())
	require.Equal(t, "1", target.Query().Get("a"))
	session := w.exchange(target.Query().Get("code"), verifier)
	require.Equal(t, 200, session.status, session.text)
	require.NotEmpty(t, session.body["provider_token"])
	require.NotEmpty(t, session.body["provider_refresh_token"])
	require.Equal(t, "oauth", method(w.claims(session)))
	user := session.body["user"].(map[string]any)
	require.Equal(t, "kay@example.com", user["email"])
	require.NotEmpty(t, user["email_confirmed_at"])
	require.Equal(t, map[string]any{"provider": "google", "providers": []any{"google"}}, user["app_metadata"])
	require.Equal(t, "Kay One", user["user_metadata"].(map[string]any)["full_name"])
	identity := user["identities"].([]any)[0].(map[string]any)
	require.Equal(t, "google", identity["provider"])
	require.Equal(t, identity["id"], identity["identity_data"].(map[string]any)["sub"])

	draft := before.seen()[0].body["user"].(map[string]any)
	require.NotEqual(t, user["id"], draft["id"], "the hook saw an id that nobody has")
	require.Equal(t, "", draft["role"])
	require.Equal(t, user["app_metadata"], draft["app_metadata"])
	require.Equal(t, user["id"], after.seen()[0].body["user"].(map[string]any)["id"])

	again := w.consents("redirect_to=http://localhost/in", kay())
	fragment, err := url.ParseQuery(again.Fragment)
	require.NoError(t, err)
	require.NotEmpty(t, fragment.Get("provider_token"))
	me := w.send("GET", "/user", "", "Authorization", "Bearer "+fragment.Get("access_token"))
	require.Equal(t, user["id"], me.body["id"])
	require.Len(t, before.seen(), 1, "nobody was created")
	require.Len(t, after.seen(), 2, "and yet it is called on every callback")
	require.Equal(t, 1, w.count("select count(*) from auth.flow_state")+1, "flows that ended are gone")
}

func TestOAuthLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google)
	session := w.confirmed("kay@example.com")
	code := w.consents(withPKCE, kay()).Query().Get("code")
	got := w.exchange(code, verifier)
	require.Equal(t, 200, got.status, got.text)
	user := got.body["user"].(map[string]any)
	require.Equal(t, session.body["user"].(map[string]any)["id"], user["id"])
	require.Equal(t, map[string]any{"provider": "email", "providers": []any{"email", "google"}}, user["app_metadata"])
	require.Len(t, user["identities"], 2)
	require.Equal(t, "Kay One", user["user_metadata"].(map[string]any)["full_name"])
	require.Equal(t, 200, w.post("/token?grant_type=password", credentials("kay@example.com", goodPassword)).status, "the password stays")
}

func TestOAuthTakesUnprovenAccountsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google)
	require.Equal(t, 200, w.post("/signup", `{"email":"kay@example.com","password":"correct horse","data":{"note":"mine"}}`).status)
	mail := w.lastMail()
	got := w.exchange(w.consents(withPKCE, kay()).Query().Get("code"), verifier)
	require.Equal(t, 200, got.status, got.text)
	user := got.body["user"].(map[string]any)
	require.Len(t, user["identities"], 1)
	require.NotContains(t, user["user_metadata"], "note")
	require.Equal(t, 400, w.post("/token?grant_type=password", credentials("kay@example.com", goodPassword)).status,
		"the password of who did not prove the address opens nothing")
	require.Equal(t, "google", user["app_metadata"].(map[string]any)["provider"])
	require.NotEmpty(t, mail)
}

func TestOAuthWithUnprovenAddress(t *testing.T) {
	t.Parallel()
	after := newReceiver(t, says(200, `{}`))
	w := newWorld(t, google, func(c *Config) { c.Hooks.AfterUserCreated = after.hook() })
	typed := kay()
	typed.Del("verified")
	target := w.consents(withPKCE, typed)
	require.Equal(t, "provider_email_needs_verification", target.Query().Get("error_code"))
	require.Equal(t, "access_denied", target.Query().Get("error"))
	require.Contains(t, target.Fragment, "error_code=provider_email_needs_verification")
	require.Equal(t, 1, w.count("select count(*) from auth.users"), "the row is committed")
	require.Empty(t, after.seen(), "and nobody is told")
	got := w.post("/verify", `{"type":"signup","token_hash":"`+w.lastMail().TokenHash+`"}`)
	require.Equal(t, 200, got.status, got.text)

	w.confirmed("lee@example.com")
	sent := len(w.mails)
	target = w.consents(withPKCE, url.Values{"email": {"lee@example.com"}})
	require.Equal(t, "provider_email_needs_verification", target.Query().Get("error_code"))
	require.Len(t, w.mails, sent, "somebody has the address: no mail")
	require.Equal(t, 1, w.count("select count(*) from auth.identities where provider = 'google' and user_id in (select id from auth.users where email is null)"))
}

func TestOAuthRefusals(t *testing.T) {
	t.Parallel()
	before := newReceiver(t, says(200, `{"error":{"http_code":403,"message":"by invitation only"}}`))
	w := newWorld(t, google, func(c *Config) { c.Hooks.BeforeUserCreated = before.hook() })
	for query, status := range map[string]int{
		"provider=github": 400, "": 400, "provider=google&code_challenge=x&code_challenge_method=s256": 400,
	} {
		got := w.send(http.MethodGet, "/authorize?"+query, "")
		require.Equal(t, status, got.status)
		require.Equal(t, "validation_failed", got.body["error_code"])
	}

	denied := w.consents(withPKCE, url.Values{"consent": {"no"}}).Query()
	require.Equal(t, "access_denied", denied.Get("error"))
	require.Equal(t, "The user denied the request", denied.Get("error_description"))
	require.False(t, denied.Has("code"))

	refused := w.consents(withPKCE, kay()).Query()
	require.Equal(t, "by invitation only", refused.Get("error_description"))
	require.Equal(t, "access_denied", refused.Get("error"))
	require.Zero(t, w.count("select count(*) from auth.users"))

	for _, query := range []string{"", "?state=x", "?state=00000000-0000-4000-8000-000000000000"} {
		got := w.send(http.MethodGet, "/callback"+query, "")
		require.Equal(t, http.StatusSeeOther, got.status)
		require.True(t, strings.HasPrefix(got.header.Get("Location"), siteURL+"?error=invalid_request&error_code=bad_oauth_"), got.header.Get("Location"))
	}
}

func TestOAuthStateWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google)
	begun := w.send(http.MethodGet, "/authorize?provider=google&"+withPKCE, "")
	page, err := url.Parse(begun.header.Get("Location"))
	require.NoError(t, err)
	typed := kay()
	typed.Set("provider", "google")
	typed.Set("state", page.Query().Get("state"))
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	first := w.returns(w.post(consentPath, typed.Encode(), form...))
	require.NotEmpty(t, first.Query().Get("code"))
	require.Equal(t, "flow_state_already_used", w.returns(w.post(consentPath, typed.Encode(), form...)).Query().Get("error_code"))

	w.advance(flowLife + 1)
	require.Equal(t, 422, w.exchange(first.Query().Get("code"), verifier).status)
	require.Equal(t, "bad_oauth_state", w.returns(w.post(consentPath, typed.Encode(), form...)).Query().Get("error_code"))
}
