package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// chromium starts a real browser, and skips the test where there is none: CI has one.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		require.Empty(t, os.Getenv("CI"), "CI has to have a Chromium")
		t.Skip("there is no Chromium on this machine")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	allocated, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, closeTab := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		closeTab()
		stop()
	})
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	_, err := chromedp.Run(ctx, chromedp.Title()) // the browser lives as long as this context, not as the limited one
	require.NoError(t, err)
	return limited
}

// exposed is everything of our origin that a script in the page, or whoever looks over
// a shoulder, could get at.
const exposed = `(async () => {
	const all = [document.documentElement.outerHTML, document.cookie, location.href, document.referrer, window.name, JSON.stringify(history.state)];
	for (const s of [localStorage, sessionStorage]) all.push(JSON.stringify({...s}));
	for (const d of (await indexedDB.databases?.()) ?? []) all.push(JSON.stringify(d));
	for (const c of await caches.keys()) for (const r of await (await caches.open(c)).keys()) all.push(r.url);
	all.push(JSON.stringify((await navigator.serviceWorker?.getRegistrations()) ?? []));
	return all.join("\n");
})()`

// TestInChromium signs in with a real browser on http://localhost, uses the API from
// a page of ours, and looks for tokens in all that the browser has.
func TestInChromium(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := chromium(t)

	var mu sync.Mutex
	var seen []string // every address and every header of every answer
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventResponseReceived:
			seen = append(seen, e.Response.URL, fmt.Sprint(e.Response.Headers))
		case *network.EventResponseReceivedExtraInfo:
			seen = append(seen, fmt.Sprint(e.Headers))
		}
	}))
	bodies := map[string]string{}
	fetch := func(method, path, body string) (status int) {
		type reply struct {
			Status    int
			Text, All string
		}
		script := fmt.Sprintf(`(async () => {
			const r = await fetch(%q, {method: %q, body: %s || undefined, headers: %s ? {"Content-Type": "application/json"} : {}});
			return {status: r.status, text: await r.text(), all: JSON.stringify([...r.headers])};
		})()`, path, method, quoted(body), quoted(body))
		got, err := chromedp.Run(ctx, chromedp.Evaluate[reply](script, chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		bodies[method+" "+path] = got.Text + got.All
		return got.Status
	}
	type field struct{ id, text string }
	fill := func(fields ...field) {
		var steps []chromedp.Action[chromedp.Void]
		for _, f := range fields {
			steps = append(steps, chromedp.SendKeys(chromedp.ID(f.id), f.text))
		}
		navigated, err := chromedp.RunResponse(ctx, append(steps, chromedp.Click(chromedp.CSS("button")))...)
		require.NoError(t, err)
		require.Less(t, navigated.Status, int64(400), navigated.URL)
	}
	read := func() string {
		text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
		require.NoError(t, err)
		return text
	}
	jar := func() []*network.Cookie {
		got, err := chromedp.Call(ctx, storage.GetCookies, storage.GetCookiesParams{})
		require.NoError(t, err)
		return got.Cookies
	}

	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(w.origin+"/auth/sign-up")))
	blocked, err := chromedp.Run(ctx, chromedp.Evaluate[string](`fetch("/healthz").then(r => r.text(), e => "blocked: " + e)`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(blocked, "blocked: "), "the policy of our pages lets no script ask anybody")
	fill(field{"fullName", "Ann"}, field{"email", "ann@example.com"}, field{"password", password})
	m := w.mail("signup")
	link := w.origin + "/auth/confirm?" + url.Values{"token_hash": {m.TokenHash}, "type": {"signup"}, "redirect_to": {m.RedirectTo}}.Encode()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(link)))
	fill()
	require.Contains(t, read(), "You are signed in as ann@example.com", "the cookie is kept on http://localhost")

	// a page of the app has scripts
	_, err = chromedp.Call(ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Reload()))
	require.Equal(t, http.StatusOK, fetch(http.MethodGet, "/auth/session", ""))
	require.Equal(t, http.StatusOK, fetch(http.MethodGet, "/api/v1/me", ""))
	w.onboarded()
	require.Equal(t, http.StatusCreated, fetch(http.MethodPost, "/api/v1/properties", `{"name":"Canal House"}`))
	require.Equal(t, http.StatusOK, fetch(http.MethodPost, "/auth/refresh", "{}"))
	w.nearEnd()
	require.Equal(t, http.StatusOK, fetch(http.MethodGet, "/api/v1/me", ""), "renewed on the way")
	require.Equal(t, http.StatusOK, fetch(http.MethodGet, "/auth/account/sessions", ""))
	require.Equal(t, http.StatusOK, fetch(http.MethodGet, "/auth/mfa/factors", ""))

	there, err := chromedp.Run(ctx, chromedp.Evaluate[string](exposed, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	cookies := jar()
	require.Contains(t, there, "signed in as", "the scan sees the page")
	require.NotContains(t, there, "__Host-")
	require.Len(t, cookies, 1)
	require.Equal(t, cookie, cookies[0].Name)
	require.True(t, cookies[0].HTTPOnly && cookies[0].Secure && cookies[0].SameSite == network.CookieSameSiteLax)
	mu.Lock()
	everything := append(seen, there, cookies[0].Value)
	mu.Unlock()
	for _, body := range bodies {
		everything = append(everything, body)
	}
	require.Greater(t, len(everything), 20)
	tokens := w.provider.secrets()
	require.Len(t, tokens, 6, "signed up and renewed twice")
	for _, token := range tokens {
		for _, text := range everything {
			require.False(t, strings.Contains(text, token), "the browser holds a token")
		}
	}
	logged.RequireWithout(t, append(tokens, cookies[0].Value)...)

	// a page of another origin gets nowhere with the cookie, by script or by form
	evil := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, `<form method="post" action="%s/auth/sign-out"><button>x</button></form>`, w.origin)
	}))
	t.Cleanup(evil.Close)
	before := w.provider.count("/logout")
	for _, origin := range []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)} { // another site; the same site on another port
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(origin)))
		stolen, err := chromedp.Run(ctx, chromedp.Evaluate[string](
			fmt.Sprintf(`fetch(%q, {credentials: "include"}).then(r => r.text(), e => "refused: " + e)`, w.origin+"/api/v1/me"), chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(stolen, "refused: "), stolen)
		answered, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("button")))
		require.NoError(t, err)
		require.EqualValues(t, http.StatusForbidden, answered.Status, origin)
	}
	require.Equal(t, before, w.provider.count("/logout"))
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(w.origin+"/auth/account")))
	require.Contains(t, read(), "signed in as")

	// the keyboard is enough
	answered, err := chromedp.RunResponse(ctx, chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	require.NoError(t, err)
	require.Contains(t, answered.URL, "/auth/sign-in")
	require.Empty(t, jar())
}

func quoted(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}
