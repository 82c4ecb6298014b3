package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// settled is a landlord with a row of every kind, and a client that is them.
func (s *service) settled(t testing.TB, name string) (client, dbtest.Landlord) {
	t.Helper()
	l := s.Landlord(t, name)
	return client{t: t, url: s.url, id: l.UserID, token: accessToken(t, object{"sub": l.UserID.String(), "email": l.Email})}, l
}

// ticket opens a ticket about a new unit and returns its path.
func (c client) ticket() string {
	c.t.Helper()
	unit := c.post("/units", object{"name": uuid.NewString()}).ok(http.StatusCreated)
	return c.created("/tickets", object{"unitId": unit.body["id"], "title": "The tap drips"})
}

// preparedTicket makes what a path begins with, for TestRoundTrips.
func (c client) preparedTicket(path string) string {
	c.t.Helper()
	switch path {
	case "{comment}":
		return c.created(c.ticket()+"/comments", object{"body": "Soon"})
	case "{archived ticket}":
		path = c.ticket()
		c.patch(path, object{"archived": true}).ok(http.StatusOK)
		return path
	}
	return strings.Replace(path, "{ticket}", c.ticket(), 1)
}

// without returns body without the members that the server fills.
func without(body object, names ...string) object {
	body = maps.Clone(body)
	for _, name := range names {
		delete(body, name)
	}
	return body
}

func TestTicketData(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	ours := []string{"id", "number", "version", "createdAt", "updatedAt", "dueAt", "source", "reopenedCount", "overdue", "allowedStatuses", "unitName"}

	full := object{
		"unitId": l.UnitID.String(), "title": "Drip", "description": "It drips.\n\tA bucket a day.\n", "category": "PLUMBING",
		"priority": "HIGH", "contractorId": l.ContractorID.String(), "entryPermission": true, "entryNotes": "Mind\nthe cat",
		"scheduledAt": "2026-12-01T09:00:00Z", "costMinor": 12500.0, "currency": "EUR",
	}
	send := maps.Clone(full)
	send["tenantId"] = l.TenantID.String()
	a := c.post("/tickets", send).ok(http.StatusCreated)
	require.Equal(t, "/api/v1/tickets/"+a.body["id"].(string), a.header.Get("Location"))
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Equal(t, a.text, c.get(a.header.Get("Location")).ok(http.StatusOK).text)
	require.EqualValues(t, 2, a.body["number"], "the first is the fixture's")
	require.Equal(t, "LANDLORD", a.body["source"])
	require.Equal(t, "ann flat", a.body["unitName"])
	require.Equal(t, false, a.body["overdue"])
	require.Equal(t, []any{"OPEN", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CANCELLED"}, a.body["allowedStatuses"])
	require.WithinDuration(t, time.Now().Add(48*time.Hour), instant(t, a.body["dueAt"]), time.Minute)
	want := maps.Clone(send)
	maps.Copy(want, object{"status": "NEW", "archived": false, "tenantName": "ann renter ann renter", "contractorName": "ann plumber"})
	at := instant(t, a.body["scheduledAt"])
	require.True(t, at.Equal(time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)))
	want["scheduledAt"] = a.body["scheduledAt"]
	require.Equal(t, want, without(a.body, ours...))
	require.Contains(t, c.get("/tickets").text, strings.TrimSpace(a.text), "a list shows what a detail does")

	path := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	least := object{"unitId": l.UnitID.String(), "title": "Leak", "status": "NEW"}
	replaced := c.put(path, least).ok(http.StatusOK)
	require.Equal(t, `"2"`, replaced.header.Get("ETag"))
	require.Equal(t, object{
		"unitId": l.UnitID.String(), "title": "Leak", "status": "NEW", "category": "OTHER", "priority": "NORMAL", "archived": false,
		"entryPermission": false, "tenantId": l.TenantID.String(), "tenantName": "ann renter ann renter",
	}, without(replaced.body, ours...), "what is not sent goes back to its default or to nothing; who reported it stays")

	before := replaced.body
	for _, change := range []object{
		{"title": "Flood"},
		{"priority": "EMERGENCY"},
		{"description": "a\nb"},
		{"description": nil},
		{"contractorId": l.ContractorID.String()},
		{"contractorId": nil},
		{"entryPermission": true},
		{"costMinor": 0.0, "currency": "SEK"},
		{"costMinor": nil},
		{"archived": true},
		{"archived": false},
	} {
		a := c.patch(path, change).ok(http.StatusOK)
		want := without(before, "version", "updatedAt", "dueAt", "contractorName", "archivedAt")
		for name, value := range change {
			want[name] = value
			if value == nil {
				delete(want, name)
			}
		}
		require.Equal(t, want, without(a.body, "version", "updatedAt", "dueAt", "contractorName", "archivedAt"), change)
		require.Equal(t, change["archived"] == true, a.body["archivedAt"] != nil)
		require.EqualValues(t, before["version"].(float64)+1, a.body["version"])
		before = a.body
	}

	c.patch(path, object{"title": "x"}, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	c.patch(path, object{"title": "x"}, fmt.Sprintf(`If-Match: "%v"`, before["version"])).ok(http.StatusOK)
}

func instant(t testing.TB, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, value.(string))
	require.NoError(t, err)
	return at
}

func TestTicketOfNobody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	a := c.post("/tickets", object{"unitId": l.UnitID, "title": "Drip"}).ok(http.StatusCreated)
	require.NotContains(t, a.body, "tenantId")
	require.NotContains(t, a.body, "tenantName")
	require.NotContains(t, a.body, "contractorName")
	require.NotContains(t, a.body, "lastCommentAt")
}

