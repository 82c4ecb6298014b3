package farewell

import (
	"context"

	"rowhouse/internal/jobs"
	"rowhouse/internal/takeout"
)

// Kind is its kind of job.
func (f *Farewell) Kind() jobs.Kind {
	return jobs.Kind{
		Name: "account_deletion", Timeout: takeout.Attempt, PerLandlord: 1, Work: takeout.InTurns(f.Run),
		GaveUp: func(ctx context.Context, job jobs.Job, _ error) error { return f.Fail(ctx, job.ID) },
	}
}
