package imports_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/errs"
	"rowhouse/internal/imports"
	"rowhouse/internal/query"
)

// people is a file of tenants, numbered from first.
func people(first, count int) string {
	var b strings.Builder
	b.WriteString("first name,last name,email\n")
	for n := first; n < first+count; n++ {
		fmt.Fprintf(&b, "Jo,Renter %d,renter-%d@example.com\n", n, n)
	}
	return b.String()
}

func TestTargetsThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.Database.Landlord(t, "bravo")
	d.Exec(t, `insert into app.properties (owner_user_id, name, created_by, archived_at) values ($1, 'Old house', $1, now())`, d.UserID)
	d.Exec(t, `insert into app.units (owner_user_id, name, created_by, archived_at) values ($1, 'alpha flat', $1, null), ($1, 'gone', $1, now())`, d.UserID)
	d.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, email, created_by, archived_at)
		values ($1, 'Old', 'Tenant', 'old@example.com', $1, now())`, d.UserID)
	file := "first name,last name,email,unitId,unit,property\n" +
		"A,A,a@example.com," + other.UnitID.String() + ",,\n" + // another landlord's
		"B,B,b@example.com," + uuid.NewString() + ",,\n" + // nobody's
		"C,C,c@example.com,,bravo flat,\n" +
		"D,D,d@example.com,,alpha flat,\n" +
		"E,E,e@example.com,,gone,\n" +
		"F,F,f@example.com,,alpha flat,Old house\n" +
		"G,G,old@example.com,,,\n" +
		"H,H,h@example.com,,alpha flat,nowhere\n" +
		"I,I,i@example.com,alpha house flat,,\n"
	id := d.send(imports.Tenants, file)
	require.Equal(t, []string{
		"ERROR unknown_unit", "ERROR unknown_unit", "ERROR unknown_unit", "ERROR ambiguous_unit", "ERROR archived_target",
		"ERROR archived_target", "ERROR archived_target", "ERROR unknown_unit", "ERROR unknown_unit",
	}, d.came(id))
	require.Len(t, d.list(`select distinct concat_ws(' ', code, field, message) from app.import_rows where batch_id = $1 and n <= 2`, id), 1,
		"another's unit is refused as one that nobody has")
	before := d.books()
	d.run(id)
	require.Equal(t, "PARTIAL create 0 update 0 unchanged 0 skip 0 error 9", d.tiles(id))
	require.Equal(t, before, d.books())
}

func TestMappingAndEdits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, "who,surname,write to\nAda,Byron,ada@\nGrace,Hopper,grace@example.com\nG.,Hopper,grace@example.com\n")
	require.Equal(t, "UPLOADED create 0 update 0 unchanged 0 skip 0 error 3", d.tiles(id))
	require.Error(t, d.tx(func(tx *db.Tx) error { return d.im.Start(d.ctx, tx, id) }), "nobody knows who they are")

	mapping := csvfile.Mapping{"firstName", "lastName", "email"}
	require.NoError(t, d.im.Remap(d.ctx, id, func(query.ImportBatch) (csvfile.Mapping, imports.Options, error) {
		return mapping, imports.Options{OnExisting: imports.Fill, UnknownUnits: "create"}, nil
	}))
	require.Equal(t, []string{"ERROR invalid_email", "CREATE", "SKIP duplicate_in_file"}, d.came(id))
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 1 error 1", d.tiles(id))

	require.NoError(t, d.im.Edit(d.ctx, id, 1, "email", "ada@example.com"))
	require.NoError(t, d.im.Edit(d.ctx, id, 3, "email", "third@example.com"))
	require.Equal(t, []string{"CREATE", "CREATE", "CREATE"}, d.came(id))
	require.Equal(t, "CHECKED create 3 update 0 unchanged 0 skip 0 error 0", d.tiles(id))
	require.NoError(t, d.im.Edit(d.ctx, id, 3, "email", "grace@example.com"))
	require.Equal(t, []string{"CREATE", "CREATE", "SKIP duplicate_in_file"}, d.came(id))
	require.NoError(t, d.im.Edit(d.ctx, id, 3, "lastName", ""))
	require.Equal(t, []string{"CREATE", "CREATE", "ERROR missing_required"}, d.came(id))

	require.Equal(t, errs.Conflict, errs.KindOf(d.im.Edit(d.ctx, id, 1, "phone", "1")), "no column holds it")
	require.Equal(t, errs.Forbidden, errs.KindOf(d.im.Edit(d.ctx, id, 4, "email", "x@example.com")))
	d.run(id)
	require.Equal(t, []string{"CREATE", "CREATE", "ERROR missing_required"}, d.came(id))
	require.Equal(t, errs.Conflict, errs.KindOf(d.im.Edit(d.ctx, id, 3, "lastName", "late")))
}

// A landlord has nothing to do with another's imports.
func TestImportsOfOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := d2desk(t, d.Database, d.Database.Landlord(t, "bravo"))
	id := d.send(imports.Units, "unit\nAttic\n")
	for name, err := range map[string]error{
		"check": b.im.Check(b.ctx, id), "edit": b.im.Edit(b.ctx, id, 1, "unit", "x"), "run": b.im.Run(b.ctx, id),
		"start":  b.tx(func(tx *db.Tx) error { return b.im.Start(b.ctx, tx, id) }),
		"cancel": b.tx(func(tx *db.Tx) error { return b.im.Cancel(b.ctx, tx, id) }),
		"undo":   b.tx(func(tx *db.Tx) error { return b.im.Undo(b.ctx, tx, id) }),
		"remap": b.im.Remap(b.ctx, id, func(query.ImportBatch) (csvfile.Mapping, imports.Options, error) {
			return csvfile.Mapping{"unit"}, imports.Options{OnExisting: imports.Skip, UnknownUnits: "error"}, nil
		}),
	} {
		require.Equal(t, errs.Forbidden, errs.KindOf(err), name)
	}
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 0 error 0", d.tiles(id))
}

// Cancelled between two chunks, what was done stays and the rest says why it was not.
func TestCancel(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, people(1, 700))
	told := int32(0)
	cancelled := &afterCommits{left: 1, then: func() {
		told = d.batch(id).Done
		require.NoError(t, d.tx(func(tx *db.Tx) error { return d.im.Cancel(d.ctx, tx, id) }))
	}}
	d.start(id)
	require.NoError(t, imports.New(d.Open(t, db.Config{MaxConns: 1, Configure: cancelled.configure}), dbtest.InviteKeys(t)).Run(d.ctx, id))
	require.EqualValues(t, 500, told, "what was run is told after each chunk")
	require.Equal(t, "CANCELLED create 500 update 0 unchanged 0 skip 200 error 0", d.tiles(id))
	require.Equal(t, []string{"500"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%@example.com'`))

	unstarted := d.send(imports.Units, "unit\nAttic\n")
	require.NoError(t, d.tx(func(tx *db.Tx) error { return d.im.Cancel(d.ctx, tx, unstarted) }))
	require.Equal(t, "CANCELLED create 0 update 0 unchanged 0 skip 1 error 0", d.tiles(unstarted))

	d.undo(id)
	require.Equal(t, []string{"0"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%@example.com'`))
}

// afterCommits does something once, after some transactions of a pool have ended. With one
// connection, before the next begins.
type afterCommits struct {
	left int
	then func()
}

func (a *afterCommits) configure(c *pgxpool.Config) {
	c.AfterRelease = func(*pgx.Conn) bool {
		if a.left--; a.left == 0 {
			a.then()
		}
		return true
	}
}

// A run that is cut off at any statement, and called again, takes each row once.
func TestCutOff(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, people(1, 1600))
	d.start(id)
	cuts := 0
	for statements := 1; ; statements += 3 {
		ctx, cut := context.WithCancel(d.ctx)
		tracer := &cutter{left: statements, cut: cut}
		cutting := d.Open(t, db.Config{MaxConns: 1, Configure: func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer }})
		err := imports.New(cutting, dbtest.InviteKeys(t)).Run(ctx, id)
		cutting.Close()
		cut()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		cuts++
		d.batch(id) // the tiles add up
	}
	require.Greater(t, cuts, 5)
	require.Equal(t, "COMPLETED create 1600 update 0 unchanged 0 skip 0 error 0", d.tiles(id))
	require.Equal(t, []string{"1600"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%@example.com'`))
}

// cutter ends a context at a statement.
type cutter struct {
	left int
	cut  func()
}

func (c *cutter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if c.left--; c.left == 0 {
		c.cut()
	}
	return ctx
}

func (c *cutter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Files that overlap, run at once, come to each tenant once between them.
func TestOverlap(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := []uuid.UUID{d.send(imports.Tenants, people(1, 900)), d.send(imports.Tenants, people(300, 900)), d.send(imports.Tenants, people(100, 900))}
	var all sync.WaitGroup
	for _, id := range ids {
		d.start(id)
		all.Go(func() {
			for {
				err := imports.New(d.DB, dbtest.InviteKeys(t)).Run(d.ctx, id)
				if errs.KindOf(orInternal(err)) != errs.Unavailable { // as a queue does
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	created := int32(0)
	for _, id := range ids {
		b := d.batch(id)
		require.Equal(t, "COMPLETED", b.State)
		require.Zero(t, b.Failed+b.Skipped+b.Updated)
		created += b.Created
	}
	require.Equal(t, int32(1199), created)
	require.Equal(t, []string{"1199"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%@example.com'`))
}

func orInternal(err error) error {
	if err == nil {
		return errors.New("none")
	}
	return err
}

// What somebody has worked on since stays, and what it needs with it.
func TestUndoKeepsWhatWasEdited(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Portfolio, "property,unit,first name,last name,email\n"+
		"Mill,1,Ada,Byron,ada@example.com\nMill,2,Grace,Hopper,grace@example.com\nMill,3,Alan,Turing,alan@example.com\nalpha house,alpha flat,,,\n")
	d.run(id)
	require.NoError(t, d.tx(func(tx *db.Tx) error {
		_, err := tx.Exec(d.ctx, `update app.tenants set phone = '1' where email = 'ada@example.com'`)
		return err
	}))
	d.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, created_by)
		select owner_user_id, id, 'drips', owner_user_id from app.units where name = '2'`)
	d.undo(id)
	require.Equal(t, []string{"1 EDITED", "2 IN_USE", "3 REVERSED"}, d.list(
		`select concat_ws(' ', n, undone) from app.import_rows where batch_id = $1 and undone is not null order by n`, id))
	require.Equal(t, int32(2), d.batch(id).Kept)
	require.Equal(t, []string{"Mill 1 Byron", "Mill 2 "}, d.list(`
		select p.name || ' ' || u.name || ' ' || coalesce((select last_name from app.tenants t where t.unit_id = u.id), '')
		  from app.units u join app.properties p on p.id = u.property_id where p.name = 'Mill' order by 1`))
}

func TestUndoIsForThirtyDays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Units, "unit\nAttic\n")
	d.run(id)
	d.Exec(t, `update app.import_batches set finished_at = now() - interval '31 days' where id = $1`, id)
	err := d.tx(func(tx *db.Tx) error { return d.im.Undo(d.ctx, tx, id) })
	require.ErrorContains(t, err, "30 days")
}

// A row that the database refuses fails alone.
func TestOneRowIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, people(1, 40))
	d.Exec(t, `alter table app.tenants add constraint no_seventeen check (last_name <> 'Renter 17')`)
	d.run(id)
	require.Equal(t, "PARTIAL create 39 update 0 unchanged 0 skip 0 error 1", d.tiles(id))
	require.Equal(t, []string{"17 refused"}, d.list(`select concat_ws(' ', n, code) from app.import_rows where batch_id = $1 and action = 'ERROR'`, id))
}

// The trail says which import it was.
func TestTrail(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Units, "unit\nAttic\n")
	require.Empty(t, d.list(`select action from app.audit_log where table_name = 'units' and after ->> 'name' = 'Attic'`), "a check leaves nothing")
	d.run(id)
	require.Equal(t, []string{"insert import-" + id.String()}, d.list(
		`select action || ' ' || request_id from app.audit_log where table_name = 'units' and after ->> 'name' = 'Attic'`))
}

// The largest file that is taken.
func TestTenThousand(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, people(1, csvfile.MaxRows))
	d.run(id)
	require.Equal(t, "COMPLETED create 10000 update 0 unchanged 0 skip 0 error 0", d.tiles(id))
	again := d.send(imports.Tenants, people(1, csvfile.MaxRows))
	require.Equal(t, "CHECKED create 0 update 0 unchanged 10000 skip 0 error 0", d.tiles(again))
}

// What a file says first of a unit counts, also when what it says later comes in another
// chunk: the same file again changes nothing.
func TestFirstOfMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var b strings.Builder
	b.WriteString("unit,city,first name,last name,email\n")
	for n := range 600 {
		city := map[int]string{0: "Utrecht", 500: "Delft"}[n]
		fmt.Fprintf(&b, "Barracks,%s,Jo,Renter %d,renter-%d@example.com\n", city, n, n)
	}
	for _, tiles := range []string{
		"COMPLETED create 600 update 0 unchanged 0 skip 0 error 0", "COMPLETED create 0 update 0 unchanged 600 skip 0 error 0",
	} {
		id := d.send(imports.Portfolio, b.String())
		d.run(id)
		require.Equal(t, tiles, d.tiles(id))
		require.Equal(t, []string{"Utrecht 1"}, d.list(`select city || ' ' || version from app.units where name = 'Barracks'`))
	}
}
