package mutate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// suiteDir is where the tests of the suite run.
const suiteDir = "../isolation"

// worker runs the suite on a server of its own, since roles belong to a server.
type worker struct {
	suite  string // the compiled tests
	server *dbtest.Server
	conn   *pgx.Conn // a superuser's, to a migrated database
	intact string    // fingerprint of that database and its roles
	file   string    // where the mutation is written
}

func newWorker(t *testing.T, suite string) *worker {
	t.Helper()
	w := &worker{suite: suite, server: dbtest.StartServer(t), file: filepath.Join(t.TempDir(), "mutation.sql")}
	w.conn = migrated(t, w.server)
	w.intact = fingerprint(t, w.conn)
	return w
}

// verdict is what a run of tests has said about a mutant.
type verdict struct {
	ran    bool
	killer string // the test that has noticed; empty if none has
	said   string // why, in one line
}

var (
	failed  = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)
	subtest = regexp.MustCompile(`/.*$`)
)

// test runs the tests of these names on a mutant until one fails. tables are what
// they attack, or all if it is empty. An error is a fault of the generator or of
// this program.
func (w *worker) test(t *testing.T, m mutant, tables string, names []string) (verdict, error) {
	t.Helper()
	if err := os.WriteFile(w.file, []byte(m.mutation), 0o600); err != nil {
		return verdict{}, fmt.Errorf("write the mutation: %w", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// one test at a time: each puts the roles right, and mutates them, for itself
	suite := exec.CommandContext(ctx, w.suite, "-test.v", "-test.parallel=1", "-test.timeout=10m", "-test.run=^("+strings.Join(names, "|")+")$")
	suite.Dir = suiteDir
	suite.Env = append(os.Environ(),
		"ROWHOUSE_TEST_SERVER_URL="+w.server.URL("postgres"), "ROWHOUSE_TEST_MUTATION="+w.file, "ROWHOUSE_TEST_TABLES="+tables)
	output, err := suite.StdoutPipe()
	if err != nil {
		return verdict{}, fmt.Errorf("run the suite: %w", err)
	}
	suite.Stderr = suite.Stdout
	if err := suite.Start(); err != nil {
		return verdict{}, fmt.Errorf("run the suite: %w", err)
	}
	v := verdict{ran: true}
	var last []string
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		last = append(last, lines.Text())
		if fail := failed.FindStringSubmatch(lines.Text()); fail != nil {
			v.killer, v.said = subtest.ReplaceAllString(fail[1], ""), reason(last)
			cancel() // what is noticed once need not be noticed again
			break
		}
	}
	pid := suite.Process.Pid
	err = suite.Wait()
	w.clear(t, pid)
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case v.killer != "" || err == nil:
		return v, nil
	case exited && exit.ExitCode() == dbtest.MutationRefused:
		return verdict{}, fmt.Errorf("%s does not run:\n%s", m.id(), tail(last))
	case len(last) > 0 && strings.Contains(strings.Join(last, "\n"), "panic: test timed out"):
		v.killer, v.said = "timeout", "the suite does not end"
		return v, nil
	default:
		return verdict{}, fmt.Errorf("%s: the suite ends with %w:\n%s", m.id(), err, tail(last))
	}
}

// changes reports an error if a mutation does not run or leaves all as it was.
func (w *worker) changes(t *testing.T, m mutant) error {
	t.Helper()
	if _, err := w.conn.Exec(t.Context(), "begin"); err != nil {
		return fmt.Errorf("%s: %w", m.id(), err)
	}
	defer func() {
		_, err := w.conn.Exec(t.Context(), "rollback")
		require.NoError(t, err)
	}()
	if _, err := w.conn.PgConn().Exec(t.Context(), m.mutation).ReadAll(); err != nil {
		return fmt.Errorf("%s: %w\n%s", m.id(), err, m.mutation)
	}
	if fingerprint(t, w.conn) == w.intact {
		return fmt.Errorf("%s changes nothing\n%s", m.id(), m.mutation)
	}
	return nil
}

// clear drops the databases that a suite which was stopped could not drop.
func (w *worker) clear(t *testing.T, pid int) {
	t.Helper()
	rows, err := w.conn.Query(t.Context(), "select datname from pg_database where datname ~ $1", fmt.Sprintf("^test_%d_", pid))
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, name := range names {
		_, err := w.conn.Exec(t.Context(), "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
		require.NoError(t, err)
	}
}

// undo puts roles back and makes sure that the next mutant is the only one.
func (w *worker) undo(t *testing.T, m mutant) error {
	t.Helper()
	if m.undo == "" {
		return nil
	}
	if _, err := w.conn.Exec(t.Context(), m.undo); err != nil {
		return fmt.Errorf("%s: undo: %w", m.id(), err)
	}
	if fingerprint(t, w.conn) != w.intact {
		return fmt.Errorf("%s: %s does not undo it", m.id(), m.undo)
	}
	return nil
}

// reason is the first line of what a failed test has to say.
func reason(lines []string) string {
	for _, label := range []string{"Messages:", "Error:"} {
		for i, line := range lines {
			if _, text, found := strings.Cut(line, label); found {
				if text = strings.TrimSpace(text); text == "" && i+1 < len(lines) {
					text = strings.TrimSpace(lines[i+1])
				}
				return text[:min(len(text), 200)]
			}
		}
	}
	return ""
}

func tail(lines []string) string { return strings.Join(lines[max(0, len(lines)-20):], "\n") }
