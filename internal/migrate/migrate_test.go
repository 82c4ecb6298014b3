package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/migrate"
	"rowhouse/policies"
	"rowhouse/sql/migrations"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

func options(t *testing.T) migrate.Options {
	t.Helper()
	return migrate.Options{Keys: dbtest.Keyring(t, dbtest.KeysText), Logger: slog.New(slog.DiscardHandler)}
}

// rules is everything that says who may do what, in one comparable text.
const rules = `
	select string_agg(line, E'\n' order by line) from (
		select format('policy %s %s %s %s %s %s %s', tablename, policyname, permissive, roles, cmd, qual, with_check) as line
		  from pg_policies where schemaname in ('app', 'app_private')
		union all select format('table %s %s %s %s', oid::regclass, relrowsecurity, relforcerowsecurity,
		         (select string_agg(a::text, ' ') from unnest(relacl) a where a::text not like 'rowhouse_owner=%'))
		  from pg_class where relnamespace in ('app'::regnamespace, 'app_private'::regnamespace) and relkind = 'r'
		union all select format('column %s %s %s', attrelid::regclass, attname, attacl)
		  from pg_attribute where attrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace) and attacl is not null
		union all select format('function %s %s %s %s', oid::regprocedure, pg_get_userbyid(proowner), proacl, md5(pg_get_functiondef(oid)))
		  from pg_proc where pronamespace = 'app'::regnamespace
		union all select format('schema %s %s', nspname,
		         (select string_agg(a::text, ' ') from unnest(nspacl) a where a::text not like 'rowhouse_owner=%')) from pg_namespace where nspname in ('app', 'app_private')
	) r`

func rulesOf(t *testing.T, d *dbtest.Database) (text string) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), rules).Scan(&text))
	return text
}

// difference is what two answers of rulesOf do not share.
func difference(a, b string) (lines []string) {
	for i, pair := range [][2]string{{a, b}, {b, a}} {
		for line := range strings.SplitSeq(pair[0], "\n") {
			if !slices.Contains(strings.Split(pair[1], "\n"), line) {
				lines = append(lines, "-+"[i:i+1]+line)
			}
		}
	}
	return lines
}

