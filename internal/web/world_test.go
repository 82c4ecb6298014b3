package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/localauth"
	"rowhouse/internal/sealedcookie"
	"rowhouse/internal/storage"
	"rowhouse/internal/web"
)

const (
	keyOne   = "one:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	keyTwo   = "two:YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="
	password = "correct horse battery"
	cookie   = "__Host-rowhouse-session"
)

type object = map[string]any

// world is the API with a web app on it, and the stand-in for the provider behind a
// gate that tests can watch and shut.
type world struct {
	t        *testing.T
	database *dbtest.Database
	provider *gate
	url      string // of the API
	origin   string // as browsers call it
	web      *web.Web
	config   web.Config
	tokens   *auth.Verifier
	handler  *swap
	behind   *swap // the provider, behind the gate
	mails    chan localauth.Mail
	hooks    http.Handler // that the provider calls, if any

	mu    sync.Mutex
	ahead time.Duration
}

// gate stands before the provider.
type gate struct {
	url string

	busy sync.RWMutex // read-locked while the provider works

	mu     sync.Mutex
	counts map[string]int
	tokens []string // every access and refresh token that came through
	before map[string]func(http.ResponseWriter, *http.Request) bool
}

// on has f called before each request to a path, "" being all; with false the provider
// is not asked. nil takes it away.
func (g *gate) on(path string, f func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before[path] = f
}

// down answers nothing but what a proxy says whose server is away.
func down(w http.ResponseWriter, _ *http.Request) bool {
	http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
	return false
}

func (g *gate) count(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts[path]
}

func (g *gate) secrets() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.tokens...)
}

func (g *gate) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/auth/v1")
		if grant := r.URL.Query().Get("grant_type"); grant != "" {
			path += " " + grant
		}
		g.mu.Lock()
		g.counts[path]++
		all, one := g.before[""], g.before[path]
		g.mu.Unlock()
		for _, f := range []func(http.ResponseWriter, *http.Request) bool{all, one} {
			if f != nil && !f(w, r) {
				return
			}
		}
		g.busy.RLock()
		defer g.busy.RUnlock()
		next.ServeHTTP(w, r)
	})
}

// remember takes in the tokens of an answer.
func (g *gate) remember(answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &said) == nil && said.Access != "" {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.tokens = append(g.tokens, said.Access, said.Refresh)
	}
	return nil
}

// swap is a handler that can be replaced by another.
type swap struct {
	mu sync.Mutex
	h  http.Handler
}

func (s *swap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.h
	s.mu.Unlock()
	h.ServeHTTP(w, r)
}

func (s *swap) set(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h = h
}

func newWorld(t *testing.T, change ...func(*localauth.Config, *web.Config)) *world {
	t.Helper()
	w := &world{t: t, database: dbtest.New(t), handler: &swap{}, behind: &swap{}, mails: make(chan localauth.Mail, 100)}
	site := httptest.NewServer(w.handler)
	t.Cleanup(site.Close)
	t.Cleanup(func() {
		if t.Failed() {
			logged.Complaints(t)
		}
	})
	w.url = site.URL
	w.origin = strings.Replace(site.URL, "127.0.0.1", "localhost", 1)

	ring, err := sealedcookie.ParseKeyring(keyOne)
	require.NoError(t, err)
	theirs := localauth.Config{
		Addr: "127.0.0.1:0", SiteURL: w.origin, KeyFile: filepath.Join(t.TempDir(), "keys.json"), Now: w.now,
		OAuthProviders: []string{"google"}, HashCost: bcrypt.MinCost,
		Deliver: func(_ context.Context, m localauth.Mail) error {
			w.mails <- m
			return nil
		},
	}
	w.config = web.Config{PublicURL: w.origin, Keys: ring, SupabaseAnonKey: "anon", Now: w.now}
	w.startProvider(&theirs, change)
	w.config.SupabaseURL = w.provider.url
	w.tokens, err = auth.NewVerifier(t.Context(), auth.Config{JWKSURL: w.provider.url + "/auth/v1/.well-known/jwks.json", Issuer: w.provider.url + "/auth/v1"})
	require.NoError(t, err)
	t.Cleanup(w.tokens.Close)
	w.start(w.config)
	return w
}

func (w *world) startProvider(c *localauth.Config, change []func(*localauth.Config, *web.Config)) {
	t := w.t
	t.Helper()
	const login = "for the stand-in"
	require.NoError(t, localauth.Setup(t.Context(), w.database.Connect(t, "postgres"), login))
	address, err := url.Parse(w.database.URL("postgres"))
	require.NoError(t, err)
	address.User = url.UserPassword("supabase_auth_admin", login)
	c.Pool, err = pgxpool.New(t.Context(), address.String())
	require.NoError(t, err)
	t.Cleanup(c.Pool.Close)

	w.provider = &gate{counts: map[string]int{}, before: map[string]func(http.ResponseWriter, *http.Request) bool{}}
	behind, before := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	w.provider.url = "http://" + before.Listener.Addr().String()
	c.ExternalURL = w.provider.url + "/auth/v1"
	for _, f := range change {
		f(c, &w.config)
	}
	w.restartProvider(*c)
	behind.Config.Handler = w.behind
	behind.Start()
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo) // callers that went away
	proxy.ModifyResponse = w.provider.remember
	before.Config.Handler = w.provider.serve(proxy)
	before.Start()
	t.Cleanup(before.Close)
}

// restartProvider has the provider behave like c from here on.
func (w *world) restartProvider(c localauth.Config) {
	w.t.Helper()
	server, err := localauth.New(c)
	require.NoError(w.t, err)
	w.behind.set(server.Handler())
}

