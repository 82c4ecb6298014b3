package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// buryUntil looks for jobs that have ended without success, until ctx ends, and has
// that written where the landlord sees it. Mostly Work has done so already; what it
// cannot do is a job whose last attempt took the process with it.
func (r *Runner) buryUntil(ctx context.Context) {
	for {
		if err := r.buryAll(ctx); err != nil && ctx.Err() == nil {
			r.logger.ErrorContext(ctx, "jobs that were given up could not be looked for", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.bury):
		}
	}
}

func (r *Runner) buryAll(ctx context.Context) error {
	names := make([]string, 0, len(r.kinds))
	for name, k := range r.kinds {
		if k.GaveUp != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	params := river.NewJobListParams().Kinds(names...).States(rivertype.JobStateDiscarded, rivertype.JobStateCancelled).First(500)
	for {
		page, err := r.client.JobList(ctx, params)
		if err != nil {
			return err
		}
		for _, row := range page.Jobs {
			if err := r.buryOne(ctx, row); err != nil {
				r.logger.ErrorContext(ctx, "a job was given up, and that is not written yet", "kind", row.Kind, "job", row.ID, "error", err)
			}
		}
		if len(page.Jobs) < 500 {
			return nil
		}
		params = params.After(page.LastCursor)
	}
}

// buryOne has it written that a job was given up, and forgets the job.
func (r *Runner) buryOne(ctx context.Context, row *rivertype.JobRow) error {
	var job Job
	if err := json.Unmarshal(row.EncodedArgs, &job); err != nil {
		return err
	}
	job.Attempt, job.Last = row.Attempt, true
	if err := r.kinds[row.Kind].gaveUp(asLandlord(ctx, job.OwnerID, row.ID), job, nil); err != nil {
		return err
	}
	_, err := r.client.JobDelete(ctx, row.ID)
	return err
}
