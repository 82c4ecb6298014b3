package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// town is a world with people in it who rent, or might.
type town struct {
	*world
	// former lived in the old flat of A's until a month ago and reported a ticket
	// there; next lives there now, and once nearly moved into A's other flat.
	former, next dbtest.Person
	// both rents from A and from B.
	both dbtest.Person

	oldFlat, formerTenant, nextTenant, bothTenantA, bothTenantB uuid.UUID
	formerTicket, landlordTicket, bothTicketA, bothTicketB      uuid.UUID
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := newWorld(t)
	v := &town{world: w, former: w.Person(t, "former"), next: w.Person(t, "next"), both: w.Person(t, "both")}
	for _, id := range []*uuid.UUID{
		&v.oldFlat, &v.formerTenant, &v.nextTenant, &v.bothTenantA, &v.bothTenantB,
		&v.formerTicket, &v.landlordTicket, &v.bothTicketA, &v.bothTicketB,
	} {
		*id = uuid.New()
	}
	a, b := w.a, w.b
	tenant := func(l dbtest.Landlord, id uuid.UUID, p dbtest.Person) {
		w.Exec(t, `insert into app.tenants (owner_user_id, id, user_id, first_name, last_name, notes, created_by) values ($1, $2, $3, 'x', 'y', 'z', $1)`, l.UserID, id, p.UserID)
	}
	tenancy := func(l dbtest.Landlord, unit, tenant uuid.UUID, from int, to any, cancelled bool) {
		w.Exec(t, `insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, end_date, cancelled_at, created_by)
			values ($1, $2, $3, current_date + $4::int, current_date + $5::int, case when $6 then now() end, $1)`, l.UserID, unit, tenant, from, to, cancelled)
	}
	ticket := func(l dbtest.Landlord, id, unit uuid.UUID, tenant any) {
		w.Exec(t, `insert into app.tickets (owner_user_id, id, unit_id, tenant_id, title, created_by) values ($1, $2, $3, $4, 'drips', $1)`, l.UserID, id, unit, tenant)
		w.Exec(t, `update app.tickets set status = 'OPEN', priority = 'HIGH', contractor_id = $2 where id = $1`, id, l.ContractorID)
		w.Exec(t, `insert into app.ticket_comments (owner_user_id, ticket_id, kind, body, created_by) values ($1, $2, 'shared', 'says', $1), ($1, $2, 'internal', 'whispers', $1)`, l.UserID, id)
		w.Exec(t, `insert into app.attachments (owner_user_id, ticket_id, storage_key, file_name, media_type, size_bytes, sha256, visibility, created_by)
			values ($1, $2, $3 || 's', 'f', 'image/png', 1, sha256('x'), 'shared', $1), ($1, $2, $3 || 'i', 'f', 'image/png', 1, sha256('x'), 'internal', $1)`,
			l.UserID, id, l.UserID.String()+"/"+id.String())
	}
	w.Exec(t, `insert into app.units (owner_user_id, id, property_id, name, created_by) values ($1, $2, $3, 'old flat', $1)`, a.UserID, v.oldFlat, a.PropertyID)
	tenant(a, v.formerTenant, v.former)
	tenant(a, v.nextTenant, v.next)
	tenant(a, v.bothTenantA, v.both)
	tenant(b, v.bothTenantB, v.both)
	tenancy(a, v.oldFlat, v.formerTenant, -400, -30, false)
	tenancy(a, v.oldFlat, v.nextTenant, -10, nil, false)
	tenancy(a, a.UnitID, v.nextTenant, -20, nil, true)
	tenancy(a, a.UnitID, v.bothTenantA, -10, 300, false)
	tenancy(b, b.UnitID, v.bothTenantB, 1, nil, false) // from tomorrow
	ticket(a, v.formerTicket, v.oldFlat, v.formerTenant)
	ticket(a, v.landlordTicket, v.oldFlat, nil)
	ticket(a, v.bothTicketA, a.UnitID, v.bothTenantA)
	ticket(b, v.bothTicketB, b.UnitID, v.bothTenantB)
	w.freeze(t)
	return v
}

