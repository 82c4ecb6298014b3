package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
)

func TestComments(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	ticket := c.ticket()
	a := c.post(ticket+"/comments", object{"body": "First,\n\tthen second.\n"}).ok(http.StatusCreated)
	require.Equal(t, "/api/v1/comments/"+a.body["id"].(string), a.header.Get("Location"))
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Equal(t, object{
		"ticketId": strings.TrimPrefix(ticket, "/tickets/"), "kind": "shared", "author": "landlord", "body": "First,\n\tthen second.\n", "version": 1.0,
	}, without(a.body, "id", "createdAt", "updatedAt"))
	path := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	require.Equal(t, a.text, c.get(path).ok(http.StatusOK).text)
	require.Equal(t, a.body["createdAt"], c.get(ticket).body["lastCommentAt"])

	inner := c.post(ticket+"/comments", object{"body": "He is late again", "kind": "internal"}).ok(http.StatusCreated)
	require.Equal(t, "internal", inner.body["kind"])
	require.Equal(t, inner.body["createdAt"], c.get(ticket).body["lastCommentAt"])

	edited := c.patch(path, object{"body": "Only first."}, `If-Match: "1"`).ok(http.StatusOK)
	require.Equal(t, "Only first.", edited.body["body"])
	require.NotEmpty(t, edited.body["editedAt"])
	require.Equal(t, `"2"`, edited.header.Get("ETag"))
	c.patch(path, object{"body": "Lost"}, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	c.patch(path, object{"kind": "internal"}).refused(http.StatusBadRequest, "invalid_request", "#/kind")
	require.Equal(t, "Second.", c.put(path, object{"body": "Second."}).ok(http.StatusOK).body["body"])

	bodies := func(query string) (bodies []string) {
		for _, row := range c.get(ticket + "/comments" + query).list("comments") {
			bodies = append(bodies, row["body"].(string))
		}
		return bodies
	}
	require.Equal(t, []string{"Second.", "He is late again"}, bodies(""))
	require.Equal(t, []string{"He is late again", "Second."}, bodies("?sort=-createdAt"))
	require.Equal(t, []string{"He is late again"}, bodies("?page=2&limit=1"))
	require.Equal(t, []string{"Second."}, bodies("?kind=shared"))
	require.Equal(t, []string{"He is late again"}, bodies("?q=LATE"))
	require.Len(t, bodies("?cursor=*"), 2)
	require.Equal(t, 2, c.get(ticket+"/comments?limit=1").pagination("total"))
	require.Equal(t, 1, c.get(ticket+"/comments?kind=internal").pagination("total"))
	require.Empty(t, c.get(c.ticket()+"/comments").list("comments"))

	c.delete(path, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	c.delete(path).ok(http.StatusNoContent)
	c.get(path).refused(http.StatusNotFound, "not_found")
	c.delete(path).refused(http.StatusForbidden, "forbidden")
	require.Equal(t, 1, s.rows(t, "ticket_comments"))
}

func TestBadComments(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	ticket := c.ticket()
	path := c.created(ticket+"/comments", object{"body": strings.Repeat("é", 10000)})
	for body, blamed := range map[string]string{
		`{}`:                              "#/body",
		`{"body":""}`:                     "#/body",
		`{"body":null}`:                   "#/body",
		`{"body":" \n "}`:                 "#/body",
		`{"body":"` + marker + `\u0000"}`: "#/body",
		`{"body":"` + marker + `\u001b"}`: "#/body",
		`{"body":"` + strings.Repeat("x", 10001) + `"}`: "#/body",
		`{"body":"a","kind":"secret"}`:                  "#/kind",
		`{"body":"a","author":"tenant"}`:                "#/author",
		`{"body":"a","tenantId":"` + noSuchRow + `"}`:   "#/tenantId",
	} {
		c.post(ticket+"/comments", body).refused(http.StatusBadRequest, "invalid_request", blamed).discreet(c.token)
		c.put(path, body).refused(http.StatusBadRequest, "invalid_request", blamed)
		if body != `{}` {
			c.patch(path, body).refused(http.StatusBadRequest, "invalid_request", blamed)
		}
	}
	require.Equal(t, 1, s.rows(t, "ticket_comments"))
	require.EqualValues(t, 1, c.get(path).body["version"])
}

// TestCommentsOfOthers has a landlord read and not change what the tenant said, and
// another landlord do neither.
func TestCommentsOfOthers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	bob, _ := s.settled(t, "bob")
	var id uuid.UUID
	require.NoError(t, s.AsTenant(l.Tenant.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `insert into app.ticket_comments (ticket_id, body) values ($1, 'Still dripping') returning id`, l.TicketID).Scan(&id)
	}))
	path := "/comments/" + id.String()
	before := c.get(path).ok(http.StatusOK)
	require.Equal(t, "tenant", before.body["author"])
	for _, someone := range []client{c, bob} {
		someone.patch(path, object{"body": "All is well"}).refused(http.StatusForbidden, "forbidden")
		someone.put(path, object{"body": "All is well"}).refused(http.StatusForbidden, "forbidden")
		someone.delete(path).refused(http.StatusForbidden, "forbidden")
	}
	bob.get(path).refused(http.StatusNotFound, "not_found")
	require.Equal(t, before.text, c.get(path).text)

	require.NoError(t, s.AsLandlord(l.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		tag, err := tx.Exec(t.Context(), `update app.ticket_comments set body = 'All is well' where id = $1`, id)
		require.Zero(t, tag.RowsAffected(), "the policy says so, and not the handler")
		return err
	}))
	mine := c.created("/tickets/"+l.TicketID.String()+"/comments", object{"body": "Psst", "kind": "internal"})
	bob.patch(mine, object{"body": "Hello"}).refused(http.StatusForbidden, "forbidden")
	require.NoError(t, s.AsTenant(l.Tenant.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		var seen int
		require.NoError(t, tx.QueryRow(t.Context(), `select count(id) from app.ticket_comments where kind = 'internal' or body in ('Psst', 'ann whispers')`).Scan(&seen))
		require.Zero(t, seen)
		return nil
	}))
}

