package isolation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// hood is a town with what it takes to attack B from within: people who see some
// of B's rows, and rows of B's that none of them sees.
type hood struct {
	*town
	people   []*caller
	ofA, ofB []string
	conn     *pgx.Conn       // of all of them, as in a pool
	attacked map[string]bool // by whom, as roles
}

func newHood(t *testing.T) *hood {
	t.Helper()
	v := newTown(t)
	b := v.b.UserID
	lodger, barn := uuid.New(), uuid.New()
	v.Exec(t, `insert into app.properties (owner_user_id, id, name, created_by) values ($1, $2, 'bravo-landlord barn', $1)`, b, barn)
	v.Exec(t, `insert into app.units (owner_user_id, property_id, name, created_by) values ($1, $2, 'bravo-landlord loft', $1)`, b, barn)
	v.Exec(t, `insert into app.tenants (owner_user_id, id, first_name, last_name, created_by) values ($1, $2, 'bravo-landlord lodger', 'x', $1)`, b, lodger)
	v.Exec(t, `insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, landlord_name, unit_label, expires_at, created_by)
		values ($1, $2, 'bravo-landlord-lodger@example.com', sha256('bravo-landlord-lodger'), 'x', 'x', now() + interval '1 day', $1)`, b, lodger)
	// nobody's attack moves it
	v.Exec(t, `update app.tickets set status = 'OPEN' where id = $1`, v.a.TicketID)

	h := &hood{town: v, conn: v.Connect(t, "rowhouse_api"), attacked: map[string]bool{}}
	stranger, mallory := v.Person(t, "stranger").UserID, v.Person(t, "mallory").UserID
	h.people = h.callers(t, stranger, mallory)
	h.ofA, h.ofB = v.secrets(t, v.a.UserID), v.secrets(t, b)
	v.aims = map[string]string{}
	for _, name := range v.all {
		keys := slices.DeleteFunc(v.column(t, name, v.key(t, name), b), func(key string) bool {
			return slices.ContainsFunc(h.people, func(c *caller) bool { return slices.Contains(c.sight[name], key) })
		})
		if len(keys) > 0 { // of some there is one row only, which B's tenant sees
			v.aims[name] = quote(keys[0])
		}
	}
	return h
}

// callers are the people, each with what they see. All but the last have nothing to
// do with support.
func (h *hood) callers(t *testing.T, stranger, mallory uuid.UUID) []*caller {
	t.Helper()
	v := h.town
	self := func(who uuid.UUID) view { return view{"app.users": {who.String()}} }
	holding := func(who, landlord uuid.UUID) view {
		sight := view{"app.tenant_invites": v.where(t, "app.tenant_invites", "owner_user_id = "+quote(landlord.String())+" and email like '%-invitee@%'")}
		if who != uuid.Nil {
			sight["app.users"] = []string{who.String()}
		}
		return sight
	}
	const user, address = "rowhouse_user", "alpha-landlord-invitee@example.com"
	all := []*caller{
		{name: "invitee with the token", role: user, who: mallory, token: v.a.InviteToken, email: address, sight: holding(mallory, v.a.UserID)},
		{name: "token, but not the address", role: user, who: mallory, token: v.a.InviteToken, email: "mallory@example.com", sight: holding(mallory, v.a.UserID)},
		{name: "A with B's token", role: user, who: v.a.UserID, token: v.b.InviteToken, email: v.a.Email, sight: holding(v.a.UserID, v.b.UserID)},
		{name: "B's token, signed in as nobody", role: user, token: v.b.InviteToken, sight: holding(uuid.Nil, v.b.UserID)},
		{name: "invitee without the token", role: user, who: mallory, token: "no such token", email: address, sight: self(mallory)},
		{name: "user without a role", role: user, who: stranger, sight: self(stranger)},
		{name: "user without a role, as a tenant", role: "rowhouse_tenant", who: stranger, sight: view{}},
		{name: "user without a role, as a landlord", role: "rowhouse_landlord", who: stranger, sight: view{"app.landlord_cards": {stranger.String()}, "app.users": {stranger.String()}}},
		{name: "user without a role, as support", role: "rowhouse_support", who: stranger, sight: view{}},
	}
	for _, r := range v.renters(t) {
		all = append(all, &caller{name: r.name, role: "rowhouse_tenant", who: r.who, sight: r.want})
	}
	agent := v.operator(t)
	all = append(all, &caller{name: "support without a grant", role: "rowhouse_support", who: agent, sight: view{}})
	for _, c := range all {
		h.seat(t, c)
	}
	return all
}

// seat gives a caller their seal and the connection.
func (h *hood) seat(t *testing.T, c *caller) {
	t.Helper()
	c.w, c.login, c.conn = h.world, "rowhouse_api", h.conn
	if c.who != uuid.Nil {
		c.identity = sealed(c.role, c.who)
	}
}

// each runs an attack by everybody on every table, and once more by support when A
// has granted them all and they have not said what for. What the grants alone refuse
// one of a role they refuse all: it is tried once.
func (h *hood) each(t *testing.T, attack func(c *caller, name string, hidden []string)) {
	t.Helper()
	for _, c := range h.people {
		h.attack(t, c, attack)
	}
	agent := *h.people[len(h.people)-1]
	h.SupportGrant(t, h.a, "properties", "tenants", "tickets", "contractors")
	agent.name = "support with A's grant and no entry"
	agent.sight = view{"app.support_grants": h.where(t, "app.support_grants", "revoked_at is null")}
	h.attack(t, &agent, attack)
}

func (h *hood) attack(t *testing.T, c *caller, attack func(c *caller, name string, hidden []string)) {
	t.Helper()
	h.mine = []string{quote(c.who.String())}
	h.before = h.others(t)
	hidden := h.hiddenFrom(t, c)
	for _, name := range h.tables {
		if _, granted := tables[name].grants[c.role]; granted || !h.attacked[c.role] {
			attack(c, name, hidden)
		}
	}
	h.attacked[c.role] = true
	h.unharmed(t, c.name)
}

var anyDate = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// hiddenFrom are the texts of A's and B's rows that a caller sees nowhere.
func (h *hood) hiddenFrom(t *testing.T, c *caller) []string {
	t.Helper()
	known := []string{c.who.String()}
	for name, keys := range c.sight {
		if len(keys) == 0 {
			continue
		}
		columns := words(tables[name].grants[c.role].reads)
		if columns[0] == all {
			columns = append(h.columns(t, name), "t") // the whole row as well, as the audit trail has it
		}
		for _, column := range columns {
			known = append(known, list(t, h.world, fmt.Sprintf("select to_jsonb(t.%s) #>> '{}' from (select t, t.* from %s t) t where %s is not null and %s in ('%s')",
				column, name, column, h.key(t, name), strings.Join(keys, "', '")))...)
		}
	}
	return slices.DeleteFunc(slices.Concat(h.ofA, h.ofB), func(text string) bool {
		// a date alone is the beginning of others' points in time
		return anyDate.MatchString(text) || slices.ContainsFunc(known, func(k string) bool { return strings.Contains(k, text) })
	})
}

// TestPeopleRead lets everybody in town read every table in every way.
func TestPeopleRead(t *testing.T) {
	t.Parallel()
	h := newHood(t)
	h.each(t, func(c *caller, name string, hidden []string) { readTable(t, h.world, c, name, hidden) })
}

// TestPeopleWrite lets everybody in town write every table in every way.
func TestPeopleWrite(t *testing.T) {
	t.Parallel()
	h := newHood(t)
	h.each(t, func(c *caller, name string, hidden []string) { writeTable(t, h.world, c, name, hidden) })
}
