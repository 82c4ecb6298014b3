package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// TestRefusals breaks one thing at a time, sees `rowhouse serve` refuse, does as
// it says, and sees it serve. Roles belong to the whole server, so this one is
// the test's own.
func TestRefusals(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	for _, c := range []struct {
		name  string
		sql   string // breaks it
		login string // that serves, rowhouse_api if empty; mallory is made like it
		env   environment
		says  []string
	}{
		{
			name: "superuser", login: "mallory", sql: "alter role mallory superuser",
			says: []string{"the login mallory is a superuser", "alter role mallory nosuperuser"},
		},
		{
			name: "BYPASSRLS", login: "mallory", sql: "alter role mallory bypassrls",
			says: []string{"the login mallory has BYPASSRLS", "alter role mallory nobypassrls"},
		},
		{
			name: "the login that migrates", login: "rowhouse_migrator",
			sql: `grant rowhouse_landlord, rowhouse_user, rowhouse_tenant to rowhouse_migrator;
				grant usage on schema app to rowhouse_migrator`,
			says: []string{"rowhouse_migrator may become rowhouse_owner", "revoke rowhouse_owner from rowhouse_migrator"},
		},
		{
			name: "owner of a table", login: "mallory", sql: "alter table app.units owner to mallory",
			says: []string{"mallory owns app.units", "alter table app.units owner to rowhouse_owner"},
		},
		{
			name: "member of another role", login: "mallory", sql: "grant pg_read_all_data to mallory",
			says: []string{"mallory may become pg_read_all_data", "revoke pg_read_all_data from mallory"},
		},
		{
			name: "inherited rights", sql: `alter role rowhouse_api inherit;
				do $$ begin if current_setting('server_version_num')::int >= 160000
				then execute 'grant rowhouse_landlord to rowhouse_api with inherit true'; end if; end $$`,
			says: []string{"rowhouse_api inherits the rights of rowhouse_landlord"},
		},
		{
			name: "direct grant", sql: "grant select on app.units to rowhouse_api",
			says: []string{"rowhouse_api itself has rights on app.units", "revoke all on app.units from rowhouse_api, public"},
		},
		{
			name: "grant of a column", sql: "grant update (name) on app.properties to rowhouse_api",
			says: []string{"rowhouse_api itself has rights on app.properties"},
		},
		{
			name: "grant to everybody", sql: "grant delete on app.idempotency_keys to public",
			says: []string{"rowhouse_api itself has rights on app.idempotency_keys"},
		},
		{
			name: "row security off", sql: "alter table app.properties disable row level security",
			says: []string{"row security is not enabled on app.properties", "alter table app.properties enable row level security"},
		},
		{
			name: "not forced", sql: "alter table app.users no force row level security",
			says: []string{"row security is not forced on app.users", "alter table app.users force row level security"},
		},
		{
			name: "a table without a policy", sql: `do $$ declare p name; begin
				for p in select polname from pg_policy where polrelid = 'app.users'::regclass loop
					execute format('drop policy %I on app.users', p);
				end loop; end $$`,
			says: []string{"app.users has no policy", "rowhouse policy apply"},
		},
		{
			name: "a persona above the policies", sql: "alter role rowhouse_landlord bypassrls",
			says: []string{"the role rowhouse_landlord may not", "alter role rowhouse_landlord nosuperuser nobypassrls"},
		},
		{
			name: "an owner above the policies", sql: "alter role rowhouse_owner bypassrls",
			says: []string{"the role rowhouse_owner may not"},
		},
		{
			name: "Supabase's roles let in", sql: "grant usage on schema app to service_role",
			says: []string{"service_role can look into the schema app", "revoke all on schema app from service_role"},
		},
		{
			name: "another seal key", env: environment{"SEAL_KEYS": "now:b3RoZXItdGVzdC1vdGhlci10ZXN0LW90aGVyLXRlc3Q="},
			says: []string{"the first of SEAL_KEYS", "rowhouse migrate"},
		},
		{
			name: "another kind of seal", env: environment{"DATABASE_POOLER": "true"},
			says: []string{"DATABASE_POOLER", "rowhouse migrate"},
		},
		{
			name: "not migrated", sql: "drop schema app cascade; drop schema app_private cascade",
			says: []string{"the schema app does not exist", "rowhouse migrate"},
		},
		{
			name: "a login that cannot become a persona", sql: "revoke rowhouse_user from rowhouse_api",
			says: []string{"a transaction as rowhouse_user fails", "rowhouse migrate"},
		},
		{
			name: "two things at once", sql: "alter table app.units disable row level security; alter table app.users no force row level security",
			says: []string{"not enabled on app.units", "not forced on app.users"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := dbtest.Clone(t, server)
			dba, err := pgx.Connect(t.Context(), d.URL("postgres"))
			require.NoError(t, err)
			defer dba.Close(context.Background())
			env := forServe(t, d).with(c.env)
			if c.login != "" {
				env["DATABASE_URL"] = loginURL(t, dba, d, c.login)
			}
			run(t, dba, c.sql)

			code, output := outcome(t, env, "serve")
			require.Equal(t, 1, code, output)
			require.Contains(t, output, "refusing to serve")
			for _, text := range c.says {
				require.Contains(t, output, text)
			}
			require.NotContains(t, output, "level=INFO msg=serving")

			for _, remedy := range remedies(t, output) {
				mend(t, dba, env.with(environment{"MIGRATE_DATABASE_URL": d.URL("postgres")}), remedy)
			}
			serve(t, env)
		})
	}
}

// loginURL is the address for a login; mallory is made on demand and may become
// what rowhouse_api may.
func loginURL(t testing.TB, dba *pgx.Conn, d *dbtest.Database, login string) string {
	t.Helper()
	if login != "mallory" {
		return d.URL(login)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), d.URL("postgres"))
		require.NoError(t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), "drop owned by mallory; drop role mallory")
		require.NoError(t, err)
	})
	run(t, dba, `create role mallory login noinherit password 'mallory';
		grant rowhouse_landlord, rowhouse_tenant, rowhouse_user to mallory; grant usage on schema app to mallory`)
	u, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	u.User = url.UserPassword("mallory", "mallory")
	return u.String()
}

func run(t testing.TB, dba *pgx.Conn, sql string) {
	t.Helper()
	_, err := dba.Exec(t.Context(), sql)
	require.NoError(t, err, sql)
}

// remedies are the lines below the reasons, one indented further than the other.
func remedies(t testing.TB, output string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(output) {
		if remedy, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    "); ok {
			found = append(found, remedy)
		}
	}
	require.NotEmpty(t, found, output)
	return found
}

// mend does what a DBA does with a remedy: run the SQL, and then the command that
// its comment names, having read what it says.
func mend(t testing.TB, dba *pgx.Conn, env environment, remedy string) {
	t.Helper()
	run(t, dba, remedy)
	_, comment, _ := strings.Cut(remedy, "-- ")
	for _, command := range []string{"policy apply", "migrate"} {
		if strings.Contains(comment, fmt.Sprint("rowhouse ", command)) {
			args := strings.Fields(command)
			if command == "policy apply" {
				args = append(args, "--allow-widening")
			}
			code, output := outcome(t, env, args...)
			require.Zero(t, code, output)
		}
	}
}
