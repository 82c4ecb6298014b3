package policy

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/guard"
)

// findings returns what is found besides the age of the server,
// which is not the test's to choose.
func findings(t *testing.T, tx pgx.Tx) (found []Finding) {
	t.Helper()
	report, err := lint(t.Context(), tx)
	require.NoError(t, err)
	for _, f := range report.Findings {
		if f.ID != "RH407" {
			found = append(found, f)
		}
	}
	return found
}

func names(found []Finding) (all []string) {
	for _, f := range found {
		all = append(all, f.ID+" "+f.Object)
	}
	return all
}

// try plants a fault, sees what is wanted and nothing else, and sees it gone when
// all that was said to mend it is SQL and has run. Nothing of it stays.
func try(t *testing.T, d *dbtest.Database, plant string, want ...string) {
	t.Helper()
	tx, err := d.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	exec := func(sql string) {
		_, err := tx.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	exec(plant)
	found := findings(t, tx)
	require.Equal(t, want, names(found), "%+v", found)
	for _, f := range found {
		sql, _, _ := strings.Cut(f.Remedy, "--")
		if strings.TrimSpace(sql) == "" || strings.Contains(sql, "…") {
			return // words
		}
		exec(sql)
	}
	require.Empty(t, findings(t, tx), "the remedy of %+v", found)
}

func TestLintOfACleanDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, login := range []string{"postgres", "rowhouse_migrator"} {
		report, err := Lint(t.Context(), d.URL(login))
		require.NoError(t, err)
		var version string
		require.NoError(t, d.Admin.QueryRow(t.Context(), "show server_version").Scan(&version))
		require.Len(t, report.Findings, len(guard.VersionWarnings(version)), "%+v", report.Findings)
		require.NotEmpty(t, report.Exceptions)
		for _, e := range report.Exceptions {
			require.NotEmpty(t, e.Reason, e.Object)
		}
	}
}

const (
	asOwner = "set role rowhouse_owner; "
	mine    = "owner_user_id = (select app.current_user_id())"
	pinned  = " set search_path = pg_catalog, pg_temp "
)

