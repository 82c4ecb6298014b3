package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var fields = regexp.MustCompile(`<input [^>]*name="([^"]+)"[^>]*>`)

// submit fills in the form of a page and sends it.
func (b *browser) submit(page answer, values url.Values) answer {
	b.t.Helper()
	action := regexp.MustCompile(`<form method="post" action="([^"]+)">`).FindStringSubmatch(page.text)
	require.NotNil(b.t, action, page.text)
	form := url.Values{}
	for _, field := range fields.FindAllStringSubmatch(page.text, -1) {
		form.Set(field[1], "")
		if value := regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(field[0]); value != nil {
			form.Set(field[1], strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(value[1]))
		}
	}
	for name := range values {
		if name != "scope" {
			require.Contains(b.t, form, name, "the form has no such field")
		}
		form.Set(name, values.Get(name))
	}
	return b.post(action[1], form)
}

// follow goes where an answer to a form leads.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, a.status, a.text)
	return b.get(a.header.Get("Location"))
}

// TestPages: the pages alone are enough to register, to set another password and to
// sign out, without a script.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	page := b.follow(b.get("/auth/account"))
	require.Contains(t, page.text, "<h1>Sign in</h1>")
	page = b.get("/auth/sign-up?next=/auth/account")
	page = b.submit(page, url.Values{"email": {"ann@example.com"}, "password": {"short"}, "fullName": {`Ann "><script>`}})
	require.Equal(t, http.StatusBadRequest, page.status)
	require.Contains(t, page.text, `<p role="alert">The password must have 10 characters`)
	require.Contains(t, page.text, `value="ann@example.com"`)
	require.NotContains(t, page.text, "short")
	require.NotContains(t, page.text, "<script")
	page = b.follow(b.submit(page, url.Values{"password": {password}, "fullName": {"Ann"}}))
	require.Contains(t, page.text, "<h1>Look at your mail</h1>")

	m := w.mail("signup")
	page = b.get("/auth/confirm?" + url.Values{"token_hash": {m.TokenHash}, "type": {"signup"}, "redirect_to": {m.RedirectTo}}.Encode())
	page = b.follow(b.submit(page, nil))
	require.Contains(t, page.text, "You are signed in as <strong>ann@example.com</strong>")
	for _, scope := range []string{"", "all"} {
		page = b.follow(b.submit(page, url.Values{"scope": {scope}}))
		require.Contains(t, page.text, "<h1>Sign in</h1>")
		require.False(t, b.signedIn())
		page = b.submit(page, url.Values{"email": {"ann@example.com"}, "password": {"wrong password"}})
		require.Equal(t, http.StatusUnauthorized, page.status)
		require.Contains(t, page.text, `role="alert"`)
		page = b.follow(b.submit(page, url.Values{"password": {password}}))
		require.Contains(t, page.text, "signed in as")
	}

	b = w.browser()
	page = b.follow(b.submit(b.get("/auth/forgot"), url.Values{"email": {"ann@example.com"}}))
	require.Contains(t, page.text, "<h1>Look at your mail</h1>")
	m = w.mail("recovery")
	page = b.get("/auth/confirm?" + url.Values{"token_hash": {m.TokenHash}, "type": {"recovery"}, "redirect_to": {m.RedirectTo}}.Encode())
	page = b.follow(b.submit(page, nil))
	require.Contains(t, page.text, "<h1>Choose a password</h1>")
	page = b.submit(page, url.Values{"password": {password}})
	require.Contains(t, page.text, "This is the password that you have")
	page = b.follow(b.submit(page, url.Values{"password": {"another horse battery"}}))
	require.Contains(t, page.text, "signed in as")
	used := b.submit(b.get("/auth/confirm?"+url.Values{"token_hash": {m.TokenHash}, "type": {"recovery"}}.Encode()), nil)
	require.Equal(t, http.StatusBadRequest, used.status)
	require.Contains(t, used.text, "used already")
	require.Equal(t, http.StatusBadRequest, b.get("/auth/confirm?token_hash=x&type=y").status)
}

// TestPageHeaders wants every page to let nothing in and nothing out.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	for _, path := range []string{
		"/auth/sign-in", "/auth/sign-up", "/auth/forgot", "/auth/sent", "/auth/half", "/auth/reset", "/auth/account", "/auth/callback",
		"/auth/confirm?token_hash=0123456789abcdef&type=signup", "/auth/confirm",
		"/auth/confirm?token_hash=0123456789abcdef&type=invite", "/auth/confirm?token_hash=0123456789abcdef&type=email_change",
	} {
		a := b.get(path)
		require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"), path)
		require.Equal(t, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", a.header.Get("Content-Security-Policy"))
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		require.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"), "the link's token stands in the address")
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		require.NotContains(t, a.text, "<script")
		require.NotContains(t, a.text, "style=")
		require.Contains(t, a.text, `<html lang="en">`)
		require.Equal(t, 1, strings.Count(a.text, "<h1>"), path)
		for _, field := range fields.FindAllStringSubmatch(a.text, -1) {
			if !strings.Contains(field[0], `type="hidden"`) {
				require.Contains(t, a.text, `<label for="`+field[1]+`">`, "%s: %s has no label", path, field[1])
			}
		}
	}
	sheet := b.get("/auth/static/auth.css")
	require.Equal(t, http.StatusOK, sheet.status)
	require.Contains(t, sheet.header.Get("Content-Type"), "text/css")
}
