package httpapi_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
)

// asLandlord runs one statement as c, under the landlord's policies.
func (s *service) asLandlord(t testing.TB, c client, sql string, args ...any) {
	t.Helper()
	ctx := auth.With(t.Context(), auth.Identity{UserID: c.id})
	require.NoError(t, s.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, sql, args...)
		require.EqualValues(t, 1, tag.RowsAffected(), "%v", err)
		return err
	}))
}

// today is the database's, moved by days.
func (s *service) today(t testing.TB, days int) (day string) {
	t.Helper()
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select (current_date + $1::int)::text", days).Scan(&day))
	return day
}

// moveIn invites somebody with an address to a unit, claims, and returns them and
// the tenancy.
func (s *service) moveIn(t testing.TB, mail *mailbox, landlord, person client, email, unit string) (tenancy string) {
	t.Helper()
	a := landlord.post("/tenants/invite", object{"firstName": "T", "lastName": "T", "email": email, "unitId": unit}).ok(http.StatusCreated)
	letters := mail.letters()
	person.post("/invites/"+letters[len(letters)-1].Token+"/claim", nil).ok(http.StatusOK)
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select id::text from app.tenancies where tenant_id = $1 and unit_id = $2",
		a.body["tenantId"], unit).Scan(&tenancy))
	return tenancy
}

// sees requires that a list shows exactly what want says, but for ids and times.
func (c client) sees(path, want string) {
	c.t.Helper()
	require.JSONEq(c.t, want, stripped(c.t, c.get(path).ok(http.StatusOK).text), path)
}

const (
	nothing = `"pagination": {"page": 1, "limit": 50, "total": 0, "totalPages": 0, "hasNext": false, "hasPrev": false}`
	one     = `"pagination": {"page": 1, "limit": 50, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false}`
	two     = `"pagination": {"page": 1, "limit": 50, "total": 2, "totalPages": 1, "hasNext": false, "hasPrev": false}`
)

