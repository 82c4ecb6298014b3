package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/localauth"
	"rowhouse/internal/web"
)

// elsewhere are texts that lead, or that some browser takes, to another origin.
var elsewhere = []string{
	"https://evil.example", "https://evil.example/path", "http://evil.example", "//evil.example", "///evil.example", "////evil.example/x",
	`/\evil.example`, `\\evil.example`, `\/evil.example`, `/\/evil.example`, "/\t/evil.example", "\t//evil.example", "/\n/evil.example", "\r\n//evil.example",
	"/%09/evil.example", "/%5cevil.example", "/%2f%2fevil.example", "/%2F/evil.example", "/x/../..//evil.example", "/./evil.example", "/..//evil.example",
	"/x\r\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:%20a=b", "/x%00", "/\x00", "/ /evil.example",
	"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "evil.example", "@evil.example", ":@evil.example", "?next=x", "#x", "", " ", " /units",
	"http:/evil.example", "http:evil.example", "https:///evil.example", "/" + strings.Repeat("x", 2001), "/\xff", "\u2028//evil.example", "//evil.example\\@x",
	"{origin}.evil.example/", "{origin}@evil.example/", "{origin}//evil.example", "{origin}:1/", "{origin}", `{origin}\@evil.example`, "{origin}/..//evil.example",
}