// inTown runs a test in a town, and in one whose policies for personas have lost
// the boundary behind them: each condition of theirs then counts.
func inTown(t *testing.T, test func(*testing.T, *town)) {
	t.Helper()
	for name, strip := range map[string]string{"all layers": "", "persona policies alone": dropBoundary} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newTown(t)
			if strip != "" {
				v.Exec(t, strip)
			}
			test(t, v)
		})
	}
}

// freeze has no row be anybody's to change from here on.
func (w *world) freeze(t testing.TB) {
	t.Helper()
	w.mine = []string{quote(uuid.NewString())}
	w.before = w.others(t)
}

// where are the keys of a table's rows, as a superuser sees them.
func (w *world) where(t testing.TB, name, condition string) []string {
	t.Helper()
	return list(t, w, fmt.Sprintf("select %s::text from %s where %s order by 1", w.key(t, name), name, condition))
}

// view is what somebody should see: keys of rows by table; nothing of the others.
type view map[string][]string

// requireSees compares a view with all that the caller can read.
func requireSees(t *testing.T, w *world, c *caller, want view) {
	t.Helper()
	for _, name := range w.tables {
		key := w.key(t, name)
		o := c.run(t, fmt.Sprintf("select %s from %s", key, name))
		if tables[name].grants[c.effective()].reads == "" {
			require.Equal(t, denied, o.code, "%s reads %s", c.name, name)
			continue
		}
		require.Empty(t, o.code, "%s reads %s: %s", c.name, name, o.said)
		var keys []string
		for _, row := range o.rows {
			keys = append(keys, row[0])
		}
		require.ElementsMatch(t, want[name], keys, "%s reads %s", c.name, name)
	}
}

// ticketViews adds what a tenant sees around tickets of theirs.
func (v *town) ticketViews(t *testing.T, want view, tickets ...uuid.UUID) view {
	t.Helper()
	for _, id := range tickets {
		of := "ticket_id = " + quote(id.String())
		want["app.tickets"] = append(want["app.tickets"], id.String())
		want["app.ticket_comments"] = append(want["app.ticket_comments"], v.where(t, "app.ticket_comments", of+" and kind = 'shared'")...)
		want["app.attachments"] = append(want["app.attachments"], v.where(t, "app.attachments", of+" and visibility = 'shared'")...)
		want["app.ticket_events"] = append(want["app.ticket_events"], v.where(t, "app.ticket_events", of+" and type in ('created', 'status')")...)
	}
	return want
}

// renter is somebody and what they should see as a tenant.
type renter struct {
	name string
	who  uuid.UUID
	want view
}

// renters are the people of the town who rent, rented or will.
func (v *town) renters(t *testing.T) []renter {
	t.Helper()
	tenancies := func(tenant ...uuid.UUID) (keys []string) {
		for _, id := range tenant {
			keys = append(keys, v.where(t, "app.tenancies", "tenant_id = "+quote(id.String()))...)
		}
		return keys
	}
	id := func(ids ...uuid.UUID) (texts []string) {
		for _, id := range ids {
			texts = append(texts, id.String())
		}
		return texts
	}
	return []renter{
		{"tenant of A", v.a.Tenant.UserID, v.ticketViews(t, view{
			"app.tenants": id(v.a.TenantID), "app.tenancies": tenancies(v.a.TenantID), "app.units": id(v.a.UnitID),
			"app.properties": id(v.a.PropertyID), "app.landlord_cards": id(v.a.UserID),
		}, v.a.TicketID)},
		{"tenant of A and B", v.both.UserID, v.ticketViews(t, view{
			"app.tenants": id(v.bothTenantA, v.bothTenantB), "app.tenancies": tenancies(v.bothTenantA, v.bothTenantB),
			"app.units": id(v.a.UnitID, v.b.UnitID), "app.properties": id(v.a.PropertyID, v.b.PropertyID),
			"app.landlord_cards": id(v.a.UserID, v.b.UserID),
		}, v.bothTicketA, v.bothTicketB)},
		{"former tenant", v.former.UserID, v.ticketViews(t, view{
			"app.tenants": id(v.formerTenant), "app.tenancies": tenancies(v.formerTenant), "app.units": id(v.oldFlat),
			"app.properties": id(v.a.PropertyID), "app.landlord_cards": id(v.a.UserID),
		}, v.formerTicket)},
		{"next tenant", v.next.UserID, view{ // no ticket, and not the flat whose tenancy was cancelled
			"app.tenants": id(v.nextTenant), "app.tenancies": tenancies(v.nextTenant), "app.units": id(v.oldFlat),
			"app.properties": id(v.a.PropertyID), "app.landlord_cards": id(v.a.UserID),
		}},
	}
}

