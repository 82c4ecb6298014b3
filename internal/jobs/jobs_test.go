package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/jobs"
	"rowhouse/internal/requestid"
)

// queue invites n further tenants of l in one statement, as the landlord, and so
// queues n jobs.
func queue(t testing.TB, d *dbtest.Database, l dbtest.Landlord, n int) []uuid.UUID {
	t.Helper()
	mails := make([]uuid.UUID, n)
	for i := range mails {
		mails[i] = uuid.New()
	}
	require.NoError(t, d.AsLandlord(l.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `with t as (
				insert into app.tenants (first_name, last_name, email)
				select 'T', 'T', m.id || '@example.com' from unnest($1::uuid[]) as m (id) returning id, email)
			insert into app.tenant_invites (tenant_id, email, token_hash, expires_at, mail_id)
			select t.id, t.email, sha256(convert_to(t.email, 'UTF8')), now() + interval '1 day', split_part(t.email, '@', 1)::uuid from t`, mails)
		return err
	}))
	return mails
}

// left is how many jobs are in the queue that are not done.
func left(t testing.TB, d *dbtest.Database) (n int) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from river.river_job where state <> 'completed'`).Scan(&n))
	return n
}

// record is what a kind was asked to do, in order.
type record struct {
	mu   sync.Mutex
	jobs []jobs.Job
	more chan struct{}
}

func newRecord() *record { return &record{more: make(chan struct{}, 10_000)} }

func (r *record) add(j jobs.Job) {
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.mu.Unlock()
	r.more <- struct{}{}
}

// wait returns the first n, as soon as there are so many.
func (r *record) wait(t testing.TB, n int) []jobs.Job {
	t.Helper()
	for {
		r.mu.Lock()
		all := slices.Clone(r.jobs)
		r.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-r.more:
		case <-time.After(time.Minute):
			require.Len(t, all, n, "no further job came in a minute")
		}
	}
}

// run does jobs until the test ends, or stop is called.
func run(t testing.TB, d *dbtest.Database, kind jobs.Kind, set ...func(*jobs.Config)) (stop func()) {
	t.Helper()
	kind.Name = "invite_mail"
	if kind.Timeout == 0 {
		kind.Timeout = time.Minute
	}
	cfg := jobs.Config{
		URL: d.URL("rowhouse_worker"), Kinds: []jobs.Kind{kind}, Poll: 10 * time.Millisecond,
		Bury: 50 * time.Millisecond, FirstRetry: time.Millisecond,
	}
	for _, f := range set {
		f(&cfg)
	}
	r, err := jobs.Open(context.Background(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, 10*time.Second) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// TestWorkIsTheLandlords: a job runs as the landlord whose it is, and sees their rows
// and nobody else's.
func TestWorkIsTheLandlords(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	worker := d.Open(t, db.Config{URL: d.URL("rowhouse_worker")})
	seen := newRecord()
	var foreign, own int
	run(t, d, jobs.Kind{Work: func(ctx context.Context, j jobs.Job) error {
		defer seen.add(j)
		caller, ok := auth.From(ctx)
		require.True(t, ok)
		require.Equal(t, j.OwnerID, caller.UserID)
		require.Regexp(t, `^job-\d+$`, requestid.From(ctx))
		return worker.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) error {
			return tx.QueryRow(ctx, `select count(*) filter (where owner_user_id = $1), count(*) filter (where owner_user_id = $2)
				from app.tenant_invites`, ann.UserID, bob.UserID).Scan(&own, &foreign)
		})
	}})
	mails := queue(t, d, ann, 1)
	got := seen.wait(t, 1)
	require.Equal(t, ann.UserID, got[0].OwnerID)
	require.Equal(t, mails[0], got[0].ID)
	require.Equal(t, 1, got[0].Attempt)
	require.Equal(t, 2, own, "the fixture's and this one")
	require.Zero(t, foreign)
}

// TestQueueHoldsIDsAlone: of what goes on, a failure included, the queue knows a kind
// and two ids.
func TestQueueHoldsIDsAlone(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	seen := newRecord()
	stop := run(t, d, jobs.Kind{Work: func(_ context.Context, j jobs.Job) error {
		defer seen.add(j)
		if j.Attempt == 2 {
			panic("secret-marker")
		}
		return errors.New("secret-marker")
	}}, func(c *jobs.Config) { c.FirstRetry = 10 * time.Millisecond })
	mails := queue(t, d, ann, 1)
	seen.wait(t, 2)
	stop()
	var kept string
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select args::text || ' ' || to_jsonb(j)::text from river.river_job j`).Scan(&kept))
	require.Contains(t, kept, `{"id": "`+mails[0].String()+`", "ownerId": "`+ann.UserID.String()+`"}`)
	for _, private := range []string{"secret-marker", "example.com", "ann"} {
		require.NotContains(t, kept, private)
	}
}

