package policy_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/migrate"
	"rowhouse/internal/policy"
)

// harm is one change by hand, and what a plan has to say of it.
type harm struct {
	sql     string
	changes []string // "kind: object", in any order
	says    string   // one of the sentences
	widens  bool     // mending it may give somebody more
	dba     bool     // mending it wants more rights than rowhouse_migrator has
	since   int      // the first server_version_num that knows the SQL
}

var harms = []harm{
	{
		sql:     "drop policy tenant_select_tenants on app.tenants",
		changes: []string{"policy: tenant_select_tenants on app.tenants"},
		says:    "rowhouse_tenant could read rows of app.tenants where", widens: true,
	},
	{
		sql:     "alter policy landlord_update_units on app.units using (true) with check (true)",
		changes: []string{"policy: landlord_update_units on app.units"},
		says:    "rowhouse_landlord could no longer update rows of app.units where true",
	},
	{
		sql:     "alter policy landlord_select_units on app.units using (name = 'x')",
		changes: []string{"policy: landlord_select_units on app.units"},
		says:    "rowhouse_landlord could read rows of app.units where (owner_user_id", widens: true,
	},
	{
		sql:     "alter policy landlord_update_tenants on app.tenants with check (true)",
		changes: []string{"policy: landlord_update_tenants on app.tenants"},
		says:    "rowhouse_landlord could no longer update rows of app.tenants where (owner_user_id = app.current_user_id()), to become rows where true",
	},
	{
		sql:     "drop policy landlord_insert_units on app.units",
		changes: []string{"policy: landlord_insert_units on app.units"},
		says:    "rowhouse_landlord could insert rows into app.units where (owner_user_id = app.current_user_id()) (policy", widens: true,
	},
	{
		sql:     "create policy everything on app.properties to public using (true)",
		changes: []string{"policy: everything on app.properties"},
		says:    "every role could no longer read and change rows of app.properties where true",
	},
	{
		sql:     "drop policy boundary_all_contractors on app.contractors",
		changes: []string{"policy: boundary_all_contractors on app.contractors"},
		says:    "every role could only read and change rows of app.contractors",
	},
	{
		sql:     "alter table app.tickets no force row level security",
		changes: []string{"forced row security: app.tickets"},
		says:    "policies would bind the owner of app.tickets",
	},
	{
		sql:     "alter table app.tenancies disable row level security",
		changes: []string{"row security: app.tenancies"},
		says:    "policies would bind on app.tenancies",
	},
	{
		sql:     "grant select on app.users to anon",
		changes: []string{"grant: SELECT on table app.users, for anon"},
		says:    "anon could no longer read table app.users",
	},
	{
		sql:     "grant update on app.units to rowhouse_landlord",
		changes: []string{"grant: UPDATE on table app.units, for rowhouse_landlord"},
		says:    "rowhouse_landlord could no longer update table app.units",
	},
	{
		sql:     "grant insert (owner_user_id) on app.units to rowhouse_landlord",
		changes: []string{"grant: INSERT on column app.units.owner_user_id, for rowhouse_landlord"},
		says:    "rowhouse_landlord could no longer insert column owner_user_id of app.units",
	},
	{
		sql:     "revoke update (name) on app.properties from rowhouse_landlord",
		changes: []string{"grant: UPDATE on column app.properties.name, for rowhouse_landlord"},
		says:    "rowhouse_landlord could update column name of app.properties", widens: true,
	},
	{
		sql: `grant select on app.audit_log to rowhouse_landlord with grant option; set role rowhouse_landlord;
			grant select on app.audit_log to service_role; reset role`,
		changes: []string{"grant: SELECT on table app.audit_log, for rowhouse_landlord", "grant: SELECT on table app.audit_log, for service_role"},
		says:    "rowhouse_landlord could no longer read table app.audit_log, nor let others",
	},
	{
		sql:     "revoke select on app.properties from rowhouse_owner",
		changes: []string{"lost right: SELECT on table app.properties, for its owner"},
		says:    "rowhouse_owner could read its own table app.properties", widens: true,
	},
	{
		sql:     "grant execute on function app.delete_unit(uuid) to public",
		changes: []string{"grant: EXECUTE on routine app.delete_unit(uuid), for public"},
		says:    "public could no longer call routine app.delete_unit(uuid)",
	},
	{
		sql:     "alter function app.delete_property(uuid) reset search_path",
		changes: []string{"function: app.delete_property(property_id uuid) returns boolean"},
		says:    "app.delete_property(uuid) would be what this build defines, run as rowhouse_remover", widens: true,
	},
	{
		sql: `create or replace function app.current_user_id() returns uuid language sql immutable security definer
			as $$ select nullif(current_setting('app.user_id', true), '')::uuid $$`,
		changes: []string{"function: app.current_user_id() returns uuid"},
		says:    "app.current_user_id() would be what this build defines", widens: true,
	},
	{
		sql:     `create function app.stray() returns int language sql security definer as 'select 1'`,
		changes: []string{"function: app.stray() returns integer", "grant: EXECUTE on routine app.stray(), for public"},
		says:    "app.stray() would be no more",
		dba:     true,
	},
	{
		sql:     "alter table app.units disable trigger guard_owned_row",
		changes: []string{"trigger firing: guard_owned_row on app.units"},
		says:    "the trigger guard_owned_row on app.units would run",
	},
	{
		sql:     "drop trigger record_update on app.tenants",
		changes: []string{"trigger: record_update on app.tenants"},
		says:    "the trigger record_update on app.tenants would be this build's", widens: true,
	},
	{
		sql:     "create rule quiet as on delete to app.contractors do instead nothing",
		changes: []string{"rule: quiet on app.contractors"},
		says:    "the rule quiet on app.contractors would rewrite nothing", widens: true,
	},
	{
		sql:     "grant usage on schema app to anon",
		changes: []string{"grant: USAGE on schema app, for anon"},
		says:    "anon could no longer use schema app",
	},
	{
		sql:     "revoke usage on schema app from rowhouse_clerk",
		changes: []string{"grant: USAGE on schema app, for rowhouse_clerk"},
		says:    "rowhouse_clerk could use schema app", widens: true,
	},
	{
		sql:     "alter table app.tenants alter column email set statistics 100",
		changes: []string{"statistics: app.tenants.email"},
		says:    "no statistics would be gathered about the values of app.tenants.email",
	},
	{
		sql:     "alter default privileges for role rowhouse_owner in schema app grant select on tables to authenticated",
		changes: []string{"default privilege: SELECT on tables that rowhouse_owner makes in app, for authenticated"},
		says:    "authenticated would no longer have SELECT on tables that rowhouse_owner makes in app",
	},
	{
		sql:     "alter default privileges for role rowhouse_owner grant execute on functions to public",
		changes: []string{"default privilege: EXECUTE on functions that rowhouse_owner makes, for public"},
		says:    "public would no longer have EXECUTE on functions that rowhouse_owner makes",
	},
	{
		sql:     "alter table app.landlord_cards owner to postgres",
		changes: []string{"owner: table app.landlord_cards"},
		says:    "table app.landlord_cards would belong to rowhouse_owner", widens: true, dba: true,
	},
	{
		sql:     "grant rowhouse_landlord to anon",
		changes: []string{"membership: anon in rowhouse_landlord"},
		says:    "anon could no longer become rowhouse_landlord", dba: true,
	},
	{
		sql:     "revoke rowhouse_tenant from rowhouse_worker",
		changes: []string{"membership: rowhouse_worker in rowhouse_tenant"},
		says:    "rowhouse_worker could become rowhouse_tenant", widens: true, dba: true,
	},
	{
		sql:     "alter role rowhouse_landlord bypassrls",
		changes: []string{"role attribute: rowhouse_landlord bypassrls"},
		says:    "rowhouse_landlord could no longer pass by every policy", dba: true,
	},
	{
		sql:     "alter role rowhouse_api reset statement_timeout",
		changes: []string{"setting: statement_timeout of rowhouse_api"},
		says:    "sessions of rowhouse_api would begin with statement_timeout = 10s", dba: true,
	},
	{
		sql:     "alter role rowhouse_api set search_path = app, public",
		changes: []string{"setting: search_path of rowhouse_api"},
		says:    "sessions of rowhouse_api would begin with search_path = pg_catalog, pg_temp", dba: true,
	},
	{
		sql:     "alter role rowhouse_api inherit",
		changes: []string{"role attribute: rowhouse_api inherit"},
		says:    "rowhouse_api could no longer use the rights of the roles", dba: true,
	},
	{
		sql:     "grant rowhouse_landlord to rowhouse_api with inherit true",
		changes: []string{"membership: rowhouse_api in rowhouse_landlord"},
		says:    "rowhouse_api could no longer become rowhouse_landlord, use the rights of rowhouse_landlord",
		widens:  true, dba: true, since: 160000,
	},
	{
		sql:     "grant maintain on app.tickets to rowhouse_tenant",
		changes: []string{"grant: MAINTAIN on table app.tickets, for rowhouse_tenant"},
		says:    "rowhouse_tenant could no longer maintain and lock table app.tickets", since: 170000,
	},
	{
		sql: "drop function app.delete_ticket(uuid)",
		changes: []string{
			"function: app.delete_ticket(ticket_id uuid) returns boolean",
			"grant: EXECUTE on routine app.delete_ticket(uuid), for rowhouse_landlord",
		},
		says: "rowhouse_landlord could call routine app.delete_ticket(uuid)", widens: true,
	},
	{
		sql:     "create trigger \"stray one\" after insert on app.contractors execute function app.record_change()",
		changes: []string{`trigger: "stray one" on app.contractors`},
		says:    "the trigger stray one on app.contractors would be no more", widens: true,
	},
	{
		sql:     "create or replace trigger guard_owned_row after insert on app.contractors for each row execute function app.record_change()",
		changes: []string{"trigger: guard_owned_row on app.contractors"},
		says:    "the trigger guard_owned_row on app.contractors would be this build's", widens: true,
	},
	{
		sql:     "create statistics app.together on name, city from app.properties",
		changes: []string{"statistics: app.together"},
		says:    "no statistics would be gathered about how values of app.properties hang together",
	},
	{
		sql:     "alter function app.my_roles() owner to rowhouse_owner",
		changes: []string{"owner: routine app.my_roles()"},
		says:    "routine app.my_roles() would belong to rowhouse_clerk", widens: true, dba: true,
	},
}

