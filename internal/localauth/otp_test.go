package localauth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOTPSignsUp(t *testing.T) {
	t.Parallel()
	before := newReceiver(t, says(200, `{}`))
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = before.hook() })
	got := w.post("/otp", `{"email":"ann@example.com","data":{"full_name":"Ann"}}`)
	require.JSONEq(t, `{}`, got.text)
	require.Len(t, before.seen(), 1)
	require.Equal(t, "signup", w.lastMail().Action, "the mail of the sign-up signs in")
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/otp", `{"email":"ann@example.com","create_user":false}`).status, "there, but not confirmed")
	session := w.post("/verify", `{"type":"email","email":"ann@example.com","token":"`+w.lastMail().Code+`"}`)
	require.Equal(t, 200, session.status, session.text)
	require.Equal(t, "Ann", session.body["user"].(map[string]any)["user_metadata"].(map[string]any)["full_name"])

	require.Equal(t, 200, w.post("/otp", `{"email":"ann@example.com","create_user":false}`).status)
	require.Equal(t, "magiclink", w.lastMail().Action)
	require.Len(t, before.seen(), 1)
	require.Equal(t, "over_email_send_rate_limit", w.post("/recover", `{"email":"ann@example.com"}`).body["error_code"], "both share an interval")
	require.Equal(t, 200, w.post("/verify", `{"type":"magiclink","email":"ann@example.com","token":"`+w.lastMail().Code+`"}`).status)
}

func TestOTPWithAutoconfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	got := w.post("/magiclink", `{"email":"ann@example.com"}`)
	require.Equal(t, 200, got.status, got.text)
	require.NotContains(t, got.header, "Sb-Auth-Session-Id")
	require.Equal(t, "magiclink", w.lastMail().Action)
	require.Contains(t, w.follow(w.lastMail().Link).Fragment, "type=magiclink")
}

func TestRefusedOTP(t *testing.T) {
	t.Parallel()
	before := newReceiver(t, says(200, `{"error":{"http_code":403,"message":"by invitation only"}}`))
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = before.hook() })
	got := w.post("/otp", `{"email":"ann@example.com"}`)
	require.Equal(t, 403, got.status)
	require.Equal(t, "by invitation only", got.body["msg"])
	require.Empty(t, w.mails)
}
