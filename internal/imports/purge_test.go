package imports_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/jobs"
)

const day = 24 * time.Hour

// later has days pass for imports, and the jobs that wait for it looked at again.
func (d *desk) later(days int) {
	d.t.Helper()
	d.Exec(d.t, `alter table app.import_batches disable trigger guard_owned_row`)
	d.Exec(d.t, `update app.import_batches
		set updated_at = updated_at - $1 * interval '1 day', finished_at = finished_at - $1 * interval '1 day', undone_at = undone_at - $1 * interval '1 day'`, days)
	d.Exec(d.t, `alter table app.import_batches enable trigger guard_owned_row`)
	d.Exec(d.t, `update river.river_job set state = 'available', scheduled_at = now() where state = 'scheduled'`)
}

// with is which imports have rows, of those given.
func (d *desk) with(ids ...uuid.UUID) (has []bool) {
	d.t.Helper()
	for _, id := range ids {
		has = append(has, len(d.came(id)) > 0)
	}
	return has
}

// Each import's rows go 90 days after it has ended or was last touched, whoever has
// signed in meanwhile, and nobody else's with them.
func TestPurge(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d2desk(t, d.Database, d.Database.Landlord(t, "bravo"))
	worker := imports.New(d.Open(t, db.Config{URL: d.URL("rowhouse_worker")}), dbtest.InviteKeys(t))
	runner, err := jobs.Open(context.Background(), jobs.Config{
		URL: d.URL("rowhouse_worker"), Kinds: []jobs.Kind{worker.Kind(), worker.PurgeKind()}, Poll: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx, 10*time.Second) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	settled := func(kind string, waiting int) {
		t.Helper()
		require.Eventually(t, func() bool {
			var open, scheduled int
			require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) filter (where state <> 'completed' and (state <> 'scheduled' or scheduled_at < now() + interval '1 minute')),
				count(*) filter (where state = 'scheduled') from river.river_job where kind = $1`, kind).Scan(&open, &scheduled))
			return open == 0 && scheduled == waiting
		}, time.Minute, 10*time.Millisecond)
	}

	ran, undone := d.send(imports.Tenants, people(1, 1200)), d.send(imports.Tenants, people(2001, 3))
	d.start(ran)
	d.start(undone)
	settled("import", 0)
	theirs := other.send(imports.Units, "unit\nAttic\n")
	settled("import_purge", 3)
	require.Equal(t, []string{"89"}, d.list(`select extract(day from scheduled_at - now())::text from river.river_job
		where kind = 'import_purge' and (args ->> 'id')::uuid = $1`, theirs), "it sleeps until it is time")

	d.later(29)
	require.NoError(t, d.tx(func(tx *db.Tx) error { return d.im.Undo(d.ctx, tx, undone) }))
	settled("import", 0)
	d.later(60)
	edited := d.send(imports.Units, "unit\nBarn\n")
	require.NoError(t, other.im.Edit(other.ctx, theirs, 1, "unit", "Loft")) // touched again, the day before
	settled("import_purge", 4)
	require.Equal(t, []bool{true, true, true, true}, d.with(ran, undone, edited, theirs))
	before := d.batch(ran)

	d.later(2)
	settled("import_purge", 3)
	require.Equal(t, []bool{false, true, true, true}, d.with(ran, undone, edited, theirs))
	after := d.batch(ran)
	require.NotNil(t, after.RowsPurgedAt)
	require.Equal(t, before.Version+1, after.Version)
	require.Equal(t, []string{"1200"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%@example.com'`), "what came of them stays")

	d.later(28)
	settled("import_purge", 2)
	require.Equal(t, []bool{false, false, true, true}, d.with(ran, undone, edited, theirs), "91 days after it was undone")
	require.Equal(t, imports.Undone, d.batch(undone).State)

	d.later(61)
	settled("import_purge", 0)
	require.Equal(t, []bool{false, false, false, false}, d.with(ran, undone, edited, theirs))
	require.Equal(t, "CANCELLED create 0 update 0 unchanged 0 skip 1 error 0", d.tiles(edited), "it cannot run any more")
	require.Equal(t, "CANCELLED create 0 update 0 unchanged 0 skip 1 error 0", other.tiles(theirs))
}

// What is going on is left alone, what is deleted is nobody's to purge, and trouble is
// waited out.
func TestPurgeWaits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Units, "unit\nAttic\n")
	b := d2desk(t, d.Database, d.Database.Landlord(t, "bravo"))
	left, err := d.im.Purge(d.ctx, id)
	require.NoError(t, err)
	require.InDelta(t, 90*day, left, float64(time.Hour))
	d.start(id)
	d.later(100)
	left, err = d.im.Purge(d.ctx, id)
	require.NoError(t, err)
	require.Equal(t, day, left)
	require.Equal(t, []bool{true}, d.with(id))
	require.NoError(t, d.im.Run(d.ctx, id))
	d.later(100)

	left, err = b.im.Purge(b.ctx, id)
	require.NoError(t, err)
	require.Zero(t, left)
	require.Equal(t, []bool{true}, d.with(id), "another's is none of theirs")

	job := jobs.Job{OwnerID: d.UserID, ID: id}
	d.Exec(t, `revoke execute on function app.forget_import_rows(uuid) from rowhouse_landlord`)
	require.ErrorContains(t, d.im.PurgeKind().Work(d.ctx, job), jobs.Later(time.Hour).Error())
	require.Equal(t, []bool{true}, d.with(id))
	d.Exec(t, `grant execute on function app.forget_import_rows(uuid) to rowhouse_landlord`)
	require.NoError(t, d.im.PurgeKind().Work(d.ctx, job))
	require.Equal(t, []bool{false}, d.with(id))
	require.NoError(t, d.im.PurgeKind().Work(d.ctx, jobs.Job{OwnerID: d.UserID, ID: uuid.New()}))
}
