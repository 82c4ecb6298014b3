package httpapi_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// day is the date in that many days, as Postgres and the API have it.
func (s *service) day(t testing.TB, days int) (day string) {
	t.Helper()
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select (current_date + $1::integer)::text", days).Scan(&day))
	return day
}

// made makes something and returns its path and its id.
func (c client) made(path string, body any) (at, id string) {
	c.t.Helper()
	at = c.created(path, body)
	return at, at[strings.LastIndex(at, "/")+1:]
}

// person is the least that is to say of a tenant.
func person(first, last string) object { return object{"firstName": first, "lastName": last} }

// lastNames returns those of a list's tenants.
func (a answer) lastNames() []string {
	a.t.Helper()
	names := []string{}
	for _, row := range a.list("tenants") {
		names = append(names, row["lastName"].(string))
	}
	return names
}

func TestTenant(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	_, unit := c.made("/units", object{"name": "Attic"})
	full := object{
		"firstName": "Jo", "lastName": "Jansen", "email": "jo@example.com", "phone": "+31 6 1", "unitId": unit,
		"notes": "Calls\n\tafter six", "externalRef": "T-1", "archived": false,
	}
	a := c.post("/tenants", full).ok(http.StatusCreated)
	require.Equal(t, full, without(data(a), "portalStatus"))
	require.Equal(t, "NOT_INVITED", a.body["portalStatus"])
	require.NotContains(t, a.body, "currentTenancy")
	at := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	require.Equal(t, a.text, c.get(at).ok(http.StatusOK).text)

	a = c.put(at, person(" Joanna ", "Jansen\u00a0")).ok(http.StatusOK)
	require.Equal(t, object{"firstName": "Joanna", "lastName": "Jansen", "archived": false}, without(data(a), "portalStatus"))
	require.Equal(t, `"2"`, a.header.Get("ETag"))
	require.Equal(t, a.text, c.get(at).text)

	a = c.patch(at, object{"notes": "x", "unitId": unit}).ok(http.StatusOK)
	require.Equal(t, "x", a.body["notes"])
	require.Equal(t, unit, a.body["unitId"])
	require.NotContains(t, c.patch(at, object{"notes": nil, "unitId": nil}).ok(http.StatusOK).body, "unitId")
}

