package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// TestPolicyCommands goes the way of a DBA: drift is seen, a plan is made and
// looked at, and what was looked at is what is applied.
func TestPolicyCommands(t *testing.T) {
	t.Parallel()
	d := dbtest.Clone(t, dbtest.StartServer(t)) // roles are shared by all databases of a server
	env := environment{"MIGRATE_DATABASE_URL": d.URL("rowhouse_migrator")}
	file := filepath.Join(t.TempDir(), "plan.json")
	policy := func(want int, args ...string) string {
		t.Helper()
		code, output := outcome(t, env, append([]string{"policy"}, args...)...)
		require.Equal(t, want, code, output)
		return output
	}
	require.Contains(t, policy(0, "drift"), "Nothing to change")
	require.JSONEq(t, `true`, field(t, policy(0, "drift", "--format", "json"), "clean"))

	d.Exec(t, `grant select on app.users to anon; drop policy tenant_select_tenants on app.tenants;
		alter table app.units no force row level security`)
	output := policy(1, "drift")
	require.Contains(t, output, "anon could no longer read table app.users")
	require.Contains(t, output, "the database differs from this build's files")
	code, output := outcome(t, env, "policy", "drift", "--format", "json")
	require.Equal(t, 1, code)
	document, _, _ := strings.Cut(output, "\nrowhouse: ")
	require.JSONEq(t, `false`, field(t, document, "clean"))

	output = policy(0, "plan", "--out", file)
	require.Less(t, strings.Index(output, "rowhouse_tenant could read rows of app.tenants"), strings.Index(output, "anon could no longer read"))
	require.Contains(t, output, "\nrevoke select on table app.users from anon cascade;\n")
	require.Equal(t, output, policy(0, "plan"), "it changes nothing")

	output = policy(1, "apply", "--plan", file)
	require.Contains(t, output, "--allow-widening")
	require.Contains(t, output, "rowhouse_tenant could read rows of app.tenants")

	d.Exec(t, "grant select on app.units to anon")
	require.Contains(t, policy(1, "apply", "--plan", file, "--allow-widening"), "the plan that was agreed is not what would be done")
	d.Exec(t, "revoke select on app.units from anon")
	require.Contains(t, policy(0, "apply", "--plan", file, "--allow-widening"), "Done: 3 changes")
	policy(0, "drift")
	require.Contains(t, policy(1, "apply", "--plan", filepath.Join(t.TempDir(), "absent")), "load the plan")

	// nobody takes a database that is away for one that is as it ought to be, or for
	// one that is not
	for name, value := range map[string]string{
		"MIGRATE_DATABASE_URL": strings.Replace(d.URL("rowhouse_migrator"), d.Name(), "absent", 1), "LOG_LEVEL": "odd", "REQUEST_TIMEOUT": "odd",
	} {
		code, output := outcome(t, env.with(environment{name: value}), "policy", "drift")
		require.Equal(t, 3, code, "%s: %s", name, output)
	}
	code, _ = outcome(t, nil, "policy", "drift")
	require.Equal(t, 3, code)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// field is one member of a JSON document, as JSON.
func field(t testing.TB, document, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(document), &members), document)
	return string(members[name])
}
