package localauth

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// With MailLinks, who says where a link is to lead signs up as they would without
// Autoconfirm, and all others as they would with it.
func TestMailLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm, func(c *Config) { c.MailLinks = true })
	linked := "?redirect_to=" + url.QueryEscape(siteURL+"/welcome")

	require.NotEmpty(t, w.post("/signup", credentials("script@example.com", goodPassword)).body["access_token"])
	require.Empty(t, w.mails)
	require.Equal(t, "user_already_exists", w.post("/signup", credentials("script@example.com", goodPassword)).body["error_code"])

	for _, email := range []string{"page@example.com", "script@example.com"} { // which of them is new does not show
		got := w.post("/signup"+linked, credentials(email, goodPassword))
		require.Equal(t, 200, got.status, got.text)
		require.NotContains(t, got.body, "access_token")
		require.Equal(t, email, got.body["email"])
	}
	require.Len(t, w.mails, 1)
	m := w.lastMail()
	require.Equal(t, []string{"page@example.com", "signup", siteURL + "/welcome"}, []string{m.To, m.Action, m.RedirectTo})
	require.Equal(t, "email_not_confirmed", w.post("/token?grant_type=password", credentials("page@example.com", goodPassword)).body["error_code"])
	require.Contains(t, w.follow(m.Link).Fragment, "access_token")
	require.Equal(t, 200, w.post("/token?grant_type=password", credentials("page@example.com", goodPassword)).status)

	require.Equal(t, 200, w.post("/otp"+linked, `{"email":"link@example.com"}`).status)
	require.Equal(t, "signup", w.lastMail().Action, "a link for a newcomer is that of a sign-up")
	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/otp", `{"email":"link@example.com"}`).status)
	require.Equal(t, "magiclink", w.lastMail().Action)
}