func TestBadTenants(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	tenant := c.created("/tenants", person("Jo", "Jansen"))
	before := c.get(tenant).text
	for member, values := range map[string][]string{
		"firstName": {`""`, `" "`, `null`, `"a\nb"`, `"` + strings.Repeat("x", 101) + `"`, `1`},
		"lastName":  {`""`, `"\u00a0"`, `null`, `"` + strings.Repeat("x", 101) + `"`},
		"phone":     {`""`, `"1\t2"`, `"` + strings.Repeat("1", 51) + `"`},
		"notes": {
			`""`, `" \n\t"`, `"a\u0000"`, `"a\rb"`, `"a\u001bb"`, `"a\u000bb"`, `"a\u0085b"`, `"a\u007f"`,
			`"` + strings.Repeat("x", 5001) + `"`,
		},
		"externalRef": {`""`, `"a\nb"`, `"` + strings.Repeat("x", 101) + `"`},
		"unitId":      {`"1"`, `""`, `7`},
		"archived":    {`null`, `"true"`},
		"email": {
			`""`, `"jo"`, `"jo@"`, `"@example.com"`, `"jo@example"`, `"jo@example..com"`, `"jo@.example.com"`, `"jo@example.com."`,
			`"Jo <jo@example.com>"`, `"jo@ex ample.com"`, `"jo @example.com"`, `"a@b@example.com"`, `" jo@example.com"`, `"jo@example.com\n"`,
			`".jo@example.com"`, `"jo.@example.com"`, `"jo..x@example.com"`, `"jo@example.com,al@example.com"`, `"\"jo\"@example.com"`,
			`"jo\u0000@example.com"`, `"` + strings.Repeat("x", 310) + `@example.com"`, `1`,
		},
		"portalStatus": {`"CLAIMED"`},
		"userId":       {`"` + noSuchRow + `"`},
		"ownerUserId":  {`"` + noSuchRow + `"`},
	} {
		for _, value := range values {
			body := `{"firstName":"Jo","lastName":"Jansen","` + member + `":` + value + `}`
			switch member {
			case "firstName":
				body = `{"lastName":"Jansen","firstName":` + value + `}`
			case "lastName":
				body = `{"firstName":"Jo","lastName":` + value + `}`
			}
			c.post("/tenants", body).refused(http.StatusBadRequest, "invalid_request", "#/"+member).discreet(c.token)
			c.put(tenant, body).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
			c.patch(tenant, `{"`+member+`":`+value+`}`).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
		}
	}
	c.post("/tenants", `{}`).refused(http.StatusBadRequest, "invalid_request", "#/firstName", "#/lastName")
	require.Equal(t, 1, s.rows(t, "tenants"))
	require.Equal(t, before, c.get(tenant).text)

	longest := object{
		"firstName": strings.Repeat("𝔘", 100), "lastName": strings.Repeat("𝔘", 100), "phone": strings.Repeat("𝔘", 50),
		"notes": strings.Repeat("𝔘", 5000), "externalRef": strings.Repeat("𝔘", 100), "email": strings.Repeat("x", 308) + "@example.com",
	}
	require.Subset(t, c.get(c.created("/tenants", longest)).ok(http.StatusOK).body, longest)
	for _, email := range []string{"o'brien+flat-3@mail.example.co.uk", "用户@例子.广告", "a@b.c"} {
		require.Equal(t, email, c.patch(tenant, object{"email": email}).ok(http.StatusOK).body["email"])
	}
}

func TestTakenEmails(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	jo := person("Jo", "Jansen")
	jo["email"] = "Jo@Example.com"
	require.Equal(t, "jo@example.com", ann.post("/tenants", jo).ok(http.StatusCreated).body["email"])
	other := ann.created("/tenants", person("Al", "Akker"))
	ann.created("/tenants", person("Al", "Akker")) // who has no address is told apart by nothing
	jo["email"] = "JO@example.com"
	for _, a := range []answer{ann.post("/tenants", jo), ann.put(other, jo), ann.patch(other, object{"email": "jo@example.COM"})} {
		a.refused(http.StatusConflict, "email_taken", "#/email").discreet(ann.token)
	}
	require.NotContains(t, ann.get(other).body, "email")
	bob.post("/tenants", jo).ok(http.StatusCreated) // whom Ann lets to is nothing to Bob
	require.Equal(t, 4, s.rows(t, "tenants"))
}

// TestForeignReferences names another landlord's rows in every body, next to rows
// that do not exist: the answers are the same, and nothing is written.
func TestForeignReferences(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	_, unit := ann.made("/units", object{"name": "Attic"})
	tenant, tenantID := ann.made("/tenants", person("Jo", "Jansen"))
	tenancy := ann.created("/tenancies", object{"unitId": unit, "tenantId": tenantID, "startDate": "2026-01-01"})
	_, bobsUnit := bob.made("/units", object{"name": "Attic"})
	bobsTenant, bobsTenantID := bob.made("/tenants", person("Al", "Akker"))
	before := ann.get(tenant).text + ann.get(tenancy).text
	for _, ids := range [][2]string{{bobsUnit, bobsTenantID}, {noSuchRow, noSuchRow}} {
		there := person("Jo", "Jansen")
		there["unitId"] = ids[0]
		for _, a := range []answer{
			ann.post("/tenants", there), ann.put(tenant, there), ann.patch(tenant, object{"unitId": ids[0]}),
			ann.post("/tenancies", object{"unitId": ids[0], "tenantId": tenantID, "startDate": "2026-01-01"}),
			ann.post("/tenancies", object{"unitId": unit, "tenantId": ids[1], "startDate": "2026-01-01"}),
			ann.post("/tenancies", object{"unitId": ids[0], "tenantId": ids[1], "startDate": "2026-01-01"}),
		} {
			a.refused(http.StatusForbidden, "forbidden").discreet(ann.token)
		}
		require.Empty(t, ann.get("/tenants?unitId="+ids[0]).list("tenants"))
		require.Empty(t, ann.get("/tenancies?unitId="+ids[0]).list("tenancies"))
		require.Empty(t, ann.get("/tenancies?tenantId="+ids[1]).list("tenancies"))
	}
	ann.get(bobsTenant).refused(http.StatusNotFound, "not_found")
	ann.delete(bobsTenant).refused(http.StatusForbidden, "forbidden")
	require.Equal(t, before, ann.get(tenant).text+ann.get(tenancy).text)
	require.Equal(t, 2, s.rows(t, "tenants"))
	require.Equal(t, 1, s.rows(t, "tenancies"))
}