// TestBadTickets sends what no ticket may come of.
func TestBadTickets(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	path := "/tickets/" + l.TicketID.String()
	before := c.get(path).text
	for members, blamed := range map[string]string{
		`"title":""`:                       "#/title",
		`"title":"` + marker + `\n"`:       "#/title",
		`"title":null`:                     "#/title",
		`"description":" \n\t"`:            "#/description",
		`"description":"` + marker + `\r"`: "#/description",
		`"description":"\u0000"`:           "#/description",
		`"description":"` + marker + strings.Repeat("x", 10000) + `"`: "#/description",
		`"entryNotes":"` + strings.Repeat("x", 1001) + `"`:            "#/entryNotes",
		`"category":"GENERAL"`:                 "#/category", // a contractor's
		`"priority":"URGENT"`:                  "#/priority",
		`"priority":null`:                      "#/priority",
		`"unitId":null`:                        "#/unitId",
		`"unitId":"` + marker + `"`:            "#/unitId",
		`"contractorId":"1"`:                   "#/contractorId",
		`"dueAt":"tomorrow"`:                   "#/dueAt",
		`"dueAt":"1969-12-31T00:00:00Z"`:       "#/dueAt",
		`"dueAt":"9999-12-31T23:59:59-23:59"`:  "#/dueAt",
		`"scheduledAt":"2026-13-01T00:00:00Z"`: "#/scheduledAt",
		`"scheduledAt":"2500-01-01T00:00:00Z"`: "#/scheduledAt",
		`"costMinor":-1,"currency":"EUR"`:      "#/costMinor",
		`"costMinor":1.5,"currency":"EUR"`:     "#/costMinor",
		`"costMinor":1e15,"currency":"EUR"`:    "#/costMinor",
		`"costMinor":100`:                      "#/currency",
		`"currency":"eur"`:                     "#/currency",
		`"number":7`:                           "#/number",
		`"ownerUserId":"` + noSuchRow + `"`:    "#/ownerUserId",
		`"source":"IMPORT"`:                    "#/source",
		`"resolvedAt":"2026-01-01T00:00:00Z"`:  "#/resolvedAt",
		`"reopenedCount":0`:                    "#/reopenedCount",
	} {
		rest := `,"unitId":"` + l.UnitID.String() + `"`
		if strings.HasPrefix(members, `"unitId"`) {
			rest = ""
		}
		if !strings.HasPrefix(members, `"title"`) {
			rest += `,"title":"a"`
		}
		c.post("/tickets", "{"+members+rest+"}").refused(http.StatusBadRequest, "invalid_request", blamed).discreet(c.token)
		c.put(path, "{"+members+rest+`,"status":"NEW"}`).refused(http.StatusBadRequest, "invalid_request", blamed)
		c.patch(path, "{"+members+"}").refused(http.StatusBadRequest, "invalid_request", blamed).discreet(c.token)
	}
	c.post("/tickets", object{"unitId": l.UnitID, "title": "a", "status": "CLOSED"}).refused(http.StatusBadRequest, "invalid_request", "#/status")
	c.post("/tickets", object{}).refused(http.StatusBadRequest, "invalid_request", "#/title", "#/unitId")
	c.put(path, object{"unitId": l.UnitID, "title": "a"}).refused(http.StatusBadRequest, "invalid_request", "#/status")
	c.patch(path, object{"tenantId": l.TenantID}).refused(http.StatusBadRequest, "invalid_request", "#/tenantId")
	c.patch(path, object{"status": "DONE"}).refused(http.StatusBadRequest, "invalid_request", "#/status")
	c.patch(path, object{"status": nil}).refused(http.StatusBadRequest, "invalid_request", "#/status")
	c.patch(path, object{"statusReason": strings.Repeat("x", 501)}).refused(http.StatusBadRequest, "invalid_request", "#/statusReason")
	require.Equal(t, before, c.get(path).text)
	require.Equal(t, 1, s.rows(t, "tickets"))
}

