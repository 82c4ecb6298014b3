package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/seal"
)

// TestPsql is what somebody finds who has a password and psql, and no seal key.
func TestPsql(t *testing.T) {
	t.Parallel()
	tool(t, "psql")
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann").UserID.String()
	d.Exec(t, "alter role service_role bypassrls") // as on Supabase
	tables := tablesOf(t, d)
	require.Contains(t, tables, "app.units")
	require.Contains(t, tables, "app_private.seal_keys")

	for name, seal := range badSeals(t, ann) {
		seen := map[string]bool{}
		for _, persona := range []string{"rowhouse_landlord", "rowhouse_tenant", "rowhouse_user"} {
			for table, answer := range counts(t, d.URL("rowhouse_api"), tables,
				"set role "+persona, "set app.user_id = '"+ann+"'", "set app.user_seal = '"+seal+"'") {
				if strings.Contains(answer, "permission denied for") {
					continue
				}
				require.Equal(t, "0", answer, "%s as %s with %s", table, persona, name)
				seen[table] = true
			}
		}
		for _, table := range tables {
			// a trigger alone reads how far tickets are counted
			looks := strings.HasPrefix(table, "app.") && table != "app.ticket_counters"
			require.Equal(t, looks, seen[table], "%s: some persona may look, and finds nothing", table)
		}
	}
	for table, answer := range counts(t, d.URL("rowhouse_api"), tables, "set app.user_id = '"+ann+"'") {
		require.Contains(t, answer, "permission denied for", "%s without a persona", table)
	}
	for _, role := range []string{"service_role", "anon", "authenticated"} {
		for table, answer := range counts(t, d.URL("postgres"), tables, "set role "+role) {
			require.Contains(t, answer, "permission denied for schema", "%s as %s", table, role)
		}
	}
	for table, answer := range counts(t, d.URL("postgres"), tables) {
		require.Regexp(t, "^[1-9]", answer, "%s is not empty to a superuser", table)
	}
}

// tablesOf lists every table of ours but the migrations' journal.
func tablesOf(t testing.TB, d *dbtest.Database) []string {
	t.Helper()
	rows, err := d.Admin.Query(t.Context(), `select relnamespace::regnamespace || '.' || relname from pg_class
		where relkind in ('r', 'p') and relnamespace::regnamespace::text in ('app', 'app_private')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return tables
}

// badSeals are attempts to pass for user; the well-formed ones are made with a
// key that the database does not know, or for another backend.
func badSeals(t testing.TB, user string) map[string]string {
	t.Helper()
	id, err := uuid.Parse(user)
	require.NoError(t, err)
	expires := time.Now().Add(time.Minute)
	sign := func(keys seal.Keyring) string { return keys.Sign("rowhouse_landlord", id, expires, 1) }
	return map[string]string{
		"no seal":              "",
		"garbage":              "x",
		"another key":          sign(dbtest.Keyring(t, "now:b3RoZXItdGVzdC1vdGhlci10ZXN0LW90aGVyLXRlc3Q=")),
		"an unknown key":       sign(dbtest.Keyring(t, "else:b3RoZXItdGVzdC1vdGhlci10ZXN0LW90aGVyLXRlc3Q=")),
		"another connection's": sign(dbtest.Keyring(t, dbtest.KeysText)),
	}
}

// counts has psql count the rows of each table after some preparation, and
// returns what it said: a number, or an error.
func counts(t testing.TB, url string, tables []string, before ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	command := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=VERBOSITY=terse", url)
	var script strings.Builder
	for _, statement := range before {
		fmt.Fprintln(&script, statement+";")
	}
	for _, table := range tables {
		fmt.Fprintln(&script, "select count(*) from "+table+";")
	}
	command.Stdin = strings.NewReader(script.String())
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	require.Len(t, lines, len(tables), "one line a table, and no error before:\n%s", output)
	answers := map[string]string{}
	for i, table := range tables {
		answers[table] = lines[i]
	}
	return answers
}
