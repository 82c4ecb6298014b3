package dbtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	os.Exit(Main(m))
}

// TestWhichServer tells what the tests run on: go test -v -run TestWhichServer.
func TestWhichServer(t *testing.T) {
	t.Parallel()
	server, err := sharedServer()
	require.NoError(t, err)
	again, err := sharedServer()
	require.NoError(t, err)
	require.Same(t, server, again)
	t.Logf("the tests run on a %s", server.Description)

	require.Equal(t, "true", ask(t, server, "select rolsuper::text from pg_roles where rolname = current_user"))
	require.Equal(t, "off", ask(t, server, "select current_setting('fsync')"))
	if os.Getenv(containersVariable) == "required" && os.Getenv(binVariable) == "" {
		require.Contains(t, server.Description, "container of ")
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	server := StartServer(t)
	url := server.URL("postgres")
	ask(t, server, "create table kept as select 'yes' as answer; select 'done'")

	server.Stop(t)
	_, err := pgx.Connect(t.Context(), url)
	require.Error(t, err)

	server.Start(t)
	require.Equal(t, url, server.URL("postgres"))
	require.Equal(t, "yes", ask(t, server, "select answer from kept"))
}

func TestWithoutDocker(t *testing.T) {
	t.Parallel()
	absent := []string{"DOCKER_HOST=unix:///nonexistent/docker.sock", binVariable + "="}

	output, err := again(t, "TestWhichServer", append(absent, containersVariable+"=required")...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), containersVariable+"=required, but no Docker engine answers")

	output, err = again(t, "TestWhichServer", append(absent, containersVariable+"=")...).CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "no Docker engine answers")
	require.Contains(t, string(output), "the tests run on a local Postgres")
	require.Equal(t, 1, strings.Count(string(output), "the tests run on a local server"))
}

func TestMissingBinaries(t *testing.T) {
	t.Parallel()
	output, err := again(t, "TestWhichServer", binVariable+"="+t.TempDir()).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "no Postgres server")
}

// TestUntilKilled is half of TestKilled.
func TestUntilKilled(t *testing.T) {
	if os.Getenv("DBTEST_UNTIL_KILLED") == "" {
		t.Skip("TestKilled runs this")
	}
	server, err := sharedServer()
	require.NoError(t, err)
	fmt.Println("\n" + server.URL("postgres"))
	<-t.Context().Done()
}

// A test process that times out or is interrupted leaves no server behind.
func TestKilled(t *testing.T) {
	t.Parallel()
	killed := again(t, "TestUntilKilled", "DBTEST_UNTIL_KILLED=yes")
	stdout, err := killed.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, killed.Start())
	t.Cleanup(func() { _ = killed.Process.Kill() })

	url := ""
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "postgres://") {
			url = lines.Text()
			break
		}
	}
	require.NotEmpty(t, url)
	require.NoError(t, reach(t, url))

	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()
	require.Eventually(t, func() bool { return reach(t, url) != nil }, 10*time.Second, 100*time.Millisecond)
}

// again is one test of this binary as a process of its own.
func again(t *testing.T, name string, environment ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(program, "-test.v", "-test.run=^"+name+"$")
	command.Env = append(os.Environ(), environment...)
	return command
}

func reach(t *testing.T, url string) error {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	return connection.Close(context.Background())
}

// ask runs statements and returns the value that the last one answers.
func ask(t *testing.T, server *Server, sql string) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(context.Background())) }()

	results, err := connection.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err)
	return string(results[len(results)-1].Rows[0][0])
}
