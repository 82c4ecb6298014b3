package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// got is what a job that asked for a turn was given, and when.
type got struct {
	job   int
	done  func()
	wait  time.Duration
	after time.Duration
}

// TestTurns: where jobs are quick, a few wait for those that run and follow them in order,
// never more than a landlord's share at a time; the others are put off to moments as far
// apart as turns end, and so are in the end those who wait in vain.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, ann, bob := newTurns(3), uuid.New(), uuid.New()
		take := func(owner uuid.UUID) got {
			done, wait := turns.take(t.Context(), owner)
			return got{done: done, wait: wait}
		}
		first := take(ann)
		time.Sleep(30 * time.Millisecond)
		first.done()

		running := []got{take(ann), take(ann), take(ann)}
		began := time.Now()
		results := make(chan got, 12)
		for n := range 12 {
			go func() {
				g := take(ann)
				g.job, g.after = n, time.Since(began)
				results <- g
			}()
			synctest.Wait()
		}
		for n := 1; n <= 3; n++ {
			g := take(ann)
			require.Nil(t, g.done, "as many as may wait do so already")
			require.Equal(t, time.Duration(n)*10*time.Millisecond, g.wait)
		}
		require.NotNil(t, take(bob).done, "another landlord has nobody before them")
		require.Empty(t, results)

		time.Sleep(30 * time.Millisecond)
		for n, g := range running {
			g.done()
			g.done() // no second turn for it
			synctest.Wait()
			require.Len(t, results, 1)
			next := <-results
			require.Equal(t, n, next.job)
			require.NotNil(t, next.done)
		}

		time.Sleep(patience)
		synctest.Wait()
		require.Len(t, results, 9)
		moments := map[time.Duration]bool{}
		for range 9 {
			g := <-results
			require.Nil(t, g.done)
			require.Equal(t, patience, g.after)
			moments[g.wait] = true
		}
		require.Len(t, moments, 9, "each at a moment of its own")
		require.Empty(t, turns.waiting)
		require.Zero(t, turns.of[ann].waiting)
		require.Equal(t, 3, turns.of[ann].running)
	})
}

// TestTurnsOfAll: a turn that ends where all run that may goes to who has waited longest,
// past a landlord who has their share.
func TestTurnsOfAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, ann, bob := newTurns(3), uuid.New(), uuid.New()
		var hers, others []func()
		for n := range atOnce {
			owner, list := uuid.New(), &others
			if n < 3 {
				owner, list = ann, &hers
			}
			done, _ := turns.take(t.Context(), owner)
			require.NotNil(t, done)
			*list = append(*list, done)
		}
		done, wait := turns.take(t.Context(), bob)
		require.Nil(t, done, "too many run")
		require.Equal(t, step, wait)
		time.Sleep(10 * time.Millisecond)
		others[0]()
		done, _ = turns.take(t.Context(), bob)
		require.NotNil(t, done)

		served := make(chan uuid.UUID, 2)
		for _, owner := range []uuid.UUID{ann, bob} {
			go func() {
				if done, _ := turns.take(t.Context(), owner); done != nil {
					served <- owner
				}
			}()
			synctest.Wait()
		}
		require.Empty(t, served)
		others[1]()
		require.Equal(t, bob, <-served)
		hers[0]()
		require.Equal(t, ann, <-served)
		require.Equal(t, atOnce, turns.running)
	})
}

// TestSlowJobsDoNotWait: whose turns take long holds no place in the queue meanwhile, and
// neither does one of whom nothing is known.
func TestSlowJobsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, ann := newTurns(1), uuid.New()
		putOff := func() {
			began := time.Now()
			done, wait := turns.take(t.Context(), ann)
			require.Nil(t, done)
			require.Equal(t, step, wait)
			require.Equal(t, began, time.Now())
		}
		done, _ := turns.take(t.Context(), ann)
		putOff()
		time.Sleep(time.Minute)
		done()
		done, _ = turns.take(t.Context(), ann)
		putOff()
		done()
	})
}
