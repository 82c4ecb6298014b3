package db_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/errs"
	"rowhouse/internal/migrate"
	"rowhouse/internal/query"
	"rowhouse/internal/seal"
)

// TestSeesOwn is the one idea: the same statement shows each landlord their own.
func TestSeesOwn(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, landlord := range []dbtest.Landlord{d.Landlord(t, "ann"), d.Landlord(t, "bob")} {
		require.Equal(t, []uuid.UUID{landlord.UnitID}, unitsOf(t, d.DB, landlord))
	}
}

func unitsOf(t *testing.T, d *db.DB, landlord dbtest.Landlord) (ids []uuid.UUID) {
	t.Helper()
	require.NoError(t, d.AsLandlord(landlord.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		units, total, err := query.New().UnitsPageWithCount(t.Context(), tx, query.UnitsPageParams{Sort: "name", RowLimit: 50})
		require.NoError(t, err)
		require.EqualValues(t, len(units), total)
		ids = nil
		for _, unit := range units {
			ids = append(ids, unit.ID)
		}
		return nil
	}))
	return ids
}

// TestKinds: what Postgres refuses becomes what a caller may understand, and
// what is our own mistake does not.
func TestKinds(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	tests := []struct {
		name   string
		access db.Access
		sql    string
		args   []any
		want   errs.Kind
	}{
		{"no row", db.ReadOnly, "select id from app.units where id = $1", []any{bob.UnitID}, errs.NotFound},
		{"another landlord's property", db.ReadWrite, "update app.units set property_id = $1 returning id", []any{bob.PropertyID}, errs.Forbidden},
		{"a name twice", db.ReadWrite, "insert into app.properties (name) values ($1) returning id", []any{"Ann House"}, errs.Conflict},
		{"a check", db.ReadWrite, "update app.units set kind = 'castle' returning id", nil, errs.Invalid},
		{"a text too long for its type", db.ReadWrite, "update app.units set bathrooms = 1000 returning id", nil, errs.Invalid},
		{"a write in a read", db.ReadOnly, "update app.units set name = 'x' returning id", nil, errs.Internal},
		{"a grant that we lack", db.ReadWrite, "update app.units set owner_user_id = owner_user_id returning id", nil, errs.Internal},
		{"a typing error of ours", db.ReadOnly, "select id from app.unit", nil, errs.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := d.AsLandlord(ann.Context(t), tt.access, func(tx *db.Tx) error {
				var id uuid.UUID
				return tx.QueryRow(t.Context(), tt.sql, tt.args...).Scan(&id)
			})
			require.Error(t, err)
			require.Equal(t, tt.want, errs.KindOf(err), "%v", err)
		})
	}
}

// TestPolicyRefusal weakens the grants, so that a policy has to refuse: that is
// the caller's doing (403), while a missing grant is ours (500).
func TestPolicyRefusal(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	d.Exec(t, "grant insert (owner_user_id) on app.units to rowhouse_landlord")
	err := d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "insert into app.units (owner_user_id, name) values ($1, 'x')", bob.UserID)
		return err
	})
	require.Equal(t, errs.Forbidden, errs.KindOf(err), "%v", err)
}

