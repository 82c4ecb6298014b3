package db_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/errs"
	"rowhouse/internal/requestid"
	"rowhouse/sql/session"
)

// state is what a connection knows when somebody borrows it.
type state struct {
	User, Role, UserID, Seal, RequestID, TimeZone string
	Cursors                                       int
	PID                                           uint32
}

// poolOfOne opens a DB with a single connection, and reports what that knows
// each time before it is lent.
func poolOfOne(t *testing.T, d *dbtest.Database) (*db.DB, func() state) {
	t.Helper()
	var last atomic.Pointer[state]
	opened := d.Open(t, db.Config{MaxConns: 1, Configure: func(cfg *pgxpool.Config) {
		cfg.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			rows, _ := conn.Query(ctx, `select current_user::text, current_setting('role'),
				coalesce(current_setting('app.user_id', true), ''), coalesce(current_setting('app.user_seal', true), ''),
				coalesce(current_setting('app.request_id', true), ''), current_setting('timezone'),
				(select count(*) from pg_cursors where name <> '')::int, pg_backend_pid()`, pgx.QueryExecModeExec)
			seen, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[state])
			last.Store(&seen)
			return true, err
		}
	}})
	return opened, func() state {
		nobody := auth.With(t.Context(), auth.Identity{UserID: uuid.New()})
		require.NoError(t, opened.AsUser(nobody, db.ReadOnly, func(*db.Tx) error { return nil }))
		return *last.Load()
	}
}

