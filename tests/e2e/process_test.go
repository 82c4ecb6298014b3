package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/config"
)

const (
	startWithin = 30 * time.Second // a first start makes a database cluster
	soon        = 10 * time.Second
	tick        = 20 * time.Millisecond
)

type environment map[string]string

// with returns e with further variables over it.
func (e environment) with(more environment) environment {
	all := maps.Clone(e)
	maps.Copy(all, more)
	return all
}

// process is a running rowhouse in a process group of its own, as a shell gives
// it to a foreground job.
type process struct {
	cmd    *exec.Cmd
	output *transcript
	ended  chan struct{}
}

// start starts the binary with nothing of our own settings but env. The process
// does not outlive its test.
func start(t testing.TB, env environment, args ...string) *process {
	t.Helper()
	return startProgram(t, binary(t), env, args...)
}

// startProgram is start for another build of the binary.
func startProgram(t testing.TB, path string, env environment, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), output: &transcript{}, ended: make(chan struct{})}
	p.cmd.Env = bareEnvironment()
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code says it
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // mostly it has ended long since
		select {
		case <-p.ended:
		case <-time.After(soon):
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.ended
		}
		if t.Failed() {
			t.Logf("end of the output of rowhouse %s:\n%s", strings.Join(args, " "), p.output.tail())
		}
	})
	return p
}

// bareEnvironment is this process's environment without what the binary reads.
func bareEnvironment() []string {
	ours := map[string]bool{}
	for _, v := range config.Variables() {
		ours[v.Name], ours[v.Name+"_FILE"] = true, true
	}
	var bare []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !ours[name] {
			bare = append(bare, entry)
		}
	}
	return bare
}

// signal sends to the whole process group, as a terminal does.
func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(-p.cmd.Process.Pid, s))
}

// exit waits for the end and returns the exit code.
func (p *process) exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		t.Fatalf("still running after %s; output:\n%s", within, p.output.tail())
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits until the output holds text.
func (p *process) says(t testing.TB, text string) {
	t.Helper()
	p.until(t, startWithin, func() bool { return strings.Contains(p.output.String(), text) }, "it does not say "+text)
}

// serves waits until the process at base answers that it is ready.
func (p *process) serves(t testing.TB, base string) {
	t.Helper()
	client := &http.Client{Timeout: soon}
	p.until(t, startWithin, func() bool {
		answer, err := client.Get(base + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusNoContent
	}, "it does not serve at "+base)
}

// until waits for a condition, or fails as soon as the process has ended.
func (p *process) until(t testing.TB, within time.Duration, condition func() bool, otherwise string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !condition() {
		select {
		case <-p.ended:
			if !condition() {
				t.Fatalf("%s: it has ended with %d; output:\n%s", otherwise, p.cmd.ProcessState.ExitCode(), p.output.tail())
			}
		case <-time.After(tick):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s within %s; output:\n%s", otherwise, within, p.output.tail())
		}
	}
}

// outcome runs the binary to its end.
func outcome(t testing.TB, env environment, args ...string) (code int, output string) {
	t.Helper()
	p := start(t, env, args...)
	code = p.exit(t, startWithin)
	return code, p.output.String()
}

// transcript is what a process has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *transcript) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *transcript) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// tail is the end of the text, as much as one likes to read.
func (b *transcript) tail() string {
	lines := strings.Split(b.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// tempDir is a directory that other users can enter: root's Postgres runs as one.
// At the end of the test no process may be left that has to do with it.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rowhouse-e2e-") //nolint:usetesting // others may not enter t.TempDir
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		for _, left := range processesOf(dir) {
			t.Errorf("left behind: %s", left)
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// processesOf lists the processes that name dir in their command line or
// environment, or work in it. The children of a Postgres server change their
// command line and stay in its data directory.
func processesOf(dir string) []string {
	var found []string
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, entry := range entries {
		command, _ := os.ReadFile(entry + "/cmdline")
		if len(command) == 0 {
			continue // gone meanwhile, or dead: the rest of it goes in a moment
		}
		environ, _ := os.ReadFile(entry + "/environ")
		work, _ := os.Readlink(entry + "/cwd")
		if bytes.Contains(command, []byte(dir)) || bytes.Contains(environ, []byte(dir)) || strings.HasPrefix(work, dir) {
			found = append(found, fmt.Sprintf("%s %s", entry, bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
