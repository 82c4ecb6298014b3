// Package jobs does what is to be done in the background: it takes jobs from the
// queue and does each as the landlord whose job it is.
//
// A job is a kind and two ids, whose and of what; see policies/functions_enqueuer.sql
// for how it gets into the queue, in the transaction of the one who wants it done.
// The queue is River's, in schema river. The login rowhouse_worker may use it, and
// sees of landlords' rows what every login sees, nothing: the work is done in
// transactions of internal/db, in which Postgres knows the worker as that landlord.
//
// # Another kind of job
//
//  1. Name it, with its queue and its attempts, in the list of app.enqueue_jobs
//     (policies/functions_enqueuer.sql) and in the policy of policies/river_job.sql.
//  2. Write a trigger function of rowhouse_enqueuer beside app.enqueue_invite_mails
//     that calls app.enqueue_jobs with the ids of rows of the caller's, name it in
//     policies/README.md, and put the trigger on the table in a migration.
//  3. Hand a Kind of that name to Open, in internal/app.
//  4. A queue that is not there yet is named in queues, with how much of it runs at
//     a time.
//
// A job may be done twice: the process can end between the work and its being noted.
// Work reads first whether there is still something to do, and writes what it did in
// the transaction that did it.
//
// # Order, and a fair share
//
// A job that was queued by itself goes before those that were queued many at a time.
// One landlord has at most Kind.PerLandlord jobs of a kind running in a process, and all
// together have eight. What is fetched beyond that is put off to that landlord's next
// free moment, one job each few milliseconds, so that a landlord who queues ten thousand
// at once does not hold up the one who comes after them: their jobs step aside as fast
// as they are fetched. Of jobs that are quick, a few wait for a turn instead, so that
// one follows another.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"rowhouse/internal/auth"
	"rowhouse/internal/requestid"
)

const (
	schema = "river"
	// firstRetry doubles with each attempt, up to maxRetry.
	firstRetry = 15 * time.Second
	maxRetry   = 4 * time.Hour
)

// queues are how many jobs of each queue are taken up at a time in one process, and how
// often each is looked into if not as Config.Poll says. Of mails more than may run: some
// wait for their turn, and those beyond step aside the sooner. Mails are looked for more
// often, so that those who stepped aside are found at their moment. An import keeps a
// connection and a part of the server busy.
var queues = map[string]river.QueueConfig{
	"mail":   {MaxWorkers: 48, FetchPollInterval: 100 * time.Millisecond},
	"import": {MaxWorkers: 2}, "accounts": {MaxWorkers: 2}, "exports": {MaxWorkers: 2},
}

// Job is one to do. The context of its work carries the landlord's identity, for
// internal/db, and "job-" with the job's number as the request id.
type Job struct {
	OwnerID uuid.UUID `json:"ownerId"` // the landlord whose job it is
	ID      uuid.UUID `json:"id"`      // what it is about

	Attempt int  `json:"-"` // counts from 1
	Last    bool `json:"-"` // there is no further attempt
}

// Kind is one kind of job and how it is done.
type Kind struct {
	Name    string        // as in app.enqueue_jobs
	Timeout time.Duration // of one attempt
	// PerLandlord bounds how many run at a time for one landlord in this process; 0
	// means 3.
	PerLandlord int
	// Work does the job, once more if it must. When it returns an error, it is tried
	// again later, unless that is of Stop or Later.
	Work func(context.Context, Job) error
	// GaveUp is called when no attempt will follow, with the last error if it is known,
	// and writes it where the landlord sees it. It is called again until it returns nil.
	GaveUp func(context.Context, Job, error) error
}

// Config is what Open needs; URL and Kinds are required.
type Config struct {
	URL    string // Postgres as rowhouse_worker
	Kinds  []Kind
	Logger *slog.Logger // nil discards

	// Poll is how often the queue is looked into; 0 means half a second. Mails are looked
	// for at least ten times a second.
	Poll time.Duration
	// Rescue is after how long a job counts as left by a process that ended in the
	// middle of it; 0 means two minutes. A job is left alone for its kind's timeout anyway.
	Rescue time.Duration
	// Bury is how often jobs that ended without a word are looked for; 0 means ten
	// minutes.
	Bury time.Duration
	// FirstRetry is how long after the first failure a job is tried again, doubled with
	// each; 0 means 15 s.
	FirstRetry time.Duration
}

// Runner does jobs.
type Runner struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	kinds  map[string]*kind
	logger *slog.Logger
	bury   time.Duration
}

