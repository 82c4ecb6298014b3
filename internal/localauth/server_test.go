package localauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

const (
	goodPassword = "correct horse"
	siteURL      = "http://site.example.com"
)

// world is a running server with a clock that can be moved.
type world struct {
	t      *testing.T
	server *Server
	url    string // with /auth/v1
	host   string // without
	admin  *pgx.Conn
	log    *lockedBuffer

	mu    sync.Mutex
	ahead time.Duration
	mails []Mail
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	pool, admin := newPool(t)
	return newWorldOn(t, pool, admin, change...)
}

func newWorldOn(t *testing.T, pool *pgxpool.Pool, admin *pgx.Conn, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, admin: admin, log: &lockedBuffer{}}
	ts := httptest.NewUnstartedServer(nil)
	w.host = "http://" + ts.Listener.Addr().String()
	w.url = w.host + "/auth/v1"
	cfg := Config{
		Addr: "127.0.0.1:0", Pool: pool, SiteURL: siteURL, ExternalURL: w.url,
		KeyFile: filepath.Join(t.TempDir(), "keys.json"),
		Logger:  slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:     w.now, HashCost: bcrypt.MinCost,
		Deliver: func(_ context.Context, m Mail) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.mails = append(w.mails, m)
			return nil
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	w.server, err = New(cfg)
	require.NoError(t, err)
	ts.Config.Handler = w.server.Handler()
	ts.Start()
	t.Cleanup(func() {
		ts.Close()
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	return w
}

func autoconfirm(c *Config) { c.Autoconfirm = true }

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) lastMail() Mail {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(w.t, w.mails)
	return w.mails[len(w.mails)-1]
}

// follow opens a mail's link and returns where it leads.
func (w *world) follow(link string) *url.URL {
	w.t.Helper()
	got := w.send(http.MethodGet, strings.TrimPrefix(link, w.url), "")
	require.Equal(w.t, http.StatusSeeOther, got.status, got.text)
	target, err := url.Parse(got.header.Get("Location"))
	require.NoError(w.t, err)
	return target
}

// claims are those of a session's access token.
func (w *world) claims(session reply) map[string]any {
	w.t.Helper()
	payload, err := w.server.keys.verify(session.body["access_token"].(string))
	require.NoError(w.t, err)
	var claims map[string]any
	require.NoError(w.t, json.Unmarshal(payload, &claims))
	return claims
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// send makes a request; headers are pairs of name and value.
func (w *world) send(method, path, body string, headers ...string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	require.NoError(w.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, errors.Join(err, answer.Body.Close()))
	out := reply{status: answer.StatusCode, header: answer.Header, text: string(text)}
	if answer.Header.Get("Content-Type") == "application/json" {
		require.NoError(w.t, json.Unmarshal(text, &out.body), "%s", text)
	}
	return out
}

func (w *world) post(path, body string, headers ...string) reply {
	w.t.Helper()
	return w.send(http.MethodPost, path, body, headers...)
}

func credentials(email, password string) string {
	text, _ := json.Marshal(map[string]string{"email": email, "password": password})
	return string(text)
}

// signUp makes a confirmed user and returns its session.
func (w *world) signUp(email string) reply {
	w.t.Helper()
	got := w.post("/signup", credentials(email, goodPassword))
	require.Equal(w.t, http.StatusOK, got.status, got.text)
	require.NotEmpty(w.t, got.body["access_token"], "the server does not confirm at once")
	return got
}

func (w *world) refresh(token any) reply {
	w.t.Helper()
	text, err := json.Marshal(map[string]any{"refresh_token": token})
	require.NoError(w.t, err)
	return w.post("/token?grant_type=refresh_token", string(text))
}

func (w *world) count(sql string) int {
	w.t.Helper()
	var n int
	require.NoError(w.t, w.admin.QueryRow(w.t.Context(), sql).Scan(&n))
	return n
}

func bearer(session reply) []string {
	return []string{"Authorization", "Bearer " + session.body["access_token"].(string)}
}