// harmsOf are those that the server knows.
func harmsOf(t *testing.T, d *dbtest.Database) []harm {
	t.Helper()
	var version int
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select current_setting('server_version_num')::int").Scan(&version))
	return slices.DeleteFunc(slices.Clone(harms), func(h harm) bool { return h.since > version })
}

// named is the changes of a plan as harms name them.
func named(changes []policy.Change) (names []string) {
	for _, c := range changes {
		names = append(names, c.Kind+": "+c.Object)
	}
	return names
}

func plan(t *testing.T, d *dbtest.Database, login string) policy.Plan {
	t.Helper()
	p, err := policy.Make(t.Context(), d.URL(login))
	require.NoError(t, err)
	return p
}

// TestPlanSaysWhatWasChanged changes a database by hand in one way after the other,
// and then in all at once. The plan names those and no other, and applying it puts
// them right.
func TestPlanSaysWhatWasChanged(t *testing.T) {
	t.Parallel()
	d := dbtest.Clone(t, dbtest.StartServer(t)) // roles are shared by all databases of a server
	harms := harmsOf(t, d)
	var all []string
	for _, h := range harms {
		d.Exec(t, h.sql)
		p := plan(t, d, "rowhouse_migrator")
		require.ElementsMatch(t, h.changes, named(p.Changes), h.sql)
		require.Equal(t, h.widens, len(p.Widening()) > 0, h.sql)
		require.Contains(t, text(t, p), h.says, h.sql)
		require.NotEmpty(t, p.Statements)

		login := "rowhouse_migrator"
		if h.dba {
			login = "postgres"
		}
		_, err := policy.Apply(t.Context(), d.URL(login), policy.ApplyOptions{AllowWidening: h.widens})
		require.NoError(t, err, h.sql) // and the next plan has nothing of this
		all = append(all, h.changes...)
	}
	for _, h := range harms {
		d.Exec(t, h.sql)
	}
	p := plan(t, d, "rowhouse_migrator")
	require.ElementsMatch(t, all, named(p.Changes))
	require.Equal(t, p, plan(t, d, "rowhouse_api"), "whoever looks sees the same")
	_, err := policy.Apply(t.Context(), d.URL("postgres"), policy.ApplyOptions{AllowWidening: true, Agreed: &p})
	require.NoError(t, err)
	p = plan(t, d, "rowhouse_migrator")
	require.True(t, p.Clean(), "%s", p.Changes)
	require.Contains(t, text(t, p), "Nothing to change")
}

