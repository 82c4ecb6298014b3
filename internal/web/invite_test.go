package web_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestInviteInChromium opens the link of an invite's mail as nobody, as somebody else
// and as the person who was invited, who accepts it.
func TestInviteInChromium(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.invite()
	for _, email := range []string{"tess@example.com", "eve@example.com"} {
		w.browser().signUp(email)
	}
	ctx := chromium(t)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx, steps...))
	}
	read := func() string {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
		require.NoError(t, err)
		return text
	}
	follow := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		answered, err := chromedp.RunResponse(ctx, steps...)
		require.NoError(t, err)
		require.Less(t, answered.Status, int64(400), answered.URL)
	}
	state := func() (text string) {
		t.Helper()
		require.NoError(t, w.database.Admin.QueryRow(t.Context(),
			`select case when claimed_at is null then 'open' else 'claimed' end from app.tenant_invites`).Scan(&text))
		return text
	}

	do(chromedp.Navigate(w.origin+"/invite#not-an-invite-at-all"), chromedp.WaitVisible(chromedp.CSS("#problem")))
	require.Contains(t, read(), "This link opens no invite")

	do(chromedp.Navigate(w.origin+"/invite#"+token), chromedp.WaitVisible(chromedp.CSS("#stranger")))
	text := read()
	require.Contains(t, text, "invites you")
	require.Contains(t, text, "t***@example.com")
	require.NotContains(t, text, "Accept the invitation")
	href, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById("sign-up").getAttribute("href")`))
	require.NoError(t, err)
	require.Equal(t, "/auth/sign-up?invite="+token, href)

	signIn := func(email string) {
		t.Helper()
		follow(chromedp.Click(chromedp.CSS("#sign-in")))
		follow(chromedp.SendKeys(chromedp.ID("email"), email), chromedp.SendKeys(chromedp.ID("password"), password), chromedp.Click(chromedp.CSS("button")))
		do(chromedp.WaitVisible(chromedp.CSS("#claim")))
		require.Contains(t, read(), "You are signed in as "+email)
	}
	signIn("eve@example.com")
	do(chromedp.Click(chromedp.CSS("#claim button")), chromedp.WaitVisible(chromedp.CSS("#problem")))
	require.Contains(t, read(), "another address")
	require.Equal(t, "open", state())
	follow(chromedp.Click(chromedp.CSS("#leave button")))

	do(chromedp.Navigate(w.origin+"/invite#"+token), chromedp.WaitVisible(chromedp.CSS("#stranger")))
	signIn("tess@example.com")
	require.Equal(t, "open", state(), "opening it changes nothing")
	do(chromedp.Click(chromedp.CSS("#claim button")), chromedp.WaitNotVisible(chromedp.CSS("#claim")))
	require.Contains(t, read(), "You have accepted the invitation")
	require.Equal(t, "claimed", state())

	do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("#invitation")))
	require.Contains(t, read(), "accepted already")
	w.browser().get("/auth/static/invite.js").ok(http.StatusOK)
}
