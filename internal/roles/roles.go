// Package roles remembers what people are, OWNER, TENANT or ADMIN, so that showing it
// does not cost a query each time.
//
// It is for showing. Rights never come from here: the database decides about those
// with every statement.
package roles

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"rowhouse/internal/db"
)

const (
	size = 1000
	// ttl bounds how long an answer holds whose change nobody told of.
	ttl = 5 * time.Minute
	// channel is where the triggers of policies/functions_clerk.sql tell whose roles may
	// have changed, by the user's id alone.
	channel = "rowhouse_roles"
)

// Cache remembers roles while it hears of their changes, and nothing while it does
// not. It is safe for concurrent use.
type Cache struct {
	now func() time.Time

	mu        sync.Mutex
	listening bool
	known     *lru.Cache[uuid.UUID, entry]
	asking    map[uuid.UUID]*question
}

type entry struct {
	roles []string
	until time.Time
}

// question is one that was sent to the database and not answered yet.
type question struct {
	answered chan struct{}
	stale    bool // a change was heard of since it was asked
}

// New returns a cache that remembers nothing until Listen runs. now is the clock, nil
// for the real one.
func New(now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	known, err := lru.New[uuid.UUID, entry](size)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &Cache{now: now, known: known, asking: map[uuid.UUID]*question{}}
}

// Listen forgets whose roles have changed, in whatever process, until ctx ends. Behind
// a transaction pooler it returns at once, and nothing is remembered.
func (c *Cache) Listen(ctx context.Context, d *db.DB) {
	if err := d.Listen(ctx, channel, c.setListening, c.heard); err != nil {
		slog.InfoContext(ctx, "roles are asked for each time", "reason", err)
	}
}

// Of returns the roles of a user, and asks ask for them if it does not know. Of many
// who want those of one user at once, one asks and the others wait for the answer.
func (c *Cache) Of(ctx context.Context, id uuid.UUID, ask func() ([]string, error)) ([]string, error) {
	for {
		roles, q, first := c.look(id)
		switch {
		case roles != nil:
			return slices.Clone(roles), nil
		case q == nil:
			return ask()
		case first:
			return c.ask(id, q, ask)
		}
		select {
		case <-q.answered:
		case <-ctx.Done():
			return ask() // which says in the database's words that it is too late
		}
	}
}

// look returns what is known, or the question that was asked about it and whether it
// is the caller who has to ask. Without either nothing is remembered now.
func (c *Cache) look(id uuid.UUID) (roles []string, q *question, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.listening {
		return nil, nil, false
	}
	if e, ok := c.known.Get(id); ok && c.now().Before(e.until) {
		return e.roles, nil, false
	}
	if q, ok := c.asking[id]; ok {
		return nil, q, false
	}
	q = &question{answered: make(chan struct{})}
	c.asking[id] = q
	return nil, q, true
}

func (c *Cache) ask(id uuid.UUID, q *question, ask func() ([]string, error)) (roles []string, err error) {
	var e entry
	defer func() { // also when ask panics
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asking, id)
		if e.roles != nil && !q.stale {
			c.known.Add(id, e)
		}
		close(q.answered)
	}()
	asked := c.now()
	roles, err = ask()
	if err != nil {
		return nil, err
	}
	e = entry{roles: append([]string{}, roles...), until: asked.Add(ttl)}
	return roles, nil
}

// setListening forgets everything: what has changed since was not heard.
func (c *Cache) setListening(listening bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listening = listening
	c.known.Purge()
	for _, q := range c.asking {
		q.stale = true
	}
}

// heard forgets one user. A payload that is no id concerns nobody.
func (c *Cache) heard(payload string) {
	id, err := uuid.Parse(payload)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Remove(id)
	if q, ok := c.asking[id]; ok {
		q.stale = true
	}
}
