package legacy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

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

// TestBooks moves a hundred landlords with 5 % broken rows, twice.
func TestBooks(t *testing.T) {
	t.Parallel()
	const landlords, tenants = 100, 4000
	from, to := old(t, landlords, tenants), dbtest.New(t)
	// five in a hundred, each broken in another way
	for _, sql := range []string{
		`update tenants set unit_id = null where id in (select 'ten' || i from generate_series(20, 4000, 100) i)`,
		`delete from tickets where tenant_id in (select 'ten' || i from generate_series(20, 4000, 100) i)`,
		`delete from tenancies where tenant_id in (select 'ten' || i from generate_series(20, 4000, 100) i)`, // 40 orphans
		`insert into tickets select 'other' || i, md5('unit' || (i + 500) % 1000 + 1)::uuid, 'ten' || i, 'Other', null, 'NEW', 'LOW', now()
		   from generate_series(41, 4000, 100) i`, // 40 of two landlords
		`update tenants set email = upper('tenant' || substr(id, 4)::int - 1000 || '@example.com')
		  where id in (select 'ten' || i + j from generate_series(1062, 1962, 100) i, unnest(array[0, 2000]) j)`, // 20 of one landlord in two spellings
		`update tenants set phone = repeat('5', 51) where id in (select 'ten' || i from generate_series(80, 4000, 100) i)`,
		`update tickets set unit_id = null where id in (select 'tic' || i from generate_series(14, 4000, 100) i)`,
		`update tickets set status = 'LOST' where id in (select 'tic' || i from generate_series(16, 4000, 100) i)`,
		`update tenancies set end_date = '2020-02-31' where id in (select 'tcy' || i from generate_series(18, 4000, 100) i)`,
		`update tenancies set end_date = '2020-02-03' where id in (select 'tcy' || i from generate_series(22, 4000, 100) i)`,
	} {
		from.Exec(t, sql)
	}
	before, empty := walls(t, to), content(t, to)

	dry, dryRows := move(t, from, to, true)
	require.Equal(t, empty, content(t, to), "a dry run wrote")
	require.Equal(t, before, walls(t, to))

	counts, rows := move(t, from, to, false)
	require.Equal(t, dry, counts)
	require.Equal(t, dryRows, rows)
	require.Equal(t, before, walls(t, to), "a wall is down")
	require.Equal(t, legacy.Count{Table: "users", Read: 100, Copied: 100}, counts["users"])
	require.Equal(t, legacy.Count{Table: "units", Read: 1000, Copied: 1000}, counts["units"])
	require.Equal(t, legacy.Count{Table: "tenants", Read: 4000, Copied: 4000 - 40 - 40 - 20 - 40, Reported: 140}, counts["tenants"])
	reasons := map[string]int{}
	for _, r := range rows {
		reasons[r.table+" "+r.reason]++
	}
	for reason, n := range map[string]int{
		"tenants no_owner": 40, "tenants several_owners": 40, "tenants duplicate_email": 20, "tenants too_long": 40,
		"tickets no_unit": 40, "tickets unknown_status": 40, "tickets tenant_not_copied": 80 + 20 + 40,
		"tenancies invalid_date": 40, "tenancies end_before_start": 40, "tenancies tenant_not_copied": 40 + 20 + 40,
		"tenant_invites tenant_not_copied": 140,
	} {
		require.Equal(t, n, reasons[reason], reason)
		delete(reasons, reason)
	}
	require.Empty(t, reasons)

	// every row of one landlord, by arithmetic that the migration does not share
	require.Zero(t, one[int](t, to, `
		select count(*) from generate_series(1, 4000) i
		  join app.tenants t on t.email = 'tenant' || i || '@example.com'
		 where t.owner_user_id <> md5('user' || (i % 1000) / 10 + 1)::uuid`))
	require.Zero(t, one[int](t, to, `
		select count(*) from generate_series(1, 4000) i
		  join app.tickets t on t.title = 'Title ' || i
		 where t.owner_user_id <> md5('user' || (i % 1000) / 10 + 1)::uuid
		    or (t.status, t.priority) <> ('IN_PROGRESS', 'EMERGENCY') or t.due_at <> t.created_at + interval '4 hours'`))
	require.Equal(t, counts["tenants"].Copied, one[int64](t, to, `select count(distinct email) from app.tenants`))
	require.Equal(t, one[int64](t, to, `select count(*) from app.tickets`), one[int64](t, to, `select count(*) from app.ticket_events e
		join app.tickets t using (owner_user_id, created_at) where t.id = e.ticket_id and e.type = 'created'`))
	require.True(t, one[bool](t, to, `select bool_and(last_number = (select max(number) from app.tickets t where t.owner_user_id = c.owner_user_id)
		and last_number = (select count(*) from app.tickets t where t.owner_user_id = c.owner_user_id)) from app.ticket_counters c`))
	require.Equal(t, counts["tenants"].Copied, one[int64](t, to, `select count(*) from app.audit_log
		where table_name = 'tenants' and action = 'insert' and actor_kind = 'system' and request_id = 'migrate-legacy'`))

	moved := content(t, to)
	again, againRows := move(t, from, to, false)
	require.Equal(t, moved, content(t, to), "a second run changed something")
	require.Equal(t, rows, againRows)
	for name, c := range counts {
		c.Copied, c.Unchanged = 0, c.Copied
		require.Equal(t, c, again[name])
	}
}

