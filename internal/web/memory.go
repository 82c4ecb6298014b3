package web

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	remembered = 4096
	// rememberFor is how long a session that has new tokens is found by its old ones:
	// long enough for what a browser sent before it had heard.
	rememberFor = 30 * time.Second
)

// memory knows which tokens have followed which, for a moment, and which sessions were
// ended here while their tokens still hold. Both are found by what only the session's
// own cookie tells: its refresh token, and its id.
type memory struct {
	now       func() time.Time
	followers *lru.Cache[string, follower]
	ended     *lru.Cache[string, struct{}]
}

type follower struct {
	session session
	until   time.Time
}

func newMemory(now func() time.Time) *memory {
	followers, err := lru.New[string, follower](remembered)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	ended, err := lru.New[string, struct{}](remembered)
	if err != nil {
		panic(err)
	}
	return &memory{now: now, followers: followers, ended: ended}
}

// follow says that next has followed ss.
func (m *memory) follow(ss, next session) {
	now := m.now()
	for { // they are in the order of their ends: nobody looks them up to make them younger
		_, oldest, ok := m.followers.GetOldest()
		if !ok || oldest.until.After(now) {
			break
		}
		m.followers.RemoveOldest()
	}
	m.followers.Add(digest(ss), follower{session: next, until: now.Add(rememberFor)})
}

// newest is what has followed ss, or ss.
func (m *memory) newest(ss session) session {
	now := m.now()
	for range 8 { // more cannot have followed each other in that time
		next, ok := m.followers.Peek(digest(ss))
		if !ok || !next.until.After(now) {
			break
		}
		ss = next.session
	}
	return ss
}

// end says that the session with that id has ended.
func (m *memory) end(id string) { m.ended.Add(id, struct{}{}) }

func (m *memory) hasEnded(id string) bool { return m.ended.Contains(id) }

// digest is by what a session's tokens are found: nothing that anybody could guess.
func digest(ss session) string {
	sum := sha256.Sum256([]byte(ss.RefreshToken))
	return string(sum[:])
}
