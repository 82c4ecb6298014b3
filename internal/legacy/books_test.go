package legacy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/legacy"
)

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
