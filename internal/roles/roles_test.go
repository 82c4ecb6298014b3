package roles_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/query"
	"rowhouse/internal/roles"
)

// clock is a clock that the test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time           { return time.Unix(0, c.at.Load()) }
func (c *clock) forward(by time.Duration) { c.at.Add(int64(by)) }

// listening returns a cache that hears d's notifications.
func listening(t testing.TB, d *db.DB, now func() time.Time) *roles.Cache {
	t.Helper()
	c := roles.New(now)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Listen(ctx, d) })
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	remembers(t, c)
	return c
}

// remembers waits until c remembers what it is told.
func remembers(t testing.TB, c *roles.Cache) {
	t.Helper()
	require.Eventually(t, func() bool {
		id := uuid.New()
		first := of(t, c, id, "OWNER")
		return first == "OWNER" && of(t, c, id, "TENANT") == "OWNER"
	}, 10*time.Second, 5*time.Millisecond)
}

// of returns the one role of id, which the database would say is now.
func of(t testing.TB, c *roles.Cache, id uuid.UUID, now string) string {
	t.Helper()
	got, err := c.Of(t.Context(), id, func() ([]string, error) { return []string{now}, nil })
	require.NoError(t, err)
	require.Len(t, got, 1)
	return got[0]
}

func TestCacheForFiveMinutes(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var now clock
	c := listening(t, d.DB, now.now)
	id := uuid.New()
	require.Equal(t, "OWNER", of(t, c, id, "OWNER"))
	now.forward(5*time.Minute - time.Nanosecond)
	require.Equal(t, "OWNER", of(t, c, id, "TENANT"))
	now.forward(time.Nanosecond)
	require.Equal(t, "TENANT", of(t, c, id, "TENANT"))

	nobody := uuid.New()
	asked := 0
	for range 2 { // none is an answer too
		got, err := c.Of(t.Context(), nobody, func() ([]string, error) { asked++; return nil, nil })
		require.NoError(t, err)
		require.Empty(t, got)
	}
	require.Equal(t, 1, asked)
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := listening(t, d.DB, nil)
	ids := make([]uuid.UUID, 1001)
	for i := range ids {
		ids[i] = uuid.New()
		of(t, c, ids[i], "OWNER")
	}
	require.Equal(t, "TENANT", of(t, c, ids[0], "TENANT"), "the one that was used longest ago is forgotten")
	require.Equal(t, "OWNER", of(t, c, ids[1000], "TENANT"))
}

func TestCacheAsksOnceAtATime(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := listening(t, d.DB, nil)
	id := uuid.New()
	var asked atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got, err := c.Of(t.Context(), id, func() ([]string, error) {
				asked.Add(1)
				time.Sleep(20 * time.Millisecond)
				return []string{"OWNER"}, nil
			})
			require.NoError(t, err)
			require.Equal(t, []string{"OWNER"}, got)
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, asked.Load())

	failed := errors.New("away")
	other := uuid.New()
	for range 2 {
		_, err := c.Of(t.Context(), other, func() ([]string, error) { return nil, failed })
		require.ErrorIs(t, err, failed, "a failure is not remembered")
	}
	require.Panics(t, func() { _, _ = c.Of(t.Context(), other, func() ([]string, error) { panic("a bug") }) })
	require.Equal(t, "OWNER", of(t, c, other, "OWNER"), "and whoever comes next is not left waiting")
}

// TestCacheHearsWhileAsking: an answer that was on its way when it changed must not
// be remembered.
func TestCacheHearsWhileAsking(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := listening(t, d.DB, nil)
	id, marker := uuid.New(), uuid.New()
	of(t, c, marker, "OWNER")
	_, err := c.Of(t.Context(), id, func() ([]string, error) {
		d.Exec(t, "select pg_notify('rowhouse_roles', $1)", id.String())
		d.Exec(t, "select pg_notify('rowhouse_roles', $1)", marker.String())
		require.Eventually(t, func() bool { return of(t, c, marker, "TENANT") == "TENANT" }, 5*time.Second, time.Millisecond)
		return []string{"OWNER"}, nil
	})
	require.NoError(t, err)
	require.Equal(t, "TENANT", of(t, c, id, "TENANT"))
}

