package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// units adds units and returns their ids by name.
func (c client) units(property any, names ...string) map[string]string {
	c.t.Helper()
	ids := map[string]string{}
	for _, name := range names {
		ids[name] = idOf(c.created("/units", object{"name": name, "propertyId": property}))
	}
	return ids
}

// homeIn returns the id of a tenant's tenancy.
func (c client) homeIn(unit string) any {
	c.t.Helper()
	homes := c.get("/portal/homes?q=" + unit).list("homes")
	require.Len(c.t, homes, 1)
	return homes[0]["id"]
}

// TestStory has two landlords invite the same person and another one each, and goes
// through the life of their tickets. Kim is a tenant of both landlords, Lee of Ann
// alone, Mia of Bob alone; Eve has nothing to do with any of them.
func TestStory(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	st := &story{t: t, s: s, mail: mail, callers: map[string]client{}, expected: map[string]view{}, tickets: map[string]string{}}
	for _, name := range []string{"ann", "bob", "kim", "lee", "mia", "eve"} {
		st.callers[name] = s.newPerson(t, name+"@example.com")
		st.expected[name] = view{"I am": "[]", "dashboard": "0 units, 0 tenants, 0 open tickets"}
	}
	ann, bob, kim, lee, mia, eve := st.callers["ann"], st.callers["bob"], st.callers["kim"], st.callers["lee"], st.callers["mia"], st.callers["eve"]
	st.quietly("everybody signs in", func() {
		ann.patch("/me", object{"fullName": "Ann Example"}).ok(http.StatusOK)
		bob.patch("/me", object{"fullName": "Bob Builder", "companyName": "Mills & More"}).ok(http.StatusOK)
	})

	var anns, bobs map[string]string
	st.step("Ann has a house with three flats", func() {
		anns = ann.units(idOf(ann.created("/properties", object{"name": "Canal House", "city": "Delft"})), "A1", "A2", "A3")
	}, map[string]string{"ann": `
		I am: [OWNER]
		dashboard: 3 units, 0 tenants, 0 open tickets
		property Canal House: Delft
		unit A1: VACANT
		unit A2: VACANT
		unit A3: VACANT`})
	st.step("Bob has three mills", func() {
		bobs = bob.units(nil, "B1", "B2", "B3")
	}, map[string]string{"bob": `
		I am: [OWNER]
		dashboard: 3 units, 0 tenants, 0 open tickets
		unit B1: VACANT
		unit B2: VACANT
		unit B3: VACANT`})

	st.invites(anns, bobs)
	st.claims()

	st.step("Kim reports to Ann", func() {
		st.tickets["tap"] = idOf(kim.created("/portal/tickets", object{"tenancyId": kim.homeIn("A1"), "title": "Dripping tap", "category": "PLUMBING"}))
	}, map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 1 open tickets
			ticket tap: 1 "Dripping tap", NEW, A1, Kim Kay
			tap timeline: created`,
		"kim": `
			my ticket tap: 1 "Dripping tap", NEW, A1, of Ann Example
			my tap events: NEW`,
	})
	st.step("Kim reports to Bob", func() {
		st.tickets["sails"] = idOf(kim.created("/portal/tickets", object{"tenancyId": kim.homeIn("B1"), "title": "Sails squeak"}))
	}, map[string]string{
		"bob": `
			dashboard: 3 units, 2 tenants, 1 open tickets
			ticket sails: 1 "Sails squeak", NEW, B1, Kimberley Kay
			sails timeline: created`,
		"kim": `
			my ticket sails: 1 "Sails squeak", NEW, B1, of Mills & More
			my sails events: NEW`,
	})
	st.step("Ann opens a ticket for Lee", func() {
		lees := ann.get("/tenants?q=lee").list("tenants")[0]["id"]
		st.tickets["mice"] = idOf(ann.created("/tickets", object{"unitId": anns["A2"], "tenantId": lees, "title": "Mice"}))
	}, map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 2 open tickets
			ticket mice: 2 "Mice", NEW, A2, Lee Kay
			mice timeline: created`,
		"lee": `
			my ticket mice: 2 "Mice", NEW, A2, of Ann Example
			my mice events: NEW`,
	})
	st.step("Ann opens a ticket for nobody but herself", func() {
		st.tickets["paint"] = idOf(ann.created("/tickets", object{"unitId": anns["A1"], "title": "Paint the door"}))
	}, map[string]string{"ann": `
		dashboard: 3 units, 2 tenants, 3 open tickets
		ticket paint: 3 "Paint the door", NEW, A1
		paint timeline: created`})
	st.quietly("nobody meddles with what is not theirs", func() {
		tap := st.tickets["tap"]
		for _, c := range []client{bob, kim, lee, mia, eve} {
			c.patch("/tickets/"+tap, object{"status": "CLOSED"}).refused(http.StatusForbidden, "forbidden")
			c.post("/tickets/"+tap+"/comments", object{"body": "Hello", "kind": "internal"}).refused(http.StatusForbidden, "forbidden")
		}
		for _, c := range []client{ann, bob, lee, mia, eve} {
			c.post("/portal/tickets/"+tap+"/cancel", nil).refused(http.StatusForbidden, "forbidden")
			c.post("/portal/tickets/"+tap+"/comments", object{"body": "Hello"}).refused(http.StatusForbidden, "forbidden")
			c.post("/portal/tickets", object{"tenancyId": kim.homeIn("A1"), "title": "Mine"}).refused(http.StatusForbidden, "forbidden")
		}
	})

	st.talk()
	st.mend()
}

