package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// maxStatements is how many statements a list or a detail may send, however much there is
// to show. What is neither sends one for each kind of thing that it shows, in one round
// trip and of at most five rows each.
const maxStatements = 3

var overviews = map[string]int{"/dashboard": 8, "/search": 4}

// TestReadStatements counts what each read sends, in each way that planTests asks for
// it, where there is one row of a kind to show and where there are sixty. That planTests
// has every read is for TestEveryReadIsPlanned to say.
func TestReadStatements(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var heard listener
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen}))
	type side struct {
		landlord, tenant, agent client
		fill                    *strings.Replacer
	}
	var sides []side
	for _, name := range []string{"ann", "bob"} {
		c, l := s.settled(t, name)
		kim := client{t: t, url: s.url, id: l.Tenant.UserID, token: accessToken(t, object{"sub": l.Tenant.UserID.String(), "email": l.Tenant.Email})}
		if name == "bob" {
			s.multiply(t, l, 60)
		}
		c.get("/me").ok(http.StatusOK)
		kim.get("/me").ok(http.StatusOK)
		sides = append(sides, side{c, kim, s.newOperator(t), paths(t, c, kim, l.InviteToken)})
	}
	for _, side := range sides {
		s.exporting(t, side.landlord)
	}
	require.Len(t, sides[1].landlord.get("/tickets?limit=100").list("tickets"), 61)
	require.Len(t, sides[1].tenant.get("/portal/homes?limit=100").list("homes"), 61)

	for _, test := range allPlanTests() {
		method, path, _ := strings.Cut(test.request, " ")
		if method != http.MethodGet {
			continue
		}
		t.Run(test.request, func(t *testing.T) {
			var sent [2][]string
			for i, side := range sides {
				c := side.landlord.as(t)
				switch {
				case strings.HasPrefix(path, "/portal/"):
					c = side.tenant.as(t)
				case strings.HasPrefix(path, "/support/"):
					c = side.agent.as(t)
				}
				for _, st := range heard.of(func() { c.get(side.fill.Replace(path)).ok(http.StatusOK) }) {
					sent[i] = append(sent[i], st.name+st.sql)
				}
			}
			allowed := maxStatements
			if n, ok := overviews[strings.SplitN(path, "?", 2)[0]]; ok {
				allowed = n
			}
			require.LessOrEqual(t, len(sent[0]), allowed)
			require.Equal(t, len(test.plans) > 0, len(sent[0]) > 0, "it asks the database just if it has plans")
			require.True(t, slices.Equal(sent[0], sent[1]), "one row: %d statements, sixty: %d", len(sent[0]), len(sent[1]))
		})
	}
}

// multiply gives a landlord n more rows of each kind, of which the ticket's are that
// ticket's and the tenancies and tickets the tenant's.
func (s *service) multiply(t testing.TB, l dbtest.Landlord, n int) {
	t.Helper()
	for _, sql := range []string{
		`insert into app.properties (owner_user_id, name, created_by) select $1, 'House ' || n, $1 from generate_series(1, $2::integer) n`,
		`insert into app.units (owner_user_id, property_id, name, created_by) select $1, id, name, $1 from app.properties where owner_user_id = $1 and name like 'House %' and $2 > 0`,
		`insert into app.tenants (owner_user_id, first_name, last_name, email, unit_id, created_by)
			select $1, 'Jo', name, 'jo' || id || '@example.com', id, $1 from app.units where owner_user_id = $1 and name like 'House %' and $2 > 0`,
		`insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, end_date, created_by)
			select $1, unit_id, (select id from app.tenants where owner_user_id = $1 and user_id is not null), current_date - 9, current_date + 9, $1
			  from app.tenants where owner_user_id = $1 and first_name = 'Jo' and $2 > 0`,
		`insert into app.tenant_invites (owner_user_id, tenant_id, unit_id, email, token_hash, expires_at, created_by)
			select $1, id, unit_id, email, sha256(id::text::bytea), now() + interval '1 day', $1 from app.tenants where owner_user_id = $1 and first_name = 'Jo' and $2 > 0`,
		`insert into app.contractors (owner_user_id, name, created_by) select $1, 'Pipes ' || n, $1 from generate_series(1, $2::integer) n`,
		`insert into app.tickets (owner_user_id, unit_id, tenant_id, title, created_by)
			select $1, k.unit_id, k.tenant_id, 'Drip ' || n, $1 from app.tickets k, generate_series(1, $2::integer) n where k.owner_user_id = $1`,
		`insert into app.ticket_comments (owner_user_id, ticket_id, kind, body, created_by)
			select $1, k.id, 'shared', 'Soon', $1 from app.tickets k, generate_series(1, $2::integer) n where k.owner_user_id = $1 and k.number = 1`,
		`insert into app.attachments (owner_user_id, ticket_id, storage_key, file_name, media_type, size_bytes, sha256, created_by)
			select $1, k.id, k.owner_user_id || '/' || n, 'x.pdf', 'application/pdf', 1, sha256('x'), $1
			  from app.tickets k, generate_series(1, $2::integer) n where k.owner_user_id = $1 and k.number = 1`,
		`insert into app.contractor_search_results (owner_user_id, ticket_id, provider, provider_place_id, name, trade, expires_at)
			select $1, k.id, 'openstreetmap', 'node/' || n, 'Vonk', 'OTHER', now() + interval '1 day'
			  from app.tickets k, generate_series(1, $2::integer) n where k.owner_user_id = $1 and k.number = 1`,
	} {
		s.Exec(t, sql, l.UserID, n)
	}
}
