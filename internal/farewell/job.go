package farewell

import (
	"context"
	"errors"
	"time"

	"rowhouse/internal/jobs"
	"rowhouse/internal/storage"
)

const (
	// attempt bounds one attempt of the job, and turn what of it is spent at work: what
	// takes longer goes on in the next turn, and counts as no failure.
	attempt = 4 * time.Minute
	turn    = 3 * time.Minute
	// sessionless is how long a job leaves alone what only the landlord's own session can
	// do: files in a bucket that opens to nobody else.
	sessionless = time.Hour
)

// Kind is its kind of job.
func (f *Farewell) Kind() jobs.Kind {
	return jobs.Kind{
		Name: "account_deletion", Timeout: attempt, PerLandlord: 1, Work: f.work,
		GaveUp: func(ctx context.Context, job jobs.Job, _ error) error { return f.Fail(ctx, job.ID) },
	}
}

func (f *Farewell) work(ctx context.Context, job jobs.Job) error {
	inTurn, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	wait, err := f.Run(inTurn, job.ID)
	switch {
	case err == nil && wait > 0:
		return jobs.Later(wait)
	case errors.Is(err, storage.ErrNoSession):
		return jobs.Later(sessionless)
	case err != nil && inTurn.Err() != nil && ctx.Err() == nil:
		return jobs.Later(time.Second)
	}
	return err
}