// ids of the small old system of TestRows.
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

// TestRows: what becomes of each kind of row.
func TestRows(t *testing.T) {
	t.Parallel()
	tenant := func(id, unit string) string {
		return fmt.Sprintf(`insert into tenants (id, first_name, last_name, email, unit_id) values ('%[1]s', 'F', 'L', '%[1]s@example.com', %[2]s)`, id, unit)
	}
	ticket := func(id, unit, tenant string) string {
		return fmt.Sprintf(`insert into tickets values ('%s', %s, %s, 'Drips', null, 'OPEN', 'LOW', '2024-01-01')`, id, unit, tenant)
	}
	for name, c := range map[string]struct {
		inserts []string
		want    []row
	}{
		"the unit tells, whatever the tickets say": {
			[]string{tenant("t", "$A"), ticket("k", "$B", "'t'"), ticket("l", "$A2", "'t'")},
			[]row{{"tickets", "k", "different_owners"}},
		},
		"tickets and tenancies disagree": {
			[]string{tenant("t", "null"), ticket("k", "$B", "'t'"), `insert into tenancies values ('y', $A, 't', '2024-01-01')`},
			[]row{{"tenants", "t", "several_owners"}, {"tenancies", "y", "tenant_not_copied"}, {"tickets", "k", "tenant_not_copied"}},
		},
		"a tenancy tells": {
			[]string{tenant("t", "null"), `insert into tenancies values ('y', $A, 't', '2024-01-01 12:00:00')`}, nil,
		},
		"a unit that is gone": {
			[]string{tenant("t", "$none"), ticket("k", "$none", "null")},
			[]row{{"tenants", "t", "unit_missing"}, {"tickets", "k", "unit_missing"}},
		},
		"a unit of nobody, and one of somebody gone": {
			[]string{
				`insert into units (id, owner_id, name) values ($none, null, 'x')`, tenant("t", "$none"),
				`update units set owner_id = 'x' where id = $B`, tenant("u", "$B"),
			},
			[]row{
				{"units", unitB.String(), "owner_missing"},
				{"units", orphaned.String(), "no_owner"},
				{"tenants", "t", "unit_not_copied"},
				{"tenants", "u", "unit_not_copied"},
			},
		},
		"a landlord who does not fit": {
			[]string{`update users set name = repeat('x', 201) where id = $bob`, tenant("t", "null"), ticket("k", "$B", "'t'")},
			[]row{
				{"users", bob.String(), "too_long"},
				{"units", unitB.String(), "owner_not_copied"},
				{"tenants", "t", "owner_not_copied"},
				{"tickets", "k", "unit_not_copied"},
			},
		},
		"two units of one name": {
			[]string{`insert into units (id, owner_id, name, created_at) values ($none, $ann, ' FLAT', '2021-01-01')`},
			[]row{{"units", orphaned.String(), "duplicate_name"}},
		},
		"one login twice with one landlord, and once with the other": {
			[]string{
				tenant("t", "$A"), tenant("u", "$A2"), tenant("v", "$B"),
				`update tenants set user_id = $cyd, created_at = '2024-01-01'`,
			},
			[]row{{"tenants", "u", "duplicate_login"}},
		},
		"a login that is gone": {
			[]string{tenant("t", "$A"), `update tenants set user_id = $none`}, []row{{"tenants", "t", "user_missing"}},
		},
		"names and addresses": {
			[]string{
				tenant("t", "$A"), tenant("u", "$A"), tenant("v", "$A"), `update tenants set last_name = ' ' where id = 't'`,
				`update tenants set email = 'nonsense' where id = 'u'`, `update tenants set email = null where id = 'v'`,
			},
			[]row{{"tenants", "t", "missing_value"}, {"tenants", "u", "invalid_email"}},
		},
		"tickets": {
			[]string{
				ticket("k", "null", "null"), ticket("l", "$A", "'gone'"), ticket("m", "$A", "null"), ticket("n", "$A", "null"),
				ticket("o", "$A", "null"), `update tickets set title = repeat('x', 201) where id = 'm'`,
				`update tickets set priority = 'soon' where id = 'n'`, `update tickets set status = null, priority = null where id = 'o'`,
			},
			[]row{
				{"tickets", "k", "no_unit"},
				{"tickets", "l", "tenant_missing"},
				{"tickets", "m", "too_long"},
				{"tickets", "n", "unknown_priority"},
			},
		},
		"tenancies": {
			[]string{tenant("t", "$A"), `insert into tenancies values ('v', $A, 't', null), ('w', $A, 't', '2024-01-01'),
				('x', $A, 't', '2024-01-01'), ('y', $B, 't', '2024-01-01'), ('z', null, 't', '2024-01-01')`},
			[]row{
				{"tenancies", "v", "missing_value"},
				{"tenancies", "x", "duplicate_tenancy"},
				{"tenancies", "y", "different_owners"},
				{"tenancies", "z", "no_unit"},
			},
		},
		"invites": {
			[]string{tenant("t", "$A"), `insert into tenant_invites values ('v', 't', null, 'short', null, '2030-01-01', null),
				('w', 't', null, 'a token that is long', null, '2030-01-01', '2020-01-01'), ('x', 't', null, 'a token that is long', null, '2030-01-01', '2021-01-01'),
				('y', 't', null, 'another long token', '2024-01-01', '2030-01-01', null), ('z', 'gone', null, 'one more long token', null, '2030-01-01', null)`},
			[]row{
				{"tenant_invites", "v", "weak_token"},
				{"tenant_invites", "x", "duplicate_token"},
				{"tenant_invites", "y", "claimed_by_nobody"},
				{"tenant_invites", "z", "tenant_missing"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := small(t, c.inserts...), dbtest.New(t)
			_, rows := move(t, from, to, false)
			require.ElementsMatch(t, c.want, rows)
			moved := content(t, to)
			_, rows = move(t, from, to, false)
			require.ElementsMatch(t, c.want, rows)
			require.Equal(t, moved, content(t, to), "a second run changed something")
		})
	}
}

// TestValues: a row arrives with its values, its own id and its owner.
func TestValues(t *testing.T) {
	t.Parallel()
	tenant := uuid.New()
	from, to := small(t,
		`update users set created_at = '2020-01-01'`,
		`insert into tenants values (`+q(tenant)+`, ' Eva ', 'Stone', 'Eva@Example.com', '555', $A, $cyd, '2021-02-03 04:05:06')`,
		`insert into tenant_invites values ('old', `+q(tenant)+`, 'Eva@Example.com', 'the first raw token', null, '2030-01-01', '2022-01-01'),
			('new', `+q(tenant)+`, null, 'the second raw token', null, '2030-01-01', '2023-01-01'),
			('used', `+q(tenant)+`, null, 'the third raw token', '2021-05-05', '2021-06-06', '2021-01-01')`,
		`insert into tickets values ('k', $A, `+q(tenant)+`, 'Second', 'It drips', 'done', 'medium', '2024-01-02', '2024-02-02'),
			('l', $A2, null, 'First', null, 'Canceled', 'HIGH', '2024-01-01', '2024-02-02')`,
	), dbtest.New(t)
	_, rows := move(t, from, to, false)
	require.Empty(t, rows)

	require.Equal(t, fmt.Sprintf("%s %s Eva Stone Eva@Example.com 555 %s %s 2021-02-03T04:05:06", ann, tenant, unitA, cyd), one[string](t, to,
		`select concat_ws(' ', owner_user_id, id, first_name, last_name, email, phone, unit_id, user_id,
			to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')) from app.tenants`))
	for token, want := range map[string]string{
		"the first raw token":  "eva@example.com Ann Flat revoked",
		"the second raw token": "eva@example.com Ann Flat open",
		"the third raw token":  "eva@example.com Ann Flat claimed by " + cyd.String(),
	} {
		hash := sha256.Sum256([]byte(token))
		require.Equal(t, want, one[string](t, to, `select concat_ws(' ', email, landlord_name, unit_label,
			case when claimed_at is not null then 'claimed by ' || claimed_by_user_id when revoked_at is not null then 'revoked' else 'open' end)
			from app.tenant_invites where token_hash = $1`, hash[:]))
	}
	require.Equal(t, "1 First CANCELLED HIGH closed, 2 Second RESOLVED NORMAL resolved", one[string](t, to, `
		select string_agg(concat_ws(' ', number, title, status, priority,
			case when resolved_at = '2024-02-02Z' then 'resolved' when closed_at = '2024-02-02Z' then 'closed' end), ', ' order by number)
		  from app.tickets`))

	// and it is whose it is: through the policies, as the landlords themselves
	d := map[uuid.UUID]int{ann: 1, bob: 0}
	for landlord, want := range d {
		require.Equal(t, want, seen(t, to, landlord))
	}
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

// TestBesideOthers: what landlords already have stays theirs and as it is; what
// clashes with it is reported; a mended row comes with the next run.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	from, to := small(t,
		`insert into tenants (id, first_name, last_name, email, unit_id) values ('t', 'F', 'L', 'Taken@example.com', $A)`,
		`insert into tickets values ('k', $A, null, 'Drips', null, 'lost', 'LOW', '2024-01-01')`,
	), dbtest.New(t)
	to.Exec(t, `insert into app.users (id, email, full_name) values ($1, 'ann@new.example.com', 'Ann herself')`, ann)
	to.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, email, created_by) values ($1, 'F', 'L', 'taken@example.com', $1)`, ann)
	to.Exec(t, `insert into app.units (owner_user_id, id, name, created_by) values ($1, $2, 'Loft', $1)`, ann, uuid.New())
	to.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, created_by) select owner_user_id, id, 'Here before', $1 from app.units`, ann)

	counts, rows := move(t, from, to, false)
	require.Equal(t, []row{
		{"units", unitA2.String(), "duplicate_name"}, {"tenants", "t", "duplicate_email"}, {"tickets", "k", "unknown_status"},
	}, rows)
	require.Equal(t, legacy.Count{Table: "users", Read: 3, Copied: 2, Unchanged: 1}, counts["users"])
	require.Equal(t, "Ann herself", one[string](t, to, `select full_name from app.users where id = $1`, ann))

	from.Exec(t, `update tenants set email = 'free@example.com'`)
	from.Exec(t, `update tickets set status = 'NEW'`)
	_, rows = move(t, from, to, false)
	require.Equal(t, []row{{"units", unitA2.String(), "duplicate_name"}}, rows)
	require.Equal(t, 2, one[int](t, to, `select number from app.tickets where title = 'Drips'`))

	// a unit that changes hands in the old system does not come a second time
	from.Exec(t, `update units set owner_id = $1 where id = $2`, bob.String(), unitA)
	moved := content(t, to)
	_, rows = move(t, from, to, false)
	require.Contains(t, rows, row{"units", unitA.String(), "owner_changed"})
	require.Equal(t, moved, content(t, to))
}