func TestTenantFilters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	_, unit := c.made("/units", object{"name": "Attic"})
	for _, tenant := range []object{
		{"firstName": "Jo", "lastName": "Jansen", "email": "Jo.J@example.com", "unitId": unit},
		{"firstName": "Al", "lastName": "akker", "phone": "+31 6 999", "externalRef": "T_1"},
		{"firstName": "Zoë", "lastName": "Jansen", "notes": "secret"},
		{"firstName": "Old", "lastName": "Gone", "archived": true, "unitId": unit},
	} {
		c.created("/tenants", tenant)
	}
	for query, want := range map[string][]string{
		"":                                 {"akker", "Jansen", "Jansen"},
		"archived=true":                    {"Gone"},
		"archived=all":                     {"akker", "Gone", "Jansen", "Jansen"},
		"unitId=" + unit:                   {"Jansen"},
		"unitId=" + unit + "&archived=all": {"Gone", "Jansen"},
		"unitId=" + noSuchRow:              {},
		"q=jo.j@EXAMPLE":                   {"Jansen"},
		"q=" + url.QueryEscape("zoë j"):    {"Jansen"}, // first and last name
		"q=999":                            {"akker"},
		"q=t_1":                            {"akker"},
		"q=%25":                            {},
		"q=secret":                         {}, // notes are no names
	} {
		a := c.get("/tenants?" + query).ok(http.StatusOK)
		require.Equal(t, want, a.lastNames(), query)
		require.Equal(t, len(want), a.pagination("total"), query)
	}
	firstNames := func(sort string) (names []string) {
		for _, tenant := range c.get("/tenants?sort=" + sort).list("tenants") {
			names = append(names, tenant["firstName"].(string))
		}
		return names
	}
	require.Equal(t, []string{"Al", "Jo", "Zoë"}, firstNames("name"))
	require.Equal(t, []string{"Zoë", "Jo", "Al"}, firstNames("-name"))
	require.Equal(t, []string{"Jo", "Al", "Zoë"}, firstNames("createdAt"))
	require.Equal(t, []string{"Zoë", "Al", "Jo"}, firstNames("-createdAt"))
	c.get("/tenants?archived=x&sort=firstName&unitId=1").refused(http.StatusBadRequest, "invalid_request", "?archived", "?sort", "?unitId")

	var walked []string
	cursor := "*"
	for range 3 {
		a := c.get("/tenants?limit=1&cursor=" + cursor)
		walked = append(walked, a.list("tenants")[0]["id"].(string))
		cursor, _ = a.body["pagination"].(object)["nextCursor"].(string)
	}
	require.Empty(t, cursor)
	require.True(t, slices.IsSorted(walked))
	require.Len(t, slices.Compact(walked), 3)
}