// TestTicketReferences has a landlord refer to what is another's, and to nothing.
func TestTicketReferences(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	_, bob := s.settled(t, "bob")
	path := "/tickets/" + l.TicketID.String()
	before := c.get(path).text
	for member, foreign := range map[string]uuid.UUID{"unitId": bob.UnitID, "tenantId": bob.TenantID, "contractorId": bob.ContractorID} {
		var texts []string
		for _, id := range []string{foreign.String(), noSuchRow, uuid.Nil.String()} {
			body := object{"unitId": l.UnitID, "title": "Drip"}
			body[member] = id
			a := c.post("/tickets", body).refused(http.StatusForbidden, "forbidden")
			texts = append(texts, fmt.Sprint(without(a.body, "requestId")))
			if member == "tenantId" {
				continue
			}
			c.patch(path, object{member: id}).refused(http.StatusForbidden, "forbidden")
			body["status"] = "NEW"
			c.put(path, body).refused(http.StatusForbidden, "forbidden")
		}
		require.Len(t, slices.Compact(texts), 1, "what is another's reads as what is not there")
	}
	require.Equal(t, before, c.get(path).text)
	require.Equal(t, 2, s.rows(t, "tickets"))
	require.Equal(t, 2, s.rows(t, "ticket_events"))

	theirs := "/tickets/" + bob.TicketID.String()
	for _, id := range []string{theirs, "/tickets/" + noSuchRow} {
		for _, read := range []string{id, id + "/timeline", id + "/comments"} {
			c.get(read).refused(http.StatusNotFound, "not_found")
		}
		c.patch(id, object{"title": "Mine"}).refused(http.StatusForbidden, "forbidden")
		c.patch(id, object{"archived": true}).refused(http.StatusForbidden, "forbidden")
		c.delete(id).refused(http.StatusForbidden, "forbidden")
		c.post(id+"/comments", object{"body": "Hello"}).refused(http.StatusForbidden, "forbidden")
		c.post(id+"/comments", object{"body": "Hello", "kind": "internal"}).refused(http.StatusForbidden, "forbidden")
	}
	require.Equal(t, 4, s.rows(t, "ticket_comments"))
	for _, filter := range []string{"unitId=" + bob.UnitID.String(), "tenantId=" + bob.TenantID.String(), "contractorId=" + bob.ContractorID.String()} {
		require.Empty(t, c.get("/tickets?"+filter).list("tickets"))
	}
}