// invites has each landlord invite two people.
func (st *story) invites(anns, bobs map[string]string) {
	t, ann, bob := st.t, st.callers["ann"], st.callers["bob"]
	t.Helper()
	invite := func(by client, first, email, unit string) {
		by.post("/tenants/invite", object{"firstName": first, "lastName": "Kay", "email": email, "unitId": unit}).ok(http.StatusCreated)
	}
	st.step("Ann invites Kim", func() { invite(ann, "Kim", "kim@example.com", anns["A1"]) }, map[string]string{"ann": `
		dashboard: 3 units, 1 tenants, 0 open tickets
		tenant Kim: kim@example.com, INVITED, lives in A1
		tenancy of A1: ACTIVE
		unit A1: OCCUPIED
		invite Kim: kim@example.com, PENDING, to A1, Canal House`})
	st.step("Ann invites Lee", func() { invite(ann, "Lee", "lee@example.com", anns["A2"]) }, map[string]string{"ann": `
		dashboard: 3 units, 2 tenants, 0 open tickets
		tenant Lee: lee@example.com, INVITED, lives in A2
		tenancy of A2: ACTIVE
		unit A2: OCCUPIED
		invite Lee: lee@example.com, PENDING, to A2, Canal House`})
	st.step("Bob invites Kim, whom he calls by another name", func() { invite(bob, "Kimberley", "Kim@Example.com", bobs["B1"]) }, map[string]string{"bob": `
		dashboard: 3 units, 1 tenants, 0 open tickets
		tenant Kimberley: kim@example.com, INVITED, lives in B1
		tenancy of B1: ACTIVE
		unit B1: OCCUPIED
		invite Kimberley: kim@example.com, PENDING, to B1`})
	st.step("Bob invites Mia", func() { invite(bob, "Mia", "mia@example.com", bobs["B2"]) }, map[string]string{"bob": `
		dashboard: 3 units, 2 tenants, 0 open tickets
		tenant Mia: mia@example.com, INVITED, lives in B2
		tenancy of B2: ACTIVE
		unit B2: OCCUPIED
		invite Mia: mia@example.com, PENDING, to B2`})
	st.quietly("Bob invites into a flat of Ann's", func() {
		bob.post("/tenants/invite", object{"firstName": "Mia", "lastName": "Kay", "email": "mia@example.com", "unitId": anns["A3"]}).
			refused(http.StatusForbidden, "forbidden")
	})
}

// claims has those who were invited claim, and others try.
func (st *story) claims() {
	t := st.t
	t.Helper()
	claim := func(by string, letter int) answer {
		return st.callers[by].post("/invites/"+st.mail.letters()[letter].Token+"/claim", nil)
	}
	st.quietly("others try Kim's link", func() {
		for _, by := range []string{"ann", "bob", "lee", "mia", "eve"} {
			claim(by, 0).refused(http.StatusForbidden, "wrong_account")
		}
	})
	st.step("Kim claims Ann's invite", func() { claim("kim", 0).ok(http.StatusOK) }, map[string]string{
		"ann": `
			tenant Kim: kim@example.com, CLAIMED, lives in A1
			invite Kim: kim@example.com, CLAIMED, to A1, Canal House`,
		"kim": `
			I am: [TENANT]
			home A1: ACTIVE, of Ann Example`,
	})
	st.step("Kim claims Bob's", func() { claim("kim", 2).ok(http.StatusOK) }, map[string]string{
		"bob": `
			tenant Kimberley: kim@example.com, CLAIMED, lives in B1
			invite Kimberley: kim@example.com, CLAIMED, to B1`,
		"kim": `
			home B1: ACTIVE, of Bob Builder`,
	})
	st.step("Lee claims", func() { claim("lee", 1).ok(http.StatusOK) }, map[string]string{
		"ann": `
			tenant Lee: lee@example.com, CLAIMED, lives in A2
			invite Lee: lee@example.com, CLAIMED, to A2, Canal House`,
		"lee": `
			I am: [TENANT]
			home A2: ACTIVE, of Ann Example`,
	})
	st.step("Mia claims", func() { claim("mia", 3).ok(http.StatusOK) }, map[string]string{
		"bob": `
			tenant Mia: mia@example.com, CLAIMED, lives in B2
			invite Mia: mia@example.com, CLAIMED, to B2`,
		"mia": `
			I am: [TENANT]
			home B2: ACTIVE, of Bob Builder`,
	})
	st.quietly("Eve comes too late", func() { claim("eve", 3).refused(http.StatusConflict, "invite_claimed") })
}