// TestTenantShown reads what is shown of a tenant besides what was said: in the
// list, alone, and after a change.
func TestTenantShown(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	other := s.Landlord(t, "other") // whose tenant has a login, a tenancy and an invite
	_, unit := c.made("/units", object{"name": "Attic"})
	_, next := c.made("/units", object{"name": "Cellar"})
	tenant, id := c.made("/tenants", person("Jo", "Jansen"))
	shown := func(portalStatus string, currentTenancy any) {
		t.Helper()
		a := c.get(tenant).ok(http.StatusOK)
		require.Equal(t, portalStatus, a.body["portalStatus"])
		require.Equal(t, currentTenancy, a.body["currentTenancy"])
		require.Equal(t, []object{a.body}, c.get("/tenants").list("tenants"))
		changed := c.patch(tenant, object{}).ok(http.StatusOK)
		require.Equal(t, portalStatus, changed.body["portalStatus"])
		require.Equal(t, currentTenancy, changed.body["currentTenancy"])
	}
	shown("NOT_INVITED", nil)

	invite := func() {
		s.Exec(t, `insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by)
			values ($1, $2, 'jo@example.com', sha256(gen_random_uuid()::text::bytea), now() + interval '1 hour', $1)`, c.id, id)
	}
	invite()
	shown("INVITED", nil)
	s.Exec(t, `update app.tenant_invites set expires_at = now() - interval '1 second' where tenant_id = $1`, id)
	shown("EXPIRED", nil)
	s.Exec(t, `update app.tenant_invites set revoked_at = now() where tenant_id = $1`, id)
	shown("NOT_INVITED", nil)
	invite() // beside the revoked one
	shown("INVITED", nil)
	s.Exec(t, `update app.tenant_invites set claimed_at = now(), claimed_by_user_id = $2 where tenant_id = $1 and revoked_at is null`, id, other.Tenant.UserID)
	s.Exec(t, `update app.tenants set user_id = $2 where id = $1`, id, other.Tenant.UserID)
	shown("CLAIMED", nil)

	tenancy := func(unit string, from, to int, primary bool) string {
		_, made := c.made("/tenancies", object{
			"unitId": unit, "tenantId": id, "startDate": s.day(t, from), "endDate": s.day(t, to), "isPrimary": primary,
		})
		return made
	}
	tenancy(unit, -20, -1, true) // over since yesterday
	tenancy(unit, 1, 20, true)   // from tomorrow
	shown("CLAIMED", nil)
	today := tenancy(unit, 0, 0, true) // its first and its last day
	shown("CLAIMED", object{"id": today, "unitId": unit, "startDate": s.day(t, 0), "endDate": s.day(t, 0)})
	tenancy(next, -1, 1, false) // of several, the primary one
	shown("CLAIMED", object{"id": today, "unitId": unit, "startDate": s.day(t, 0), "endDate": s.day(t, 0)})
	c.patch("/tenancies/"+today, object{"endDate": nil}).ok(http.StatusOK)
	shown("CLAIMED", object{"id": today, "unitId": unit, "startDate": s.day(t, 0)})
	c.patch("/tenancies/"+today, object{"cancelled": true}).ok(http.StatusOK)
	require.Equal(t, next, c.get(tenant).body["currentTenancy"].(object)["unitId"])
}

