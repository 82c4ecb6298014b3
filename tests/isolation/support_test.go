package isolation

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// support is somebody who works for Rowhouse, on a connection of their own.
func (w *world) support(t testing.TB) *caller {
	t.Helper()
	c := w.as(t, "rowhouse_support", w.operator(t))
	c.name = "support"
	return c
}

// asks writes a request of the caller's down, commits it and lets them go on under it.
func (c *caller) asks(t testing.TB, grant uuid.UUID) {
	t.Helper()
	o := c.run(t, fmt.Sprintf("insert into app.support_accesses (grant_id, operation) values ('%s', 'listSupportedUnits') returning id", grant))
	require.Empty(t, o.code, o.said)
	c.logged = o.rows[0][0]
}

// supportedTables are the tables that each area opens.
var supportedTables = map[string][]string{
	"properties":  {"app.properties", "app.units"},
	"tenants":     {"app.tenants", "app.tenancies", "app.tenant_invites"},
	"tickets":     {"app.tickets", "app.ticket_comments", "app.ticket_events", "app.units"},
	"contractors": {"app.contractors"},
}

// supportedView is what support sees of A's books.
func (w *world) supportedView(t testing.TB, areas ...string) view {
	t.Helper()
	want, of := view{}, "owner_user_id = "+quote(w.a.UserID.String())
	for _, area := range areas {
		for _, name := range supportedTables[area] {
			condition := of
			if name == "app.ticket_comments" {
				condition += " and kind = 'shared'"
			}
			want[name] = w.where(t, name, condition)
			require.NotEmpty(t, want[name], name)
		}
	}
	want["app.support_grants"] = w.where(t, "app.support_grants", "revoked_at is null and expires_at > now()")
	return want
}

// TestSupportSees compares all that support can read, grant by grant, with what the
// landlord has agreed to.
func TestSupportSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.support(t)
	requireSees(t, w, c, view{}) // nobody lets them look
	everything := slices.Sorted(maps.Keys(supportedTables))
	for _, areas := range append([][]string{everything}, slices.Collect(slices.Chunk(everything, 1))...) {
		grant := w.SupportGrant(t, w.a, areas...)
		c.logged = ""
		want := w.supportedView(t, areas...)
		asked := w.where(t, "app.support_accesses", "agent_user_id = "+quote(c.who.String()))
		requireSees(t, w, c, view{"app.support_grants": want["app.support_grants"], "app.support_accesses": asked})

		c.asks(t, grant)
		want["app.support_accesses"] = append(asked, c.logged)
		requireSees(t, w, c, want)
		w.Exec(t, "update app.support_grants set revoked_at = now() where id = $1", grant)
		want = view{"app.support_accesses": want["app.support_accesses"]}
		requireSees(t, w, c, want) // at once
	}
}

// TestSupportSeesNoMore tries to read A's books with less than A's consent and an
// entry for A to read.
func TestSupportSeesNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, another := w.support(t), w.support(t)
	grant := w.SupportGrant(t, w.a, "properties")
	sees := func(c *caller) int { return len(c.run(t, "select id from app.units").rows) }
	c.asks(t, grant)
	require.Equal(t, 1, sees(c))
	entry := c.logged

	another.logged = entry
	require.Zero(t, sees(another), "another's entry")
	for _, persona := range personas {
		if persona != "rowhouse_support" {
			other := w.as(t, persona, c.who)
			other.logged = entry
			require.Zero(t, sees(other), "the same person as %s", persona)
		}
	}
	nobody := *c
	nobody.identity = nil
	require.Zero(t, sees(&nobody), "nobody")

	for name, spoil := range map[string][2]string{
		"too long ago":         {"update app.support_accesses set at = now() - interval '61 seconds'", "update app.support_accesses set at = clock_timestamp()"},
		"no operator any more": {"update app.users set is_admin = false where id = '" + c.who.String() + "'", "update app.users set is_admin = true where id = '" + c.who.String() + "'"},
		"expired": {
			"update app.support_grants set created_at = now() - interval '3 hours', expires_at = now() - interval '1 second' where id = '" + grant.String() + "'",
			"update app.support_grants set expires_at = now() + interval '1 hour' where id = '" + grant.String() + "'",
		},
	} {
		w.Exec(t, "alter table app.support_grants disable trigger guard_owned_row")
		w.Exec(t, spoil[0])
		require.Zero(t, sees(c), name)
		w.Exec(t, spoil[1])
		require.Equal(t, 1, sees(c), name)
	}

	// an entry opens nothing before it is committed: else a rollback would hide what was read
	c.begin(t)
	o := c.do(t, fmt.Sprintf("insert into app.support_accesses (grant_id, operation) values ('%s', 'x') returning id", grant))
	require.Empty(t, o.code, o.said)
	require.Empty(t, c.do(t, "select set_config('app.support_access', '"+o.rows[0][0]+"', true)").code)
	require.Empty(t, c.do(t, "select id from app.units").rows)
	require.Empty(t, c.do(t, "savepoint s; select id from app.units").rows)
	c.end(t)

	// odd names of entries are no entry's
	for _, odd := range []string{"x", "%", uuid.NewString(), uuid.Nil.String(), "'; drop table app.units; --"} {
		c.logged = odd
		require.Zero(t, sees(c), odd)
	}
}