// TestPeopleSee compares all that each person can read with what they should.
func TestPeopleSee(t *testing.T) {
	t.Parallel()
	inTown(t, peopleSee)
}

func peopleSee(t *testing.T, v *town) {
	t.Helper()
	id := func(id uuid.UUID) []string { return []string{id.String()} }
	nobody := v.Person(t, "unrelated")
	for _, person := range append(v.renters(t),
		renter{"unrelated user", nobody.UserID, view{}},
		renter{"landlord A", v.a.UserID, view{"app.idempotency_keys": v.where(t, "app.idempotency_keys", "owner_user_id = "+quote(v.a.UserID.String()))}},
	) {
		c := v.as(t, "rowhouse_tenant", person.who)
		c.name = person.name
		requireSees(t, v.world, c, person.want)
		c = v.as(t, "rowhouse_user", person.who)
		c.name = person.name + " as a user"
		requireSees(t, v.world, c, view{"app.users": id(person.who)})
		if person.who != v.a.UserID {
			c = v.as(t, "rowhouse_landlord", person.who)
			c.name = person.name + " as a landlord"
			requireSees(t, v.world, c, view{"app.landlord_cards": id(person.who), "app.users": id(person.who)})
		}
	}
	none := v.connect(t, &caller{name: "nobody", login: "rowhouse_api", role: "rowhouse_tenant"})
	requireSees(t, v.world, none, view{})
}

// TestPeopleChangeNothingElse tries every column of every table and every insert
// that a tenant may not.
func TestPeopleChangeNothingElse(t *testing.T) {
	t.Parallel()
	v := newTown(t)
	for _, who := range []uuid.UUID{v.a.Tenant.UserID, v.both.UserID, v.former.UserID, v.next.UserID} {
		for _, persona := range personas {
			c := v.as(t, persona, who)
			for _, name := range v.tables {
				g := tables[name].grants[persona]
				for _, column := range v.columns(t, name) {
					if !slices.Contains(words(g.updates), column) {
						require.Equal(t, denied, c.run(t, fmt.Sprintf("update %s set %s = default", name, column)).code, "%s of %s", column, name)
					}
					if !slices.Contains(words(g.inserts), column) {
						require.Equal(t, denied, c.run(t, fmt.Sprintf("insert into %s (%s) values (default)", name, column)).code, "%s of %s", column, name)
					}
				}
				require.Equal(t, denied, c.run(t, "delete from "+name).code, name)
			}
		}
	}
	v.unharmed(t, "writing as tenants")
}

// try runs sql as a caller and wants one of the SQLSTATEs, and nothing changed.
func (w *world) refuses(t *testing.T, c *caller, sql string, codes ...string) {
	t.Helper()
	o := c.run(t, sql)
	require.Contains(t, codes, o.code, "%s: %s\n%s", c.name, sql, o.said)
	if o.code == "" {
		require.Regexp(t, " 0$", o.tag, sql)
	}
	w.unharmed(t, sql)
}

const notNow = "RH409"

// TestTenantsTickets opens, comments and moves tickets as the people who may, and
// as those who may not.
func TestTenantsTickets(t *testing.T) {
	t.Parallel()
	inTown(t, tenantsTickets)
}

