package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// TestMain runs the program itself, instead of the tests, in a process that rowhouse
// started.
func TestMain(m *testing.M) {
	if os.Getenv("ROWHOUSE_TEST_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(dbtest.Main(m))
}

// rowhouse runs the program and returns its exit status and what it printed.
func rowhouse(t *testing.T, environment []string, args ...string) (status int, output string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, args...)
	command.Env = append(environment, "ROWHOUSE_TEST_AS_PROGRAM=1")
	command.Dir = t.TempDir()
	printed, err := command.CombinedOutput()
	if err != nil {
		_, exited := errors.AsType[*exec.ExitError](err)
		require.True(t, exited, err)
	}
	return command.ProcessState.ExitCode(), string(printed)
}

// TestMigrateLegacy: the exit status tells scripts whether all rows were copied, some
// are in the report, or nothing was done; then an earlier report is still there.
func TestMigrateLegacy(t *testing.T) {
	t.Parallel()
	const (
		header = "table,id,reason,detail\n"
		line   = "units,9a3f0d4e-6f0b-4d52-9a51-0b8f6a1c7c01,missing_value,name is empty\n"
		login  = "0b2f7a34-2f6e-4b63-8ac5-95a5d8f5a901"
	)
	from, to := dbtest.Empty(t), dbtest.New(t)
	from.Exec(t, `
		create table users (id uuid primary key, email text);
		create table units (id uuid, owner_id uuid, name text);
		create table tenants (id uuid, first_name text, last_name text, email text, unit_id uuid, user_id uuid);
		create table tenancies (id uuid, unit_id uuid, tenant_id uuid, start_date date, end_date date);
		create table tenant_invites (id uuid, tenant_id uuid, token text, claimed_at timestamp, expires_at timestamp);
		create table tickets (id uuid, unit_id uuid, tenant_id uuid, title text, status text, priority text, created_at timestamp)`)
	from.Exec(t, `insert into users values ($1, 'ann@example.com')`, login)
	directory := t.TempDir()
	report := filepath.Join(directory, "report.csv")
	migrate := func(url string, args ...string) (int, string) {
		return rowhouse(t, []string{"MIGRATE_DATABASE_URL=" + to.URL("rowhouse_migrator"), "LEGACY_DATABASE_URL=" + url},
			append([]string{"migrate-legacy", "--report", report}, args...)...)
	}
	requireReport := func(want string) {
		t.Helper()
		content, err := os.ReadFile(report)
		require.NoError(t, err)
		require.Equal(t, want, string(content))
		entries, err := os.ReadDir(directory)
		require.NoError(t, err)
		require.Len(t, entries, 1, "a file was left behind")
	}

	status, output := migrate(from.URL("postgres"))
	require.Equal(t, 0, status, output)
	require.NotContains(t, output, "not copied")
	requireReport(header)

	from.Exec(t, `insert into units values ('9a3f0d4e-6f0b-4d52-9a51-0b8f6a1c7c01', $1, ' ')`, login)
	for _, args := range [][]string{{"--dry-run"}, nil} {
		status, output = migrate(from.URL("postgres"), args...)
		require.Equal(t, 2, status, output)
		require.Contains(t, output, "1 rows are not copied")
		requireReport(header + line)
	}

	// at start, and when half of it is done
	nowhere := from.URL("postgres") + "&schema=nowhere"
	status, output = migrate(nowhere)
	require.Equal(t, 1, status, output)
	require.Contains(t, output, "no table nowhere.users")
	requireReport(header + line)

	from.Exec(t, `insert into units values ('9a3f0d4e-6f0b-4d52-9a51-0b8f6a1c7c02', $1, 'Flat')`, login)
	to.Exec(t, `alter table app.units add constraint broken check (name <> 'Flat')`)
	status, output = migrate(from.URL("postgres"))
	require.Equal(t, 1, status, output)
	require.Contains(t, output, "broken")
	requireReport(header + line)

	status, output = migrate(from.URL("postgres"), "--report", directory)
	require.Equal(t, 1, status, output)
	require.Contains(t, output, "is not a file")
	status, output = migrate(from.URL("postgres"), "--report", filepath.Join(directory, "missing", "report.csv"))
	require.Equal(t, 1, status, output)
	require.Contains(t, output, "open the report")
	requireReport(header + line)
}