// TestTicketNumbers opens thirty tickets at once.
func TestTicketNumbers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.newLandlord(t), s.newLandlord(t)
	unit := c.post("/units", object{"name": "Flat"}).ok(http.StatusCreated).body["id"]
	require.EqualValues(t, 1, other.get(other.ticket()).body["number"])

	const n = 30
	answers := make([]answer, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			if i%3 == 0 { // refused after it was numbered
				c.post("/tickets", object{"unitId": unit, "title": "Lost", "contractorId": noSuchRow})
			}
			answers[i] = c.post("/tickets", object{"unitId": unit, "title": fmt.Sprint(i)})
		})
	}
	wait.Wait()
	var numbers, want []int
	for i, a := range answers {
		numbers, want = append(numbers, int(a.ok(http.StatusCreated).body["number"].(float64))), append(want, i+1)
	}
	slices.Sort(numbers)
	require.Equal(t, want, numbers)
	require.EqualValues(t, 2, other.get(other.ticket()).body["number"])

	undone := errors.New("undone")
	require.ErrorIs(t, s.AsLandlord(c.context(t), db.ReadWrite, func(tx *db.Tx) error {
		var number int
		require.NoError(t, tx.QueryRow(t.Context(), `insert into app.tickets (unit_id, title) values ($1, 'Lost') returning number`, unit).Scan(&number))
		require.Equal(t, n+1, number)
		return undone
	}), undone)
	last := c.post("/tickets", object{"unitId": unit, "title": "Next"}).ok(http.StatusCreated)
	require.EqualValues(t, n+1, last.body["number"])
	path := "/tickets/" + last.body["id"].(string)
	c.patch(path, object{"archived": true}).ok(http.StatusOK)
	c.delete(path).ok(http.StatusNoContent)
	require.EqualValues(t, n+2, c.post("/tickets", object{"unitId": unit, "title": "Next"}).ok(http.StatusCreated).body["number"],
		"a number is not given twice")
}

// context is one in which c is the caller.
func (c client) context(t testing.TB) context.Context {
	l := dbtest.Landlord{}
	l.UserID = c.id
	return l.Context(t)
}

