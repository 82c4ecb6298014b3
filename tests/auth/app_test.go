package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/config"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/mailcatcher"
)

const webhookSecret = "the-secret-of-the-webhook"

// buildDir holds the binary.
var buildDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "rowhouse-auth-") })

// build makes the binary once per test process.
var build = sync.OnceValues(func() (string, error) {
	dir, err := buildDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rowhouse")
	if out, err := exec.Command("go", "build", "-o", path, "rowhouse/cmd/rowhouse").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// app is a `rowhouse serve` that is killed and started again at one address.
type app struct {
	url     string
	program string
	env     []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{}
	output bytes.Buffer // of one process after another
}

func (a *app) start(t testing.TB) {
	t.Helper()
	cmd, ended := exec.Command(a.program, "serve"), make(chan struct{})
	cmd.Env, cmd.Stdout, cmd.Stderr = a.env, &a.output, &a.output
	require.NoError(t, cmd.Start())
	go func() {
		defer close(ended)
		_ = cmd.Wait() // mostly it is killed
	}()
	a.mu.Lock()
	a.cmd, a.ended = cmd, ended
	a.mu.Unlock()

	client := &http.Client{Timeout: soon}
	for deadline := time.Now().Add(3 * soon); ; {
		if answer, err := client.Get(a.url + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusNoContent {
				return
			}
		}
		select {
		case <-ended:
			t.Fatal("it has ended")
		case <-time.After(20 * time.Millisecond):
		}
		require.True(t, time.Now().Before(deadline), "it does not serve")
	}
}

// kill ends the process as a failing machine would. There may be none.
func (a *app) kill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-a.ended
	a.cmd = nil
}

// world is a provider and an app that know each other, and the mails of both.
type world struct {
	*dbtest.Database // the app's
	p                *provider
	app              *app
	mails            *mailcatcher.Catcher
	run              string // in all addresses
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d := dbtest.New(t)
	w := &world{Database: d, p: newProvider(t, d), mails: mailcatcher.New(mailcatcher.Config{}), run: uuid.NewString()[:13]}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.mails.Serve(ctx, listener, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})

	program, err := build()
	require.NoError(t, err)
	address := freeAddress(t)
	w.app = &app{url: "http://" + address, program: program, env: append(bareEnvironment(),
		"ADDR="+address, "DATABASE_URL="+d.URL("rowhouse_api"), "SEAL_KEYS="+dbtest.KeysText, "INVITE_KEYS="+dbtest.InviteKeysText, "RATE_LIMIT_PER_MINUTE=0",
		"SUPABASE_URL="+w.p.url, "SUPABASE_ANON_KEY="+w.p.anonKey, "PUBLIC_URL="+siteURL, "STORAGE_DIR="+t.TempDir(),
		"AUTH_HOOK_SECRETS="+w.p.hookSecrets, "AUTH_WEBHOOK_SECRET="+webhookSecret,
		"SMTP_URL=smtp://"+listener.Addr().String(), "MAIL_FROM=Rowhouse <no-reply@example.com>",
	)}
	t.Cleanup(func() {
		w.app.kill()
		if t.Failed() {
			t.Logf("rowhouse serve:\n%s", w.app.output.String())
		}
	})
	w.app.start(t)
	w.p.hooks.put(to(w.app.url))
	return w
}

// bareEnvironment is this process's environment without what the binary reads.
func bareEnvironment() []string {
	ours := map[string]bool{}
	for _, v := range config.Variables() {
		ours[v.Name], ours[v.Name+"_FILE"] = true, true
	}
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return ours[name]
	})
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func (w *world) email(name string) string { return name + "-" + w.run + "@example.com" }

// answer is a response read to its end.
type answer struct {
	status int
	text   string
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.text), v), a.text)
}

// request sends body, unless it is "", as JSON.
func request(t testing.TB, method, address, token, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := (&http.Client{Timeout: 3 * soon}).Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, string(text)}
}

// auth posts to the provider, and api asks the app.
func (w *world) auth(t testing.TB, path, body string) answer {
	t.Helper()
	return request(t, "POST", w.p.url+"/auth/v1"+path, "", body)
}

func (w *world) api(t testing.TB, method, path, token, body string) answer {
	t.Helper()
	return request(t, method, w.app.url+"/api/v1"+path, token, body)
}

// session is what signing in gives.
type session struct {
	Token   string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID    uuid.UUID
		Email string
	}
}

func (w *world) signUp(t testing.TB, email string) answer {
	t.Helper()
	return w.auth(t, "/signup", obj("email", email, "password", password, "data", map[string]any{"full_name": "Ann One"}))
}

func (w *world) signIn(t testing.TB, email string) answer {
	t.Helper()
	return w.auth(t, "/token?grant_type=password", obj("email", email, "password", password))
}

// confirm follows the latest mail to an address, without opening its page.
func (w *world) confirm(t testing.TB, email string) answer {
	t.Helper()
	hash, kind, _ := w.mailTo(t, email)
	return w.auth(t, "/verify", obj("type", kind, "token_hash", hash))
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// mailTo is what is in the latest mail to an address, waiting for the first one.
func (w *world) mailTo(t testing.TB, email string) (hash, kind, code string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	toThem := func(m mailcatcher.Mail) bool { return slices.Contains(m.To, email) }
	m, err := w.mails.Wait(ctx, toThem)
	require.NoError(t, err)
	for _, later := range w.mails.Mails() {
		if toThem(later) && later.ID > m.ID {
			m = later
		}
	}
	for _, text := range m.Links {
		link, err := url.Parse(text)
		require.NoError(t, err)
		if link.Query().Has("token_hash") {
			require.Equal(t, siteURL+"/auth/confirm", link.Scheme+"://"+link.Host+link.Path, "to the app, and not to the provider")
			hash, kind = link.Query().Get("token_hash"), link.Query().Get("type")
		}
	}
	require.NotEmpty(t, hash, m.Text)
	return hash, kind, sixDigits.FindString(m.Text)
}

// profile is a row of app.users.
type profile struct {
	ID    uuid.UUID
	Email string
}

// profiles are all, past every policy.
func (w *world) profiles(t testing.TB) []profile {
	t.Helper()
	rows, err := w.Admin.Query(t.Context(), "select id, email from app.users order by email")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[profile])
	require.NoError(t, err)
	return all
}

// theirs is the profile that somebody who is signed in should have.
func (s session) theirs() profile { return profile{s.User.ID, s.User.Email} }
