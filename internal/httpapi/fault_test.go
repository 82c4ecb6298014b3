package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// bomb is a bug in the middle of a request: it panics where a statement is about
// to be sent that holds its text.
type bomb struct{ text string }

func (b bomb) check(sql string) {
	if strings.Contains(sql, b.text) {
		panic("a bug that quotes a secret")
	}
}

func (b bomb) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	b.check(data.SQL)
	return ctx
}
func (bomb) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (b bomb) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, queued := range data.Batch.QueuedQueries {
		b.check(queued.SQL)
	}
	return ctx
}
func (bomb) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (bomb) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// TestPanic has handlers panic before and inside their transaction. The caller
// gets an answer on a connection that goes on, and the only connection to the
// database serves the next request.
func TestPanic(t *testing.T) {
	t.Parallel()
	for where, text := range map[string]string{
		"as the transaction begins": "name: UnitForUpdate",
		"inside the transaction":    "name: UnitUpdate",
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: func(c *pgxpool.Config) { c.ConnConfig.Tracer = bomb{text} }}))
			c, other := s.newLandlord(t), s.newLandlord(t)
			unit := c.created("/units", object{"name": "Attic"})
			// one connection: a request waits until the one before has given it back
			line := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			t.Cleanup(line.CloseIdleConnections)
			send := func(req *http.Request) answer {
				resp, err := line.Do(req)
				require.NoError(t, err)
				return c.read(resp)
			}
			for range 3 {
				a := send(c.request(http.MethodPatch, unit, object{"name": "Loft"}, "X-Request-Id: panicked-"+strings.Fields(where)[0])).refused(http.StatusInternalServerError, "internal")
				a.discreet(c.token)
				require.NotContains(t, a.text, "quotes")

				reused := false
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
				require.Equal(t, "Attic", send(c.request(http.MethodGet, unit, nil).WithContext(ctx)).ok(http.StatusOK).body["name"])
				require.True(t, reused)
				require.Empty(t, other.get("/units").list("units"))
			}
			require.True(t, strings.Contains(logged.String(), "panicked-"+strings.Fields(where)[0]), "it is not logged")
		})
	}
}

// TestSessionCutOff ends the database's session in the middle of a change.
func TestSessionCutOff(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1}))
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	tx, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from app.units for update")
	require.NoError(t, err)

	answered := make(chan answer)
	go func() { answered <- c.patch(unit, object{"name": "Loft"}) }()
	require.Eventually(t, func() bool {
		var cut int
		err := s.Admin.QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity
			where usename = 'rowhouse_api' and datname = current_database() and wait_event_type = 'Lock'`).Scan(&cut)
		return err == nil && cut == 1
	}, 10*time.Second, 5*time.Millisecond)
	a := (<-answered).refused(http.StatusServiceUnavailable, "database_unavailable")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	a.discreet(c.token)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, "Attic", c.get(unit).ok(http.StatusOK).body["name"])
}

// TestPoolExhausted keeps the only connection busy.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	opened := d.Open(t, db.Config{MaxConns: 1, AcquireTimeout: time.Second})
	s := serveOn(t, d, opened)
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	landlord := d.Landlord(t, "holder")
	done := errors.New("done")
	err := opened.AsLandlord(landlord.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		a := c.get("/units").refused(http.StatusServiceUnavailable, "busy")
		require.Equal(t, "1", a.header.Get("Retry-After"))
		c.post("/units", object{"name": "Attic"}).refused(http.StatusServiceUnavailable, "busy")
		return done
	})
	require.ErrorIs(t, err, done)
	c.get("/units").ok(http.StatusOK)
}

// TestCallerGoesAway cancels a change that is under way.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	tx, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from app.units for update")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(c.request(http.MethodPatch, unit, object{"name": "Loft"}).WithContext(ctx))
		if err == nil {
			_ = resp.Body.Close()
		}
		gone <- err
	}()
	require.Eventually(t, func() bool { return s.waiting(t) == 1 }, 10*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	require.Eventually(t, func() bool { return s.waiting(t) == 0 }, 1500*time.Millisecond, 5*time.Millisecond, "the statement goes on")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, "Attic", c.get(unit).body["name"])
}