func tenantsTickets(t *testing.T, v *town) {
	t.Helper()
	renter := v.as(t, "rowhouse_tenant", v.a.Tenant.UserID)
	former, next, both := v.as(t, "rowhouse_tenant", v.former.UserID), v.as(t, "rowhouse_tenant", v.next.UserID), v.as(t, "rowhouse_tenant", v.both.UserID)
	former.name, next.name, both.name = "former tenant", "next tenant", "tenant of A and B"

	open := func(unit, tenant uuid.UUID) string {
		return fmt.Sprintf("insert into app.tickets (unit_id, tenant_id, title) values ('%s', '%s', 'new')", unit, tenant)
	}
	comment := func(ticket uuid.UUID) string {
		return fmt.Sprintf("insert into app.ticket_comments (ticket_id, body) values ('%s', 'hello')", ticket)
	}
	attach := func(ticket uuid.UUID, key string) string {
		return fmt.Sprintf(`insert into app.attachments (ticket_id, storage_key, file_name, media_type, size_bytes, sha256)
			values ('%s', '%s', 'f', 'image/png', 1, sha256('x'))`, ticket, key)
	}
	move := func(ticket uuid.UUID, status string) string {
		return fmt.Sprintf("update app.tickets set status = '%s' where id = '%s'", status, ticket)
	}

	// of whom they are not, and where they do not live today
	const unknown = "23502" // a tenant who is not theirs has no landlord, for them
	v.refuses(t, former, open(v.oldFlat, v.formerTenant), denied)
	v.refuses(t, former, open(v.oldFlat, v.nextTenant), denied, unknown)
	v.refuses(t, next, open(v.oldFlat, v.formerTenant), denied, unknown)
	v.refuses(t, next, open(v.a.UnitID, v.nextTenant), denied) // cancelled
	v.refuses(t, renter, open(v.oldFlat, v.a.TenantID), denied)
	v.refuses(t, renter, open(v.b.UnitID, v.a.TenantID), denied)
	v.refuses(t, renter, open(v.b.UnitID, v.b.TenantID), denied, unknown)
	v.refuses(t, both, open(v.b.UnitID, v.bothTenantB), denied) // from tomorrow
	v.refuses(t, both, open(v.a.UnitID, v.bothTenantB), denied)
	v.refuses(t, both, open(v.b.UnitID, v.bothTenantA), denied)

	// tickets of others, and of the unit but not theirs
	for _, ticket := range []uuid.UUID{v.a.TicketID, v.formerTicket, v.landlordTicket, v.b.TicketID, v.bothTicketB, uuid.New()} {
		v.refuses(t, next, comment(ticket), denied, unknown)
		v.refuses(t, next, attach(ticket, v.a.UserID.String()+"/x"), denied, unknown)
		for _, status := range []string{"OPEN", "CANCELLED", "RESOLVED"} {
			v.refuses(t, next, move(ticket, status), "")
		}
	}

	// a file's place is the landlord's of the ticket
	v.refuses(t, renter, attach(v.a.TicketID, v.b.UserID.String()+"/x"), "23514")
	v.refuses(t, renter, attach(v.a.TicketID, v.a.UserID.String()+"/../"+v.b.UserID.String()+"/x"), "23514")
	v.refuses(t, renter, attach(v.bothTicketA, v.a.UserID.String()+"/x"), denied, unknown)

	// only along the transitions
	for _, status := range []string{"OPEN", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CLOSED"} {
		v.refuses(t, renter, move(v.a.TicketID, status), notNow) // it is NEW
	}
	for _, status := range []string{"NEW", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CLOSED", "CANCELLED"} {
		v.refuses(t, both, move(v.bothTicketA, status), notNow) // it is OPEN
	}
	v.Exec(t, "update app.tickets set status = 'RESOLVED' where id = $1", v.bothTicketB)
	v.Exec(t, "update app.tickets set resolved_at = now() - interval '31 days' where id = $1", v.bothTicketB)
	v.freeze(t)
	v.refuses(t, both, move(v.bothTicketB, "OPEN"), notNow)

	// and what they may
	does := func(c *caller, sql, tag string) {
		t.Helper()
		o := c.run(t, sql)
		require.Equal(t, tag, o.tag, "%s: %s\n%s", c.name, sql, o.said)
	}
	does(renter, open(v.a.UnitID, v.a.TenantID), "INSERT 0 1")
	require.Equal(t, []string{v.a.UserID.String() + " TENANT_PORTAL NEW " + v.a.Tenant.UserID.String()},
		list(t, v.world, "select concat_ws(' ', owner_user_id, source, status, created_by) from app.tickets where title = 'new'"))
	does(renter, comment(v.a.TicketID), "INSERT 0 1")
	does(former, comment(v.formerTicket), "INSERT 0 1")
	require.Equal(t, []string{"tenant shared " + v.a.UserID.String(), "tenant shared " + v.a.UserID.String()},
		list(t, v.world, "select concat_ws(' ', author, kind, owner_user_id) from app.ticket_comments where body = 'hello'"))
	does(renter, attach(v.a.TicketID, v.a.UserID.String()+"/mine"), "INSERT 0 1")
	does(renter, move(v.a.TicketID, "CANCELLED"), "UPDATE 1")
	v.Exec(t, "update app.tickets set resolved_at = now() - interval '29 days' where id = $1", v.bothTicketB)
	does(both, move(v.bothTicketB, "OPEN"), "UPDATE 1")
	v.freeze(t)
	v.refuses(t, renter, comment(v.a.TicketID), notNow) // it is done
	v.refuses(t, renter, move(v.a.TicketID, "OPEN"), notNow)
}

