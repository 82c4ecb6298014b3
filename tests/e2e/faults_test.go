package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// attempt is one create of a load: a name and key that nothing else has.
type attempt struct {
	name   string
	status int
}

func (a attempt) body() object { return object{"name": a.name} }
func (a attempt) key() string  { return "key-" + a.name }

// load creates and reads as one landlord until stopped.
type load struct {
	mu       sync.Mutex
	creates  []attempt
	odd      []string // what no answer may be
	statuses map[int]int
	wait     sync.WaitGroup
	stop     context.CancelFunc
}

// startLoad keeps workers busy. accept says which failures to get an answer at
// all are in order.
func startLoad(t testing.TB, c client, workers int, accept func(error) bool) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{stop: stop, statuses: map[int]int{}}
	// a connection each: one that is kept may be closed under a request, and then
	// nobody knows whether it was served
	c.http = &http.Client{Timeout: soon, Transport: &http.Transport{DisableKeepAlives: true}}
	for worker := range workers {
		l.wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				made := attempt{name: fmt.Sprintf("unit-%d-of-worker-%d", n, worker)}
				// the context ends the loop and never a request
				a, err := c.try(context.WithoutCancel(ctx), "POST", "/api/v1/units", made.body(), "Idempotency-Key", made.key())
				made.status = a.status
				l.note(a, err, accept, http.StatusCreated)
				l.mu.Lock()
				l.creates = append(l.creates, made)
				l.mu.Unlock()
				a, err = c.try(context.WithoutCancel(ctx), "GET", "/api/v1/units?limit=5", nil)
				l.note(a, err, accept, http.StatusOK)
			}
		})
	}
	t.Cleanup(func() {
		l.end()
		if t.Failed() {
			t.Logf("answers by status: %v; odd ones: %v", l.statuses, l.odd[:min(len(l.odd), 5)])
		}
	})
	return l
}

func (l *load) note(a answer, err error, accept func(error) bool, good int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[a.status]++
	switch {
	case err != nil && !accept(err):
		l.odd = append(l.odd, err.Error())
	case err == nil && a.status != good && !a.saysTryAgain():
		l.odd = append(l.odd, fmt.Sprint(a.status, " ", a.body))
	}
}

func (l *load) count(status int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statuses[status]
}

// end waits for the requests under way.
func (l *load) end() {
	l.stop()
	l.wait.Wait()
}

func never(error) bool { return false }

// TestPostgresStopsAndComesBack: under a load, every answer is a success or asks
// to try again, nothing is half done, and repeating a create with its key leaves
// exactly one.
func TestPostgresStopsAndComesBack(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	d := dbtest.Clone(t, server)
	ann := d.Landlord(t, "ann")
	_, base := serve(t, forServe(t, d))
	c := as(t, base, ann.UserID)

	l := startLoad(t, c, 6, never)
	more := func(status, than int) func() bool { return func() bool { return l.count(status) > than } }
	require.Eventually(t, more(http.StatusCreated, 50), soon, tick)
	server.Stop(t)
	require.Eventually(t, more(http.StatusServiceUnavailable, 50), soon, tick)
	require.Equal(t, http.StatusServiceUnavailable, c.send(t, "GET", "/readyz", nil).status)
	c.must(t, http.StatusNoContent, "GET", "/healthz", nil)
	server.Start(t)
	d.Admin.Reset() // our own connections have died too
	require.Eventually(t, more(http.StatusCreated, l.count(http.StatusCreated)+50), soon, tick, "no recovery")
	l.end()
	require.Empty(t, l.odd)

	for _, made := range l.creates {
		units, keys := stored(t, d, made)
		require.Equal(t, units, keys, "%s is half there", made.name)
		switch made.status {
		case http.StatusCreated:
			require.Equal(t, 1, units, made.name)
		default:
			require.LessOrEqual(t, units, 1, made.name)
			c.must(t, http.StatusCreated, "POST", "/api/v1/units", made.body(), "Idempotency-Key", made.key())
			units, keys = stored(t, d, made)
			require.Equal(t, []int{1, 1}, []int{units, keys}, made.name)
		}
	}
}

