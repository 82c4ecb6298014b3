package httpapi_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/roles"
)

// movable is a clock that the test moves.
type movable struct{ past atomic.Int64 }

func (m *movable) now() time.Time { return time.Now().Add(time.Duration(m.past.Load())) }

// instance is a process of the API that remembers roles and counts its questions
// about them.
type instance struct {
	*service
	heard *listener
	cache *roles.Cache
}

func (s *service) instance(t testing.TB, now func() time.Time) instance {
	t.Helper()
	i := instance{heard: &listener{}, cache: roles.New(now)}
	opened := s.Open(t, db.Config{MaxConns: 8, AcquireTimeout: time.Minute, Configure: func(c *pgxpool.Config) { i.heard.listen(c) }})
	i.service = serveOn(t, s.Database, opened, func(c *httpapi.Config) {
		c.Roles, c.RequestTimeout = i.cache, time.Minute
	})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { i.cache.Listen(ctx, opened) })
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	probe := s.newLandlord(t)
	require.Eventually(t, func() bool { // until it remembers
		return i.asked(func() { i.as(probe).get("/me").ok(http.StatusOK) }) == 0
	}, 10*time.Second, 5*time.Millisecond)
	return i
}

// as is c at this instance.
func (i instance) as(c client) client {
	c.url = i.url
	return c
}

// asked counts the questions about roles that f makes the instance ask.
func (i instance) asked(f func()) (n int) {
	for _, s := range i.heard.of(f) {
		if s.name == "UserRoles" {
			n++
		}
	}
	return n
}

// TestRolesOfAThousand asks for a thousand users at once, each of another kind.
func TestRolesOfAThousand(t *testing.T) {
	t.Parallel()
	s := &service{Database: dbtest.New(t)}
	s.url = serveOn(t, s.Database, s.DB).url
	const users = 1000
	owner := s.newLandlord(t)
	owner.get("/me").ok(http.StatusOK)
	callers := make([]client, users)
	ids := make([]uuid.UUID, users)
	want := make([][]any, users)
	for n := range callers {
		callers[n] = s.newcomer(t)
		ids[n] = callers[n].id
		want[n] = []any{}
		if n%2 == 1 {
			want[n] = append(want[n], "OWNER")
		}
		if n%3 == 1 {
			want[n] = append(want[n], "TENANT")
		}
		if n%50 == 1 {
			want[n] = append(want[n], "ADMIN")
		}
	}
	s.Exec(t, `insert into app.users (id, is_admin) select id, n % 50 = 2 from unnest($1::uuid[]) with ordinality u (id, n)`, ids)
	s.Exec(t, `insert into app.units (owner_user_id, name, created_by)
		select id, 'Flat', id from unnest($1::uuid[]) with ordinality u (id, n) where n % 2 = 0 and n % 4 = 0`, ids)
	s.Exec(t, `insert into app.properties (owner_user_id, name, created_by)
		select id, 'House', id from unnest($1::uuid[]) with ordinality u (id, n) where n % 2 = 0 and n % 4 <> 0`, ids)
	s.Exec(t, `insert into app.tenants (owner_user_id, user_id, first_name, last_name, created_by)
		select $2, id, 'T', 'T', $2 from unnest($1::uuid[]) with ordinality u (id, n) where n % 3 = 2`, ids, owner.id)

	var clock movable
	one, two := s.instance(t, clock.now), s.instance(t, clock.now)
	all := func(at instance) func() {
		return func() {
			got := make([]answer, users)
			var wg sync.WaitGroup
			for n, c := range callers {
				wg.Go(func() { got[n] = at.as(c).get("/me") })
			}
			wg.Wait()
			for n, a := range got {
				require.Equal(t, callers[n].id.String(), a.ok(http.StatusOK).body["id"])
				require.Equal(t, want[n], a.body["roles"], n)
			}
		}
	}
	require.Equal(t, users, one.asked(all(one)), "one question for each")
	clock.past.Store(int64(4*time.Minute + 50*time.Second))
	require.Zero(t, one.asked(all(one)))
	require.Equal(t, users, two.asked(all(two)), "each process remembers for itself")
	clock.past.Store(int64(10 * time.Minute))
	require.Equal(t, users, one.asked(all(one)))
}

