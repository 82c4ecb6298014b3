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

// newOperator is somebody signed in who works for Rowhouse.
func (s *service) newOperator(t testing.TB) client {
	t.Helper()
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	s.Exec(t, "update app.users set is_admin = true, email = 'agent@example.com' where id = $1", c.id)
	return c
}

// letLook lets support see areas of c's books, and returns the grant's id.
func (c client) letLook(t testing.TB, areas ...string) string {
	t.Helper()
	made := c.as(t).post("/support-grants", object{"areas": areas, "hours": 1, "reason": "A look"}).ok(http.StatusCreated)
	return made.body["id"].(string)
}

// supportReads are what support may ask for, by the area that opens it.
var supportReads = map[string][]string{
	"properties":  {"/properties", "/units"},
	"tenants":     {"/tenants", "/tenancies", "/tenant-invites"},
	"tickets":     {"/tickets", "/tickets/{ticket}", "/tickets/{ticket}/comments", "/tickets/{ticket}/timeline", "/units"},
	"contractors": {"/contractors"},
}

// TestSupportAccess follows a grant from consent to revocation, with what support and
// two landlords see on the way.
func TestSupportAccess(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob, agent := s.newLandlord(t), s.newLandlord(t), s.newOperator(t)
	ticket := ann.ticket()
	ann.post(ticket+"/comments", object{"body": "They never pay.", "kind": "internal"}).ok(http.StatusCreated)
	ann.post(ticket+"/comments", object{"body": "The plumber comes on Monday."}).ok(http.StatusCreated)
	bob.ticket()

	agent.sees("/support/grants", `{"supportGrants": [], `+nothing+`}`)
	made := ann.post("/support-grants", object{"areas": []string{"tickets", "tickets"}, "hours": 2, "reason": "Who is the plumber?"}).ok(http.StatusCreated)
	require.Equal(t, []any{"tickets"}, made.body["areas"])
	require.Equal(t, "LIVE", made.body["state"])
	grant := "/support/grants/" + made.body["id"].(string)
	require.Equal(t, made.body["id"], agent.get("/support/grants").list("supportGrants")[0]["id"])

	tickets := agent.get(grant + "/tickets").ok(http.StatusOK)
	require.Len(t, tickets.list("tickets"), 1)
	require.Equal(t, ann.get("/tickets").text, tickets.text, "support sees it as the landlord does")
	comments := agent.get(grant + ticket + "/comments").ok(http.StatusOK)
	require.Contains(t, comments.text, "on Monday")
	require.NotContains(t, comments.text, "never pay")
	require.NotContains(t, agent.get(grant+ticket+"/timeline").ok(http.StatusOK).text, "never pay")
	require.Empty(t, agent.get(grant+"/tenants").ok(http.StatusOK).list("tenants"), "not agreed to")

	// nobody else gets in, with the grant's id or without
	for _, c := range []client{ann, bob, s.newLandlord(t)} {
		c.get(grant+"/tickets").refused(http.StatusNotFound, "not_found")
		require.Empty(t, c.get("/support/grants").list("supportGrants"))
	}
	require.Zero(t, agent.get("/tickets").pagination("total"))
	agent.get("/support/grants/"+noSuchRow+"/tickets").refused(http.StatusNotFound, "not_found")
	agent.get("/support/grants/x/tickets").refused(http.StatusBadRequest, "invalid_request", "?grantId")
	bob.get("/support-grants/"+made.body["id"].(string)).refused(http.StatusNotFound, "not_found")
	bob.post("/support-grants/"+made.body["id"].(string)+"/revoke", nil).refused(http.StatusForbidden, "forbidden")

	// ann reads who asked for what, also what was refused further on
	log := ann.get("/support-accesses").list("supportAccesses")
	require.Len(t, log, 4)
	require.Equal(t, "listSupportedTenants", log[0]["operation"])
	require.Equal(t, "listSupportedTickets", log[3]["operation"])
	require.Equal(t, "agent@example.com", log[3]["agentEmail"])
	require.Equal(t, tickets.header.Get("X-Request-Id"), log[3]["requestId"])
	require.Empty(t, bob.get("/support-accesses").list("supportAccesses"))
	require.Len(t, ann.get("/support-accesses?grantId="+made.body["id"].(string)+"&limit=2").list("supportAccesses"), 2)
	require.Empty(t, ann.get("/support-accesses?grantId="+noSuchRow).list("supportAccesses"))

	revoked := ann.post("/support-grants/"+made.body["id"].(string)+"/revoke", nil).ok(http.StatusOK)
	require.Equal(t, "REVOKED", revoked.body["state"])
	again := ann.post("/support-grants/"+made.body["id"].(string)+"/revoke", nil).ok(http.StatusOK)
	require.Equal(t, revoked.body, again.body)
	agent.get(grant+"/tickets").refused(http.StatusNotFound, "not_found")
	require.Empty(t, agent.get("/support/grants").list("supportGrants"))
	require.Len(t, ann.get("/support-accesses").list("supportAccesses"), 4, "without a grant nothing is read, and nothing written down")
	require.Empty(t, ann.get("/support-grants?state=LIVE").list("supportGrants"))
	require.Len(t, ann.get("/support-grants?state=REVOKED").list("supportGrants"), 1)
	require.Len(t, ann.get("/audit?table=support_grants").list("audit"), 2)
}

