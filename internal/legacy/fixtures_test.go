package legacy_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/legacy"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// schema is the old system's.
const schema = `
	create type "Role" as enum ('OWNER', 'TENANT', 'ADMIN');
	create table users (id uuid primary key, email text not null, name text, role "Role" not null, created_at timestamp default now());
	create table units (id uuid primary key, owner_id text, name text, address text, city text, state text, postal_code text,
		created_at timestamp default now());
	create table tenants (id text primary key, first_name text, last_name text, email text unique, phone text, unit_id uuid,
		user_id uuid, created_at timestamp default now());
	create table tenancies (id text primary key, unit_id uuid, tenant_id text, start_date text, end_date text);
	create table tenant_invites (id text primary key, tenant_id text, email text, token text, claimed_at timestamp, expires_at timestamp,
		created_at timestamp default now());
	create table tickets (id text primary key, unit_id uuid, tenant_id text, title text, description text, status text, priority text,
		created_at timestamp, updated_at timestamp)`

// books fills the old system: $1 landlords, ten units each, $2 tenants and as many
// tickets, tenancies and invites. Ids of what is not a user or a unit are no uuids.
var books = []string{
	`insert into users select md5('user' || i)::uuid, 'landlord' || i || '@example.com', 'Landlord ' || i, 'OWNER' from generate_series(1, %[1]d) i`,
	`insert into units select md5('unit' || i)::uuid, md5('user' || (i - 1) / 10 + 1)::uuid::text, 'Unit ' || i, 'Street ' || i, 'Town', 'ST', '12345'
	   from generate_series(1, %[1]d * 10) i`,
	// every second one knows its unit; of the others tickets tell
	`insert into tenants select 'ten' || i, 'First', 'Last', 'tenant' || i || '@example.com', '555',
	        case when i %% 2 = 0 then md5('unit' || i %% (%[1]d * 10) + 1)::uuid end from generate_series(1, %[2]d) i`,
	`insert into tickets select 'tic' || i, md5('unit' || i %% (%[1]d * 10) + 1)::uuid, 'ten' || i, 'Title ' || i, 'Drips', 'in progress', 'Urgent',
	        timestamp '2024-01-01' + i * interval '1 minute' from generate_series(1, %[2]d) i`,
	`insert into tenancies select 'tcy' || i, md5('unit' || i %% (%[1]d * 10) + 1)::uuid, 'ten' || i, '2023-05-01T00:00:00.000Z', '2026-05-01'
	   from generate_series(1, %[2]d) i`,
	`insert into tenant_invites select 'inv' || i, 'ten' || i, 'Tenant' || i || '@Example.com', 'token-of-the-tenant-' || i, null, '2030-01-01'
	   from generate_series(1, %[2]d) i`,
}

// old returns a database of the old shape with books in it.
func old(t testing.TB, landlords, tenants int) *dbtest.Database {
	t.Helper()
	d := dbtest.Empty(t)
	d.Exec(t, schema)
	for _, sql := range books {
		d.Exec(t, fmt.Sprintf(sql, landlords, tenants))
	}
	return d
}

// ids of the small old system.
var (
	ann, bob, cyd   = uuid.New(), uuid.New(), uuid.New()
	unitA, unitA2   = uuid.New(), uuid.New()
	unitB, orphaned = uuid.New(), uuid.New()
)

// small returns an old system with two landlords, who have a unit each, and the
// rows of inserts.
func small(t *testing.T, inserts ...string) *dbtest.Database {
	t.Helper()
	d := dbtest.Empty(t)
	d.Exec(t, schema)
	names := strings.NewReplacer("$ann", q(ann), "$bob", q(bob), "$cyd", q(cyd), "$A2", q(unitA2), "$A", q(unitA), "$B", q(unitB), "$none", q(orphaned))
	for _, sql := range append([]string{
		`insert into users values ($ann, 'ann@example.com', 'Ann', 'OWNER'), ($bob, 'bob@example.com', 'Bob', 'OWNER'), ($cyd, 'cyd@example.com', 'Cyd', 'TENANT')`,
		`insert into units (id, owner_id, name, created_at) values ($A, $ann, 'Flat', '2020-01-01'), ($A2, $ann, 'Loft', '2020-01-01'), ($B, $bob, 'Flat', '2020-01-01')`,
	}, inserts...) {
		d.Exec(t, names.Replace(sql))
	}
	return d
}

func q(id uuid.UUID) string { return "'" + id.String() + "'" }

// row is a line of the report.
type row struct{ table, id, reason string }

// move runs the migration as the login that migrates, and requires that its counts
// and its report agree.
func move(t testing.TB, from, to *dbtest.Database, dryRun bool) (map[string]legacy.Count, []row) {
	t.Helper()
	var report bytes.Buffer
	counts, err := legacy.Migrate(t.Context(), legacy.Options{
		From: from.URL("postgres"), To: to.URL("rowhouse_migrator"), DryRun: dryRun,
		Report: &report, Progress: io.Discard, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NotContains(t, report.String(), "@", "personal data in the report")

	lines, err := csv.NewReader(&report).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"table", "id", "reason", "detail"}, lines[0])
	rows, reported := []row{}, map[string]int64{}
	for _, line := range lines[1:] {
		require.NotEmpty(t, line[3])
		rows = append(rows, row{line[0], line[1], line[2]})
		reported[line[0]]++
	}
	of := map[string]legacy.Count{}
	for _, c := range counts {
		require.Equal(t, one[int64](t, from, "select count(*) from "+c.Table), c.Read, c.Table)
		require.Equal(t, c.Read, c.Copied+c.Unchanged+c.Reported, c.Table)
		require.Equal(t, reported[c.Table], c.Reported, c.Table)
		of[c.Table] = c
	}
	require.Len(t, of, 6)
	return of, rows
}

func one[T any](t testing.TB, d *dbtest.Database, sql string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), sql, args...).Scan(&value), sql)
	return value
}

// content is everything in the tables that are written, and in the audit trail.
func content(t testing.TB, d *dbtest.Database) (text string) {
	t.Helper()
	for _, table := range []string{"users", "units", "tenants", "tenancies", "tenant_invites", "tickets", "ticket_events", "ticket_counters", "audit_log"} {
		text += one[string](t, d, "select coalesce(md5(string_agg(x::text, '|' order by x::text)), '') from app."+table+" x") + "\n"
	}
	return text
}

// walls is what must be as before: forced row security, triggers, and which
// objects there are.
func walls(t testing.TB, d *dbtest.Database) string {
	t.Helper()
	return one[string](t, d, `
		select string_agg(line, E'\n' order by line) from (
			select format('%s %s %s', oid::regclass, relrowsecurity, relforcerowsecurity) as line from pg_class
			 where relnamespace in ('app'::regnamespace, 'app_private'::regnamespace)
			union all select format('%s %s %s', tgrelid::regclass, tgname, tgenabled) from pg_trigger where not tgisinternal
			union all select oid::regprocedure::text from pg_proc where pronamespace in ('app'::regnamespace, 'app_private'::regnamespace)
		) w`)
}

// seen is how many tenants a landlord sees.
func seen(t *testing.T, d *dbtest.Database, landlord uuid.UUID) (n int) {
	t.Helper()
	l := dbtest.Landlord{}
	l.UserID = landlord
	require.NoError(t, d.AsLandlord(l.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), "select count(*) from app.tenants").Scan(&n)
	}))
	return n
}
