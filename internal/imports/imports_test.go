package imports_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/query"
)

// desk is a landlord with an importer.
type desk struct {
	*dbtest.Database
	t   testing.TB
	im  *imports.Importer
	ctx context.Context
	dbtest.Landlord
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := dbtest.New(t)
	return d2desk(t, d, d.Landlord(t, "alpha"))
}

func d2desk(t testing.TB, d *dbtest.Database, l dbtest.Landlord) *desk {
	t.Helper()
	return &desk{Database: d, t: t, im: imports.New(d.DB, dbtest.InviteKeys(t)), ctx: l.Context(t), Landlord: l}
}

// tx runs fn as the landlord.
func (d *desk) tx(fn func(tx *db.Tx) error) error {
	return d.AsLandlord(d.ctx, db.ReadWrite, fn)
}

// send stores and checks a file.
func (d *desk) send(kind imports.Kind, text string, change ...func(*imports.Upload)) uuid.UUID {
	d.t.Helper()
	file, err := csvfile.Parse([]byte(text))
	require.NoError(d.t, err)
	sum := sha256.Sum256([]byte(text))
	u := imports.Upload{
		Kind: kind, FileName: "file.csv", SHA256: sum[:], File: file,
		Options: imports.Options{OnExisting: imports.Update, UnknownUnits: "error"},
	}
	for _, f := range change {
		f(&u)
	}
	var batch query.ImportBatch
	require.NoError(d.t, d.tx(func(tx *db.Tx) (err error) {
		batch, err = d.im.Store(d.ctx, tx, u)
		return err
	}))
	require.NoError(d.t, d.im.Check(d.ctx, batch.ID))
	return batch.ID
}

func (d *desk) start(id uuid.UUID) {
	d.t.Helper()
	require.NoError(d.t, d.tx(func(tx *db.Tx) error { return d.im.Start(d.ctx, tx, id) }))
}

func (d *desk) run(id uuid.UUID) {
	d.t.Helper()
	d.start(id)
	require.NoError(d.t, d.im.Run(d.ctx, id))
}

func (d *desk) undo(id uuid.UUID) {
	d.t.Helper()
	require.NoError(d.t, d.tx(func(tx *db.Tx) error { return d.im.Undo(d.ctx, tx, id) }))
	require.NoError(d.t, d.im.Run(d.ctx, id))
}

func (d *desk) batch(id uuid.UUID) (b query.ImportBatch) {
	d.t.Helper()
	require.NoError(d.t, d.tx(func(tx *db.Tx) (err error) {
		b, err = query.New().ImportBatch(d.ctx, tx, id)
		return err
	}))
	require.Equal(d.t, b.RowCount, b.Created+b.Updated+b.Unchanged+b.Skipped+b.Failed, "the tiles add up to the file")
	return b
}

// tiles are an import's state and what its rows came to.
func (d *desk) tiles(id uuid.UUID) string {
	b := d.batch(id)
	return fmt.Sprintf("%s create %d update %d unchanged %d skip %d error %d", b.State, b.Created, b.Updated, b.Unchanged, b.Skipped, b.Failed)
}

// came is what came of each row, as "CREATE" or "ERROR unknown_unit".
func (d *desk) came(id uuid.UUID) []string {
	return d.list(`select concat_ws(' ', action, code) from app.import_rows where batch_id = $1 order by n`, id)
}