// TestDeadlock: the server rolls one of two transactions back, and it runs again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	d.Exec(t, "insert into app.units (owner_user_id, name, created_by) values ($1, 'second', $1)", ann.UserID)
	ids := unitsOf(t, d.DB, ann)
	require.Len(t, ids, 2)

	var both sync.WaitGroup // each has its first lock
	both.Add(2)
	var group errgroup.Group
	runs := make([]int, 2)
	for i := range 2 {
		group.Go(func() error {
			return d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
				runs[i]++
				for j := range 2 {
					if _, err := query.New().UnitForUpdate(t.Context(), tx, ids[(i+j)%2]); err != nil {
						return err
					}
					if runs[i] == 1 && j == 0 {
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 3, runs[0]+runs[1], "exactly one was the victim and ran again")
}

// TestRetryGivesUp: a transaction that fails for another's sake each time ends as
// "try again later", not as our fault.
func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	runs := 0
	err := d.AsLandlord(d.Landlord(t, "ann").Context(t), db.ReadWrite, func(*db.Tx) error {
		runs++
		return &pgconn.PgError{Code: "40001"}
	})
	requireUnavailable(t, err, "busy")
	require.Equal(t, 3, runs)

	runs = 0
	require.Error(t, d.AsLandlord(d.Landlord(t, "bob").Context(t), db.ReadWrite, func(*db.Tx) error {
		runs++
		return &pgconn.PgError{Code: "08006"} // a lost connection: who knows what has happened
	}))
	require.Equal(t, 1, runs)
}

// TestSealRotation walks through a rotation as the README tells it.
func TestSealRotation(t *testing.T) {
	t.Parallel()
	// a server of its own: registering keys is a matter of one database, but Up also
	// looks after the roles that all databases of a server share
	d := dbtest.NewOn(t, dbtest.StartServer(t))
	ann := d.Landlord(t, "ann")
	with := func(keys string) *db.DB { return d.Open(t, db.Config{Keys: dbtest.Keyring(t, keys)}) }
	sees := func(d *db.DB) int { return len(unitsOf(t, d, ann)) }

	before, after := d.DB, with(dbtest.RotateText)
	require.Equal(t, 1, sees(before))
	require.Equal(t, 1, sees(after), "the coming key is accepted already")

	up := func(keys seal.Keyring, pooler bool) {
		require.NoError(t, migrate.Up(t.Context(), d.URL("postgres"), migrate.Options{
			Keys: keys, Pooler: pooler, Logger: slog.New(slog.DiscardHandler),
		}))
	}
	up(dbtest.Keyring(t, dbtest.RotateText), false)
	require.Zero(t, sees(before), "the old key is worth nothing")
	require.Equal(t, 1, sees(after))
	require.Zero(t, sees(with("next:c29tZWJvZHktZWxzZXMtc2VjcmV0LW9mLTMyLWJ5dGU=")), "the name of a key is not the key")

	pooled := d.Open(t, db.Config{Keys: dbtest.Keyring(t, dbtest.RotateText), Pooler: true})
	require.Zero(t, sees(pooled), "this key is bound to backends")
	up(dbtest.Keyring(t, dbtest.RotateText), true)
	require.Equal(t, 1, sees(pooled))
	require.Zero(t, sees(after), "this key is not")
}

// TestFirstStatements opens a transaction with each kind of call.
func TestFirstStatements(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	in := func(fn func(ctx context.Context, tx *db.Tx)) {
		t.Helper()
		require.NoError(t, d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			fn(t.Context(), tx)
			return nil
		}))
	}
	in(func(ctx context.Context, tx *db.Tx) {
		tag, err := tx.Exec(ctx, "update app.units set city = 'Delft'")
		require.NoError(t, err)
		require.EqualValues(t, 1, tag.RowsAffected())
	})
	in(func(ctx context.Context, tx *db.Tx) {
		rows, err := tx.Query(ctx, "select city from app.units")
		require.NoError(t, err)
		cities, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{"Delft"}, cities)
		_, err = tx.Exec(ctx, "select 1") // the connection is free again
		require.NoError(t, err)
	})
	in(func(ctx context.Context, tx *db.Tx) {
		var city string
		require.NoError(t, tx.QueryRow(ctx, "select city from app.units").Scan(&city))
		require.ErrorIs(t, tx.QueryRow(ctx, "select city from app.units where false").Scan(&city), pgx.ErrNoRows)
	})
	in(func(ctx context.Context, tx *db.Tx) {
		require.ErrorIs(t, tx.QueryRow(ctx, "select city from app.units where false").Scan(new(string)), pgx.ErrNoRows)
		_, err := tx.Exec(ctx, "select 1") // no row is not an error of the transaction
		require.NoError(t, err)
	})
	in(func(context.Context, *db.Tx) {}) // nothing was asked, nothing is sent
}
