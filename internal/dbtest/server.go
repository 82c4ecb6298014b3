package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The environment decides which Postgres the tests run on:
//
//	ROWHOUSE_TEST_POSTGRES_BIN    a local server of these binaries (absolute path)
//	ROWHOUSE_TEST_POSTGRES_IMAGE  the image of containers, postgres:17 by default
//	ROWHOUSE_TEST_CONTAINERS      "required": fail where there is no container
//	ROWHOUSE_TEST_SERVER_URL      a running server, as superuser, on which Clone has
//	                              made the template and the roles before
//	ROWHOUSE_TEST_MUTATION        a file of SQL that a superuser runs in each copy of the
//	                              template, after its roles were put right: a fault that
//	                              the tests should notice (see tests/mutate)
//
// By default it is a container if a Docker engine answers and has the image, and
// otherwise a local server of the installed or downloaded binaries.
const (
	binVariable        = "ROWHOUSE_TEST_POSTGRES_BIN"
	imageVariable      = "ROWHOUSE_TEST_POSTGRES_IMAGE"
	containersVariable = "ROWHOUSE_TEST_CONTAINERS"
	serverVariable     = "ROWHOUSE_TEST_SERVER_URL"
	mutationVariable   = "ROWHOUSE_TEST_MUTATION"
)

// settings are for throwaway databases of many parallel tests.
var settings = map[string]string{
	"fsync":              "off",
	"synchronous_commit": "off",
	"full_page_writes":   "off",
	"max_connections":    "300",
}

// Server is a Postgres server for tests, in a container or on this machine.
type Server struct {
	// Description says what this is, such as "container of postgres:17".
	Description string

	engine engine
	watch  *watch
}

// engine is what runs the server. The address stays the same over stop and start.
type engine interface {
	url(database string) string
	start(ctx context.Context) error
	stop(ctx context.Context) error
	remove(ctx context.Context) error
	// afterlife is a shell command that removes everything if this process is
	// killed and cannot.
	afterlife() []string
}

// shared is the server of this test process. It is the process's own because
// starting one takes longer than most tests; Main ends it.
var shared struct {
	sync.Mutex
	main   bool
	server *Server
	err    error
	notice sync.Once // that the tests run without containers
}

// Main runs the tests of a package and then removes the server that they have
// shared. Every package that uses it has: func TestMain(m *testing.M) {
// os.Exit(dbtest.Main(m)) }.
func Main(m *testing.M) int {
	shared.Lock()
	shared.main = true
	shared.Unlock()

	code := m.Run()

	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return code
	}
	if err := shared.server.remove(); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		return max(code, 1)
	}
	return code
}

// sharedServer returns the one server of this test process, starting it first if
// need be. A start that failed is not tried again.
func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		return nil, errors.New("dbtest: TestMain does not call dbtest.Main, so nobody would stop the server")
	}
	if address := os.Getenv(serverVariable); shared.server == nil && address != "" {
		shared.server, shared.err = newRunning(address)
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer(context.Background())
	}
	return shared.server, shared.err
}

// StartServer starts a server that belongs to this test alone, which may stop it
// and start it again. It is removed at the end of the test.
func StartServer(t testing.TB) *Server {
	t.Helper()
	server, err := newServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.remove(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// URL is the address of a database, as superuser. It stays the same over Stop
// and Start.
func (s *Server) URL(database string) string { return s.engine.url(database) }

// Stop shuts the server down at once: sessions are cut off, data is kept.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.engine.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("stop %s: %v", s.Description, err)
	}
}

// Start starts a stopped server and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.engine.start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("start %s: %v", s.Description, err)
	}
}

func (s *Server) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.engine.remove(ctx)
	if s.watch != nil {
		s.watch.end()
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", s.Description, err)
	}
	return nil
}

func newServer(ctx context.Context) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()

	if bin := os.Getenv(binVariable); bin != "" {
		return newLocal(ctx, bin)
	}

	server, err := newContainer(ctx)
	if err == nil {
		return server, nil
	}
	if os.Getenv(containersVariable) == "required" {
		return nil, fmt.Errorf("dbtest: %s=required, but %w", containersVariable, err)
	}
	shared.notice.Do(func() {
		fmt.Fprintf(os.Stderr, "dbtest: %v; the tests run on a local server\n", err)
	})
	return newLocal(ctx, "")
}

// serve makes a Server of an engine that runs already.
func serve(description string, e engine) (*Server, error) {
	watch, err := startWatch(e.afterlife())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dbtest: watch over %s: %w", description, err), e.remove(context.Background()))
	}
	return &Server{Description: description, engine: e, watch: watch}, nil
}

// watch is a process that outlives us if we are killed, by a timeout or by
// Ctrl-C, and then clears up. It sees our end as the end of its standard input.
type watch struct {
	process *exec.Cmd
	stdin   io.WriteCloser
}

func startWatch(command []string) (*watch, error) {
	process := exec.Command("/bin/sh", append([]string{"-c", `read -r done || exec "$@"`, "watch"}, command...)...)
	process.Dir = "/"
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	return &watch{process: process, stdin: stdin}, nil
}

// end tells the process that there is nothing left to do.
func (w *watch) end() {
	_, _ = io.WriteString(w.stdin, "done\n")
	_ = w.stdin.Close()
	_ = w.process.Wait()
}
