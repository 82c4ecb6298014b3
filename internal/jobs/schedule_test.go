package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
)

// TestSchedule: a job that fails is tried again soon, then ever more rarely, so that what
// it needs may be away for an hour and is found within 80 minutes more, chance included, or
// for most of a day.
func TestSchedule(t *testing.T) {
	t.Parallel()
	const attempts = 16 // of a mail; see app.enqueue_jobs
	k := &kind{firstRetry: firstRetry}
	var total time.Duration
	before := firstRetry / 2
	for attempt := 1; attempt < attempts; attempt++ {
		wait := time.Until(k.NextRetry(&river.Job[args]{JobRow: &rivertype.JobRow{Attempt: attempt}})).Round(time.Second)
		middle := min(2*before, maxRetry)
		require.InDelta(t, middle, wait, float64(middle/5+2*time.Second), "attempt %d", attempt)
		if total < time.Hour {
			require.Less(t, wait, 80*time.Minute, "after an hour")
		}
		total += wait
		before = middle
	}
	require.Greater(t, total, 20*time.Hour)
	require.Less(t, total, 48*time.Hour)
}
