package localpg

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/portcheck"
)

// A test binary with this variable is not a test: it runs a server in the
// directory named, until it is killed.
const serveVariable = "LOCALPG_TEST_SERVE"

func TestMain(m *testing.M) {
	dir := os.Getenv(serveVariable)
	if dir == "" {
		os.Exit(m.Run())
	}

	signal.Ignore(syscall.SIGINT)
	server, err := Start(context.Background(), Options{Dir: dir, Throwaway: true})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(server.URL("postgres"))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := server.Stop(); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	options := Options{Dir: openDir(t), Settings: map[string]string{"max_connections": "17"}, Password: "s3cret"}

	server := start(t, options)
	require.Equal(t, "off", query(t, server, "select current_setting('ssl')"))
	require.Equal(t, "127.0.0.1", query(t, server, "select current_setting('listen_addresses')"))
	require.Empty(t, query(t, server, "select current_setting('unix_socket_directories')"))
	require.Equal(t, "on", query(t, server, "select current_setting('fsync')"))
	require.Equal(t, "17", query(t, server, "select current_setting('max_connections')"))
	require.Equal(t, "scram-sha-256", query(t, server, "select string_agg(distinct auth_method, ',') from pg_hba_file_rules"))
	require.Equal(t, "UTF8", query(t, server, "select current_setting('server_encoding')"))
	require.Equal(t, "straße ünïcode 家 🏠", query(t, server, "select lower('STRAßE ÜNÏCODE 家 🏠')"))

	// A signal to our process group, such as Ctrl-C, must not reach the server.
	group, err := syscall.Getpgid(postmaster(server.DataDir()))
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group)

	_, err = Start(t.Context(), options)
	require.ErrorContains(t, err, fmt.Sprintf("in use by process %d (%s", os.Getpid(), os.Args[0]))

	query(t, server, "create table kept as select 'yes' as answer; select 'done'")
	pid := postmaster(server.DataDir())
	stopIn3s(t, server)
	require.False(t, runsOn(pid, server.DataDir()))
	require.NoError(t, server.Stop())

	server = start(t, options)
	require.Equal(t, "yes", query(t, server, "select answer from kept"))

	logs, err := filepath.Glob(filepath.Join(os.TempDir(), "embedded_postgres_log*"))
	require.NoError(t, err)
	for _, log := range logs {
		content, _ := os.ReadFile(log)
		require.NotContains(t, string(content), options.Dir)
	}
}

func TestStopCutsSessionsOff(t *testing.T) {
	t.Parallel()
	server := start(t, Options{Dir: openDir(t), Throwaway: true})
	require.Equal(t, "off", query(t, server, "select current_setting('fsync')"))

	connection, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	slept := make(chan error, 1)
	go func() {
		_, err := connection.Exec(context.Background(), "select pg_sleep(60)")
		slept <- err
	}()
	stopIn3s(t, server)
	require.Error(t, <-slept)
	require.Contains(t, server.place.logTail(), "received fast shutdown request")
	require.NotContains(t, server.place.logTail(), "received immediate shutdown request")
}

func TestStopAfterServerDied(t *testing.T) {
	t.Parallel()
	server := start(t, Options{Dir: openDir(t), Throwaway: true})
	require.NoError(t, endPostmaster(server.DataDir(), syscall.SIGQUIT))
	require.NoError(t, server.Stop())
}

func TestServerOfKilledRun(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	killed := serve(t, dir, nil)
	data := filepath.Join(dir, "data")
	pid := postmaster(data)
	require.NotZero(t, pid)

	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()
	require.True(t, runsOn(pid, data), "the server outlives its starter")

	server := start(t, Options{Dir: dir, Throwaway: true})
	require.False(t, runsOn(pid, data))
	require.Equal(t, "1", query(t, server, "select '1'"))
}

// TestSilentClients: who connects while the server stops, and then says nothing, is
// waited for by Postgres for a minute, so that we kill it. It starts again all the same.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	options := Options{Dir: openDir(t), Throwaway: true}
	server := start(t, options)
	options.Port = server.Port()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port()))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Stop()
	}()
	var clients []net.Conn
	for {
		client, err := net.Dial("tcp", address)
		if err != nil {
			break // it does not listen any more
		}
		clients = append(clients, client)
		time.Sleep(5 * time.Millisecond)
	}
	<-stopped
	server = start(t, options)
	require.Equal(t, "1", query(t, server, "select '1'"))
	for _, client := range clients {
		_ = client.Close()
	}
}