// TestScript: the SQL that a plan prints does what apply does.
func TestScript(t *testing.T) {
	t.Parallel()
	d := dbtest.Clone(t, dbtest.StartServer(t))
	for _, h := range harmsOf(t, d) {
		d.Exec(t, h.sql)
	}
	d.Exec(t, `create policy "a
		;drop table app.users;--" on app.units to public using (true)`)
	p := plan(t, d, "rowhouse_migrator")
	script := text(t, p)
	for line := range strings.Lines(script[:strings.Index(script, "begin;")]) {
		require.True(t, strings.HasPrefix(line, "--") || line == "\n", line)
	}
	d.Exec(t, script)
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
}

func text(t *testing.T, p policy.Plan) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, p.WriteText(&b))
	return b.String()
}

// TestPlanTellsWhatItCannotMend: tables are migrations' matter, but a table that
// nobody knows is closed, and what keeps rows of two landlords apart is told.
func TestPlanTellsWhatItCannotMend(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, `create table app.forgotten (id int, owner_user_id uuid); grant all on app.forgotten to anon;
		alter table app.forgotten owner to rowhouse_owner;
		alter table app.units drop constraint units_property_fkey`)
	p := plan(t, d, "rowhouse_migrator")
	require.ElementsMatch(t, []string{"table: app.forgotten", "constraint: units_property_fkey on app.units"}, named(p.Unmended))
	require.Contains(t, named(p.Changes), "row security: app.forgotten")
	_, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
	require.NoError(t, err)

	p = plan(t, d, "rowhouse_migrator")
	require.Empty(t, p.Changes)
	require.False(t, p.Clean())
	_, err = d.Admin.Exec(t.Context(), "set role anon; select * from app.forgotten")
	require.ErrorContains(t, err, "permission denied")
	var closed bool
	require.NoError(t, d.Admin.QueryRow(t.Context(),
		"select relrowsecurity and relforcerowsecurity from pg_class where oid = 'app.forgotten'::regclass").Scan(&closed))
	require.True(t, closed)

	d.Exec(t, "drop table app.ticket_events cascade")
	_, err = policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{AllowWidening: true})
	require.ErrorContains(t, err, "run rowhouse migrate")
}