// TestSupportAreas asks for everything under a grant of each area, and gets what the
// area opens.
func TestSupportAreas(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, agent := s.newLandlord(t), s.newOperator(t)
	ticket := ann.ticket()
	ann.created(ticket+"/comments", object{"body": "Soon"})
	ann.created("/properties", object{"name": "House"})
	ann.created("/contractors", object{"name": "Pipes"})
	unit := ann.get("/units").list("units")[0]["id"]
	ann.created("/tenants/invite", kay(object{"unitId": unit}))
	for area, opened := range supportReads {
		made := ann.post("/support-grants", object{"areas": []string{area}, "hours": 1, "reason": area}).ok(http.StatusCreated)
		for _, of := range supportReads {
			for _, path := range of {
				answer := agent.get("/support/grants/" + made.body["id"].(string) + strings.Replace(path, "/tickets/{ticket}", ticket, 1))
				switch {
				case path == "/tickets/{ticket}" && !slices.Contains(opened, path):
					answer.refused(http.StatusNotFound, "not_found")
				case path == "/tickets/{ticket}":
					answer.ok(http.StatusOK)
				case strings.HasPrefix(path, "/tickets/") && !slices.Contains(opened, path):
					answer.refused(http.StatusNotFound, "not_found")
				case slices.Contains(opened, path):
					require.Positive(t, answer.ok(http.StatusOK).pagination("total"), "%s by %s", path, area)
				default:
					require.Zero(t, answer.ok(http.StatusOK).pagination("total"), "%s by %s", path, area)
				}
			}
		}
	}
}

// TestSupportGrantInput refuses what a landlord can't mean.
func TestSupportGrantInput(t *testing.T) {
	t.Parallel()
	ann := serve(t).newLandlord(t)
	for _, test := range []struct {
		blamed string
		body   object
	}{
		{"#/areas", object{"areas": []string{}, "hours": 1, "reason": "x"}},
		{"#/areas/0", object{"areas": []string{"everything"}, "hours": 1, "reason": "x"}},
		{"#/hours", object{"areas": []string{"tickets"}, "hours": 73, "reason": "x"}},
		{"#/hours", object{"areas": []string{"tickets"}, "hours": 0, "reason": "x"}},
		{"#/reason", object{"areas": []string{"tickets"}, "hours": 1, "reason": " "}},
		{"#/reason", object{"areas": []string{"tickets"}, "hours": 1}},
	} {
		ann.post("/support-grants", test.body).refused(http.StatusBadRequest, "invalid_request", test.blamed)
	}
	require.Empty(t, ann.get("/support-grants").list("supportGrants"))
}

// TestSupportRoundTrips: what support reads costs two round trips more than the
// landlord's own reading, for the entry that comes before it.
func TestSupportRoundTrips(t *testing.T) {
	t.Parallel()
	var trips roundTrips
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: trips.count}))
	ann, agent := s.newLandlord(t), s.newOperator(t)
	made := ann.post("/support-grants", object{"areas": []string{"tickets"}, "hours": 1, "reason": "x"}).ok(http.StatusCreated)
	for range 2 { // the first prepares the statements
		trips.n.Store(0)
		agent.get("/support/grants/" + made.body["id"].(string) + "/tickets").ok(http.StatusOK)
	}
	require.EqualValues(t, 4, trips.n.Load())
}
