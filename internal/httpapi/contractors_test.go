package httpapi_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestContractor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	full := object{
		"name": "Pipes & Sons", "trade": "PLUMBING", "phone": "+31 30 1", "email": "office@pipes.example", "website": "https://pipes.example/a?b=c#d",
		"address1": "1 High Street", "address2": "Rear", "city": "Utrecht", "state": "UT", "postalCode": "3511 AB", "country": "NL",
		"rating": 5.0, "licenseNo": "NL-1", "insuredUntil": "2027-03-31", "notes": "Rings\ntwice", "archived": false,
	}
	a := c.post("/contractors", full).ok(http.StatusCreated)
	require.Equal(t, full, without(data(a), "source"))
	require.Equal(t, "MANUAL", a.body["source"])
	at := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	require.Equal(t, a.text, c.get(at).ok(http.StatusOK).text)
	require.Equal(t, []object{a.body}, c.get("/contractors").list("contractors"))

	a = c.put(at, object{"name": "Pipes"}).ok(http.StatusOK)
	require.Equal(t, object{"name": "Pipes", "trade": "GENERAL", "archived": false, "source": "MANUAL"}, data(a))
	require.Equal(t, a.text, c.get(at).text)
	require.Equal(t, full, without(data(c.patch(at, full).ok(http.StatusOK)), "source"))

	s.Exec(t, `update app.contractors set source = 'SEARCH', external_place_id = 'node/1'`)
	a = c.put(at, object{"name": "Pipes"}).ok(http.StatusOK)
	require.Equal(t, "SEARCH", a.body["source"], "where they come from stays")
	require.Equal(t, "node/1", a.body["externalPlaceId"])
	require.Equal(t, a.text, c.get(at).text)
}

func TestBadContractors(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	contractor := c.created("/contractors", object{"name": "Pipes"})
	before := c.get(contractor).text
	for member, values := range map[string][]any{
		"name":  {nil, "", " ", "a\nb", strings.Repeat("x", 201), 1},
		"trade": {nil, "", "plumbing", "ROOFING"},
		"phone": {"", "1\t2", strings.Repeat("1", 51)},
		"email": {"", "office", "office@pipes", "Office <office@pipes.example>"},
		"website": {
			"", "pipes.example", "ftp://pipes.example", "javascript:alert(1)", "https://", "http:///x", "https://a b.example", "//pipes.example",
			"https://user:secret@pipes.example", "https://pipes.example/a b", "https://pipes.example/\n", `https://pipes.example/"><script>`,
			" https://pipes.example", "data:text/html,https://x", "https://" + strings.Repeat("x", 493), 1,
		},
		"address1": {"", strings.Repeat("x", 201)}, "address2": {"", strings.Repeat("x", 201)},
		"city": {"", strings.Repeat("x", 101)}, "state": {"", strings.Repeat("x", 101)}, "postalCode": {"", strings.Repeat("x", 21)},
		"country":      {"", "nl", "NLD"},
		"rating":       {0, 6, -1, 4.5, "4", 65537},
		"licenseNo":    {"", strings.Repeat("x", 101)},
		"insuredUntil": {"", "soon", "2026-02-30", 2026},
		"notes":        {"", "\n", "a\x00", strings.Repeat("x", 5001)},
		"archived":     {nil, "yes"},
		"source":       {"IMPORT"}, "externalPlaceId": {"node/1"}, "id": {noSuchRow}, "ownerUserId": {noSuchRow},
	} {
		for _, value := range values {
			body := object{"name": "Pipes"}
			maps.Copy(body, object{member: value})
			c.post("/contractors", body).refused(http.StatusBadRequest, "invalid_request", "#/"+member).discreet(c.token)
			c.put(contractor, body).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
			c.patch(contractor, object{member: value}).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
		}
	}
	require.Equal(t, 1, s.rows(t, "contractors"))
	require.Equal(t, before, c.get(contractor).text)

	for _, good := range []object{
		{"website": "http://pipes.example"},
		{"website": "https://pipes.example:8443?x=ü"},
		{"website": "https://" + strings.Repeat("x", 492)},
		{"rating": 1.0},
		{"rating": 5.0},
		{"email": "a@b.example"},
		{"name": strings.Repeat("𝔘", 200)},
		{"notes": strings.Repeat("𝔘", 5000)},
	} {
		require.Subset(t, c.patch(contractor, good).ok(http.StatusOK).body, good)
	}
	for _, trade := range []string{
		"PLUMBING", "ELECTRICAL", "HVAC", "APPLIANCE", "STRUCTURAL", "PEST", "LOCKS_KEYS", "CLEANING", "NOISE", "INTERNET_TV", "EXTERIOR", "OTHER", "GENERAL",
	} {
		c.patch(contractor, object{"trade": trade}).ok(http.StatusOK)
		require.Len(t, c.get("/contractors?trade="+trade).list("contractors"), 1)
	}
}