// stored is how many units and keys there are of a create.
func stored(t testing.TB, d *dbtest.Database, made attempt) (units, keys int) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select (select count(*) from app.units where name = $1),
		(select count(*) from app.idempotency_keys where key = $2 and answer is not null)`, made.name, made.key()).Scan(&units, &keys))
	return units, keys
}

func TestServeWaitsForPostgres(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	d := dbtest.Clone(t, server)
	env := forServe(t, d)
	server.Stop(t)
	p := start(t, env, "serve")
	p.says(t, "the database does not answer")
	server.Start(t)
	p.serves(t, "http://"+env["ADDR"])
}

// TestStopUnderLoad holds a request in the database while SIGTERM comes.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	env := forServe(t, d)
	p, base := serve(t, env)
	c := as(t, base, ann.UserID)
	l := startLoad(t, c, 4, func(err error) bool {
		// refused, or dropped as the socket closes; that it was not served is looked at below
		return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
	})
	require.Eventually(t, func() bool { return l.count(http.StatusCreated) > 50 }, soon, tick)

	release := lockUnit(t, d, ann.UnitID)
	held := make(chan answer, 1)
	go func() {
		a, err := c.try(context.WithoutCancel(t.Context()), "PATCH", "/api/v1/units/"+ann.UnitID.String(), object{"name": "held"})
		if err != nil {
			a.body = err.Error()
		}
		held <- a
	}()
	waiting(t, d, 1)
	p.signal(t, syscall.SIGTERM)
	stopped := time.Now()
	require.Eventually(t, func() bool {
		_, err := c.try(t.Context(), "GET", "/healthz", nil)
		return errors.Is(err, syscall.ECONNREFUSED)
	}, soon, tick, "new connections are taken")
	release()
	a := <-held
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Zero(t, p.exit(t, 10*time.Second-time.Since(stopped)), p.output.tail())
	l.end()
	require.Empty(t, l.odd)
	require.Zero(t, l.count(http.StatusServiceUnavailable), "what is taken is served")
	for _, made := range l.creates {
		units, keys := stored(t, d, made)
		require.Equal(t, units, keys, made.name)
		if made.status == http.StatusCreated {
			require.Equal(t, 1, units, made.name)
		} else {
			require.Zero(t, units, "%s was made, and its answer lost", made.name)
		}
	}
}

// lockUnit holds a unit against changes until release is called.
func lockUnit(t testing.TB, d *dbtest.Database, unit uuid.UUID) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.URL("postgres"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "begin; select from app.units where id = '"+unit.String()+"' for update")
	require.NoError(t, err)
	release = sync.OnceFunc(func() { _ = conn.Close(context.Background()) })
	t.Cleanup(release)
	return release
}

// waiting waits until n statements of rowhouse_api wait for a lock.
func waiting(t testing.TB, d *dbtest.Database, n int) {
	t.Helper()
	var found int
	require.Eventually(t, func() bool {
		err := d.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and usename = 'rowhouse_api' and state = 'active' and wait_event_type = 'Lock'`).Scan(&found)
		return err == nil && found == n
	}, soon, tick, "statements that wait for a lock: not %d", n)
}

// TestDatabaseBusy: one connection, and somebody sits on it.
func TestDatabaseBusy(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	env := forServe(t, d).with(environment{"DATABASE_MAX_CONNS": "1"})
	path := "/api/v1/units/" + ann.UnitID.String()
	limit := func(t *testing.T, lock, statement string) {
		t.Helper()
		for name, value := range map[string]string{"lock_timeout": lock, "statement_timeout": statement} {
			d.Exec(t, fmt.Sprintf("do $$ begin execute format('alter role rowhouse_api in database %%I set %s = %%L', current_database(), '%s'); end $$", name, value))
		}
	}

	t.Run("lock_timeout", func(t *testing.T) {
		_, base := serve(t, env)
		c := as(t, base, ann.UserID)
		defer lockUnit(t, d, ann.UnitID)()
		began := time.Now()
		a := c.send(t, "PATCH", path, object{"name": "new"})
		require.True(t, a.saysTryAgain(), a)
		require.InDelta(t, 2, time.Since(began).Seconds(), 1.5)
		c.must(t, http.StatusOK, "GET", path, nil)
	})

	t.Run("statement_timeout", func(t *testing.T) {
		limit(t, "0", "300ms")
		_, base := serve(t, env.with(environment{"ADDR": freeAddress(t)}))
		c := as(t, base, ann.UserID)
		defer lockUnit(t, d, ann.UnitID)()
		began := time.Now()
		a := c.send(t, "PATCH", path, object{"name": "new"})
		require.True(t, a.saysTryAgain(), a)
		require.Less(t, time.Since(began), 1500*time.Millisecond)
		c.must(t, http.StatusOK, "GET", path, nil)
	})

	t.Run("no connection left", func(t *testing.T) {
		limit(t, "30s", "30s")
		_, base := serve(t, env.with(environment{"ADDR": freeAddress(t)}))
		c := as(t, base, ann.UserID)
		c.must(t, http.StatusOK, "GET", path, nil)
		release := lockUnit(t, d, ann.UnitID)
		held := make(chan answer, 1)
		go func() {
			a, err := c.try(context.WithoutCancel(t.Context()), "PATCH", path, object{"name": "held"})
			if err != nil {
				a.body = err.Error()
			}
			held <- a
		}()
		waiting(t, d, 1)
		a := c.send(t, "GET", path, nil)
		require.True(t, a.saysTryAgain(), a)
		c.must(t, http.StatusNoContent, "GET", "/healthz", nil)
		release()
		a = <-held
		require.Equal(t, http.StatusOK, a.status, a.body)
		c.must(t, http.StatusOK, "GET", path, nil)
	})

	t.Run("a client that goes away", func(t *testing.T) {
		limit(t, "30s", "30s")
		_, base := serve(t, env.with(environment{"ADDR": freeAddress(t)}))
		c := as(t, base, ann.UserID)
		c.must(t, http.StatusOK, "GET", path, nil)
		defer lockUnit(t, d, ann.UnitID)()
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := c.try(ctx, "PATCH", path, object{"name": "never"})
			gone <- err
		}()
		waiting(t, d, 1)
		leave()
		require.ErrorIs(t, <-gone, context.Canceled)
		waiting(t, d, 0)
		c.must(t, http.StatusOK, "GET", path, nil)
	})
}