// TestCacheIsEmptyAfterABreak: what was told while nobody listened is lost.
func TestCacheIsEmptyAfterABreak(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := listening(t, d.DB, nil)
	id := uuid.New()
	of(t, c, id, "OWNER")
	var cut int
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and usename = 'rowhouse_api' and query ilike 'listen %'`).Scan(&cut))
	require.Equal(t, 1, cut)
	require.Eventually(t, func() bool { return of(t, c, id, "TENANT") == "TENANT" }, 5*time.Second, time.Millisecond)
	remembers(t, c)
	of(t, c, id, "TENANT")
	require.Equal(t, "TENANT", of(t, c, id, "OWNER"))
	d.Exec(t, "select pg_notify('rowhouse_roles', 'nobody')")
	d.Exec(t, "select pg_notify('rowhouse_roles', $1)", id.String())
	require.Eventually(t, func() bool { return of(t, c, id, "OWNER") == "OWNER" }, 5*time.Second, time.Millisecond)
}

// TestCacheThatDoesNotHear remembers nothing, and so says nothing old.
func TestCacheThatDoesNotHear(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	deaf := roles.New(nil)
	pooled := roles.New(nil)
	pooled.Listen(t.Context(), d.Open(t, db.Config{Pooler: true})) // returns at once
	for _, c := range []*roles.Cache{deaf, pooled} {
		id := uuid.New()
		require.Equal(t, "OWNER", of(t, c, id, "OWNER"))
		require.Equal(t, "TENANT", of(t, c, id, "TENANT"))
	}
}

// TestRolesAndWhatIsTold changes what people are, as those who can, and reads what
// their roles are then and whom the other processes are told of.
func TestRolesAndWhatIsTold(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ear := d.Connect(t, "rowhouse_api")
	_, err := ear.Exec(t.Context(), "listen rowhouse_roles")
	require.NoError(t, err)
	ann, ben, old := d.Person(t, "ann"), d.Person(t, "ben"), d.Landlord(t, "old")
	silence(t, d, ear) // the fixtures'

	type landlord func(tx *db.Tx) error
	exec := func(sql string, args ...any) landlord {
		return func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), sql, args...)
			return err
		}
	}
	as := func(id auth.Identity, do landlord) func() {
		return func() {
			t.Helper()
			require.NoError(t, d.AsLandlord(auth.With(t.Context(), id), db.ReadWrite, do))
		}
	}
	past := func(sql string, args ...any) func() { return func() { t.Helper(); d.Exec(t, sql, args...) } }
	for _, step := range []struct {
		name string
		do   func()
		told []dbtest.Person
		ann  []string
		ben  []string
	}{
		{"nothing", func() {}, nil, nil, nil},
		{"first unit", as(ann.Identity, exec(`insert into app.units (name) values ('A'), ('B')`)), []dbtest.Person{ann}, []string{"OWNER"}, nil},
		{"second unit", as(ann.Identity, exec(`insert into app.units (name) values ('C')`)), nil, []string{"OWNER"}, nil},
		{"property beside units", as(ann.Identity, exec(`insert into app.properties (name) values ('H')`)), nil, []string{"OWNER"}, nil},
		{"tenant without login", as(ann.Identity, exec(`insert into app.tenants (first_name, last_name) values ('T', 'T')`)), nil, []string{"OWNER"}, nil},
		{"rename", as(ann.Identity, exec(`update app.tenants set notes = 'n'`)), nil, []string{"OWNER"}, nil},
		{"a unit goes", as(ann.Identity, exec(`select app.delete_unit(id) from app.units where name = 'C'`)), []dbtest.Person{ann}, []string{"OWNER"}, nil},
		{"claimed", past(`update app.tenants set user_id = $1 where owner_user_id = $2`, ben.UserID, ann.UserID), []dbtest.Person{ben}, []string{"OWNER"}, []string{"TENANT"}},
		{"to another login", past(`update app.tenants set user_id = $1 where owner_user_id = $1`, ann.UserID), []dbtest.Person{ann, ben}, []string{"OWNER", "TENANT"}, nil},
		{"first property", as(ben.Identity, exec(`insert into app.properties (name) values ('H')`)), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, []string{"OWNER"}},
		{"last property", as(ben.Identity, exec(`select app.delete_property(id) from app.properties`)), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, nil},
		{"first tenant", as(ben.Identity, exec(`insert into app.tenants (first_name, last_name, archived_at) values ('T', 'T', now())`)), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, []string{"OWNER"}},
		{"last tenant", as(ben.Identity, exec(`select app.delete_tenant(id) from app.tenants`)), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, nil},
		{"admin", past(`update app.users set is_admin = true where id = $1`, ben.UserID), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, []string{"ADMIN"}},
		{"profile", past(`update app.users set full_name = 'Ben' where id = $1`, ben.UserID), nil, []string{"OWNER", "TENANT"}, []string{"ADMIN"}},
		{
			"inserted with a login", past(`insert into app.tenants (owner_user_id, user_id, first_name, last_name, created_by) values ($1, $2, 'T', 'T', $1)`, old.UserID, ben.UserID),
			[]dbtest.Person{{Identity: old.Identity}, ben},
			[]string{"OWNER", "TENANT"},
			[]string{"TENANT", "ADMIN"},
		},
		{"deleted with a login", past(`delete from app.tenants where user_id = $1`, ben.UserID), []dbtest.Person{{Identity: old.Identity}, ben}, []string{"OWNER", "TENANT"}, []string{"ADMIN"}},
		{"no admin", past(`update app.users set is_admin = false where id = $1`, ben.UserID), []dbtest.Person{ben}, []string{"OWNER", "TENANT"}, nil},
	} {
		step.do()
		told := []string{}
		for _, p := range step.told {
			told = append(told, p.UserID.String())
		}
		require.ElementsMatch(t, told, silence(t, d, ear), step.name)
		require.Equal(t, append([]string{}, step.ann...), rolesOf(t, d, ann), step.name)
		require.Equal(t, append([]string{}, step.ben...), rolesOf(t, d, ben), step.name)
	}
	require.Equal(t, []string{"OWNER"}, rolesOf(t, d, dbtest.Person{Identity: old.Identity}))
	require.Equal(t, []string{"TENANT"}, rolesOf(t, d, old.Tenant))

	// what is rolled back is not told
	require.Error(t, d.AsLandlord(ben.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		return errors.Join(exec(`insert into app.units (name) values ('A')`)(tx), errors.New("no"))
	}))
	require.Empty(t, silence(t, d, ear))
}

// silence returns what was told until now.
func silence(t testing.TB, d *dbtest.Database, ear *pgx.Conn) []string {
	t.Helper()
	d.Exec(t, "select pg_notify('rowhouse_roles', 'until now')")
	told := []string{}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		n, err := ear.WaitForNotification(ctx)
		require.NoError(t, err)
		if n.Payload == "until now" {
			return told
		}
		told = append(told, n.Payload)
	}
}

func rolesOf(t testing.TB, d *dbtest.Database, p dbtest.Person) (held []string) {
	t.Helper()
	require.NoError(t, d.AsUser(p.Context(t), db.ReadOnly, func(tx *db.Tx) (err error) {
		held, err = query.New().UserRoles(t.Context(), tx)
		return err
	}))
	return held
}

// TestAdminIsNobodysToWrite, nor does it open anything.
func TestAdminIsNobodysToWrite(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	l, p := d.Landlord(t, "ann"), d.Person(t, "ben")
	for name, as := range map[string]func(context.Context, db.Access, func(*db.Tx) error) error{
		"landlord": d.AsLandlord, "tenant": d.AsTenant, "user": d.AsUser,
	} {
		err := as(p.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `update app.users set is_admin = true`)
			return err
		})
		require.ErrorContains(t, err, "42501", name)
	}
	d.Exec(t, `update app.users set is_admin = true where id = $1`, p.UserID)
	require.Equal(t, []string{"ADMIN"}, rolesOf(t, d, p))
	for _, as := range []func(context.Context, db.Access, func(*db.Tx) error) error{d.AsLandlord, d.AsTenant} {
		for _, table := range []string{"units", "tenants", "tickets"} {
			require.NoError(t, as(p.Context(t), db.ReadOnly, func(tx *db.Tx) error {
				var n int
				require.NoError(t, tx.QueryRow(t.Context(), "select count(id) from app."+table).Scan(&n))
				require.Zero(t, n)
				return nil
			}))
		}
	}
	require.NotEqual(t, l.UserID, p.UserID)
}
