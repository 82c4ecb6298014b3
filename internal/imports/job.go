package imports

import (
	"context"
	"log/slog"
	"time"

	"rowhouse/internal/errs"
	"rowhouse/internal/jobs"
)

// An import works for so long at a time, and then lets another have its turn; in what is
// left of a job's time, its last chunk ends.
const (
	turn    = 20 * time.Second
	timeout = time.Minute
	// wait is how long an import waits for a database that is away or busy. That is no
	// fault of the import, and it is not given up over it.
	wait = 3 * time.Second
)

// Kind is the job that runs and undoes imports. A database trigger queues one when an
// import is started, or is to be undone, in the transaction that says so.
func (im *Importer) Kind() jobs.Kind {
	return jobs.Kind{
		Name: "import", Timeout: timeout, PerLandlord: 1,
		Work: func(ctx context.Context, job jobs.Job) error {
			done, err := im.Work(ctx, job.ID, time.Now().Add(turn))
			switch {
			case errs.KindOf(err) == errs.Unavailable:
				slog.WarnContext(ctx, "an import waits for the database", "error", err)
				return jobs.Later(wait)
			case err == nil && !done:
				return jobs.Later(0)
			}
			return err
		},
		GaveUp: func(ctx context.Context, job jobs.Job, _ error) error { return im.GiveUp(ctx, job.ID) },
	}
}
