package localauth

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	first := w.signUp("ann@example.com")
	a := first.body["refresh_token"]

	second := w.refresh(a)
	require.Equal(t, 200, second.status, second.text)
	b := second.body["refresh_token"]
	require.NotEqual(t, a, b)
	require.Equal(t, first.header.Get("Sb-Auth-Session-Id"), second.header.Get("Sb-Auth-Session-Id"))
	require.NotContains(t, second.body, "weak_password")

	w.advance(24 * time.Hour)
	require.Equal(t, b, w.refresh(a).body["refresh_token"], "the direct parent works at any time")

	c := w.refresh(b).body["refresh_token"]
	require.NotContains(t, []any{a, b}, c)
	w.advance(11 * time.Second)
	theft := w.refresh(a)
	require.Equal(t, 400, theft.status)
	require.Equal(t, "refresh_token_already_used", theft.body["error_code"])
	require.Zero(t, w.count("select count(*) from auth.refresh_tokens where not revoked"))

	require.Equal(t, 200, w.refresh(c).status, "within the interval after the alarm the newest still works")
	w.advance(11 * time.Second)
	require.Equal(t, "refresh_token_already_used", w.refresh(b).body["error_code"])
	require.Equal(t, 1, w.count("select count(*) from auth.sessions"), "the session row stays")
}

func TestOldTokenWithinInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	a := w.signUp("ann@example.com").body["refresh_token"]
	b := w.refresh(a).body["refresh_token"]
	c := w.refresh(b).body["refresh_token"]
	branch := w.refresh(a)
	require.Equal(t, 200, branch.status, branch.text)
	require.NotContains(t, []any{a, b, c}, branch.body["refresh_token"])

	w.advance(11 * time.Second)
	require.Equal(t, 200, w.refresh(c).status, "the first branch is untouched")
}

func TestReuseCountsFromTheFirstUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	a := w.signUp("ann@example.com").body["refresh_token"]
	b := w.refresh(a).body["refresh_token"]
	w.refresh(b)
	w.advance(6 * time.Second)
	require.Equal(t, 200, w.refresh(a).status)
	w.refresh(w.refresh(b).body["refresh_token"])
	w.advance(6 * time.Second)
	require.Equal(t, "refresh_token_already_used", w.refresh(a).body["error_code"])
}

func TestParallelRefreshes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	a := w.signUp("ann@example.com").body["refresh_token"]
	got := make([]reply, 6)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = w.refresh(a) })
	}
	all.Wait()
	for _, g := range got {
		require.Equal(t, 200, g.status, g.text)
		require.Equal(t, got[0].body["refresh_token"], g.body["refresh_token"])
	}
	require.Equal(t, 2, w.count("select count(*) from auth.refresh_tokens"))
}

func TestRefreshWaitsForTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	a := w.signUp("ann@example.com").body["refresh_token"]
	tx, err := w.admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from auth.sessions for update")
	require.NoError(t, err)
	start := time.Now()
	got := w.refresh(a)
	require.Equal(t, 409, got.status)
	require.Equal(t, "conflict", got.body["error_code"])
	require.InDelta(t, 5, time.Since(start).Seconds(), 1.5)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, 200, w.refresh(a).status)
}

func TestStrangersTakeAsLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm, func(c *Config) { c.HashCost = 9 })
	w.signUp("ann@example.com")
	fastest := func(email string) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			require.Equal(t, 400, w.post("/token?grant_type=password", credentials(email, "wrong horse")).status)
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := fastest("ann@example.com"), fastest("bob@example.com")
	// Without the hash it takes a tenth; a busy machine blurs the rest.
	require.Greater(t, unknown, known/4)
	require.Greater(t, fastest("not an address"), known/4)
}
