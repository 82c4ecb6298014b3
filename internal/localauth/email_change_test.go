package localauth

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// confirmed signs up and confirms an address on a server that asks for it.
func (w *world) confirmed(email string) reply {
	w.t.Helper()
	require.Equal(w.t, 200, w.post("/signup", credentials(email, goodPassword)).status)
	got := w.post("/verify", `{"type":"signup","token_hash":"`+w.lastMail().TokenHash+`"}`)
	require.Equal(w.t, 200, got.status, got.text)
	return got
}

// asksChange begins a change of address and returns the mails to the new and to
// the current one.
func (w *world) asksChange(session reply, body string) (toNew, toOld Mail) {
	w.t.Helper()
	got := w.send("PUT", "/user", body, bearer(session)...)
	require.Equal(w.t, 200, got.status, got.text)
	require.Equal(w.t, "ann@example.com", got.body["email"])
	require.Equal(w.t, "new@example.com", got.body["new_email"])
	toNew, toOld = w.mails[len(w.mails)-2], w.mails[len(w.mails)-1]
	require.Equal(w.t, []string{"new@example.com", "ann@example.com"}, []string{toNew.To, toOld.To})
	return toNew, toOld
}

func TestEmailChange(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(a, b Mail) []Mail{
		"new first": func(a, b Mail) []Mail { return []Mail{a, b} },
		"old first": func(a, b Mail) []Mail { return []Mail{b, a} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			session := w.confirmed("ann@example.com")
			mails := order(w.asksChange(session, `{"email":"New@example.com"}`))

			half := w.post("/verify", `{"type":"email_change","token_hash":"`+mails[0].TokenHash+`"}`)
			require.Equal(t, 200, half.status)
			require.JSONEq(t, `{"code":"200","msg":"Confirmation link accepted. Please proceed to confirm link sent to the other email"}`, half.text)
			require.Equal(t, 403, w.post("/verify", `{"type":"email_change","token_hash":"`+mails[0].TokenHash+`"}`).status, "used")
			require.Equal(t, "ann@example.com", w.send("GET", "/user", "", bearer(session)...).body["email"])

			done := w.post("/verify", `{"type":"email_change","email":"`+mails[1].To+`","token":"`+mails[1].Code+`"}`)
			require.Equal(t, 200, done.status, done.text)
			user := done.body["user"].(map[string]any)
			require.Equal(t, "new@example.com", user["email"])
			require.NotContains(t, user, "new_email")
			identity := user["identities"].([]any)[0].(map[string]any)
			require.Equal(t, "new@example.com", identity["email"])
			require.Equal(t, "ann@example.com", user["user_metadata"].(map[string]any)["email"], "the metadata keeps the old one")
			require.Equal(t, 400, w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).status)
			require.Equal(t, 200, w.post("/token?grant_type=password", credentials("new@example.com", goodPassword)).status)
		})
	}
}

func TestEmailChangeByLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.confirmed("ann@example.com")
	toNew, toOld := w.asksChange(session, `{"email":"new@example.com","code_challenge":"`+challengeS256+`","code_challenge_method":"s256"}`)
	half := w.follow(toOld.Link)
	require.Equal(t, halfConfirmed, half.Query().Get("message"))
	fragment, err := url.ParseQuery(half.Fragment)
	require.NoError(t, err)
	require.Equal(t, halfConfirmed, fragment.Get("message"))
	code := w.follow(toNew.Link).Query().Get("code")
	got := w.exchange(code, verifier)
	require.Equal(t, 200, got.status, got.text)
	require.Equal(t, "email_change", method(w.claims(got)))
	require.Equal(t, "new@example.com", w.claims(got)["email"])
}

func TestEmailChangeWithAutoconfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	toNew, toOld := w.asksChange(session, `{"email":"new@example.com"}`)
	got := w.post("/verify", `{"type":"email_change","token_hash":"`+toOld.TokenHash+`"}`)
	require.Equal(t, "new@example.com", got.body["user"].(map[string]any)["email"], "one half is enough")
	require.Equal(t, 403, w.post("/verify", `{"type":"email_change","token_hash":"`+toNew.TokenHash+`"}`).status)
}

func TestEmailChangeIsSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.confirmed("ann@example.com")
	first, _ := w.asksChange(session, `{"email":"new@example.com"}`)
	again := w.post("/resend", `{"type":"email_change","email":"ann@example.com"}`)
	require.Equal(t, "over_email_send_rate_limit", again.body["error_code"])
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/resend", `{"type":"email_change","email":"ann@example.com"}`).status)
	require.NotEqual(t, first.TokenHash, w.mails[len(w.mails)-2].TokenHash)
	require.Equal(t, 403, w.post("/verify", `{"type":"email_change","token_hash":"`+first.TokenHash+`"}`).status, "replaced")

	sent := len(w.mails)
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/resend", `{"type":"email_change","email":"new@example.com"}`).status)
	require.Len(t, w.mails, sent, "the address that the user has counts, not the one to come")
}

func TestSwappedHashes(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{}`))
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.SendEmail = rc.hook() })
	session := w.signUp("ann@example.com")
	require.Equal(t, 200, w.send("PUT", "/user", `{"email":"new@example.com"}`, bearer(session)...).status)
	body := rc.seen()[0].body
	data := body["email_data"].(map[string]any)
	require.Equal(t, "email_change", data["email_action_type"])
	require.Equal(t, codeHash("ann@example.com", data["token"].(string)), data["token_hash_new"])
	require.Equal(t, codeHash("new@example.com", data["token_new"].(string)), data["token_hash"])
	user := body["user"].(map[string]any)
	require.Equal(t, []any{"ann@example.com", "new@example.com"}, []any{user["email"], user["new_email"]})
	require.Len(t, rc.seen(), 1, "one call for both mails")
}

func TestNewPasswordVoidsCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.confirmed("ann@example.com")
	require.Equal(t, 200, w.post("/recover", `{"email":"ann@example.com"}`).status)
	recovery := w.lastMail()
	require.Equal(t, 200, w.send("PUT", "/user", `{"password":"another horse"}`, bearer(session)...).status)
	require.Equal(t, 403, w.post("/verify", `{"type":"recovery","token_hash":"`+recovery.TokenHash+`"}`).status)
	require.Equal(t, 200, w.post("/recover", `{"email":"ann@example.com"}`).status, "nor do they count against the interval")
}

func TestReauthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm, func(c *Config) { c.ReauthenticateForPassword, c.AccessTokenTTL = true, 48*time.Hour })
	session := w.signUp("ann@example.com")
	change := func(password, nonce string) reply {
		return w.send("PUT", "/user", `{"password":"`+password+`","nonce":"`+nonce+`"}`, bearer(session)...)
	}
	require.Equal(t, 200, change("another horse", "").status, "the session is young")
	w.advance(reauthAfter + time.Second)
	require.Equal(t, "reauthentication_needed", change("third horse", "").body["error_code"])
	require.Equal(t, 200, w.send("GET", "/reauthenticate", "", bearer(session)...).status)
	mail := w.lastMail()
	require.Equal(t, "reauthentication", mail.Action)
	require.Equal(t, 429, w.send("GET", "/reauthenticate", "", bearer(session)...).status)
	wrong := change("third horse", "x"+mail.Code)
	require.Equal(t, "reauthentication_not_valid", wrong.body["error_code"])
	require.Equal(t, 422, wrong.status)
	require.Equal(t, 200, change("third horse", mail.Code).status)
	require.Equal(t, 422, change("fourth horse", mail.Code).status, "used")
	require.Equal(t, 400, w.post("/verify", `{"type":"reauthentication","token_hash":"`+mail.TokenHash+`"}`).status, "it signs nobody in")
}