// invitee is somebody before an invite.
func (w *world) invitee(t *testing.T, name string, who uuid.UUID, token, email string) *caller {
	t.Helper()
	c := &caller{name: name, login: "rowhouse_api", role: "rowhouse_user", who: who, token: token, email: email}
	if who != uuid.Nil {
		c.identity = sealed("rowhouse_user", who)
	}
	return w.connect(t, c)
}

const becomeLogin = "update app.tenants set user_id = '%s'"

func claim(who uuid.UUID) string {
	return fmt.Sprintf("update app.tenant_invites set claimed_at = now(), claimed_by_user_id = '%s'", who)
}

// TestInvites looks at A's invite and claims it, as the one whom it is for and as
// everybody else.
func TestInvites(t *testing.T) {
	t.Parallel()
	inTown(t, invites)
}

func invites(t *testing.T, v *town) {
	t.Helper()
	const address = "alpha-landlord-invitee@example.com"
	mallory, anna := v.Person(t, "mallory").UserID, v.Person(t, "anna").UserID
	v.freeze(t)
	invite := v.where(t, "app.tenant_invites", "owner_user_id = "+quote(v.a.UserID.String()))
	held := view{"app.tenant_invites": invite}
	self := func(who uuid.UUID, more view) view {
		want := view{"app.users": {who.String()}}
		maps.Copy(want, more)
		return want
	}

	for _, c := range []struct {
		*caller
		want view
	}{
		{v.invitee(t, "token, another address", mallory, v.a.InviteToken, "mallory@example.com"), self(mallory, held)},
		{v.invitee(t, "token, no proven address", mallory, v.a.InviteToken, ""), self(mallory, held)},
		{v.invitee(t, "another token, the address", mallory, "no such token", address), self(mallory, nil)},
		{
			v.invitee(t, "B's token, the address of A's invite", mallory, v.b.InviteToken, address),
			self(mallory, view{"app.tenant_invites": v.where(t, "app.tenant_invites", "owner_user_id = "+quote(v.b.UserID.String()))}),
		},
		{v.invitee(t, "nothing", mallory, "", ""), self(mallory, nil)},
		{v.invitee(t, "nobody with the token", uuid.Nil, v.a.InviteToken, ""), held},
		{v.invitee(t, "nobody with the token and the address", uuid.Nil, v.a.InviteToken, address), held},
	} {
		requireSees(t, v.world, c.caller, c.want)
		v.refuses(t, c.caller, claim(mallory), "", denied)
		v.refuses(t, c.caller, "update app.tenant_invites set claimed_at = now(), claimed_by_user_id = app.current_user_id()", "", denied, "23514")
		v.refuses(t, c.caller, fmt.Sprintf(becomeLogin, mallory), "")
		v.refuses(t, c.caller, "update app.tenants set user_id = null", "")
		v.refuses(t, c.caller, claim(mallory)+"; "+fmt.Sprintf(becomeLogin, mallory), "", denied)
	}

	right := v.invitee(t, "the invitee", anna, v.a.InviteToken, strings.ToUpper(address))
	requireSees(t, v.world, right, self(anna, held))
	v.refuses(t, right, fmt.Sprintf(becomeLogin, anna), "") // not before the claim
	v.refuses(t, right, claim(mallory), denied)             // nor for another
	for state, change := range map[string]string{"revoked": "revoked_at = now()", "expired": "expires_at = now() - interval '1 s'"} {
		v.Exec(t, "update app.tenant_invites set "+change+" where owner_user_id = $1", v.a.UserID)
		v.freeze(t)
		requireSees(t, v.world, right, self(anna, held))
		v.refuses(t, right, claim(anna), "")
		v.refuses(t, right, fmt.Sprintf(becomeLogin, anna), "")
		v.Exec(t, "update app.tenant_invites set revoked_at = null, expires_at = now() + interval '1 day' where owner_user_id = $1", v.a.UserID)
		v.freeze(t)
		require.NotEmpty(t, state)
	}

	before := list(t, v.world, "select id::text from app.tenants where user_id is not null")
	require.Equal(t, "UPDATE 1", right.run(t, claim(anna)).tag)
	v.freeze(t)
	v.refuses(t, right, fmt.Sprintf(becomeLogin, mallory), denied)
	require.Equal(t, "UPDATE 1", right.run(t, fmt.Sprintf(becomeLogin, anna)).tag)
	tenant := v.where(t, "app.tenants", "user_id = "+quote(anna.String()))
	require.Len(t, tenant, 1)
	require.Len(t, list(t, v.world, "select id::text from app.tenants where user_id is not null"), len(before)+1, "only that tenant has got a login")
	v.freeze(t)
	requireSees(t, v.world, right, self(anna, view{"app.tenant_invites": invite, "app.tenants": tenant}))

	// once
	v.refuses(t, right, claim(anna), "")
	v.refuses(t, right, fmt.Sprintf(becomeLogin, anna), "")
	v.refuses(t, right, "update app.tenants set user_id = null", "")
	second := v.invitee(t, "a second with the same token and address", mallory, v.a.InviteToken, address)
	v.refuses(t, second, claim(mallory), "")
	v.refuses(t, second, fmt.Sprintf(becomeLogin, mallory), "")
	requireSees(t, v.world, second, self(mallory, held))
	requireSees(t, v.world, v.as(t, "rowhouse_tenant", anna), view{"app.tenants": tenant, "app.landlord_cards": {v.a.UserID.String()}})
}