// TestCommentsWhenDone comments on tickets of every status.
func TestCommentsWhenDone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	for _, status := range ticketStatuses {
		ticket := putTicket(t, s.Database, l, `status = $1`, status)
		c.post(ticket+"/comments", object{"body": "For us", "kind": "internal"}).ok(http.StatusCreated)
		a := c.post(ticket+"/comments", object{"body": "For all"})
		if status == "CLOSED" || status == "CANCELLED" {
			a.refused(http.StatusConflict, "not_possible_now")
			require.Equal(t, "This ticket is "+strings.ToLower(status)+". Reopen it to say more.", a.body["detail"])
			require.Equal(t, 1, c.get(ticket+"/comments").pagination("total"))
			continue
		}
		a.ok(http.StatusCreated)
	}
}

func TestCommentKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	ticket, other := c.ticket(), c.ticket()
	first := c.post(ticket+"/comments", object{"body": "Soon"}, key("a")).ok(http.StatusCreated)
	require.Equal(t, first.text, c.post(ticket+"/comments", object{"body": "Soon"}, key("a")).ok(http.StatusCreated).text)
	for _, refused := range []answer{
		c.post(ticket+"/comments", object{"body": "Later"}, key("a")),
		c.post(other+"/comments", object{"body": "Soon"}, key("a")),
	} {
		refused.refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	}
	require.Equal(t, 1, s.rows(t, "ticket_comments"))
}

// TestTimeline follows a ticket's life.
func TestTimeline(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	ticket := c.created("/tickets", object{"unitId": l.UnitID, "title": "Drip", "tenantId": l.TenantID})
	c.post(ticket+"/comments", object{"body": "Hm", "kind": "internal"}).ok(http.StatusCreated)
	c.patch(ticket, object{"status": "OPEN"}).ok(http.StatusOK)
	c.patch(ticket, object{"title": "Leak"}).ok(http.StatusOK) // not worth an entry
	c.patch(ticket, object{"contractorId": l.ContractorID}).ok(http.StatusOK)
	c.post(ticket+"/comments", object{"body": "Monday"}).ok(http.StatusCreated)
	c.patch(ticket, object{"status": "RESOLVED"}).ok(http.StatusOK)
	require.NoError(t, s.AsTenant(l.Tenant.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app.tickets set status = 'OPEN' where id = $1`, strings.TrimPrefix(ticket, "/tickets/"))
		return err
	}))
	c.patch(ticket, object{"status": "CANCELLED"}).ok(http.StatusOK)
	want := []string{
		"created landlord <nil> NEW", "comment landlord internal Hm", "status landlord NEW OPEN",
		"contractor landlord <nil> " + l.ContractorID.String(), "comment landlord shared Monday", "status landlord OPEN RESOLVED",
		"status tenant RESOLVED OPEN", "status landlord OPEN CANCELLED",
	}
	read := func(query string) (lines []string) {
		for _, e := range c.get(ticket + "/timeline" + query).list("timeline") {
			if e["type"] == "comment" {
				lines = append(lines, fmt.Sprintf("%v %v %v %v", e["type"], e["actor"], e["kind"], e["body"]))
				continue
			}
			lines = append(lines, fmt.Sprintf("%v %v %v %v", e["type"], e["actor"], e["from"], e["to"]))
		}
		return lines
	}
	require.Equal(t, want, read(""))
	require.Equal(t, want[3:6], read("?limit=3&page=2"))
	require.Equal(t, want[6:], read("?limit=3&page=3"))
	require.Empty(t, read("?page=2"))
	require.Equal(t, []string{want[7], want[6]}, read("?sort=-createdAt&limit=2"))
	a := c.get(ticket + "/timeline?limit=3")
	require.Equal(t, 8, a.pagination("total"))
	require.Equal(t, 3, a.pagination("totalPages"))
	c.get(ticket+"/timeline?cursor=*").refused(http.StatusBadRequest, "invalid_request", "?cursor")

	other := c.ticket()
	c.patch(other, object{"priority": "HIGH", "status": "OPEN"}).ok(http.StatusOK)
	types := map[string]int{}
	for _, e := range c.get(other + "/timeline").list("timeline") {
		types[e["type"].(string)]++
		if e["type"] == "due" {
			require.Equal(t, 5*24*time.Hour, instant(t, e["from"]).Sub(instant(t, e["to"])))
		}
	}
	require.Equal(t, map[string]int{"created": 1, "status": 1, "priority": 1, "due": 1}, types)
}