func TestContractorFilters(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, contractor := range []object{
		{"name": "Pipes", "trade": "PLUMBING", "city": "Utrecht", "email": "Office@Pipes.example"},
		{"name": "amps", "trade": "ELECTRICAL", "phone": "030-777", "licenseNo": "E_5"},
		{"name": "Pumps", "trade": "PLUMBING", "postalCode": "3511 AB", "notes": "secret"},
		{"name": "Drains", "trade": "PLUMBING", "archived": true},
	} {
		c.created("/contractors", contractor)
	}
	for query, want := range map[string][]string{
		"":                            {"amps", "Pipes", "Pumps"},
		"sort=-name":                  {"Pumps", "Pipes", "amps"},
		"sort=createdAt":              {"Pipes", "amps", "Pumps"},
		"sort=-createdAt":             {"Pumps", "amps", "Pipes"},
		"trade=PLUMBING":              {"Pipes", "Pumps"},
		"trade=PLUMBING&archived=all": {"Drains", "Pipes", "Pumps"},
		"archived=true":               {"Drains"},
		"trade=HVAC":                  {},
		"q=UTRECHT":                   {"Pipes"},
		"q=office@":                   {"Pipes"},
		"q=777":                       {"amps"},
		"q=e_5":                       {"amps"},
		"q=3511%20ab":                 {"Pumps"},
		"q=secret":                    {},
		"q=p&trade=ELECTRICAL":        {"amps"},
	} {
		a := c.get("/contractors?" + query)
		require.Equal(t, want, a.names("contractors"), query)
		require.Equal(t, len(want), a.pagination("total"), query)
	}
	require.Len(t, c.get("/contractors?cursor=*").list("contractors"), 3)
	c.get("/contractors?trade=plumbing&sort=trade").refused(http.StatusBadRequest, "invalid_request", "?trade", "?sort")
}

func TestDeleteContractor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.newLandlord(t), s.newLandlord(t)
	_, unit := c.made("/units", object{"name": "Attic"})
	contractor, id := c.made("/contractors", object{"name": "Pipes"})
	require.Contains(t, c.delete(contractor).refused(http.StatusConflict, "archive_first").body["detail"], "Archive this contractor first")
	archived := c.patch(contractor, object{"archived": true}).ok(http.StatusOK)
	require.Equal(t, archived.text, c.get(contractor).ok(http.StatusOK).text)

	other.delete(contractor).refused(http.StatusForbidden, "forbidden")
	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, contractor_id, title, created_by) values ($1, $2, $3, 'Drips', $1)`, c.id, unit, id)
	require.Contains(t, c.delete(contractor).refused(http.StatusConflict, "in_use").body["detail"], "tickets")
	s.Exec(t, `delete from app.tickets`)
	c.delete(contractor).ok(http.StatusNoContent)
	c.get(contractor).refused(http.StatusNotFound, "not_found")
	c.delete(contractor).refused(http.StatusForbidden, "forbidden")
}