// TestRedirects: nobody is sent to another origin, wherever it can be asked for.
func TestRedirects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *localauth.Config, c *web.Config) { c.Home = "/home" })
	w.browser().signUp("ann@example.com")
	for n, next := range elsewhere {
		next = strings.ReplaceAll(next, "{origin}", w.origin)
		query := url.Values{"next": {next}, "redirect_to": {next}}.Encode()
		for _, page := range []string{"/auth/sign-in", "/auth/sign-up", "/auth/forgot"} {
			a := w.browser().get(page + "?" + query).ok(http.StatusOK)
			require.NotContains(t, a.text, "evil", "%q", next)
			require.NotContains(t, a.text, `name="next"`, "%q", next)
		}
		link := w.browser().get("/auth/confirm?token_hash=0123456789abcdef&type=signup&" + query).ok(http.StatusOK)
		require.NotContains(t, link.text, `name="next"`, "%q", next)
		if next != "" && n%4 == 0 && strings.ToValidUTF8(next, "") == next { // the same function behind each
			w.browser().post("/auth/forgot", object{"email": fmt.Sprintf("a%d@example.com", n), "next": next}).refused(http.StatusBadRequest, "invalid_request", "#/next")
			w.browser().post("/auth/magic-link", object{"email": fmt.Sprintf("a%d@example.com", n), "next": next}).refused(http.StatusBadRequest, "invalid_request", "#/next")
			w.browser().post("/auth/sign-in", object{"email": fmt.Sprintf("a%d@example.com", n), "password": "x", "next": next}).refused(http.StatusBadRequest, "invalid_request", "#/next")
		}
	}
	for _, next := range []string{"/", "/units", "/units?page=2&q=a%20b", "/units#top", "/a/b.c/~d", "/search?q=https://example.com//x", "/caf%C3%A9"} {
		a := w.browser().get("/auth/sign-in?" + url.Values{"next": {next}}.Encode()).ok(http.StatusOK)
		require.Contains(t, a.text, `name="next"`, next)
		a = w.browser().get("/auth/confirm?token_hash=0123456789abcdef&type=signup&" + url.Values{"redirect_to": {w.origin + next}}.Encode()).ok(http.StatusOK)
		require.Contains(t, a.text, `name="next"`, next)
	}
	// a form that was filled in by somebody else
	b := w.browser()
	a := b.post("/auth/sign-in", url.Values{"email": {"ann@example.com"}, "password": {password}, "next": {"//evil.example"}})
	require.Equal(t, http.StatusBadRequest, a.status)
	require.NotContains(t, a.text, "evil")
	require.False(t, b.signedIn())
	a = b.post("/auth/sign-in", url.Values{"email": {"ann@example.com"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, "/home", a.header.Get("Location"))
}

func TestInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	credentials := func(more string) string {
		return `{"email":"ann@example.com","password":"` + password + `"` + more + `}`
	}
	for name, c := range map[string]struct {
		path, body string
		blamed     []string
	}{
		"no object":            {"/auth/sign-in", `[]`, []string{"#"}},
		"no JSON":              {"/auth/sign-in", `{"email"`, []string{"#/email"}},
		"two values":           {"/auth/sign-in", `{}{}`, []string{"#"}},
		"nothing":              {"/auth/sign-in", `{}`, []string{"#/email", "#/password"}},
		"a member twice":       {"/auth/sign-in", credentials(`,"email":"b@example.com"`), []string{"#/email"}},
		"another member":       {"/auth/sign-in", credentials(`,"captcha":"x"`), []string{"#/captcha"}},
		"another case":         {"/auth/sign-in", `{"Email":"ann@example.com","password":"x"}`, []string{"#/Email"}},
		"no text":              {"/auth/sign-in", `{"email":1,"password":"x"}`, []string{"#/email"}},
		"no address":           {"/auth/sign-up", `{"email":"ann","password":"` + password + `"}`, []string{"#/email"}},
		"an address with name": {"/auth/sign-up", `{"email":"Ann <ann@example.com>","password":"` + password + `"}`, []string{"#/email"}},
		"two addresses":        {"/auth/forgot", `{"email":"ann@example.com,bob@example.com"}`, []string{"#/email"}},
		"a header":             {"/auth/forgot", `{"email":"ann@example.com\r\nBcc: x@example.com"}`, []string{"#/email"}},
		"a short password":     {"/auth/sign-up", `{"email":"ann@example.com","password":"1234567"}`, []string{"#/password"}},
		"a long password":      {"/auth/sign-up", `{"email":"ann@example.com","password":"` + strings.Repeat("x", 73) + `"}`, []string{"#/password"}},
		"half a character":     {"/auth/sign-up", `{"email":"ann@example.com","password":"12345678` + "\xff" + `"}`, []string{"#/password"}},
		"an odd invite":        {"/auth/sign-up", credentials(`,"invite":"../../evil-evil-evil"`), []string{"#/invite"}},
		"an odd locale":        {"/auth/sign-up", credentials(`,"locale":"../en"`), []string{"#/locale"}},
		"a name of two lines":  {"/auth/sign-up", credentials(`,"fullName":"a\nb"`), []string{"#/fullName"}},
		"an odd type":          {"/auth/resend", `{"email":"ann@example.com","type":"sms"}`, []string{"#/type"}},
		"an odd hash":          {"/auth/confirm", `{"tokenHash":"../x","type":"signup"}`, []string{"#/tokenHash"}},
		"an odd link":          {"/auth/confirm", `{"tokenHash":"0123456789abcdef","type":"sms"}`, []string{"#/type"}},
		"an odd scope":         {"/auth/sign-out", `{"scope":"global"}`, []string{"#/scope"}},
		"no factor":            {"/auth/mfa/challenge", `{}`, []string{"#/factorId"}},
		"an odd factor":        {"/auth/mfa/challenge", `{"factorId":"../../user"}`, []string{"#/factorId"}},
		"an odd code":          {"/auth/mfa/verify", `{"factorId":"` + someID + `","challengeId":"` + someID + `","code":"12345a"}`, []string{"#/code"}},
		"an odd nonce":         {"/auth/account/password", `{"currentPassword":"x","password":"` + password + `","nonce":"x"}`, []string{"#/nonce"}},
	} {
		t.Log(name)
		b.post(c.path, c.body).refused(http.StatusBadRequest, "invalid_request", c.blamed...)
	}
	require.Empty(t, w.provider.counts["/signup"]+w.provider.counts["/token password"]+w.provider.counts["/recover"]+w.provider.counts["/health"], "nobody was asked")

	b.post("/auth/sign-in", `{"email":"`+strings.Repeat("x", 17<<10)+`"}`).refused(http.StatusRequestEntityTooLarge, "too_large")
	b.post("/auth/sign-in", credentials(""), "Content-Type: text/plain").refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.post("/auth/sign-in", credentials(""), "Content-Type: ").refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.post("/auth/sign-in", credentials(""), "Content-Encoding: gzip").refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.post("/auth/mfa/enroll", url.Values{"name": {"x"}}).refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	b.get("/auth/nothing").refused(http.StatusNotFound, "not_found")
	b.get("/auth/refresh").refused(http.StatusMethodNotAllowed, "method_not_allowed")
	twice := b.post("/auth/sign-in", url.Values{"email": {"a@example.com", "b@example.com"}, "password": {"x"}})
	require.Equal(t, http.StatusBadRequest, twice.status)
	require.Contains(t, twice.header.Get("Content-Type"), "text/html")
}

