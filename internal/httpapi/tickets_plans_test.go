package httpapi_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// TestTicketPlans reads the plans of what requests about tickets send, as TestPlans
// does: as a landlord with 800 tickets among a hundred like them.
func TestTicketPlans(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var heard listener
	opened := d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen})
	s := serveOn(t, d, opened)
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	s.fillTickets(t, 100, 800)
	get := func(path, list string) string { return c.get(path).list(list)[0]["id"].(string) }
	unit, ticket := get("/units", "units"), get("/tickets?q=4&sort=number", "tickets")
	path := "/tickets/" + ticket
	shown := c.get(path).body
	comment := "/comments/" + get(path+"/comments", "comments")
	half := c.get("/tickets?cursor=*&limit=100").body["pagination"].(object)["nextCursor"].(string)

	// The rows of a page are put in order again after the names have been joined to
	// them; a detail's names are joined in the same way.
	page := func(use string) map[string]string {
		return map[string]string{"TicketsPage": "sort < " + use + " < units_pkey < tenants_pkey < contractors_pkey < ticket_comments_pkey < ticket_comments_ticket_idx"}
	}
	filtered := func(index string) map[string]string {
		want := page("sort < " + index)
		want["TicketsCount"] = index
		return want
	}
	for request, want := range map[string]map[string]string{
		"GET /tickets":                                                  page("tickets_created_idx"),
		"GET /tickets?sort=createdAt":                                   page("tickets_created_idx"),
		"GET /tickets?sort=number":                                      page("incremental sort < tickets_number_key"), // by id among equals, of which there are none
		"GET /tickets?sort=-number":                                     page("incremental sort < tickets_number_key"),
		"GET /tickets?status=NEW":                                       filtered("tickets_status_idx"),
		"GET /tickets?status=NEW,OPEN":                                  filtered("tickets_status_idx"),
		"GET /tickets?priority=HIGH":                                    filtered("tickets_priority_idx"),
		"GET /tickets?overdue=true":                                     filtered("tickets_due_idx"),
		"GET /tickets?unitId=" + unit:                                   filtered("tickets_unit_idx"),
		fmt.Sprint("GET /tickets?tenantId=", shown["tenantId"]):         filtered("tickets_tenant_idx"),
		fmt.Sprint("GET /tickets?contractorId=", shown["contractorId"]): filtered("tickets_contractor_idx"),
		// all of the landlord's, by any index that begins with the owner
		"GET /tickets?sort=dueAt":                   {"TicketsPage": ""},
		"GET /tickets?q=drip":                       {"TicketsPage": ""},
		"GET /tickets?cursor=" + half:               {"TicketsPage": ""},
		"GET " + path:                               {"Ticket": ""},
		"PATCH " + path:                             {"TicketForUpdate": "", "TicketUpdate": ""},
		"GET " + path + "/timeline":                 {"TicketTimelinePage": "sort < ticket_events_ticket_idx < ticket_comments_ticket_idx"},
		"GET " + path + "/comments":                 {"TicketCommentsPage": "ticket_comments_ticket_idx", "TicketCommentsCount": "tickets_pkey < ticket_comments_ticket_idx"},
		"GET " + path + "/comments?sort=-createdAt": {"TicketCommentsPage": "ticket_comments_ticket_idx"},
		"GET " + comment:                            {"TicketComment": "ticket_comments_pkey"},
		"PATCH " + comment:                          {"TicketCommentForUpdate": "ticket_comments_pkey", "TicketCommentUpdate": "ticket_comments_pkey"},
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			var body any
			if method != http.MethodGet {
				body = object{}
			}
			statements := heard.of(func() { c.as(t).send(method, path, body).ok(http.StatusOK) })
			require.LessOrEqual(t, len(statements), 2)
			sent := map[string]bool{}
			for _, st := range statements {
				sent[st.name] = true
				p, text := explain(t, opened, c, st)
				p.walk(func(p plan) { require.NotEqual(t, "Seq Scan", p.Type, text) })
				conditions := indexCondition.FindAllStringSubmatch(text, -1)
				require.NotEmpty(t, conditions, text)
				for _, condition := range conditions {
					require.Contains(t, condition[1], "owner_user_id = ", "an index is read for every landlord: %s", text)
				}
				if use := want[st.name]; use != "" {
					require.Equal(t, use, p.uses(), text)
				}
			}
			for name := range want {
				require.True(t, sent[name], "%s is not sent", name)
			}
		})
	}
}

var indexCondition = regexp.MustCompile(`"Index Cond": "([^"]*)"`)

// fillTickets gives n landlords tickets each, with a comment on each fourth and what
// they refer to. Their own triggers would take minutes for that.
func (s *service) fillTickets(t testing.TB, n, tickets int) {
	t.Helper()
	s.Exec(t, `insert into app.users (id) select gen_random_uuid() from generate_series(2, $1)`, n)
	tx, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	for _, sql := range []string{
		`set local session_replication_role = replica`,
		`insert into app.units (owner_user_id, name, created_by) select u.id, 'Flat ' || n, u.id from app.users u, generate_series(1, 20) n`,
		`insert into app.tenants (owner_user_id, first_name, last_name, created_by) select u.id, 'Jo', 'Doe ' || n, u.id from app.users u, generate_series(1, 20) n`,
		`insert into app.contractors (owner_user_id, name, created_by) select u.id, 'Pipes ' || n, u.id from app.users u, generate_series(1, 20) n`,
		`with mine as materialized (select u.id, array(select x.id from app.units x where x.owner_user_id = u.id) units,
		                      array(select x.id from app.tenants x where x.owner_user_id = u.id) tenants,
		                      array(select x.id from app.contractors x where x.owner_user_id = u.id) contractors from app.users u)
		 insert into app.tickets (owner_user_id, number, unit_id, tenant_id, contractor_id, title, status, priority, due_at, created_by, created_at)
		 select id, n, units[1 + n % 20], tenants[1 + n * 7 % 20], contractors[1 + n * 3 % 20], 'Drip ' || n,
		        (array['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'RESOLVED', 'NEW', 'OPEN', 'IN_PROGRESS'])[1 + n % 10],
		        (array['NORMAL', 'NORMAL', 'LOW', 'HIGH', 'EMERGENCY'])[1 + n % 5],
		        timestamptz '2026-01-01' + random() * interval '600 days', id, timestamptz '2026-01-01' + random() * interval '300 days'
		   from mine, generate_series(1, ` + fmt.Sprint(tickets) + `) n`,
		`insert into app.ticket_events (owner_user_id, ticket_id, type, to_value, actor_kind, created_at)
		 select t.owner_user_id, t.id, 'created', 'NEW', 'landlord', t.created_at from app.tickets t`,
		`insert into app.ticket_comments (owner_user_id, ticket_id, body, created_by, created_at)
		 select t.owner_user_id, t.id, 'Soon', t.owner_user_id, t.created_at + interval '1 hour' from app.tickets t where t.number % 4 < 1`,
	} {
		_, err := tx.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	require.NoError(t, tx.Commit(t.Context()))
	s.Exec(t, `analyze app.users, app.units, app.tenants, app.contractors, app.tickets, app.ticket_events, app.ticket_comments`)
}