// TestAgain: migrating a migrated database changes nothing, whoever does it and
// however many at once.
func TestAgain(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	before := rulesOf(t, d)
	require.Contains(t, before, "landlord_select_units")

	var group errgroup.Group
	for _, login := range []string{"postgres", "rowhouse_migrator", "postgres", "rowhouse_migrator"} {
		group.Go(func() error {
			if err := migrate.Up(t.Context(), d.URL(login), options(t)); err != nil {
				return fmt.Errorf("as %s: %w", login, err)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Empty(t, difference(before, rulesOf(t, d)))
	var units int
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select count(*) from app.units where id = $1", ann.UnitID).Scan(&units))
	require.Equal(t, 1, units)
}

// TestPoliciesMendDrift changes rules by hand in every way, and migrates: the files
// are applied whole.
func TestPoliciesMendDrift(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	before := rulesOf(t, d)
	for _, drift := range []string{
		"create policy everything on app.units to public using (true)",
		"drop policy landlord_select_units on app.units",
		"alter policy landlord_update_units on app.units using (true) with check (true)",
		"drop policy boundary_all_properties on app.properties",
		"alter table app.units no force row level security",
		"alter table app.properties disable row level security",
		"alter table app_private.seal_keys no force row level security",
		"grant all on app.users to anon, service_role, public",
		"grant update on app.units to rowhouse_landlord",
		"grant insert (owner_user_id) on app.units to rowhouse_landlord",
		"grant select on app_private.seal_keys to rowhouse_api",
		"grant usage on schema app, app_private to public, anon",
		"grant execute on all functions in schema app to public",
		"revoke execute on function app.delete_unit(uuid) from rowhouse_landlord",
		"create or replace function app.current_user_id() returns uuid language sql immutable security definer as $$ select nullif(current_setting('app.user_id', true), '')::uuid $$",
	} {
		d.Exec(t, drift)
		require.NotEmpty(t, difference(before, rulesOf(t, d)), drift)
		require.NoError(t, migrate.Up(t.Context(), d.URL("rowhouse_migrator"), options(t)), drift)
		require.Empty(t, difference(before, rulesOf(t, d)), drift)
	}
}

// TestPoliciesWaitNotLong: behind a long transaction no policy, no table and no
// column's grant is changed, and the error says so. Functions were there before.
func TestPoliciesWaitNotLong(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	before := rulesOf(t, d)
	require.NoError(t, pgx.BeginFunc(t.Context(), d.Admin, func(holder pgx.Tx) error {
		_, err := holder.Exec(t.Context(), "select * from app.units")
		require.NoError(t, err)
		err = migrate.Up(t.Context(), d.URL("rowhouse_migrator"), options(t))
		require.ErrorContains(t, err, "in use by a long transaction")
		return nil
	}))
	for _, line := range difference(before, rulesOf(t, d)) {
		require.Contains(t, line, "function ")
	}
}

// TestWithoutSuperuser sets up a database as a hosted Postgres lets one: the
// administrator may create roles, and Supabase's roles are there with default
// privileges that give them every new table.
func TestWithoutSuperuser(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	run := func(database, sql string) {
		conn, err := pgx.Connect(t.Context(), server.URL(database))
		require.NoError(t, err)
		defer conn.Close(context.Background())
		for statement := range strings.SplitSeq(sql, ";") {
			if statement = strings.TrimSpace(statement); statement != "" && !strings.HasPrefix(statement, "--") {
				_, err = conn.Exec(t.Context(), statement)
				require.NoError(t, err, statement)
			}
		}
	}
	run("postgres", `create role anon; create role authenticated; create role service_role bypassrls;
		create role hosted login createrole createdb bypassrls password 'hosted';
		create role powerless login password 'powerless'; create database rowhouse owner hosted`)
	run("rowhouse", `alter default privileges for role hosted grant all on tables to anon, authenticated, service_role;
		alter default privileges for role hosted grant all on functions to anon, authenticated, service_role`)
	login := func(user string) string {
		u, err := url.Parse(server.URL("rowhouse"))
		require.NoError(t, err)
		u.User = url.UserPassword(user, user)
		return u.String()
	}

	err := migrate.Up(t.Context(), login("powerless"), options(t))
	missing, ok := errors.AsType[*migrate.MissingRights](err)
	require.True(t, ok, "%v", err)
	require.Contains(t, missing.SQL, "create role rowhouse_owner nologin noinherit")
	require.Contains(t, missing.SQL, "create schema app authorization rowhouse_owner")
	require.Contains(t, missing.SQL, "grant rowhouse_owner to powerless")

	var log bytes.Buffer
	o := options(t)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Passwords = map[string]string{"rowhouse_api": "rowhouse_api"}
	require.NoError(t, migrate.Up(t.Context(), login("hosted"), o))
	require.Contains(t, log.String(), "pg_advisory_lock", "hardening that only a superuser can do is a warning with its SQL")
	require.NoError(t, migrate.Up(t.Context(), login("hosted"), o), "again")

	conn, err := pgx.Connect(t.Context(), login("rowhouse_api"))
	require.NoError(t, err, "the password was set")
	require.NoError(t, conn.Close(t.Context()))
	for _, role := range []string{"anon", "authenticated", "service_role"} {
		admin, err := pgx.Connect(t.Context(), server.URL("rowhouse"))
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), "set role "+role)
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), "select * from app.units")
		require.ErrorContains(t, err, "permission denied", role)
		require.NoError(t, admin.Close(t.Context()))
	}

	// what the powerless one was told to ask for is all that it needed
	err = migrate.Up(t.Context(), login("powerless"), options(t))
	missing, ok = errors.AsType[*migrate.MissingRights](err)
	require.True(t, ok, "%v", err)
	run("rowhouse", strings.Join(missing.SQL, ";"))
	require.NoError(t, migrate.Up(t.Context(), login("powerless"), options(t)))
}