func TestTicketFilters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	unit := c.post("/units", object{"name": "Flat"}).ok(http.StatusCreated).body["id"]
	loft := c.post("/units", object{"name": "Loft"}).ok(http.StatusCreated).body["id"]
	tenant, contractor := uuid.New(), uuid.New()
	s.Exec(t, `insert into app.tenants (owner_user_id, id, first_name, last_name, created_by) values ($1, $2, 'Jo', 'Doe', $1)`, c.id, tenant)
	s.Exec(t, `insert into app.contractors (owner_user_id, id, name, created_by) values ($1, $2, 'Pipes', $1)`, c.id, contractor)
	for i, body := range []object{
		{"title": "Tap drips", "priority": "LOW", "dueAt": "2027-01-04T00:00:00Z", "category": "PLUMBING"},
		{"title": "No light", "priority": "EMERGENCY", "dueAt": "2027-01-01T00:00:00Z", "unitId": loft, "category": "ELECTRICAL"},
		{"title": "Mice", "priority": "NORMAL", "dueAt": "2027-01-03T00:00:00Z", "tenantId": tenant, "description": "In the TAP room\n100% sure"},
		{"title": "Lock", "priority": "HIGH", "dueAt": "2027-01-02T00:00:00Z", "contractorId": contractor},
	} {
		if body["unitId"] == nil {
			body["unitId"] = unit
		}
		path := c.created("/tickets", body)
		if status := []string{"NEW", "OPEN", "ON_HOLD", "NEW"}[i]; status != "NEW" {
			c.patch(path, object{"status": status}).ok(http.StatusOK)
		}
	}
	gone := c.created("/tickets", object{"title": "Old tap", "unitId": unit})
	c.patch(gone, object{"archived": true}).ok(http.StatusOK)
	for query, want := range map[string][]int{
		"":                                     {4, 3, 2, 1},
		"?sort=createdAt":                      {1, 2, 3, 4},
		"?sort=number":                         {1, 2, 3, 4},
		"?sort=-number":                        {4, 3, 2, 1},
		"?sort=dueAt":                          {2, 4, 3, 1},
		"?sort=-dueAt":                         {1, 3, 4, 2},
		"?sort=priority":                       {2, 4, 3, 1},
		"?sort=number&limit=2&page=2":          {3, 4},
		"?status=NEW":                          {4, 1},
		"?status=OPEN,ON_HOLD":                 {3, 2},
		"?status=CLOSED":                       {},
		"?priority=HIGH":                       {4},
		"?category=PLUMBING":                   {1},
		"?unitId=" + loft.(string):             {2},
		"?tenantId=" + tenant.String():         {3},
		"?contractorId=" + contractor.String(): {4},
		"?unitId=" + noSuchRow:                 {},
		"?archived=true":                       {5},
		"?archived=all&q=tap":                  {5, 3, 1},
		"?q=tap":                               {3, 1},
		"?q=%25":                               {3},
		"?q=_":                                 {},
		"?q=2":                                 {2},
		"?q=%232":                              {2},
		"?overdue=true":                        {},
		"?overdue=false&priority=LOW":          {1},
	} {
		a := c.get("/tickets" + query)
		numbers := []int{}
		for _, ticket := range a.list("tickets") {
			numbers = append(numbers, int(ticket["number"].(float64)))
		}
		require.Equal(t, want, numbers, query)
		if !strings.Contains(query, "limit") {
			require.Equal(t, len(want), a.pagination("total"), query)
		}
	}
	walked := map[any]bool{}
	for cursor := "*"; cursor != ""; {
		a := c.get("/tickets?limit=3&cursor=" + cursor)
		for _, ticket := range a.list("tickets") {
			require.False(t, walked[ticket["id"]])
			walked[ticket["id"]] = true
		}
		cursor, _ = a.body["pagination"].(object)["nextCursor"].(string)
	}
	require.Len(t, walked, 4)
	for query, blamed := range map[string]string{
		"?status=DONE": "?status", "?status=NEW,": "?status", "?status=NEW,DONE": "?status", "?sort=title": "?sort", "?overdue=all": "?overdue",
		"?priority=low": "?priority", "?unitId=1": "?unitId", "?status=NEW&status=OPEN": "?status", "?colour=red": "?colour",
	} {
		a := c.get("/tickets" + query)
		require.Equal(t, http.StatusBadRequest, a.status, query)
		require.Contains(t, a.text, `"`+strings.TrimPrefix(blamed, "?"), query)
	}
}

func TestDeleteTicket(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	path := "/tickets/" + l.TicketID.String()
	a := c.delete(path).refused(http.StatusConflict, "archive_first")
	require.Contains(t, a.body["detail"], "Archive")
	require.Equal(t, 1, s.rows(t, "tickets"))
	c.patch(path, object{"archived": true}).ok(http.StatusOK)
	c.delete(path, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	c.delete(path, `If-Match: "2"`).ok(http.StatusNoContent)
	c.get(path).refused(http.StatusNotFound, "not_found")
	c.delete(path).refused(http.StatusForbidden, "forbidden")
	require.Zero(t, s.rows(t, "ticket_comments")+s.rows(t, "ticket_events")+s.rows(t, "tickets"))
}

// TestTicketKeys repeats the opening of a ticket.
func TestTicketKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	body := object{"unitId": l.UnitID, "title": "Drip"}
	first := c.post("/tickets", body, key("a")).ok(http.StatusCreated)
	again := c.post("/tickets", body, key("a")).ok(http.StatusCreated)
	require.Equal(t, first.text, again.text)
	require.Equal(t, first.header.Get("Location"), again.header.Get("Location"))
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	c.post("/tickets", object{"unitId": l.UnitID, "title": "Leak"}, key("a")).refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")

	answers := make([]answer, 8)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = c.post("/tickets", body, key("b")) })
	}
	wait.Wait()
	for _, a := range answers {
		require.Equal(t, answers[0].text, a.ok(http.StatusCreated).text)
	}
	require.Equal(t, 3, s.rows(t, "tickets"), "the fixture's and one for each key")
	require.EqualValues(t, 3, answers[0].body["number"])
}