// TestLint plants one fault after another, and sees that fault and no other; what
// the finding says mends it.
func TestLint(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	tests := []struct {
		plant string
		want  []string
	}{
		// an exception that is needed no longer
		{"revoke insert (id) on app.attachments from rowhouse_landlord", []string{"RH000 RH304 app.attachments to rowhouse_landlord"}},

		// tables
		{"alter table app.units disable row level security", []string{"RH001 app.units"}},
		{"alter table app.units no force row level security", []string{"RH002 app.units"}},
		{"drop policy boundary_all_ticket_counters on app.ticket_counters; drop policy clerk_all_ticket_counters on app.ticket_counters; drop policy remover_select_ticket_counters on app.ticket_counters; drop policy remover_delete_ticket_counters on app.ticket_counters", []string{"RH003 app.ticket_counters"}},
		{"drop policy boundary_all_units on app.units", []string{"RH004 app.units"}},
		{"drop policy boundary_all_units on app.units; create policy boundary_all_units on app.units as restrictive for select to public using (" + mine + ")", []string{"RH004 app.units"}},
		{"alter table app.ticket_counters rename to counters", []string{"RH005 app.counters"}},
		{"alter table app.ticket_events drop constraint ticket_events_pkey, alter column owner_user_id drop not null", []string{"RH006 app.ticket_events.owner_user_id"}},
		{"alter table app.units alter column owner_user_id drop default", []string{"RH007 app.units.owner_user_id"}},
		{"alter table app.ticket_events alter column owner_user_id set default gen_random_uuid()", []string{"RH007 app.ticket_events.owner_user_id"}},
		{"alter table app.units alter column name set statistics 100", []string{"RH008 app.units.name"}},
		{"alter index app.units_name_idx alter column 2 set statistics 100", []string{"RH008 app.units_name_idx.lower"}},
		{asOwner + "create sequence app.numbers; reset role", []string{"RH009 app.numbers"}},
		{asOwner + "alter table app.ticket_events add column n int generated always as identity, alter column n set statistics 0; reset role", []string{"RH009 app.ticket_events_n_seq"}},
		{
			"create unique index units_id_key on app.units (id); alter table app.tickets add constraint plain foreign key (unit_id) references app.units (id)",
			[]string{"RH010 constraint plain on app.tickets", "RH011 index app.units_id_key"},
		},
		{"alter table app.ticket_events drop constraint ticket_events_pkey, add primary key (id)", []string{"RH011 index app.ticket_events_pkey"}},
		{"alter table app.tickets drop constraint tickets_contractor_fkey, add constraint gone foreign key (owner_user_id, contractor_id) references app.contractors on delete set null", []string{"RH012 constraint gone on app.tickets"}},
		{"alter table app.contractors drop constraint contractors_owner_user_id_fkey, add constraint gone foreign key (owner_user_id) references app.users on delete cascade", []string{"RH012 constraint gone on app.contractors"}},
		{"alter table app.units disable trigger guard_owned_row", []string{"RH013 trigger guard_owned_row on app.units"}},
		{"alter table app.users alter column locale set default 'sk_live_4eC39HqLyjWDarjtT1zdp7dc'", []string{"RH014 app.users.locale"}},
		{"alter table app.units owner to postgres", []string{"RH015 app.units"}},

		// policies
		{"create policy everybody_select_contractors on app.contractors for select to public using (" + mine + ")", []string{"RH101 policy everybody_select_contractors on app.contractors"}},
		{"alter policy landlord_select_units on app.units using (true)", []string{"RH102 policy landlord_select_units on app.units"}},
		{"alter policy boundary_all_units on app.units using (not archived)", []string{"RH102 policy boundary_all_units on app.units"}},
		{"alter policy landlord_update_units on app.units with check (true)", []string{"RH103 policy landlord_update_units on app.units"}},
		{"alter policy landlord_insert_units on app.units with check (owner_user_id is not null)", []string{"RH103 policy landlord_insert_units on app.units"}},
		{"drop policy landlord_update_units on app.units; create policy landlord_update_units on app.units for update to rowhouse_landlord using (" + mine + ")", []string{"RH104 policy landlord_update_units on app.units"}},
		{"alter policy landlord_select_units on app.units using (owner_user_id = app.current_user_id())", []string{"RH105 policy landlord_select_units on app.units"}},
		{"alter policy tenant_select_units on app.units using (id = any (app.my_unit_ids()))", []string{"RH105 policy tenant_select_units on app.units"}},
		{"alter policy landlord_select_units on app.units using (" + mine + " and name = current_setting('app.name', true))", []string{"RH105 policy landlord_select_units on app.units"}},
		{"create policy landlord_more_units on app.units for select to rowhouse_landlord using (" + mine + ")", []string{"RH106 app.units for rowhouse_landlord"}},
		{"drop index app.tenants_login_idx", []string{"RH107 policy clerk_select_tenants on app.tenants", "RH107 policy tenant_select_tenants on app.tenants"}},
		{"alter policy tenant_select_tenancies on app.tenancies using (tenant_id = any ((select app.my_tenant_ids())::uuid[]))", []string{"RH107 policy tenant_select_tenancies on app.tenancies"}},
		{"alter policy landlord_select_tenancies on app.tenancies using (" + mine + " and exists (select from app.tickets k where k.id = tenancies.id))", []string{"RH108 app.tenancies", "RH108 app.tickets"}},
		{"alter policy landlord_select_units on app.units using (" + mine + " and exists (select from app.units u where u.id = units.id))", []string{"RH108 app.units"}},
		{"alter function app.current_user_id() volatile", []string{"RH109 app.current_user_id()"}},
		{"alter function app.current_user_id() immutable", []string{"RH109 app.current_user_id()"}},
		{"alter policy landlord_select_units on app.units using (" + mine + " and random() < 2)", []string{"RH109 random()"}},
		{"alter policy landlord_select_units on app.units using (" + mine + " and name ilike 'a%')", []string{"RH110 policy landlord_select_units on app.units"}},
		{"alter policy landlord_select_units on app.units using (" + mine + " and length(name) > 1)", []string{"RH110 policy landlord_select_units on app.units"}},

		// functions
		{"alter function app.delete_unit(uuid) set search_path = ''", []string{"RH201 app.delete_unit(uuid)"}},
		{"alter function app.guard_user() reset search_path", []string{"RH201 app.guard_user()"}},
		{"alter function app.delete_unit(uuid) owner to postgres", []string{"RH202 app.delete_unit(uuid)"}},
		{"grant execute on function app.delete_unit(uuid) to public", []string{"RH203 app.delete_unit(uuid) to public"}},
		{"grant execute on function app.current_user_id() to rowhouse_api, service_role", []string{"RH203 app.current_user_id() to rowhouse_api", "RH203 app.current_user_id() to service_role"}},
		{"alter function app.invite_hash() security definer", []string{"RH204 app.invite_hash()"}},
		{"alter function app.masked(jsonb) leakproof", []string{"RH205 app.masked(jsonb)"}},
		{asOwner + "create function app.key() returns text language sql" + pinned + "as $$ select '3f9a1c5be27d40868f1b6c9d2e7a5f40' $$; reset role", []string{"RH206 app.key()"}},
		{asOwner + "create function app.tell() returns void language plpgsql" + pinned + "as $$ begin perform pg_notify('all', 'x'); end $$; reset role", []string{"RH207 app.tell()"}},

		// grants
		{"grant select on app.units to anon", []string{"RH301 app.units to anon"}},
		{"grant select (name) on app.units to public", []string{"RH301 app.units to public"}},
		{"grant usage on sequence app_private.goose_db_version_id_seq to service_role", []string{"RH301 app_private.goose_db_version_id_seq to service_role"}},
		{"grant select (name) on app.units to rowhouse_api", []string{"RH302 app.units to rowhouse_api"}},
		{"grant delete, update on app.units to rowhouse_landlord", []string{"RH303 app.units to rowhouse_landlord"}},
		{"grant truncate on app.units to rowhouse_remover", []string{"RH303 app.units to rowhouse_remover"}},
		{"grant insert (owner_user_id, name), update (id) on app.units to rowhouse_landlord", []string{"RH304 app.units to rowhouse_landlord"}},
		{"grant insert on app.units to rowhouse_landlord", []string{"RH304 app.units to rowhouse_landlord"}},
		{"grant usage on schema app to authenticated", []string{"RH305 schema app to authenticated"}},
		{"grant usage on schema app_private to rowhouse_landlord", []string{"RH305 schema app_private to rowhouse_landlord"}},
		{"grant create on schema app to rowhouse_clerk", []string{"RH305 schema app to rowhouse_clerk"}},
		{"grant select on app.units to rowhouse_landlord with grant option", []string{"RH306 app.units to rowhouse_landlord"}},
		{"alter default privileges for role rowhouse_owner grant select on tables to anon", []string{"RH307 default privileges of rowhouse_owner on tables"}},
		{"grant execute on function pg_catalog.pg_notify(text, text) to rowhouse_landlord", []string{"RH308 pg_notify to rowhouse_landlord"}},

		// what else shows rows
		{"create view app.addresses as select address1 from app.units", []string{"RH401 app.addresses"}},
		{"create view public.addresses with (security_barrier) as select address1 from app.units", []string{"RH401 public.addresses"}},
		{"create materialized view public.addresses as select address1 from app.units", []string{"RH402 public.addresses"}},
		{"create foreign data wrapper w; create server s foreign data wrapper w; create foreign table app.far (id int) server s", []string{"RH403 app.far"}},
		{"create table public.parent (last_number int); alter table app.ticket_counters inherit public.parent", []string{"RH404 app.ticket_counters"}},
		{"create publication everything for all tables", []string{"RH405 publication everything"}},
		{"create publication units for table app.units", []string{"RH405 publication units"}},
	}
	for _, tt := range tests {
		t.Run(tt.plant, func(t *testing.T) { try(t, d, tt.plant, tt.want...) })
	}
}