// TestRetries: a failure is tried again, with what is known of the attempt, until it
// succeeds; one that cannot succeed is not.
func TestRetries(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	broken := errors.New("not today")
	hopeless := errors.New("never")
	seen, gone := newRecord(), newRecord()
	var reasons []error
	var good, bad uuid.UUID
	begin := make(chan struct{})
	run(t, d, jobs.Kind{
		Work: func(_ context.Context, j jobs.Job) error {
			<-begin
			defer seen.add(j)
			switch {
			case j.ID == bad:
				return jobs.Stop(hopeless)
			case j.Attempt < 3:
				return broken
			}
			return nil
		},
		GaveUp: func(_ context.Context, j jobs.Job, err error) error {
			reasons = append(reasons, err)
			gone.add(j)
			return nil
		},
	}, func(c *jobs.Config) { c.Bury = time.Hour })
	good, bad = queue(t, d, ann, 1)[0], queue(t, d, ann, 1)[0]
	close(begin)
	var attempts []int
	for _, j := range seen.wait(t, 4) {
		if j.ID == good {
			attempts = append(attempts, j.Attempt)
		}
	}
	require.Equal(t, []int{1, 2, 3}, attempts)
	require.Equal(t, bad, gone.wait(t, 1)[0].ID)
	require.ErrorIs(t, reasons[0], hopeless)
}

// TestGivenUp: after the last attempt the landlord is told, even when the process
// could not say so itself, and the queue forgets the job.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	mail := queue(t, d, ann, 1)[0]
	d.Exec(t, `update river.river_job set max_attempts = 2`)
	seen, told := newRecord(), newRecord()
	fails := 2
	run(t, d, jobs.Kind{
		Work: func(_ context.Context, j jobs.Job) error {
			seen.add(j)
			require.Equal(t, j.Attempt == 2, j.Last)
			return errors.New("not today")
		},
		GaveUp: func(ctx context.Context, j jobs.Job, _ error) error {
			caller, _ := auth.From(ctx)
			require.Equal(t, ann.UserID, caller.UserID)
			if fails > 0 { // the database is away, say
				fails--
				return errors.New("could not be written")
			}
			told.add(j)
			return nil
		},
	})
	require.Equal(t, mail, told.wait(t, 1)[0].ID)
	require.Len(t, seen.wait(t, 2), 2)
	require.Eventually(t, func() bool { return left(t, d) == 0 }, time.Minute, 10*time.Millisecond)
}

// TestSingleFirst: what was queued by itself goes before what was queued by the many.
func TestSingleFirst(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	queue(t, d, ann, 300)
	single := queue(t, d, bob, 1)[0]
	seen := newRecord()
	run(t, d, jobs.Kind{Work: func(_ context.Context, j jobs.Job) error { seen.add(j); return nil }})
	all := seen.wait(t, 301)
	place := slices.IndexFunc(all, func(j jobs.Job) bool { return j.ID == single })
	require.Less(t, place, 100, "it is of the first that were taken up, whose order is chance")
}

// TestFairShare: one landlord's hundreds, each of which takes its time, do not hold
// up what another queues after them, and never take more than their share.
func TestFairShare(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	queue(t, d, ann, 300)
	queue(t, d, bob, 40)
	seen, through := newRecord(), make(chan struct{})
	var mu sync.Mutex
	running, most := 0, 0
	run(t, d, jobs.Kind{PerLandlord: 3, Work: func(ctx context.Context, j jobs.Job) error {
		if j.OwnerID == ann.UserID {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			select {
			case <-through:
			case <-ctx.Done():
			}
			mu.Lock()
			running--
			mu.Unlock()
		}
		seen.add(j)
		return ctx.Err()
	}})
	for _, j := range seen.wait(t, 40) {
		require.Equal(t, bob.UserID, j.OwnerID)
	}
	close(through)
	seen.wait(t, 340) // and nothing was lost by stepping aside
	require.Equal(t, 3, most)
}

// TestStop: what runs may finish, and what does not in time is done by the next.
func TestStop(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	started, release := make(chan struct{}), make(chan struct{})
	stop := run(t, d, jobs.Kind{Work: func(ctx context.Context, _ jobs.Job) error {
		close(started)
		<-release
		return ctx.Err()
	}})
	queue(t, d, ann, 1)
	<-started
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(release)
	<-stopped
	require.Zero(t, left(t, d), "it finished")
}

// TestUnique: a job that waits is not queued a second time.
func TestUnique(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	mail := queue(t, d, ann, 1)[0]
	for range 3 {
		require.NoError(t, d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `update app.tenant_invites set unit_label = 'another' where mail_id = $1`, mail)
			return err
		}))
	}
	require.Equal(t, 1, left(t, d))
	require.NoError(t, d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app.tenant_invites set mail_id = gen_random_uuid() where mail_id = $1`, mail)
		return err
	}))
	require.Equal(t, 2, left(t, d), "another sending is another job")
}