// TestUnreapedServer: as long as a server that was killed is in the list of processes,
// Postgres takes it for one that runs.
func TestUnreapedServer(t *testing.T) {
	t.Parallel()
	options := Options{Dir: openDir(t), Throwaway: true}
	server := start(t, options)
	require.NoError(t, server.Stop())

	killed := exec.Command("true")
	if account := server.place.account; account != nil {
		killed.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(account.uid), Gid: uint32(account.gid)}}
	}
	require.NoError(t, killed.Start())
	require.Eventually(t, func() bool { return portcheck.Command(killed.Process.Pid) == "" }, 10*time.Second, time.Millisecond, "it is dead, and listed")
	pidFile := filepath.Join(server.DataDir(), "postmaster.pid")
	require.NoError(t, os.WriteFile(pidFile, fmt.Appendln(nil, killed.Process.Pid), 0o600))
	require.NoError(t, server.place.own(pidFile))
	reaped := make(chan error, 1)
	time.AfterFunc(2*time.Second, func() { reaped <- killed.Wait() })

	server = start(t, options)
	require.Equal(t, "1", query(t, server, "select '1'"))
	require.NoError(t, <-reaped)
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	options := Options{Dir: openDir(t), Throwaway: true}
	server := start(t, options)
	require.NoError(t, server.Stop())

	// The id in the file belongs to a stranger by now: us.
	pidFile := filepath.Join(server.DataDir(), "postmaster.pid")
	require.NoError(t, os.WriteFile(pidFile, fmt.Appendln(nil, os.Getpid()), 0o644))
	require.Zero(t, postmaster(server.DataDir()))
}

func TestUnfinishedInitdb(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	starter := command(t, dir, nil)
	require.NoError(t, starter.Start())
	require.Eventually(t, func() bool {
		written, err := filepath.Glob(filepath.Join(dir, "initdb-*", "PG_VERSION"))
		return err == nil && len(written) == 1
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, starter.Process.Kill())
	_ = starter.Wait()
	require.NoDirExists(t, filepath.Join(dir, "data"))
	older := filepath.Join(dir, "initdb-older")
	require.NoError(t, os.Mkdir(older, 0o700))

	server := start(t, Options{Dir: dir, Throwaway: true})
	require.Equal(t, "1", query(t, server, "select '1'"))
	require.NoDirExists(t, older)
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(must(filepath.Glob(filepath.Join(dir, "initdb-*")))) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := Start(ctx, Options{Dir: dir, Throwaway: true})
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "data", "postmaster.pid"))
	require.Zero(t, postmaster(filepath.Join(dir, "data")))
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	port := taken.Addr().(*net.TCPAddr).Port

	_, err = Start(t.Context(), Options{Dir: openDir(t), Port: port})
	require.ErrorContains(t, err, fmt.Sprintf("port %d is taken by process %d", port, os.Getpid()))
}

// openDir is a directory that every user can enter, unlike that of t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "localpg-test-") //nolint:usetesting // TMPDIR may be closed to others
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		_ = endPostmaster(filepath.Join(dir, "data"), syscall.SIGQUIT, syscall.SIGKILL)
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	server, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func stopIn3s(t *testing.T, server *Server) {
	t.Helper()
	began := time.Now()
	require.NoError(t, server.Stop())
	require.Less(t, time.Since(began), 3*time.Second)
}

func query(t *testing.T, server *Server, sql string) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(context.Background())) }()

	results, err := connection.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err)
	return string(results[len(results)-1].Rows[0][0])
}

// command is this test binary as a process that runs a server in dir.
func command(t *testing.T, dir string, as *syscall.Credential) *exec.Cmd {
	t.Helper()
	program := must(os.Executable())
	if as != nil { // go's directory is closed to others
		content := must(os.ReadFile(program))
		program = filepath.Join(openDir(t), "serve")
		require.NoError(t, os.WriteFile(program, content, 0o755))
		require.NoError(t, os.Chmod(program, 0o755)) // whatever our umask
	}
	c := exec.Command(program)
	c.Dir = "/"
	c.Env = append(os.Environ(), serveVariable+"="+dir, "TMPDIR="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return c
}

// serve starts that process and waits until its server answers. Closing its
// standard input ends it.
func serve(t *testing.T, dir string, as *syscall.Credential) *exec.Cmd {
	t.Helper()
	c := command(t, dir, as)
	stdin := must(c.StdinPipe())
	stdout := must(c.StdoutPipe())
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "postgres://")
	return c
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
