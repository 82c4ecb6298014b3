package localauth

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	w.signUp("ann@example.com")
	stranger := w.post("/recover", `{"email":"bob@example.com"}`)
	require.Empty(t, w.mails)
	known := w.post("/recover", `{"email":"ANN@example.com"}`)
	require.Equal(t, stranger.text, known.text)
	require.Equal(t, stranger.status, known.status)

	mail := w.lastMail()
	require.Equal(t, "recovery", mail.Action)
	require.Regexp(t, `^\d{6}$`, mail.Code)
	require.Regexp(t, `^[0-9a-f]{56}$`, mail.TokenHash)
	got := w.post("/recover", `{"email":"ann@example.com"}`)
	require.Equal(t, "over_email_send_rate_limit", got.body["error_code"])

	require.Equal(t, "otp_expired", w.post("/verify", `{"type":"signup","token_hash":"`+mail.TokenHash+`"}`).body["error_code"], "another kind of code")
	session := w.post("/verify", `{"type":"recovery","email":"ann@example.com","token":"`+mail.Code+`"}`)
	require.Equal(t, 200, session.status, session.text)
	require.Equal(t, 200, w.send("PUT", "/user", `{"password":"another horse"}`, bearer(session)...).status)
	require.Equal(t, "otp_expired", w.post("/verify", `{"type":"recovery","token_hash":"`+mail.TokenHash+`"}`).body["error_code"], "used")
	require.Equal(t, 200, w.post("/token?grant_type=password", credentials("ann@example.com", "another horse")).status)
}

func TestCodesOfEveryType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"signup", "email"} {
		w := newWorld(t)
		w.post("/signup", credentials("ann@example.com", goodPassword))
		got := w.post("/verify", `{"type":"`+kind+`","email":"Ann@example.com","token":"`+w.lastMail().Code+`"}`)
		require.Equal(t, 200, got.status, got.text)
		identity := got.body["user"].(map[string]any)["identities"].([]any)[0].(map[string]any)
		require.Equal(t, true, identity["identity_data"].(map[string]any)["email_verified"])
	}
	for _, kind := range []string{"recovery", "magiclink", "email"} {
		w := newWorld(t, autoconfirm)
		w.signUp("ann@example.com")
		w.post("/recover", `{"email":"ann@example.com"}`)
		got := w.post("/verify", `{"type":"`+kind+`","token_hash":"`+w.lastMail().TokenHash+`"}`)
		require.Equal(t, 200, got.status, got.text)
	}
}

func TestCodesEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/signup", credentials("ann@example.com", goodPassword))
	first := w.lastMail()
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/resend", `{"type":"signup","email":"ann@example.com"}`).status)
	second := w.lastMail()
	require.NotEqual(t, first.TokenHash, second.TokenHash)
	require.Equal(t, 403, w.post("/verify", `{"type":"signup","token_hash":"`+first.TokenHash+`"}`).status, "replaced")
	w.advance(codeLife + time.Second)
	require.Equal(t, 403, w.post("/verify", `{"type":"signup","token_hash":"`+second.TokenHash+`"}`).status, "too old")

	w.post("/resend", `{"type":"signup","email":"ann@example.com"}`)
	require.Equal(t, 200, w.post("/verify", `{"type":"signup","token_hash":"`+w.lastMail().TokenHash+`"}`).status)
	sent := len(w.mails)
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/resend", `{"type":"signup","email":"ann@example.com"}`).status)
	require.Equal(t, 200, w.post("/resend", `{"type":"signup","email":"bob@example.com"}`).status)
	require.Len(t, w.mails, sent, "who is confirmed gets no further code")
}

func TestCodeWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/signup", credentials("ann@example.com", goodPassword))
	body := `{"type":"signup","token_hash":"` + w.lastMail().TokenHash + `"}`
	got := make([]int, 5)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = w.post("/verify", body).status })
	}
	all.Wait()
	require.ElementsMatch(t, []int{200, 403, 403, 403, 403}, got)
}

func TestCodeBelongsToItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/signup", credentials("ann@example.co", goodPassword))
	w.post("/signup", credentials("ann@example.com", goodPassword))
	code := w.lastMail().Code
	// Address and code run together in the hash.
	require.Equal(t, 403, w.post("/verify", `{"type":"signup","email":"ann@example.co","token":"m`+code+`"}`).status)
	require.Equal(t, 200, w.post("/verify", `{"type":"signup","email":"ann@example.com","token":"`+code+`"}`).status)
}

func TestRedirectTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for target, allowed := range map[string]bool{
		siteURL + "/deep?x=1":              true,
		"http://localhost:5173/in":         true,
		"http://127.0.0.1/":                true,
		"https://[::1]:1/":                 true,
		"https://site.example.com/":        false,
		"http://site.example.com:81/":      false,
		"http://site.example.com.evil.org": false,
		"http://localhost@evil.org/":       false,
		"http://2130706433/":               false,
		"//localhost/":                     false,
		"javascript:alert(1)":              false,
	} {
		require.Equal(t, allowed, w.server.mayRedirect(target), target)
	}
}