// TestNothingStays ends a transaction in every way there is and looks at the
// connection as the next borrower finds it.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	pool, next := poolOfOne(t, d)
	clean := next()
	require.Equal(t, "rowhouse_api", clean.User)
	require.Equal(t, "none", clean.Role)

	boom := errors.New("boom")
	identified := func(t *testing.T, ctx context.Context, tx *db.Tx) {
		t.Helper()
		var id string
		require.NoError(t, tx.QueryRow(ctx, "select app.current_user_id()::text").Scan(&id))
		require.Equal(t, ann.UserID.String(), id)
	}
	tests := []struct {
		name  string
		fn    func(t *testing.T, ctx context.Context, cancel func(), tx *db.Tx) error
		fails bool
		// the connection cannot be saved in every case; then a new one must come
		mayReconnect bool
	}{
		{"commit", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			return nil
		}, false, false},
		{"an error", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			return boom
		}, true, false},
		{"a failed statement", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			_, err := tx.Exec(ctx, "select 1/0")
			return err
		}, true, false},
		{"a failed first statement", func(_ *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			_, err := tx.Exec(ctx, "select 1/0")
			return err
		}, true, false},
		{"a failed statement that nobody told", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			_, err := tx.Exec(ctx, "select 1/0")
			require.Error(t, err)
			return nil
		}, true, false},
		{"rows left open", func(_ *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			_, err := tx.Query(ctx, "select generate_series(1, 100000)") //nolint:sqlclosecheck // that is the case
			return err
		}, true, true},
		{"session state of injected SQL", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			injectSessionState(ctx, t, tx, ann)
			return nil
		}, false, false},
		{"session state of injected SQL, and an error", func(t *testing.T, ctx context.Context, _ func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			_, err := tx.Exec(ctx, "commit") // from here on a rollback takes nothing back
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "set role rowhouse_landlord")
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "set session time zone 'Asia/Tokyo'")
			require.NoError(t, err)
			return boom
		}, true, false},
		{"cancellation between statements", func(t *testing.T, ctx context.Context, cancel func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			cancel()
			return ctx.Err()
		}, true, false},
		{"cancellation within a statement", func(t *testing.T, ctx context.Context, cancel func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			time.AfterFunc(50*time.Millisecond, cancel)
			_, err := tx.Exec(ctx, "select count(*) from generate_series(1, 100000000)")
			return err
		}, true, true},
		{"cancellation before COMMIT", func(t *testing.T, ctx context.Context, cancel func(), tx *db.Tx) error {
			identified(t, ctx, tx)
			cancel()
			return nil
		}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := next()
			ctx, cancel := context.WithCancel(requestid.With(ann.Context(t), "request-of-ann"))
			defer cancel()
			err := pool.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return tt.fn(t, ctx, cancel, tx) })
			require.Equal(t, tt.fails, err != nil, "%v", err)
			after := next()
			if !tt.mayReconnect {
				require.Equal(t, before.PID, after.PID, "the connection was given up")
			}
			after.PID = clean.PID
			require.Equal(t, clean, after)
		})
	}
	t.Run("a panic", func(t *testing.T) {
		require.PanicsWithError(t, "boom", func() {
			_ = pool.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
				identified(t, t.Context(), tx)
				panic(boom)
			})
		})
		after := next()
		after.PID = clean.PID
		require.Equal(t, clean, after)
	})
	t.Run("the server is told to stop working", func(t *testing.T) {
		var working int
		require.Eventually(t, func() bool {
			require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
				where usename = 'rowhouse_api' and state = 'active'`).Scan(&working))
			return working == 0
		}, 5*time.Second, 20*time.Millisecond)
	})
}

// injectSessionState leaves behind what SQL of an attacker's choice might.
func injectSessionState(ctx context.Context, t *testing.T, tx *db.Tx, as dbtest.Landlord) {
	t.Helper()
	_, err := tx.Exec(ctx, "select set_config('app.user_id', $1, false), set_config('app.user_seal', 'x', false)", as.UserID.String())
	require.NoError(t, err)
	for _, sql := range []string{
		"set session time zone 'Asia/Tokyo'",
		"declare stolen cursor with hold for select * from app.units",
		"set role rowhouse_tenant",
	} {
		_, err := tx.Exec(ctx, sql)
		require.NoError(t, err, sql)
	}
}

// TestSettingsAreLocal: even without the reset, who the caller was ends with the
// transaction.
func TestSettingsAreLocal(t *testing.T) {
	t.Parallel()
	conn := dbtest.New(t).Connect(t, "rowhouse_api")
	require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), session.Settings, "rowhouse_landlord", "someone", "sealed", "request", "hash", "email", "access", "force_custom_plan", "aal2")
		return err
	}))
	var role, rest string
	require.NoError(t, conn.QueryRow(t.Context(), `select current_setting('role'), current_setting('app.user_id', true)
		|| current_setting('app.user_seal', true) || current_setting('app.request_id', true)
		|| current_setting('app.invite_hash', true) || current_setting('app.user_aal', true) || current_setting('app.user_email', true)
		|| current_setting('app.support_access', true)`).Scan(&role, &rest))
	require.Equal(t, "none", role)
	require.Empty(t, rest)
}

// TestWithoutIdentity takes no connection: the only one is in use.
func TestWithoutIdentity(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	pool, _ := poolOfOne(t, d)
	err := pool.AsLandlord(d.Landlord(t, "ann").Context(t), db.ReadOnly, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "select 1")
		require.NoError(t, err)
		return pool.AsLandlord(t.Context(), db.ReadOnly, func(*db.Tx) error {
			t.Error("fn ran for nobody")
			return nil
		})
	})
	require.Equal(t, errs.Unauthenticated, errs.KindOf(err))
}

// TestBusy: a request that gets no connection in time is told to come back.
func TestBusy(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	pool := d.Open(t, db.Config{MaxConns: 1, AcquireTimeout: 50 * time.Millisecond})
	err := pool.AsLandlord(ann.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "select 1")
		require.NoError(t, err)
		return pool.AsLandlord(ann.Context(t), db.ReadOnly, func(*db.Tx) error { return nil })
	})
	requireUnavailable(t, err, "busy")

	require.NoError(t, pgx.BeginFunc(t.Context(), d.Admin, func(holder pgx.Tx) error {
		_, err := holder.Exec(t.Context(), "select * from app.units for update")
		require.NoError(t, err)
		err = d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "select set_config('lock_timeout', '50ms', true)")
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), "update app.units set name = name")
			return err
		})
		requireUnavailable(t, err, "busy")
		return nil
	}))
}

func requireUnavailable(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*errs.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, errs.Unavailable, e.Kind)
	require.Equal(t, code, e.Code)
	require.Positive(t, e.RetryAfter)
}

// TestAway loses the server in every phase and gets it back, without a new DB.
func TestAway(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	d := dbtest.NewOn(t, server)
	ann := d.Landlord(t, "ann")
	read := func() error {
		return d.AsLandlord(ann.Context(t), db.ReadOnly, func(tx *db.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), "select count(*) from app.units").Scan(&n)
		})
	}
	require.NoError(t, read())

	runs := 0
	err := d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		runs++
		_, err := tx.Exec(t.Context(), "update app.units set name = 'half done'")
		require.NoError(t, err)
		server.Stop(t)
		return nil
	})
	requireUnavailable(t, err, "database_unavailable")
	require.NotContains(t, err.Error(), "Nothing was changed")
	require.Equal(t, 1, runs, "run again although nobody knows how the first run ended")
	requireUnavailable(t, read(), "database_unavailable")

	server.Start(t)
	require.NoError(t, read())
	server.Stop(t)
	server.Start(t)
	require.NoError(t, read(), "the connection had died while nobody used it")
	var half int
	require.NoError(t, d.AsLandlord(auth.With(t.Context(), ann.Identity), db.ReadOnly, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), "select count(*) from app.units where name = 'half done'").Scan(&half)
	}))
	require.Zero(t, half)
}
