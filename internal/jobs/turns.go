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
)

// turns shares the workers of one kind among landlords.
type turns struct {
	most int // running at a time for one landlord

	mu   sync.Mutex
	of   map[uuid.UUID]*share
	took time.Duration // how long jobs take, the latest counting most; 0 if that is not known
}

type share struct {
	running int
	waiting []chan struct{} // in order; who gets the turn of another has it closed
	next    time.Time       // the next moment that nobody was put off to yet
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
	if s.running < t.most {
		s.running++
		return t.turn(s), 0
	}
	quick := 0 < t.took && t.took < patience
	if quick && len(s.waiting) < waitingPer*t.most && t.await(ctx, s) {
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

// await waits a while for another's turn, without the lock, which the caller holds.
func (t *turns) await(ctx context.Context, s *share) bool {
	given := make(chan struct{})
	s.waiting = append(s.waiting, given)
	t.mu.Unlock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-given:
	case <-enough.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	if i := slices.Index(s.waiting, given); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return false
	}
	return true
}

// turn is one that has begun; the result ends it, and hands it to who has waited longest.
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
		if len(s.waiting) == 0 {
			s.running--
			return
		}
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	})
}

// forget drops the landlords who have nothing under way and nothing put off, so that
// the map stays as small as what goes on.
func (t *turns) forget(now time.Time) {
	for owner, s := range t.of {
		if s.running == 0 && s.next.Before(now) {
			delete(t.of, owner)
		}
	}
}
