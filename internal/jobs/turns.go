package jobs

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// turns shares the workers of one kind among landlords.
type turns struct {
	most int // running at a time for one landlord

	mu sync.Mutex
	of map[uuid.UUID]*share
}

type share struct {
	running int
	next    time.Time // the next moment that nobody was put off to yet
}

func newTurns(most int) *turns {
	if most == 0 {
		most = 3
	}
	return &turns{most: most, of: map[uuid.UUID]*share{}}
}

// take gives a landlord's job its turn, to be given back by calling done; or, if done
// is nil, says how long it has to wait.
func (t *turns) take(owner uuid.UUID, now time.Time) (done func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.of[owner]
	if s == nil {
		t.forget(now)
		s = &share{}
		t.of[owner] = s
	}
	if s.running >= t.most {
		if s.next.Before(now) {
			s.next = now
		}
		s.next = s.next.Add(step)
		return nil, s.next.Sub(now)
	}
	s.running++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		s.running--
	}), 0
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