// talk has landlords and tenants speak about their tickets.
func (st *story) talk() {
	t, ann, bob, kim, lee := st.t, st.callers["ann"], st.callers["bob"], st.callers["kim"], st.callers["lee"]
	t.Helper()
	tap := st.tickets["tap"]
	st.step("Ann answers Kim", func() {
		ann.post("/tickets/"+tap+"/comments", object{"body": "Somebody comes on Friday"}).ok(http.StatusCreated)
	}, map[string]string{
		"ann": `
			tap comment 1: landlord, shared: Somebody comes on Friday
			tap timeline: created, comment`,
		"kim": `
			my tap comment 1: landlord: Somebody comes on Friday`,
	})
	st.step("Ann whispers", func() {
		ann.post("/tickets/"+tap+"/comments", object{"body": "The third time this year", "kind": "internal"}).ok(http.StatusCreated)
	}, map[string]string{"ann": `
		tap comment 2: landlord, internal: The third time this year
		tap timeline: created, comment, comment`})
	st.step("Kim answers", func() {
		kim.post("/portal/tickets/"+tap+"/comments", object{"body": "Friday suits me"}).ok(http.StatusCreated)
	}, map[string]string{
		"ann": `
			tap comment 3: tenant, shared: Friday suits me
			tap timeline: created, comment, comment, comment`,
		"kim": `
			my tap comment 2: tenant: Friday suits me`,
	})
	st.step("Kim sends a photo", func() {
		kim.upload("/portal/tickets/"+tap+"/attachments", "tap.jpg", "image/jpeg", photoJPEG(t)).ok(http.StatusCreated)
	}, map[string]string{
		"ann": `tap file tap.jpg: shared`,
		"kim": `my tap file tap.jpg: image/jpeg`,
	})
	st.step("Ann keeps a bill to herself", func() {
		ann.upload("/tickets/"+tap+"/attachments?visibility=internal", "bill.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	}, map[string]string{"ann": `tap file bill.pdf: internal`})
	st.step("Ann shows Kim a manual", func() {
		ann.upload("/tickets/"+tap+"/attachments", "manual.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	}, map[string]string{
		"ann": `tap file manual.pdf: shared`,
		"kim": `my tap file manual.pdf: application/pdf`,
	})
	st.step("Bob whispers about the same person", func() {
		bob.post("/tickets/"+st.tickets["sails"]+"/comments", object{"body": "Again?", "kind": "internal"}).ok(http.StatusCreated)
	}, map[string]string{"bob": `
		sails comment 1: landlord, internal: Again?
		sails timeline: created, comment`})
	st.step("Lee speaks about what Ann has opened", func() {
		lee.post("/portal/tickets/"+st.tickets["mice"]+"/comments", object{"body": "In the kitchen"}).ok(http.StatusCreated)
	}, map[string]string{
		"ann": `
			mice comment 1: tenant, shared: In the kitchen
			mice timeline: created, comment`,
		"lee": `
			my mice comment 1: tenant: In the kitchen`,
	})
}

// mend takes Kim's ticket with Ann through its life, and ends the others.
func (st *story) mend() {
	t, ann, bob, kim, lee := st.t, st.callers["ann"], st.callers["bob"], st.callers["kim"], st.callers["lee"]
	t.Helper()
	tap := st.tickets["tap"]
	var pipes string
	st.step("Ann knows a plumber", func() {
		pipes = idOf(ann.created("/contractors", object{"name": "Pipes", "trade": "PLUMBING"}))
	}, map[string]string{"ann": `contractor Pipes: PLUMBING`})
	st.step("Ann assigns the plumber", func() {
		ann.patch("/tickets/"+tap, object{"contractorId": pipes}).ok(http.StatusOK)
	}, map[string]string{"ann": `
		ticket tap: 1 "Dripping tap", NEW, A1, Kim Kay, Pipes
		tap timeline: created, comment, comment, comment, contractor`})
	st.quietly("Bob would like Ann's plumber", func() {
		bob.patch("/tickets/"+st.tickets["sails"], object{"contractorId": pipes}).refused(http.StatusForbidden, "forbidden")
	})
	become := func(status string) func() {
		return func() { ann.patch("/tickets/"+tap, object{"status": status}).ok(http.StatusOK) }
	}
	st.step("the plumber is at it", become("IN_PROGRESS"), map[string]string{
		"ann": `
			ticket tap: 1 "Dripping tap", IN_PROGRESS, A1, Kim Kay, Pipes
			tap timeline: created, comment, comment, comment, contractor, status`,
		"kim": `
			my ticket tap: 1 "Dripping tap", IN_PROGRESS, A1, of Ann Example
			my tap events: NEW, IN_PROGRESS`,
	})
	st.quietly("Kim can't take it back any more", func() {
		kim.post("/portal/tickets/"+tap+"/cancel", nil).refused(http.StatusConflict, "not_possible_now")
	})
	st.step("Ann calls it mended", become("RESOLVED"), map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 2 open tickets
			ticket tap: 1 "Dripping tap", RESOLVED, A1, Kim Kay, Pipes
			tap timeline: created, comment, comment, comment, contractor, status, status`,
		"kim": `
			my ticket tap: 1 "Dripping tap", RESOLVED, A1, of Ann Example
			my tap events: NEW, IN_PROGRESS, RESOLVED`,
	})
	st.step("Kim says that it still drips", func() {
		kim.post("/portal/tickets/"+tap+"/reopen", nil).ok(http.StatusOK)
	}, map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 3 open tickets
			ticket tap: 1 "Dripping tap", OPEN, A1, Kim Kay, Pipes
			tap timeline: created, comment, comment, comment, contractor, status, status, status`,
		"kim": `
			my ticket tap: 1 "Dripping tap", OPEN, A1, of Ann Example
			my tap events: NEW, IN_PROGRESS, RESOLVED, OPEN`,
	})
	st.step("it is mended for good", become("RESOLVED"), map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 2 open tickets
			ticket tap: 1 "Dripping tap", RESOLVED, A1, Kim Kay, Pipes
			tap timeline: created, comment, comment, comment, contractor, status, status, status, status`,
		"kim": `
			my ticket tap: 1 "Dripping tap", RESOLVED, A1, of Ann Example
			my tap events: NEW, IN_PROGRESS, RESOLVED, OPEN, RESOLVED`,
	})
	st.step("Ann closes", become("CLOSED"), map[string]string{
		"ann": `
			ticket tap: 1 "Dripping tap", CLOSED, A1, Kim Kay, Pipes
			tap timeline: created, comment, comment, comment, contractor, status, status, status, status, status`,
		"kim": `
			my ticket tap: 1 "Dripping tap", CLOSED, A1, of Ann Example
			my tap events: NEW, IN_PROGRESS, RESOLVED, OPEN, RESOLVED, CLOSED`,
	})
	st.quietly("no more is said", func() {
		kim.post("/portal/tickets/"+tap+"/reopen", nil).refused(http.StatusConflict, "not_possible_now")
		kim.post("/portal/tickets/"+tap+"/comments", object{"body": "Thanks"}).refused(http.StatusConflict, "not_possible_now")
		ann.post("/tickets/"+tap+"/comments", object{"body": "Thanks"}).refused(http.StatusConflict, "not_possible_now")
	})

	st.step("Kim takes back what Bob has not looked at", func() {
		kim.post("/portal/tickets/"+st.tickets["sails"]+"/cancel", nil).ok(http.StatusOK)
	}, map[string]string{
		"bob": `
			dashboard: 3 units, 2 tenants, 0 open tickets
			ticket sails: 1 "Sails squeak", CANCELLED, B1, Kimberley Kay
			sails timeline: created, comment, status`,
		"kim": `
			my ticket sails: 1 "Sails squeak", CANCELLED, B1, of Mills & More
			my sails events: NEW, CANCELLED`,
	})
	st.step("Lee takes back what Ann has opened for Lee", func() {
		lee.post("/portal/tickets/"+st.tickets["mice"]+"/cancel", nil).ok(http.StatusOK)
	}, map[string]string{
		"ann": `
			dashboard: 3 units, 2 tenants, 1 open tickets
			ticket mice: 2 "Mice", CANCELLED, A2, Lee Kay
			mice timeline: created, comment, status`,
		"lee": `
			my ticket mice: 2 "Mice", CANCELLED, A2, of Ann Example
			my mice events: NEW, CANCELLED`,
	})
}