// onboarded says who everybody is that has signed up: landlords have to, first.
func (w *world) onboarded() {
	w.t.Helper()
	w.database.Exec(w.t, "update app.users set onboarding_step = 2")
}

// start serves the API with a web app of that configuration from here on, as another
// process with the same address would.
func (w *world) start(c web.Config) {
	t := w.t
	t.Helper()
	var err error
	w.web, err = web.New(c)
	require.NoError(t, err)
	started := w.web
	t.Cleanup(func() { require.NoError(t, started.Close(context.Background())) })
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	mounts := map[string]http.Handler{"/auth": w.web.Handler(), web.InvitePath: w.web.InvitePage()}
	if w.hooks != nil {
		mounts["/hooks/auth"] = w.hooks
	}
	api, err := httpapi.New(httpapi.Config{
		DB: w.database.DB, Tokens: w.tokens, Version: "test", Files: files, EmailsProven: true,
		InviteKeys: dbtest.InviteKeys(t), Session: w.web.Session, Mounts: mounts,
	})
	require.NoError(t, err)
	w.handler.set(api)
}

// impatient has the web app wait for the provider no longer than a test wants to.
func (w *world) impatient() {
	w.t.Helper()
	c := w.config
	c.Patience = 500 * time.Millisecond
	w.start(c)
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// advance moves the clock of the web app and the provider; that of the API stays.
func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// mail is the next mail of an action.
func (w *world) mail(action string) localauth.Mail {
	w.t.Helper()
	select {
	case m := <-w.mails:
		require.Equal(w.t, action, m.Action)
		w.provider.busy.Lock() // mails go out before what is in them is committed
		defer w.provider.busy.Unlock()
		return m
	case <-time.After(20 * time.Second):
		require.Fail(w.t, "no mail came", action)
		return localauth.Mail{}
	}
}

// browser is one, with its cookies. Its requests are of the app's own pages.
type browser struct {
	*world
	mu      sync.Mutex
	cookies map[string]string
	origin  string
}

func (w *world) browser() *browser {
	return &browser{world: w, cookies: map[string]string{}, origin: w.origin}
}

func (b *browser) copyOf() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &browser{world: b.world, cookies: maps.Clone(b.cookies), origin: b.origin}
}

func (b *browser) signedIn() bool { return b.cookies[cookie] != "" }

type answer struct {
	t      testing.TB
	status int
	header http.Header
	text   string
	body   object
}

// send sends body, JSON unless it is url.Values, with headers as "Name: value".
func (b *browser) send(method, path string, body any, headers ...string) answer {
	b.t.Helper()
	var content io.Reader
	kind := ""
	switch body := body.(type) {
	case nil:
	case url.Values:
		content, kind = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	case string:
		content, kind = strings.NewReader(body), "application/json"
	default:
		data, err := json.Marshal(body)
		require.NoError(b.t, err)
		content, kind = bytes.NewReader(data), "application/json"
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, content)
	require.NoError(b.t, err)
	r.Host = strings.TrimPrefix(b.world.origin, "http://")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Origin", b.origin)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	b.mu.Lock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(b.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, response.Body.Close())
	b.mu.Lock()
	for _, c := range response.Cookies() {
		require.True(b.t, c.HttpOnly && c.Secure && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteLaxMode, c.Name)
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	b.mu.Unlock()
	a := answer{t: b.t, status: response.StatusCode, header: response.Header, text: string(text)}
	if strings.HasPrefix(a.text, "{") {
		require.NoError(b.t, json.Unmarshal(text, &a.body), a.text)
	}
	b.noTokens(a)
	return a
}

// noTokens requires that nothing that a browser gets holds a token of the provider.
func (b *browser) noTokens(a answer) {
	b.t.Helper()
	var all strings.Builder
	_ = a.header.Write(&all)
	all.WriteString(a.text)
	for _, token := range b.provider.secrets() {
		require.False(b.t, strings.Contains(all.String(), token), "an answer holds a token")
	}
}

func (b *browser) get(path string, headers ...string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, path, nil, headers...)
}

func (b *browser) post(path string, body any, headers ...string) answer {
	b.t.Helper()
	return b.send(http.MethodPost, path, body, headers...)
}

func (a answer) ok(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.text)
	return a
}

// refused requires a problem that blames exactly those members.
func (a answer) refused(status int, code string, blamed ...string) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.text)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	require.Equal(a.t, code, a.body["code"], a.text)
	parts := []string{}
	fields, _ := a.body["errors"].([]any)
	for _, f := range fields {
		pointer, _ := f.(object)["pointer"].(string)
		parts = append(parts, pointer)
	}
	require.ElementsMatch(a.t, append([]string{}, blamed...), parts, a.text)
	return a
}

// signUp registers an address, opens the mail's link and presses its button.
func (b *browser) signUp(email string, more ...object) answer {
	b.t.Helper()
	in := object{"email": email, "password": password}
	for _, m := range more {
		maps.Copy(in, m)
	}
	b.post("/auth/sign-up", in).ok(http.StatusAccepted)
	m := b.mail("signup")
	require.Equal(b.t, strings.ToLower(strings.TrimSpace(email)), m.To)
	return b.post("/auth/confirm", object{"tokenHash": m.TokenHash, "type": "signup", "next": m.RedirectTo}).ok(http.StatusOK)
}

func (b *browser) signIn(email string) answer {
	b.t.Helper()
	return b.post("/auth/sign-in", object{"email": email, "password": password})
}