func TestDeleteTenant(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, unitID := c.made("/units", object{"name": "Attic"})
	inUse := func(path, what string) {
		t.Helper()
		require.Contains(t, c.delete(path).refused(http.StatusConflict, "in_use").body["detail"], what)
		c.get(path).ok(http.StatusOK)
	}
	tenant, id := c.made("/tenants", object{"firstName": "Jo", "lastName": "Jansen", "unitId": unitID})
	inUse(unit, "tenants")
	require.Contains(t, c.delete(tenant).refused(http.StatusConflict, "archive_first").body["detail"], "Archive this tenant first")
	require.Equal(t, 1, s.rows(t, "tenants"))

	archived := c.patch(tenant, object{"archived": true}).ok(http.StatusOK)
	require.NotEmpty(t, archived.body["archivedAt"])
	require.Equal(t, archived.text, c.get(tenant).ok(http.StatusOK).text, "what is archived stays readable")
	c.delete(tenant, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")

	tenancy := c.created("/tenancies", object{"unitId": unitID, "tenantId": id, "startDate": "2026-01-01"})
	inUse(tenant, "tenancies")
	c.patch(tenant, object{"unitId": nil}).ok(http.StatusOK)
	inUse(unit, "tenancies")
	require.Contains(t, c.delete(tenancy).refused(http.StatusConflict, "archive_first").body["detail"], "Cancel this tenancy first")
	c.patch(tenancy, object{"cancelled": true}).ok(http.StatusOK)
	c.delete(tenancy).ok(http.StatusNoContent)

	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, tenant_id, title, created_by) values ($1, $2, $3, 'Drips', $1)`, c.id, unitID, id)
	inUse(tenant, "tickets")
	s.Exec(t, `delete from app.tickets`)
	s.Exec(t, `insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by)
		values ($1, $2, 'jo@example.com', sha256('x'), now(), $1)`, c.id, id)

	c.delete(tenant).ok(http.StatusNoContent)
	require.Zero(t, s.rows(t, "tenant_invites"), "they go with the tenant")
	c.get(tenant).refused(http.StatusNotFound, "not_found")
	c.delete(tenant).refused(http.StatusForbidden, "forbidden")
	c.delete(unit).ok(http.StatusNoContent)
}

// TestDeleteInvitedTenant: with a tenant go their invites, and their login with the
// landlord, and nothing of anybody else's.
func TestDeleteInvitedTenant(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob, kim := s.newLandlord(t), s.newLandlord(t), s.newPerson(t, "kim@example.com")
	for _, c := range []client{ann, bob} {
		flat := idOf(c.created("/units", object{"name": "Flat"}))
		c.post("/tenants/invite", kay(object{"unitId": flat})).ok(http.StatusCreated)
		kim.post("/invites/"+mail.newest()+"/claim", nil).ok(http.StatusOK)
	}
	others := bob.get("/tenant-invites").text
	tenant := ann.get("/tenants").list("tenants")[0]["id"].(string)
	tenancy := ann.get("/tenancies").list("tenancies")[0]["id"].(string)
	path := "/tenants/" + tenant
	ann.delete(path).refused(http.StatusConflict, "archive_first")
	ann.patch(path, object{"archived": true}).ok(http.StatusOK)
	ann.delete(path).refused(http.StatusConflict, "in_use")
	require.Len(t, ann.get("/tenant-invites").list("tenantInvites"), 1, "what is refused leaves all")
	bob.delete(path).refused(http.StatusForbidden, "forbidden")
	require.Len(t, kim.get("/portal/homes").list("homes"), 2)

	ann.patch("/tenancies/"+tenancy, object{"cancelled": true}).ok(http.StatusOK)
	ann.delete("/tenancies/" + tenancy).ok(http.StatusNoContent)
	request := "X-Request-Id: delete-invited"
	ann.delete(path, request).ok(http.StatusNoContent)
	require.Empty(t, ann.get("/tenant-invites").list("tenantInvites"))
	gone := map[any]any{}
	for _, e := range ann.get("/audit?action=delete").list("audit") {
		if e["requestId"] == "delete-invited" {
			gone[e["table"]] = e["before"].(object)["token_hash"]
		}
	}
	require.Equal(t, map[any]any{"tenants": nil, "tenant_invites": "***"}, gone)
	s.nobody(t).get("/invites/"+mail.letters()[0].Token).refused(http.StatusNotFound, "invite_unknown")
	require.Len(t, kim.get("/portal/homes").list("homes"), 1)
	require.Equal(t, others, bob.get("/tenant-invites").text)
	ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated) // they may come again
}