// TestRolesChangeEverywhere changes a role through one instance and reads it at
// another, which had remembered.
func TestRolesChangeEverywhere(t *testing.T) {
	t.Parallel()
	s := &service{Database: dbtest.New(t)}
	s.url = serveOn(t, s.Database, s.DB).url
	one, two := s.instance(t, nil), s.instance(t, nil)
	c, other := s.newLandlord(t), s.newLandlord(t)
	here, there := one.as(c), two.as(c)
	unit := ""
	two.as(other).get("/me").ok(http.StatusOK)
	for _, step := range []struct {
		name string
		do   func()
		want []any
	}{
		{"nobody yet", func() {}, []any{}},
		{"a unit", func() { unit = here.created("/units", object{"name": "Attic"}) }, []any{"OWNER"}},
		{"no unit", func() { here.delete(unit).ok(http.StatusNoContent) }, []any{}},
		{"a property", func() { unit = here.created("/properties", object{"name": "House"}) }, []any{"OWNER"}},
		{"a tenant of another's", func() {
			s.Exec(t, `insert into app.tenants (owner_user_id, user_id, first_name, last_name, created_by) values ($1, $2, 'T', 'T', $1)`, other.id, c.id)
		}, []any{"OWNER", "TENANT"}},
		{"an admin", func() { s.Exec(t, `update app.users set is_admin = true where id = $1`, c.id) }, []any{"OWNER", "TENANT", "ADMIN"}},
		{"no property", func() { here.delete(unit).ok(http.StatusNoContent) }, []any{"TENANT", "ADMIN"}},
		{"no tenant", func() { s.Exec(t, `update app.tenants set user_id = null where user_id = $1`, c.id) }, []any{"ADMIN"}},
	} {
		step.do()
		for _, at := range []client{here, there} {
			require.Eventually(t, func() bool {
				return len(at.get("/me").body["roles"].([]any)) == len(step.want)
			}, time.Second, 5*time.Millisecond, step.name)
			require.Equal(t, step.want, at.get("/me").body["roles"], step.name)
			require.Equal(t, step.want, at.patch("/me", object{}).ok(http.StatusOK).body["roles"], step.name)
		}
		require.Zero(t, two.asked(func() { there.get("/me").ok(http.StatusOK) }), "remembered again")
	}
	require.Equal(t, []any{"OWNER"}, two.as(other).get("/me").body["roles"])
}

// TestRolesGrantNothing: what is remembered is shown, and the database decides.
func TestRolesGrantNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	l := d.Landlord(t, "ann")
	lying := roles.New(nil)
	s := serveOn(t, d, d.DB, func(c *httpapi.Config) { c.Roles = lying })
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { lying.Listen(ctx, d.DB) })
	defer wg.Wait()
	defer stop()
	c := s.newLandlord(t)
	lie := func(id uuid.UUID) (n int) {
		told, err := lying.Of(t.Context(), id, func() ([]string, error) { return []string{"OWNER", "TENANT", "ADMIN"}, nil })
		require.NoError(t, err)
		return len(told)
	}
	require.Eventually(t, func() bool { // until it remembers
		probe := uuid.New()
		lie(probe)
		told, err := lying.Of(t.Context(), probe, func() ([]string, error) { return nil, nil })
		return err == nil && len(told) == 3
	}, 10*time.Second, 5*time.Millisecond)
	lie(c.id)
	require.Len(t, c.get("/me").body["roles"], 3)
	require.Empty(t, c.get("/units").list("units"))
	c.get("/units/"+l.UnitID.String()).refused(http.StatusNotFound, "not_found")
	c.delete("/units/"+l.UnitID.String()).refused(http.StatusForbidden, "forbidden")
}