// TestPortalStory lets two landlords invite the same person and another, and
// compares what everybody sees with what they should.
func TestPortalStory(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob := s.newLandlord(t), s.newPerson(t, "bob@example.com")
	kim, lee, eve := s.newPerson(t, "kim@example.com"), s.newPerson(t, "lee@example.com"), s.newPerson(t, "eve@example.com")
	ann.patch("/me", object{"fullName": "Ann Example", "companyName": "Canal House Rentals", "phone": "+31 30 123 4567"}).ok(http.StatusOK)
	bob.patch("/me", object{"fullName": "Bob Builder"}).ok(http.StatusOK)
	house := idOf(ann.created("/properties", object{"name": "Canal House", "address1": "12 Canal Street", "city": "Delft", "country": "NL"}))
	flat := idOf(ann.created("/units", object{"name": "Flat 1", "propertyId": house, "bedrooms": 2}))
	attic := idOf(ann.created("/units", object{"name": "Attic", "propertyId": house}))
	mill := idOf(bob.created("/units", object{"name": "Mill", "kind": "house", "address1": "1 Mill Lane", "postalCode": "3511 AB"}))
	today := s.today(t, 0)

	// three invites, nobody has claimed
	for _, i := range []struct {
		by                 client
		first, email, unit string
	}{{ann, "Kim", "kim@example.com", flat}, {bob, "Kimberley", "kim@example.com", mill}, {ann, "Lee", "lee@example.com", attic}} {
		i.by.post("/tenants/invite", object{"firstName": i.first, "lastName": "Kay", "email": i.email, "unitId": i.unit}).ok(http.StatusCreated)
	}
	for _, c := range []client{kim, lee, eve, ann, bob} {
		c.sees("/portal/homes", `{"homes": [], `+nothing+`}`)
		c.sees("/portal/tickets", `{"tickets": [], `+nothing+`}`)
	}
	kim.post("/invites/"+mail.letters()[0].Token+"/claim", nil).ok(http.StatusOK)
	kim.post("/invites/"+mail.letters()[1].Token+"/claim", nil).ok(http.StatusOK)
	lee.post("/invites/"+mail.letters()[2].Token+"/claim", nil).ok(http.StatusOK)

	// homes
	annsCard := `{"name": "Ann Example", "companyName": "Canal House Rentals", "email": "ann@example.com", "phone": "+31 30 123 4567"}`
	annsHouse := `{"name": "Canal House", "address1": "12 Canal Street", "city": "Delft", "country": "NL"}`
	flatHome := `{"status": "ACTIVE", "startDate": "` + today + `", "unit": {"name": "Flat 1", "kind": "apartment"}, "property": ` + annsHouse + `, "landlord": ` + annsCard + `}`
	atticHome := strings.Replace(flatHome, "Flat 1", "Attic", 1)
	millHome := `{"status": "ACTIVE", "startDate": "` + today + `", "unit": {"name": "Mill", "kind": "house", "address1": "1 Mill Lane", "postalCode": "3511 AB"},
		"landlord": {"name": "Bob Builder", "email": "bob@example.com"}}`
	kim.sees("/portal/homes?q=canal", `{"homes": [`+flatHome+`], `+one+`}`)
	kim.sees("/portal/homes?q=mill", `{"homes": [`+millHome+`], `+one+`}`)
	require.Equal(t, 2, kim.get("/portal/homes").pagination("total"))
	lee.sees("/portal/homes", `{"homes": [`+atticHome+`], `+one+`}`)
	for _, c := range []client{eve, ann, bob} {
		c.sees("/portal/homes", `{"homes": [], `+nothing+`}`)
	}
	flatTenancy := kim.get("/portal/homes?q=canal").list("homes")[0]["id"].(string)
	millTenancy := kim.get("/portal/homes?q=mill").list("homes")[0]["id"].(string)
	atticTenancy := lee.get("/portal/homes").list("homes")[0]["id"].(string)

	// tickets
	tap := kim.created("/portal/tickets", object{
		"tenancyId": flatTenancy, "title": "Tap drips", "description": "Day\nand night", "category": "PLUMBING",
		"entryPermission": true, "entryNotes": "Mind the cat",
	})
	sails := kim.created("/portal/tickets", object{"tenancyId": millTenancy, "title": "Sails squeak"})
	tapTicket := `{"number": 1, "tenancyId": "` + flatTenancy + `", "unitName": "Flat 1", "landlordName": "Canal House Rentals", "title": "Tap drips",
		"description": "Day\nand night", "category": "PLUMBING", "status": "NEW", "entryPermission": true, "entryNotes": "Mind the cat", "version": 1}`
	sailsTicket := `{"number": 1, "tenancyId": "` + millTenancy + `", "unitName": "Mill", "landlordName": "Bob Builder", "title": "Sails squeak",
		"category": "OTHER", "status": "NEW", "entryPermission": false, "version": 1}`
	kim.sees("/portal/tickets", `{"tickets": [`+sailsTicket+`, `+tapTicket+`], `+two+`}`)
	kim.sees("/portal/tickets?sort=createdAt", `{"tickets": [`+tapTicket+`, `+sailsTicket+`], `+two+`}`)
	kim.sees("/portal/tickets?tenancyId="+flatTenancy, `{"tickets": [`+tapTicket+`], `+one+`}`)
	kim.sees("/portal/tickets?q=SQUEAK", `{"tickets": [`+sailsTicket+`], `+one+`}`)
	kim.sees("/portal/tickets?status=OPEN", `{"tickets": [], `+nothing+`}`)
	kim.sees("/portal/tickets?tenancyId="+atticTenancy, `{"tickets": [], `+nothing+`}`)
	others := func() {
		t.Helper()
		for _, c := range []client{lee, eve, ann, bob} {
			c.sees("/portal/tickets", `{"tickets": [], `+nothing+`}`)
			for _, ticket := range []string{tap, sails, "/portal/tickets/" + noSuchRow} {
				c.get(ticket).refused(http.StatusNotFound, "not_found")
				for _, what := range []string{"/cancel", "/reopen"} {
					c.post(ticket+what, nil).refused(http.StatusForbidden, "forbidden")
				}
				c.post(ticket+"/comments", object{"body": "Hello"}).refused(http.StatusForbidden, "forbidden")
			}
		}
	}
	others()

	// talk: the landlord's whispers stay with the landlord
	kim.post(tap+"/comments", object{"body": "Friday suits me"}).ok(http.StatusCreated)
	s.asLandlord(t, ann, "insert into app.ticket_comments (ticket_id, kind, body) values ($1, 'shared', 'Friday it is')", idOf(tap))
	s.asLandlord(t, ann, "insert into app.ticket_comments (ticket_id, kind, body) values ($1, 'internal', 'Always complaining')", idOf(tap))
	s.asLandlord(t, ann, "update app.tickets set status = 'RESOLVED', priority = 'HIGH', cost_minor = 12345, currency = 'EUR' where id = $1", idOf(tap))
	story := func(ticket, comments, events string) string {
		return ticket[:len(ticket)-1] + `, "comments": [` + comments + `], "events": [` + events + `]}`
	}
	said := `{"author": "tenant", "body": "Friday suits me", "version": 1}, {"author": "landlord", "body": "Friday it is", "version": 1}`
	opened := `{"to": "NEW", "actor": "tenant"}`
	resolved := opened + `, {"from": "NEW", "to": "RESOLVED", "actor": "landlord"}`
	is := func(ticket, status, version string) string {
		return strings.NewReplacer(`"NEW"`, `"`+status+`"`, `"version": 1`, `"version": `+version).Replace(ticket)
	}
	kim.sees(tap, story(is(tapTicket, "RESOLVED", "2"), said, resolved))
	kim.sees(sails, story(sailsTicket, "", opened))
	others()

	// reopen what is resolved, once
	a := kim.post(tap+"/reopen", nil, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	require.Equal(t, `"2"`, a.header.Get("ETag"))
	reopened := resolved + `, {"from": "RESOLVED", "to": "OPEN", "actor": "tenant"}`
	a = kim.post(tap+"/reopen", nil, `If-Match: "2"`).ok(http.StatusOK)
	require.JSONEq(t, story(is(tapTicket, "OPEN", "3"), said, reopened), stripped(t, a.text))
	require.Equal(t, `"3"`, a.header.Get("ETag"))
	require.Equal(t, a.text, kim.post(tap+"/reopen", nil).ok(http.StatusOK).text, "asked twice, done once")
	kim.post(tap+"/cancel", nil).refused(http.StatusConflict, "not_possible_now")

	// take back what is new, and say no more about it
	kim.post(sails+"/reopen", nil).refused(http.StatusConflict, "not_possible_now")
	a = kim.post(sails+"/cancel", nil).ok(http.StatusOK)
	cancelled := opened + `, {"from": "NEW", "to": "CANCELLED", "actor": "tenant"}`
	require.JSONEq(t, story(is(sailsTicket, "CANCELLED", "2"), "", cancelled), stripped(t, a.text))
	kim.post(sails+"/comments", object{"body": "Too late"}).refused(http.StatusConflict, "not_possible_now")
	kim.post(sails+"/reopen", nil).refused(http.StatusConflict, "not_possible_now")
	kim.sees(sails, story(is(sailsTicket, "CANCELLED", "2"), "", cancelled))

	// too late to reopen
	s.asLandlord(t, ann, "update app.tickets set status = 'RESOLVED' where id = $1", idOf(tap))
	s.Exec(t, "update app.tickets set resolved_at = now() - interval '31 days' where id = $1", idOf(tap))
	kim.post(tap+"/reopen", nil).refused(http.StatusConflict, "not_possible_now")
	s.Exec(t, "update app.tickets set resolved_at = now() - interval '29 days' where id = $1", idOf(tap))
	kim.post(tap+"/reopen", nil).ok(http.StatusOK)
	s.asLandlord(t, ann, "update app.tickets set status = 'RESOLVED' where id = $1", idOf(tap))
	s.asLandlord(t, ann, "update app.tickets set status = 'CLOSED' where id = $1", idOf(tap))
	kim.post(tap+"/reopen", nil).refused(http.StatusConflict, "not_possible_now")

	// Kim moves out of the flat, and Mia in
	s.asLandlord(t, ann, "update app.tenancies set start_date = current_date - 100, end_date = current_date - 1 where id = $1", flatTenancy)
	mia := s.newPerson(t, "mia@example.com")
	s.moveIn(t, mail, ann, mia, "mia@example.com", flat)
	mia.sees("/portal/homes", `{"homes": [`+flatHome+`], `+one+`}`)
	mia.sees("/portal/tickets", `{"tickets": [], `+nothing+`}`)
	mia.get(tap).refused(http.StatusNotFound, "not_found")
	mia.post("/portal/tickets", object{"tenancyId": flatTenancy, "title": "Not mine"}).refused(http.StatusForbidden, "forbidden")
	kim.sees("/portal/homes?q=canal", `{"homes": [`+strings.Replace(flatHome, `"ACTIVE", "startDate": "`+today+`"`,
		`"ENDED", "startDate": "`+s.today(t, -100)+`", "endDate": "`+s.today(t, -1)+`"`, 1)+`], `+one+`}`)
	require.Equal(t, "CLOSED", kim.get(tap).ok(http.StatusOK).body["status"])
	kim.post("/portal/tickets", object{"tenancyId": flatTenancy, "title": "Left my umbrella"}).refused(http.StatusForbidden, "forbidden")
	others()
}

func TestPortalTicketRefusals(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, kim := s.newLandlord(t), s.newPerson(t, "kim@example.com")
	flat := idOf(ann.created("/units", object{"name": "Flat"}))
	tenancy := s.moveIn(t, mail, ann, kim, "kim@example.com", flat)
	valid := func(changes object) object {
		body := object{"tenancyId": tenancy, "title": "Tap drips"}
		maps.Copy(body, changes)
		return body
	}
	for pointer, body := range map[string]object{
		"#/title":           valid(object{"title": strings.Repeat("x", 201)}),
		"#/tenancyId":       valid(object{"tenancyId": "home"}),
		"#/description":     valid(object{"description": "\x00"}),
		"#/category":        valid(object{"category": "GHOSTS"}),
		"#/entryPermission": valid(object{"entryPermission": "yes"}),
		"#/entryNotes":      valid(object{"entryNotes": strings.Repeat("x", 1001)}),
		"#/priority":        valid(object{"priority": "EMERGENCY"}),
		"#/status":          valid(object{"status": "OPEN"}),
		"#/unitId":          valid(object{"unitId": flat}),
		"#/costMinor":       valid(object{"costMinor": 1}),
	} {
		kim.post("/portal/tickets", body).refused(http.StatusBadRequest, "invalid_request", pointer)
	}
	kim.post("/portal/tickets", valid(object{"tenancyId": noSuchRow})).refused(http.StatusForbidden, "forbidden")
	ann.post("/portal/tickets", valid(nil)).refused(http.StatusForbidden, "forbidden") // a landlord is not the tenant
	for _, when := range []string{"start_date = current_date + 1", "start_date = current_date, cancelled_at = now()"} {
		s.asLandlord(t, ann, "update app.tenancies set "+when+" where id = $1", tenancy)
		kim.post("/portal/tickets", valid(nil)).refused(http.StatusForbidden, "forbidden")
	}
	kim.sees("/portal/homes", `{"homes": [], `+nothing+`}`) // it was cancelled
	require.Zero(t, s.rows(t, "tickets"))

	s.asLandlord(t, ann, "update app.tenancies set cancelled_at = null, notice_given_on = current_date where id = $1", tenancy)
	require.Equal(t, "NOTICE_GIVEN", kim.get("/portal/homes").list("homes")[0]["status"])
	ticket := kim.created("/portal/tickets", valid(nil))
	kim.post(ticket+"/comments", object{"body": " \n "}).refused(http.StatusBadRequest, "invalid_request", "#/body")
	kim.post(ticket+"/comments", object{"body": "x", "kind": "internal"}).refused(http.StatusBadRequest, "invalid_request", "#/kind")
	require.Zero(t, s.rows(t, "ticket_comments"))
	var priority, source, owner string
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select priority, source, owner_user_id::text from app.tickets").Scan(&priority, &source, &owner))
	require.Equal(t, []string{"NORMAL", "TENANT_PORTAL", ann.id.String()}, []string{priority, source, owner})
}

func TestPortalIdempotencyKey(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, kim := s.newLandlord(t), s.newPerson(t, "kim@example.com")
	tenancy := s.moveIn(t, mail, ann, kim, "kim@example.com", idOf(ann.created("/units", object{"name": "Flat"})))
	body := object{"tenancyId": tenancy, "title": "Tap drips"}
	answers := make([]answer, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = kim.post("/portal/tickets", body, key("k")) })
	}
	wg.Wait()
	for _, a := range answers {
		sameAnswer(t, answers[0].ok(http.StatusCreated), a)
	}
	require.Equal(t, 1, s.rows(t, "tickets"))
	first, second := answers[0].header.Get("Location"), kim.created("/portal/tickets", body)

	c := kim.post(first+"/comments", object{"body": "Again"}, key("c")).ok(http.StatusCreated)
	sameAnswer(t, c, kim.post(first+"/comments", object{"body": "Again"}, key("c")))
	kim.post(second+"/comments", object{"body": "Again"}, key("c")).
		refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	require.Equal(t, 1, s.rows(t, "ticket_comments"))
}