func TestLintOfMaintain(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var version int
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select current_setting('server_version_num')::int").Scan(&version))
	if version < 170000 {
		t.Skip("the right MAINTAIN came with PostgreSQL 17")
	}
	try(t, d, "grant maintain on app.units to rowhouse_landlord", "RH303 app.units to rowhouse_landlord")
}

// TestLintOfTheCluster changes roles, which all databases of a server share.
func TestLintOfTheCluster(t *testing.T) {
	t.Parallel()
	d := dbtest.NewOn(t, dbtest.StartServer(t))
	for _, tt := range []struct {
		plant string
		want  []string
	}{
		{"alter role rowhouse_landlord bypassrls", []string{"RH920 role rowhouse_landlord"}},
		{"grant service_role to rowhouse_api", []string{"RH940 role rowhouse_api"}},
		{"alter role rowhouse_api reset lock_timeout", []string{"RH950 role rowhouse_api"}},
		{"alter default privileges for role rowhouse_owner in schema app grant select on tables to anon", []string{"RH971 role rowhouse_owner"}},
		{"do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$", []string{"RH980 database " + d.Name()}},
		{"grant execute on function pg_sleep(double precision) to public", []string{"RH982 role public"}},
		{"grant rowhouse_landlord to anon", []string{"RH309 anon in rowhouse_landlord"}},
	} {
		try(t, d, tt.plant, tt.want...)
	}
}

func TestLintBeforeMigrating(t *testing.T) {
	t.Parallel()
	_, err := Lint(t.Context(), dbtest.Empty(t).URL("postgres"))
	require.ErrorContains(t, err, "rowhouse migrate")
}
