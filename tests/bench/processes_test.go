package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/mailcatcher"
)

// product is `rowhouse serve` and `rowhouse worker` as an operator runs them, and a mail
// server.
type product struct {
	*dbtest.Database
	stack
	api, worker *process
	catcher     *mailcatcher.Catcher
}

// process is one that counts how much memory its heap takes after each collection.
type process struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	text  bytes.Buffer
	heap  int // MB, the most since it was last asked
	ended chan struct{}
}

func startProduct(b *testing.B, d *dbtest.Database) product {
	b.Helper()
	program := filepath.Join(b.TempDir(), "rowhouse")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "rowhouse/cmd/rowhouse").CombinedOutput()
	require.NoError(b, err, "%s", out)
	p := product{Database: d, catcher: mailcatcher.New(mailcatcher.Config{MaxMails: 10_000})}
	mails, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.Background())
	caught := make(chan error, 1)
	go func() { caught <- p.catcher.Serve(ctx, mails, nil) }()
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-caught)
	})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	address := free.Addr().String()
	require.NoError(b, free.Close())
	provider, sign := newProvider(b)
	keys := []string{"SEAL_KEYS=" + dbtest.KeysText, "INVITE_KEYS=" + dbtest.InviteKeysText, "ROWHOUSE_DIR=" + b.TempDir()}
	p.api = startProcess(b, program, "serve", append(keys,
		"ADDR="+address, "DATABASE_URL="+d.URL("rowhouse_api"), "JWT_ISSUER="+provider.URL, "JWKS_URL="+provider.URL, "RATE_LIMIT_PER_MINUTE=0"))
	p.worker = startProcess(b, program, "worker", append(keys,
		"WORKER_DATABASE_URL="+d.URL("rowhouse_worker"), "SMTP_URL=smtp://"+mails.Addr().String(), "MAIL_FROM=no-reply@rowhouse.example",
		"PUBLIC_URL=https://rowhouse.example", "MAIL_RATE_PER_SECOND=0"))
	p.stack = stack{url: "http://" + address + "/api/v1", http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}, sign: sign}
	b.Cleanup(p.http.CloseIdleConnections)
	p.api.until(b, func() bool {
		answer, err := p.http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusNoContent
	})
	p.worker.until(b, func() bool { return strings.Contains(p.worker.output(), "working") })
	return p
}

func startProcess(b *testing.B, program, command string, env []string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(program, command), ended: make(chan struct{})}
	p.cmd.Env = append(env, "GODEBUG=gctrace=1", "HOME="+os.Getenv("HOME"), "PATH="+os.Getenv("PATH"))
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(b, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	b.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		<-p.ended
		if b.Failed() {
			b.Log(p.output())
		}
	})
	return p
}

// collected is the line of a garbage collection: the heap before, after and what is live.
var collected = regexp.MustCompile(`gc \d+ @.* (\d+)->(\d+)->\d+ MB, `)

// Write takes what the process says.
func (p *process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sizes := range collected.FindAllSubmatch(data, -1) {
		for _, size := range sizes[1:] {
			n, _ := strconv.Atoi(string(size)) // digits, by the pattern
			p.heap = max(p.heap, n)
		}
	}
	return p.text.Write(data)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func (p *process) until(b *testing.B, condition func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.ended:
			b.Fatalf("%s has ended:\n%s", p.cmd, p.output())
		default:
			require.True(b, time.Now().Before(deadline), "%s: %s", p.cmd, p.output())
		}
	}
}

// peak forgets the most that the process has had in memory until now, and returns how
// many MiB it has. What it returns tells how many MiB more it came to since, all of it and
// the heap alone, 0 if there was no collection.
func (p *process) peak(b *testing.B) (since func() (all, heap float64)) {
	b.Helper()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	read := func(name string) float64 {
		status, err := os.ReadFile(proc + "status")
		require.NoError(b, err)
		_, after, _ := strings.Cut(string(status), name+":")
		kib, err := strconv.Atoi(strings.Fields(after)[0])
		require.NoError(b, err)
		return float64(kib) / 1024
	}
	require.NoError(b, os.WriteFile(proc+"clear_refs", []byte("5"), 0)) // sets VmHWM to VmRSS
	before := read("VmRSS")
	p.mu.Lock()
	p.heap = 0
	p.mu.Unlock()
	return func() (float64, float64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return read("VmHWM") - before, float64(p.heap)
	}
}

// member is a landlord of a name that is theirs alone, and their token.
func (p product) member(b *testing.B) (user uuid.UUID, token string) {
	b.Helper()
	user = uuid.New()
	p.Exec(b, `insert into app.users (id, email, onboarding_step, onboarding_completed) values ($1::uuid, $1::text || '@example.com', 6, true)`, user)
	return user, p.sign(b, user)
}