// TestFailures leave everything as it was, and say what is wrong without the URL.
func TestFailures(t *testing.T) {
	t.Parallel()
	to := dbtest.New(t)
	before, empty := walls(t, to), content(t, to)
	good := small(t)
	options := func(from *dbtest.Database) legacy.Options {
		return legacy.Options{
			From: from.URL("postgres"), To: to.URL("rowhouse_migrator"), Report: io.Discard, Progress: io.Discard,
			Logger: slog.New(slog.DiscardHandler),
		}
	}
	for name, c := range map[string]struct {
		options func() legacy.Options
		says    string
	}{
		"no table": {func() legacy.Options { return options(dbtest.Empty(t)) }, "no table public.users"},
		"no column": {func() legacy.Options {
			d := small(t)
			d.Exec(t, `alter table tenants drop column user_id`)
			return options(d)
		}, "public.tenants has no column user_id"},
		"another schema": {func() legacy.Options {
			o := options(good)
			o.From += "&schema=elsewhere&connection_limit=5"
			return o
		}, "no table elsewhere.users"},
		"no URL": {func() legacy.Options {
			o := options(good)
			o.From = "postgres://ann:secret@:x/"
			return o
		}, "not a valid Postgres URL"},
		"a login that may not migrate": {func() legacy.Options {
			o := options(good)
			o.To = to.URL("rowhouse_api")
			return o
		}, "permission denied"},
		"rows that policies of the old database hide": {func() legacy.Options {
			d := small(t)
			d.Exec(t, `alter table units enable row level security; grant select on all tables in schema public to rowhouse_worker;
				grant usage on schema public to rowhouse_worker`)
			o := options(d)
			o.From = d.URL("rowhouse_worker")
			return o
		}, "row-level security"},
		"a report that cannot be written": {func() legacy.Options {
			o := options(good)
			o.Report = fullDisk{}
			return o
		}, "write the report"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := legacy.Migrate(t.Context(), c.options())
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret")
			require.Equal(t, empty, content(t, to))
			require.Equal(t, before, walls(t, to))
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestMeanwhile: while the owner is past the policies nobody else is, and a
// table in use is waited for.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	from, to := small(t, `insert into tenants (id, first_name, last_name, email, unit_id) values ('t', 'F', 'L', 't@example.com', $A)`), dbtest.New(t)
	carl := to.Landlord(t, "carl")

	busy, err := to.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = busy.Exec(t.Context(), "select count(*) from app.units")
	require.NoError(t, err)

	report := &pause{reached: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := legacy.Migrate(t.Context(), legacy.Options{
			From: from.URL("postgres"), To: to.URL("rowhouse_migrator"), Report: report, Progress: io.Discard, Logger: slog.New(slog.DiscardHandler),
		})
		done <- err
	}()
	select {
	case <-report.reached:
		t.Fatal("the table in use was not waited for")
	case err := <-done:
		t.Fatal(err)
	case <-time.After(2 * time.Second):
	}
	require.NoError(t, busy.Rollback(t.Context()))
	<-report.reached

	// all is written and not committed, and force is lifted: landlords wait and see nothing
	err = to.AsLandlord(carl.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		var n int
		return tx.QueryRow(t.Context(), "select count(*) from app.tenants").Scan(&n)
	})
	require.Error(t, err)
	require.Equal(t, "true", one[string](t, to, "select relforcerowsecurity::text from pg_class where oid = to_regclass('app.tenants')"))
	close(report.goOn)
	require.NoError(t, <-done)
	require.Equal(t, 2, seen(t, to, carl.UserID))
	require.Equal(t, 1, seen(t, to, ann))
}

// pause is a report that waits when it is written to.
type pause struct{ reached, goOn chan struct{} }

func (p *pause) Write(b []byte) (int, error) {
	close(p.reached)
	<-p.goOn
	return len(b), nil
}

// BenchmarkMigrate moves a thousand landlords with 200,000 tenants, and as many
// tickets, tenancies and invites.
func BenchmarkMigrate(b *testing.B) {
	const tenants = 200_000
	from := old(b, 1000, tenants)
	for b.Loop() {
		b.StopTimer()
		to := dbtest.New(b)
		b.StartTimer()
		started := time.Now()
		counts, _ := move(b, from, to, false)
		require.EqualValues(b, tenants, counts["tenants"].Copied)
		b.ReportMetric(4*tenants/time.Since(started).Seconds(), "rows/s")
	}
}
