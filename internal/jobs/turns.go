package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// step is how far apart the moments are at most to which a landlord's jobs are put off.
	step = 20 * time.Millisecond
	// patience is how long a fetched job waits for a turn before it is put off.
	patience = 200 * time.Millisecond
	// waitingPer is how many jobs of a landlord wait for each that may run.
	waitingPer = 4
	// atOnce is how many run at a time of a kind: of mails, while as many as the mail server
	// is given connections leave, as many are read and noted. If the process is killed, or
	// Postgres is away, none of those that run is known to have left; more of them would
	// not be faster.
	atOnce = 8
)

// turns shares the workers of one kind among landlords.
type turns struct {
	most int // running at a time for one landlord

	mu      sync.Mutex
	of      map[uuid.UUID]*share
	running int           // of all
	waiting []*waiter     // of all, in order
	took    time.Duration // how long jobs take, the latest counting most; 0 if that is not known
}

type share struct {
	running, waiting int
	next             time.Time // the next moment that nobody was put off to yet
}

type waiter struct {
	share *share
	given chan struct{} // closed when it has a turn
}

func newTurns(most int) *turns {
	if most == 0 {
		most = 3
	}
	return &turns{most: most, of: map[uuid.UUID]*share{}}
}

// take gives a landlord's job its turn, to be given back by calling done; or, if done
// is nil, says how long it has to wait. If jobs are so quick that a turn may be a moment
// away, it waits for that moment itself: a landlord who is alone is served without pause.
func (t *turns) take(ctx context.Context, owner uuid.UUID) (done func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.of[owner]
	if s == nil {
		t.forget(time.Now())
		s = &share{}
		t.of[owner] = s
	}
	if t.free(s) {
		return t.turn(s), 0
	}
	quick := 0 < t.took && t.took < patience
	if quick && s.waiting < waitingPer*t.most && t.await(ctx, s) {
		return t.turn(s), 0
	}
	// as many as run end in the time that one takes
	apart := step
	if t.took > 0 {
		apart = min(step, t.took/time.Duration(t.most))
	}
	now := time.Now()
	if s.next.Before(now) {
		s.next = now
	}
	s.next = s.next.Add(apart)
	return nil, s.next.Sub(now)
}

// free takes up what a landlord may run, if there is some.
func (t *turns) free(s *share) bool {
	if s.running >= t.most || t.running >= atOnce {
		return false
	}
	s.running++
	t.running++
	return true
}

// await waits a while for another's turn to end, without the lock, which the caller holds.
func (t *turns) await(ctx context.Context, s *share) bool {
	w := &waiter{share: s, given: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	s.waiting++
	t.mu.Unlock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-w.given:
	case <-enough.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	s.waiting--
	i := slices.Index(t.waiting, w)
	if i < 0 {
		return true
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return false
}

// turn is one that has begun. The result ends it, and has the one begin that has waited
// longest of those who may.
func (t *turns) turn(s *share) (done func()) {
	began := time.Now()
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		took := max(time.Since(began), 1)
		if t.took > 0 {
			took = t.took + (took-t.took)/8
		}
		t.took = took
		s.running--
		t.running--
		if i := slices.IndexFunc(t.waiting, func(w *waiter) bool { return t.free(w.share) }); i >= 0 {
			close(t.waiting[i].given)
			t.waiting = slices.Delete(t.waiting, i, i+1)
		}
	})
}

// forget drops the landlords who have nothing under way and nothing put off, so that
// the map stays as small as what goes on.
func (t *turns) forget(now time.Time) {
	for owner, s := range t.of {
		if s.running == 0 && s.waiting == 0 && s.next.Before(now) {
			delete(t.of, owner)
		}
	}
}