// TestClaimOnce lets twenty claim one invite at once.
func TestClaimOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const twenty = 20
	var callers []*caller
	for n := range twenty {
		p := w.Person(t, fmt.Sprint("claimer", n))
		callers = append(callers, w.invitee(t, "claimer", p.UserID, w.a.InviteToken, "alpha-landlord-invitee@example.com"))
	}
	start, tags := make(chan struct{}), make([]string, twenty)
	var wait sync.WaitGroup
	for n, c := range callers {
		c.begin(t)
		wait.Go(func() {
			<-start
			results, err := c.conn.PgConn().Exec(t.Context(), claim(c.who)+"; "+fmt.Sprintf(becomeLogin, c.who)+"; commit").ReadAll()
			if err == nil {
				tags[n] = results[0].CommandTag.String() + ", " + results[1].CommandTag.String()
			}
		})
	}
	close(start)
	wait.Wait()
	slices.Sort(tags)
	require.Equal(t, append(slices.Repeat([]string{"UPDATE 0, UPDATE 0"}, twenty-1), "UPDATE 1, UPDATE 1"), tags)
	require.Len(t, list(t, w, `select t.id::text from app.tenants t join app.tenant_invites i on i.tenant_id = t.id and i.owner_user_id = t.owner_user_id
		where i.claimed_by_user_id = t.user_id and t.owner_user_id = `+quote(w.a.UserID.String())), 1)
}