// TestSupportChangesNothing tries to write as support, with all that A could agree to.
func TestSupportChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.support(t)
	grant := w.SupportGrant(t, w.a, slices.Sorted(maps.Keys(supportedTables))...)
	c.asks(t, grant)
	w.freeze(t)
	for _, name := range w.tables {
		g := tables[name].grants["rowhouse_support"]
		for _, column := range w.columns(t, name) {
			w.refuses(t, c, fmt.Sprintf("update %s set %s = default", name, column), denied)
			if !slices.Contains(words(g.inserts), column) {
				w.refuses(t, c, fmt.Sprintf("insert into %s (%s) values (default)", name, column), denied)
			}
		}
		w.refuses(t, c, "delete from "+name, denied)
		w.refuses(t, c, "select from "+name+" for update", denied)
	}
	// nor under a grant that is not live, or not there
	for _, id := range []uuid.UUID{w.a.SupportGrantID, w.b.SupportGrantID, uuid.New()} {
		o := c.run(t, fmt.Sprintf("insert into app.support_accesses (grant_id, operation) values ('%s', 'x')", id))
		require.Equal(t, denied, o.code, o.said)
		require.Contains(t, o.said, "row-level security")
	}
	w.refuses(t, w.as(t, "rowhouse_support", w.a.UserID), fmt.Sprintf("insert into app.support_accesses (grant_id, operation) values ('%s', 'x')", grant), denied)
	w.unharmed(t, "support writing")
}

// TestSupportIsWrittenDown: the landlord, and no other, reads what support asked for,
// and cannot be kept from it.
func TestSupportIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.support(t)
	grant := w.SupportGrant(t, w.a, "tickets")
	c.asks(t, grant)
	a, b := w.as(t, "rowhouse_landlord", w.a.UserID), w.as(t, "rowhouse_landlord", w.b.UserID)
	read := fmt.Sprintf("select agent_user_id, agent_email, operation from app.support_accesses where grant_id = '%s'", grant)
	email := w.column(t, "app.users", "email", c.who)[0]
	require.Equal(t, [][]string{{c.who.String(), email, "listSupportedUnits"}}, a.run(t, read).rows)
	require.Empty(t, b.run(t, read).rows)
	for _, sql := range []string{
		"update app.support_accesses set operation = 'x'", "delete from app.support_accesses",
		fmt.Sprintf("insert into app.support_accesses (grant_id, operation) values ('%s', 'x')", grant),
	} {
		require.Equal(t, denied, a.run(t, sql).code, sql)
	}
	// longer than 72 hours is nobody's to grant
	for hours, code := range map[int]string{0: "23514", 72: "", 73: "23514", -1: "23514"} {
		o := a.run(t, fmt.Sprintf("insert into app.support_grants (areas, reason, expires_at) values ('{tickets}', 'x', now() + interval '%d hours')", hours))
		require.Equal(t, code, o.code, "%d hours", hours)
	}
}