// TestPlanLocksNothing watches the locks of plans that are made while others read
// and write.
func TestPlanLocksNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	busy, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 2)
	go func() { // requests
		for busy.Err() == nil {
			if _, err := d.Admin.Exec(t.Context(), "update app.units set name = 'x' where id = $1", ann.UnitID); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	go func() { // plans
		for busy.Err() == nil {
			if _, err := policy.Make(t.Context(), withName(d.URL("rowhouse_migrator"))); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	seen := map[string]bool{}
	for deadline := time.Now().Add(30 * time.Second); len(seen) == 0 || time.Until(deadline) > 28*time.Second; {
		require.True(t, time.Now().Before(deadline), "no plan was seen at work")
		rows, err := d.Admin.Query(t.Context(), `
			select distinct l.mode, n.nspname from pg_locks l join pg_stat_activity a using (pid)
			  left join pg_class c on c.oid = l.relation left join pg_namespace n on n.oid = c.relnamespace
			 where a.application_name = 'plan' and l.locktype = 'relation'`)
		require.NoError(t, err)
		var mode string
		var schema *string
		_, err = pgx.ForEachRow(rows, []any{&mode, &schema}, func() error {
			seen[mode] = true
			return nil
		})
		require.NoError(t, err)
	}
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	require.Equal(t, map[string]bool{"AccessShareLock": true}, seen)
}

func withName(url string) string {
	if strings.Contains(url, "?") {
		return url + "&application_name=plan"
	}
	return fmt.Sprint(url, "?application_name=plan")
}

// TestCleanWhereAHostMigrated: on a hosted Postgres, whoever migrates is no
// superuser but may make roles, and Supabase's roles get what others make.
func TestCleanWhereAHostMigrated(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	dba, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer dba.Close(context.WithoutCancel(t.Context()))
	for _, sql := range []string{
		"create role anon", "create role authenticated", "create role service_role bypassrls",
		"create role hosted login createrole createdb bypassrls password 'hosted'",
		"alter default privileges for role hosted grant all on tables to anon, authenticated, service_role",
		"create database rowhouse owner hosted",
	} {
		_, err := dba.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	hosted, err := url.Parse(server.URL("rowhouse"))
	require.NoError(t, err)
	hosted.User = url.UserPassword("hosted", "hosted")
	require.NoError(t, migrate.Up(t.Context(), hosted.String(), migrate.Options{
		Keys: dbtest.Keyring(t, dbtest.KeysText), Logger: slog.New(slog.DiscardHandler),
	}))
	for _, address := range []string{hosted.String(), server.URL("rowhouse")} {
		p, err := policy.Make(t.Context(), address)
		require.NoError(t, err)
		require.True(t, p.Clean(), "%s: %s", address, text(t, p))
	}
}