func (d *desk) list(sql string, args ...any) []string {
	d.t.Helper()
	rows, err := d.Admin.Query(d.t.Context(), sql, args...)
	require.NoError(d.t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	return texts
}

// books are the landlord's units, tenants and tenancies, as one text each, without ids,
// times and versions.
func (d *desk) books() []string {
	d.t.Helper()
	return d.list(`
		select 'property ' || name from app.properties where owner_user_id = $1
		union all
		select 'unit ' || concat_ws('|', p.name, u.name, u.kind, u.status, u.city, u.bedrooms, u.area_m2)
		  from app.units u left join app.properties p on p.id = u.property_id where u.owner_user_id = $1
		union all
		select 'tenant ' || concat_ws('|', t.first_name, t.last_name, t.email, t.phone, u.name, t.notes)
		  from app.tenants t left join app.units u on u.id = t.unit_id where t.owner_user_id = $1
		union all
		select 'tenancy ' || concat_ws('|', u.name, t.last_name, y.start_date, y.end_date)
		  from app.tenancies y join app.units u on u.id = y.unit_id join app.tenants t on t.id = y.tenant_id where y.owner_user_id = $1
		 order by 1`, d.UserID)
}

// Each row comes to one thing, first as a check says and then as the run does it; the
// same file again comes to nothing; and undoing leaves the books as they were.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   imports.Kind
		file   string
		change func(*imports.Upload)
		came   []string
		again  []string
		books  []string // that are there then and were not before
	}{
		"units": {
			kind: imports.Units,
			file: "unit,property,type,city,bedrooms,area\n" +
				"Attic,,apartment,Utrecht,2,64.5\nAttic,Mill,room,Utrecht,,\nattic,MILL,,,,\nalpha flat,alpha house,,Delft,3,\n,,,,,1\nCellar,,castle,,,\n",
			came:  []string{"CREATE", "CREATE", "SKIP duplicate_in_file", "UPDATE", "ERROR missing_required", "ERROR invalid_choice"},
			again: []string{"UNCHANGED", "UNCHANGED", "SKIP duplicate_in_file", "UNCHANGED", "ERROR missing_required", "ERROR invalid_choice"},
			books: []string{
				"property Mill", "unit Attic|apartment|VACANT|Utrecht|2|64.50", "unit Mill|Attic|room|VACANT|Utrecht",
				"unit alpha house|alpha flat|apartment|VACANT|Delft|3",
			},
		},
		"tenants": {
			kind: imports.Tenants,
			file: "first name,last name,email,unit,property,move in,move out,phone\n" +
				"Ada,Byron,Ada@Example.com,alpha flat,,2026-01-01,,+31 30 1\n" +
				"Ada,B,ADA@example.com,,,,,\n" +
				"Grace,Hopper,,ALPHA FLAT,Alpha House,,,\n" +
				"Alan,Turing,alan@example.com,nowhere,,,,\n" +
				"alpha renter,alpha renter,alpha-tenant@example.com,alpha flat,,,,555\n" +
				"Plato,Athens,,,,,,\n" +
				",,,alpha flat,,,,\n",
			came:  []string{"CREATE overlapping_tenancy", "SKIP duplicate_in_file", "CREATE overlapping_tenancy", "ERROR unknown_unit", "UPDATE", "CREATE", "SKIP blank"},
			again: []string{"UNCHANGED", "SKIP duplicate_in_file", "UNCHANGED", "ERROR unknown_unit", "UNCHANGED", "UNCHANGED", "SKIP blank"},
			books: []string{
				"tenancy alpha flat|Byron|2026-01-01", "tenancy alpha flat|Hopper|TODAY", "tenant Ada|Byron|ada@example.com|+31 30 1|alpha flat",
				"tenant Grace|Hopper|alpha flat", "tenant Plato|Athens",
				"tenant alpha renter|alpha renter|alpha-tenant@example.com|555|alpha flat|alpha notes",
			},
		},
		"tenants of units that are made": {
			kind: imports.Tenants, change: func(u *imports.Upload) { u.UnknownUnits = "create" },
			file:  "name,email,unit,building\nAda Byron,ada@example.com,Attic,Mill\nGrace Hopper,grace@example.com,attic,mill\n",
			came:  []string{"CREATE", "CREATE"},
			again: []string{"UNCHANGED", "UNCHANGED"},
			books: []string{
				"property Mill", "tenancy Attic|Byron|TODAY", "tenancy Attic|Hopper|TODAY", "tenant Ada|Byron|ada@example.com|Attic",
				"tenant Grace|Hopper|grace@example.com|Attic", "unit Mill|Attic|apartment|VACANT",
			},
		},
		"a portfolio": {
			kind: imports.Portfolio,
			file: "property,unit,city,first name,last name,email,lease start\n" +
				"Mill,1,Utrecht,Ada,Byron,ada@example.com,2026-01-01\n" +
				"Mill,2,Utrecht,,,,\n" +
				"Mill,1,Delft,Grace,Hopper,grace@example.com,2026-01-01\n" + // what is said first of the unit counts
				"Mill,2,,Ada,Byron,ada@example.com,2026-02-01\n" + // who has two homes
				"Mill,3,,Alan,,alan@example.com,\n",
			came:  []string{"CREATE", "CREATE", "CREATE", "UPDATE", "ERROR missing_required"},
			again: []string{"UNCHANGED", "UNCHANGED", "UNCHANGED", "UNCHANGED", "ERROR missing_required"},
			books: []string{
				"property Mill", "tenancy 1|Byron|2026-01-01", "tenancy 1|Hopper|2026-01-01", "tenancy 2|Byron|2026-02-01",
				"tenant Ada|Byron|ada@example.com|1", "tenant Grace|Hopper|grace@example.com|1",
				"unit Mill|1|apartment|VACANT|Utrecht", "unit Mill|2|apartment|VACANT|Utrecht",
			},
		},
		"what is there is left alone": {
			kind: imports.Units, change: func(u *imports.Upload) { u.OnExisting = imports.Skip },
			file:  "unit,property,city\nalpha flat,alpha house,Delft\nAttic,,Delft\n",
			came:  []string{"SKIP already_exists", "CREATE"},
			again: []string{"SKIP already_exists", "SKIP already_exists"},
			books: []string{"unit Attic|apartment|VACANT|Delft"},
		},
		"what is there is filled": {
			kind: imports.Units, change: func(u *imports.Upload) { u.OnExisting = imports.Fill },
			file:  "unit,property,city,bedrooms\nalpha flat,alpha house,Delft,2\n",
			came:  []string{"UPDATE"},
			again: []string{"UNCHANGED"},
			books: []string{"unit alpha house|alpha flat|apartment|VACANT|alpha flat|2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			before := d.books()
			change := test.change
			if change == nil {
				change = func(*imports.Upload) {}
			}
			id := d.send(test.kind, test.file, change)
			require.Equal(t, test.came, d.came(id), "as checked")
			require.Equal(t, before, d.books(), "a check changes nothing")

			d.run(id)
			require.Equal(t, test.came, d.came(id), "as run")
			var made []string
			for _, line := range d.books() {
				if !slices.Contains(before, line) {
					made = append(made, strings.ReplaceAll(line, today(d), "TODAY"))
				}
			}
			require.ElementsMatch(t, test.books, made)
			after := d.books()

			again := d.send(test.kind, test.file, change)
			require.Equal(t, test.again, d.came(again))
			d.run(again)
			require.Equal(t, test.again, d.came(again))
			require.Equal(t, after, d.books())

			d.undo(again)
			require.Equal(t, after, d.books(), "it did nothing")
			d.undo(id)
			require.Equal(t, "UNDONE", d.batch(id).State)
			require.Zero(t, d.batch(id).Kept)
			require.Equal(t, before, d.books())

			d.run(d.send(test.kind, test.file, change))
			require.Equal(t, after, d.books(), "it can be imported again")
		})
	}
}

func today(d *desk) string { return d.list("select current_date::text")[0] }