// TestPortalLongStory: of a long story a tenant sees the newest comments, oldest first, and
// none that is internal.
func TestPortalLongStory(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, kim := s.newLandlord(t), s.newPerson(t, "kim@example.com")
	tenancy := s.moveIn(t, mail, ann, kim, "kim@example.com", idOf(ann.created("/units", object{"name": "Flat"})))
	ticket := kim.created("/portal/tickets", object{"tenancyId": tenancy, "title": "Tap drips"})
	s.Exec(t, `insert into app.ticket_comments (owner_user_id, ticket_id, kind, body, created_by, created_at)
		select k.owner_user_id, k.id, case when n % 2 = 0 then 'shared' else 'internal' end, 'Comment ' || n, k.owner_user_id, now() + n * interval '1 second'
		  from app.tickets k, generate_series(1, 500) n where k.id = $1`, idOf(ticket))
	comments := kim.get(ticket).body["comments"].([]any)
	require.Len(t, comments, 200)
	require.Equal(t, "Comment 102", comments[0].(object)["body"])
	require.Equal(t, "Comment 500", comments[199].(object)["body"], "the newest")
}

// TestPortalRoundTrips is TestRoundTrips for somebody who lives somewhere.
func TestPortalRoundTrips(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	var trips roundTrips
	counted := serveOn(t, s.Database, s.Open(t, db.Config{MaxConns: 1, Configure: trips.count}))
	ann, kim := s.newLandlord(t), s.newPerson(t, "kim@example.com")
	tenancy := s.moveIn(t, mail, ann, kim, "kim@example.com", idOf(ann.created("/units", object{"name": "Flat"})))
	kim.url = counted.url
	for _, test := range []struct {
		request string
		body    any
		key     string
		trips   int64
	}{
		{"GET /portal/homes?q=flat", nil, "", 2},
		{"GET /portal/tickets?cursor=*", nil, "", 2},
		{"GET {ticket}", nil, "", 2},
		{"GET {ticket}/attachments", nil, "", 2},
		{"POST /portal/tickets", object{"tenancyId": tenancy, "title": "Tap drips"}, "", 3}, // and shows it
		{"POST /portal/tickets", object{"tenancyId": tenancy, "title": "Tap drips"}, "t", 6},
		{"POST {ticket}/comments", object{"body": "Friday suits me"}, "", 2},
		{"POST {ticket}/comments", object{"body": "Friday suits me"}, "c", 5},
		{"POST {ticket}/cancel", nil, "", 3},
		{"POST {resolved ticket}/reopen", nil, "", 3},
	} {
		for round := range 3 { // the first prepares the statements
			method, path, _ := strings.Cut(test.request, " ")
			ticket := kim.created("/portal/tickets", object{"tenancyId": tenancy, "title": "Tap drips"})
			if strings.Contains(path, "{resolved ticket}") {
				s.asLandlord(t, ann, "update app.tickets set status = 'RESOLVED' where id = $1", idOf(ticket))
			}
			path = strings.NewReplacer("{ticket}", ticket, "{resolved ticket}", ticket).Replace(path)
			var headers []string
			if test.key != "" {
				headers = []string{key(test.key + string(rune('0'+round)))}
			}
			n := trips.of(func() { require.Less(t, kim.send(method, path, test.body, headers...).status, 300, test.request) })
			if round > 0 {
				require.Equal(t, test.trips, n, test.request)
			}
		}
	}
}