// TestClusterMends alters what roles and the database may do, and puts it right.
func TestClusterMends(t *testing.T) {
	t.Parallel()
	d := dbtest.NewOn(t, dbtest.StartServer(t)) // roles are shared by all databases of a server
	lacks := func() int {
		rows, err := d.Admin.Query(t.Context(), policies.Cluster())
		require.NoError(t, err)
		missing, err := pgx.CollectRows(rows, pgx.RowToMap)
		require.NoError(t, err)
		return len(missing)
	}
	require.Zero(t, lacks())
	for _, harm := range []string{
		"alter role rowhouse_api inherit", `do $$ begin if current_setting('server_version_num')::int >= 160000 then
			execute 'grant rowhouse_landlord to rowhouse_api with inherit true'; else alter role rowhouse_api inherit; end if; end $$`,
		"alter role rowhouse_api superuser", "alter role rowhouse_landlord bypassrls",
		"alter role rowhouse_owner login", "grant rowhouse_owner to rowhouse_api", "grant service_role to rowhouse_api",
		"revoke rowhouse_landlord from rowhouse_api", "alter role rowhouse_api reset statement_timeout",
		"alter role rowhouse_api set row_security = off", "grant temporary on database test_1 to public",
		"grant create on schema public to public", "grant execute on function pg_advisory_lock(bigint) to public",
		"alter default privileges for role rowhouse_owner grant execute on functions to public",
		"alter default privileges in schema app grant select on tables to anon",
	} {
		harm = strings.ReplaceAll(harm, "test_1", d.Name())
		d.Exec(t, harm)
		require.NotZero(t, lacks(), harm)
		conn := d.Connect(t, "postgres")
		require.NoError(t, migrate.Cluster(t.Context(), conn, slog.New(slog.DiscardHandler)))
		require.Zero(t, lacks(), harm)
	}
}

// TestWhoWasHereHasSetUp runs the migration that asks newcomers who they are on a
// database with somebody in it: nobody of them is asked, and no row is written.
func TestWhoWasHereHasSetUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, `alter table app.users drop column onboarding_step, drop column onboarding_completed, drop column signed_up_as,
		drop column country, drop column planned_units, drop column require_aal2`)
	d.Exec(t, `insert into app.users (id, full_name) values (gen_random_uuid(), 'before')`)
	written := func() (row string) {
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select ctid || ' ' || xmin || ' ' || version from app.users where full_name = 'before'`).Scan(&row))
		return row
	}
	before := written()
	up, err := migrations.FS.ReadFile("0021_add_onboarding.sql")
	require.NoError(t, err)
	d.Exec(t, string(up))
	d.Exec(t, `insert into app.users (id, full_name) values (gen_random_uuid(), 'after')`)
	require.Equal(t, before, written())
	for name, want := range map[string]string{"before": "6 true OWNER false", "after": "1 false OWNER false"} {
		var got string
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select concat_ws(' ', onboarding_step, case when onboarding_completed then 'true' else 'false' end,
			signed_up_as, case when require_aal2 then 'true' else 'false' end) from app.users where full_name = $1`, name).Scan(&got))
		require.Equal(t, want, got, name)
	}
}

// TestImportsOfBeforeAreForgotten runs the migration that has the rows of imports deleted
// in time on a database with imports: each gets its job, as a new one does.
func TestImportsOfBeforeAreForgotten(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, `drop trigger enqueue_inserted on app.import_batches; drop index app.import_batches_open_idx`)
	d.Exec(t, `alter table app.import_batches drop column rows_purged_at; delete from app_private.goose_db_version where version_id = 39`)
	var want []string
	for _, name := range []string{"ann", "bob"} {
		l := d.Landlord(t, name)
		want = append(want, l.UserID.String()+" "+l.ImportID.String())
	}
	require.NoError(t, migrate.Up(t.Context(), d.URL("rowhouse_migrator"), options(t)))
	rows, err := d.Admin.Query(t.Context(), `select concat_ws(' ', args ->> 'ownerId', args ->> 'id') from river.river_job
		where kind = 'import_purge' and queue = 'import' and state = 'available'`)
	require.NoError(t, err)
	queued, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.ElementsMatch(t, want, queued)
	var forced bool
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select relforcerowsecurity from pg_class where oid = 'app.import_batches'::regclass`).Scan(&forced))
	require.True(t, forced)
}