// Open reads the configuration and connects to nothing yet.
func Open(ctx context.Context, c Config) (*Runner, error) {
	c = c.withDefaults()
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("WORKER_DATABASE_URL: not a valid Postgres URL") // the cause would quote the password
	}
	cfg.MaxConns = 4 // River's own; the work has its own
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool of the job queue: %w", err)
	}
	r := &Runner{pool: pool, kinds: map[string]*kind{}, logger: c.Logger, bury: c.Bury}
	workers, running := river.NewWorkers(), map[string]river.QueueConfig{}
	for name, queue := range queues {
		queue.FetchPollInterval = min(queue.FetchPollInterval, c.Poll) // 0 is c.Poll
		running[name] = queue
	}
	for _, k := range c.Kinds {
		w := &kind{Kind: k, turns: newTurns(k.PerLandlord), firstRetry: c.FirstRetry, logger: c.Logger}
		r.kinds[k.Name] = w
		river.AddWorkerArgs(workers, args{kind: k.Name}, w)
	}
	r.client, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: schema, Queues: running, Workers: workers, Logger: slog.New(warnings{c.Logger.Handler()}), PollOnly: true,
		FetchPollInterval: c.Poll, FetchCooldown: min(c.Poll, 20*time.Millisecond),
		RescueStuckJobsAfter: c.Rescue, JobTimeout: c.Rescue, // each kind has a timeout of its own
		ReindexerIndexNames: []string{}, // it does not own them
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return r, nil
}

// warnings leaves out of River's log what goes as it should.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.Poll, 500*time.Millisecond)
	set(&c.Rescue, 2*time.Minute)
	set(&c.Bury, 10*time.Minute)
	set(&c.FirstRetry, firstRetry)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Run does jobs until ctx ends, then lets those that run finish, for grace at most,
// and cuts off the rest: they are done again. It may be called once.
func (r *Runner) Run(ctx context.Context, grace time.Duration) error {
	defer r.pool.Close()
	work := context.WithoutCancel(ctx) // stopping is Stop's to do
	if err := r.client.Start(work); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	r.buryUntil(ctx)
	stop, cancel := context.WithTimeout(work, grace)
	defer cancel()
	if err := r.client.Stop(stop); err == nil {
		return nil
	}
	r.logger.WarnContext(ctx, "jobs did not finish in time; they will be done again", "within", grace)
	stop, cancel = context.WithTimeout(work, 5*time.Second)
	defer cancel()
	return r.client.StopAndCancel(stop)
}

// Stop marks err as one after which no attempt can succeed.
func Stop(err error) error { return river.JobCancel(err) }

// Later asks for the job to be done again after a while, without counting it as an
// attempt: something else has to come first.
func Later(wait time.Duration) error { return river.JobSnooze(wait) }

// args are what River keeps of a job.
type args struct {
	Job
	kind string
}

// Kind implements river.JobArgs.
func (a args) Kind() string { return a.kind }

// kind does jobs of one kind for River.
type kind struct {
	Kind
	turns      *turns
	firstRetry time.Duration
	logger     *slog.Logger
}

// Middleware implements river.Worker.
func (*kind) Middleware(*rivertype.JobRow) []rivertype.WorkerMiddleware { return nil }

// Timeout implements river.Worker.
func (k *kind) Timeout(*river.Job[args]) time.Duration { return k.Kind.Timeout }

// NextRetry doubles the wait with each attempt and spreads it, so that those who
// failed together do not come back together.
func (k *kind) NextRetry(job *river.Job[args]) time.Time {
	wait := k.firstRetry << min(max(job.Attempt-1, 0), 20)
	wait = min(wait, maxRetry)
	return time.Now().Add(wait - wait/5 + rand.N(2*wait/5+1)) //nolint:gosec // spreads, guards nothing
}

// Work implements river.Worker.
func (k *kind) Work(ctx context.Context, row *river.Job[args]) error {
	job := row.Args.Job
	job.Attempt, job.Last = row.Attempt, row.Attempt >= row.MaxAttempts
	done, wait := k.turns.take(ctx, job.OwnerID)
	if done == nil {
		return river.JobSnooze(wait)
	}
	defer done()
	ctx = asLandlord(ctx, job.OwnerID, row.ID)
	err := k.work(ctx, job)
	if err == nil {
		return nil
	}
	if _, later := errors.AsType[*rivertype.JobSnoozeError](err); later {
		return err
	}
	_, stopped := errors.AsType[*rivertype.JobCancelError](err)
	k.logger.WarnContext(ctx, "a job failed", "kind", k.Name, "job", row.ID, "attempt", job.Attempt, "last", stopped || job.Last, "error", err)
	if (stopped || job.Last) && ctx.Err() == nil {
		// what cannot be written now is written by bury
		if gaveUp := k.gaveUp(ctx, job, err); gaveUp != nil {
			k.logger.ErrorContext(ctx, "a job was given up, and that is not written yet", "kind", k.Name, "job", row.ID, "error", gaveUp)
		}
	}
	// River keeps the text of an error, and the queue holds ids alone
	if stopped {
		return river.JobCancel(errFailed)
	}
	return errFailed
}

// work makes an error of a panic, of which River would keep the text.
func (k *kind) work(ctx context.Context, job Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return k.Kind.Work(ctx, job)
}

var errFailed = errors.New("see the worker's log")

func (k *kind) gaveUp(ctx context.Context, job Job, err error) error {
	if k.GaveUp == nil {
		return nil
	}
	return k.GaveUp(ctx, job, err)
}

func asLandlord(ctx context.Context, owner uuid.UUID, job int64) context.Context {
	return requestid.With(auth.With(ctx, auth.Identity{UserID: owner}), fmt.Sprintf("job-%d", job))
}