// TestThrottling counts tries by account, known or not, and requests by network.
func TestThrottling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.browser().signUp("ann@example.com")
	tries := map[string]int{}
	for _, email := range []string{"ann@example.com", "stranger@example.com"} {
		for _, spelling := range []string{email, strings.ToUpper(email), " " + email} {
			for range 5 {
				a := w.browser().post("/auth/sign-in", object{"email": spelling, "password": "wrong password"})
				if a.status == http.StatusTooManyRequests {
					a.refused(http.StatusTooManyRequests, "rate_limited")
					require.Equal(t, "60", a.header.Get("Retry-After"))
					continue
				}
				a.refused(http.StatusUnauthorized, "invalid_credentials")
				tries[email]++
			}
		}
	}
	require.Equal(t, map[string]int{"ann@example.com": 10, "stranger@example.com": 10}, tries)
	w.browser().post("/auth/sign-in", object{"email": "other@example.com", "password": "wrong password"}).refused(http.StatusUnauthorized, "invalid_credentials")

	asked := 0
	for range 8 {
		if w.browser().post("/auth/forgot", object{"email": "stranger@example.com"}).status == http.StatusAccepted {
			asked++
		}
	}
	require.Equal(t, 5, asked)

	c := w.config
	c.RatePerMinute = 3
	w.start(c)
	statuses := []int{}
	for range 4 {
		statuses = append(statuses, w.browser().get("/auth/session", "X-Forwarded-For: 192.0.2.1").status)
	}
	require.Equal(t, []int{401, 401, 401, 429}, statuses)
}

// TestSignupsClosed: who has no invite is told so, whoever they are.
func TestSignupsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *localauth.Config, c *web.Config) { c.SignupsClosed = true })
	in := object{"email": "ann@example.com", "password": password}
	w.browser().post("/auth/sign-up", in).refused(http.StatusForbidden, "signups_closed")
	require.Zero(t, w.provider.count("/health"))
	in["invite"] = "0123456789abcdef"
	w.browser().post("/auth/sign-up", in).ok(http.StatusAccepted)
	w.mail("signup")
}

func TestRefusesBadConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, publicURL := range []string{
		"", "localhost:8080", "http://app.example.com", "https://", "https://app.example.com/path", "https://app.example.com?x=1", "https://u:p@app.example.com", "ftp://localhost",
		"http://localhost.evil.example",
	} {
		c := w.config
		c.PublicURL = publicURL
		_, err := web.New(c)
		require.Error(t, err, publicURL)
	}
	for name, spoil := range map[string]func(*web.Config){
		"no key":        func(c *web.Config) { c.Keys = struct{ web.Config }{}.Keys },
		"no project":    func(c *web.Config) { c.SupabaseURL = "" },
		"no anon key":   func(c *web.Config) { c.SupabaseAnonKey = "" },
		"idle too long": func(c *web.Config) { c.Idle = 1 << 60 },
	} {
		c := w.config
		spoil(&c)
		_, err := web.New(c)
		require.Error(t, err, name)
	}
	for _, publicURL := range []string{"https://app.example.com", "https://app.example.com/", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"} {
		c := w.config
		c.PublicURL = publicURL
		_, err := web.New(c)
		require.NoError(t, err, publicURL)
	}
}
