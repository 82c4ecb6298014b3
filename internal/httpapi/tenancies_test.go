package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// home is a unit and somebody to live in it.
func (c client) home() (unit, tenant string) {
	c.t.Helper()
	_, unit = c.made("/units", object{"name": "Attic"})
	_, tenant = c.made("/tenants", person("Jo", "Jansen"))
	return unit, tenant
}

func TestTenancy(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	full := object{
		"unitId": unit, "tenantId": tenant, "startDate": "2020-02-29", "endDate": "2020-02-29", "isPrimary": false,
		"noticeGivenOn": "2020-01-01", "moveOutReason": "Bought\na house", "cancelled": false,
	}
	a := c.post("/tenancies", without(full, "cancelled")).ok(http.StatusCreated)
	require.Equal(t, full, without(data(a), "status"))
	at := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	require.Equal(t, a.text, c.get(at).ok(http.StatusOK).text)
	require.Equal(t, []object{a.body}, c.get("/tenancies").list("tenancies"))

	least := object{"unitId": unit, "tenantId": tenant, "startDate": "2021-01-01"}
	a = c.put(at, least).ok(http.StatusOK)
	least["isPrimary"], least["cancelled"] = true, false
	require.Equal(t, least, without(data(a), "status"))
	require.Equal(t, a.text, c.get(at).text)

	a = c.patch(at, object{"isPrimary": false, "noticeGivenOn": "2021-02-03"}).ok(http.StatusOK)
	require.Equal(t, false, a.body["isPrimary"])
	require.Equal(t, "2021-02-03", a.body["noticeGivenOn"])

	require.Equal(t, true, c.patch(at, object{"isPrimary": nil}).ok(http.StatusOK).body["isPrimary"], "its default")

	since := c.patch(at, object{"cancelled": true}).ok(http.StatusOK).body["cancelledAt"]
	require.NotEmpty(t, since)
	require.Equal(t, since, c.patch(at, object{"moveOutReason": "x"}).ok(http.StatusOK).body["cancelledAt"])
	require.NotContains(t, c.patch(at, object{"cancelled": false}).ok(http.StatusOK).body, "cancelledAt")
}

func TestBadTenancies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	_, otherUnit := c.made("/units", object{"name": "Cellar"})
	_, otherTenant := c.made("/tenants", person("Al", "Akker"))
	good := object{"unitId": unit, "tenantId": tenant, "startDate": "2026-05-01", "endDate": "2026-06-01"}
	tenancy := c.created("/tenancies", good)
	before := c.get(tenancy).text
	for member, values := range map[string][]any{
		"unitId":        {nil, "", "1", 1},
		"tenantId":      {nil, "", "1", 1},
		"startDate":     {nil, "", "today", "2026-1-1", "01-02-2026", "2026-02-30", "2026-13-01", "2026-05-01T00:00:00Z", " 2026-05-01", 20260501, "+12026-01-01", "infinity"},
		"endDate":       {"", "2025-02-29", "2026-04-30", "0001-01-01", "9999-99-99", "infinity"},
		"noticeGivenOn": {"", "soon", "2026-00-10"},
		"isPrimary":     {"yes", 1},
		"moveOutReason": {"", " ", "a\x00", strings.Repeat("x", 501)},
		"cancelled":     {nil, "no"},
		"status":        {"ENDED"},
		"warnings":      {[]any{}},
	} {
		for _, value := range values {
			body := maps.Clone(good)
			body[member] = value
			c.post("/tenancies", body).refused(http.StatusBadRequest, "invalid_request", "#/"+member).discreet(c.token)
			c.put(tenancy, body).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
			c.patch(tenancy, object{member: value}).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
		}
	}
	c.post("/tenancies", object{}).refused(http.StatusBadRequest, "invalid_request", "#/unitId", "#/tenantId", "#/startDate")
	c.patch(tenancy, object{"startDate": "2026-06-02"}).refused(http.StatusBadRequest, "invalid_request", "#/endDate") // which was before it then

	good["cancelled"] = true
	c.post("/tenancies", good).refused(http.StatusBadRequest, "invalid_request", "#/cancelled")
	for member, value := range map[string]string{"unitId": otherUnit, "tenantId": otherTenant} {
		moved := maps.Clone(good)
		moved[member] = value
		c.put(tenancy, moved).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
		c.patch(tenancy, object{member: value}).refused(http.StatusBadRequest, "invalid_request", "#/"+member)
	}
	require.Equal(t, before, c.get(tenancy).text, "nothing has changed")
	require.Equal(t, 1, s.rows(t, "tenancies"))
}

func TestTenancyStatus(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	const none = 1 << 20
	cancelled := map[string]bool{}
	want := map[string]string{}
	for _, test := range []struct {
		start, end, notice int
		cancelled          bool
		status             string
	}{
		{1, none, none, false, "UPCOMING"},
		{2, 9, -1, false, "UPCOMING"}, // notice before moving in
		{0, none, none, false, "ACTIVE"},
		{-1, 0, none, false, "ACTIVE"},     // its last day
		{-2, 90, 1, false, "ACTIVE"},       // notice as from tomorrow
		{-3, 90, 0, false, "NOTICE_GIVEN"}, // as from today
		{-4, none, -9, false, "NOTICE_GIVEN"},
		{-5, -1, -9, false, "ENDED"},
		{-6, -1, none, false, "ENDED"},
		{-7, none, none, true, "CANCELLED"},
		{-8, -1, -2, true, "CANCELLED"},
	} {
		body := object{"unitId": unit, "tenantId": tenant, "startDate": s.day(t, test.start)}
		if test.end != none {
			body["endDate"] = s.day(t, test.end)
		}
		if test.notice != none {
			body["noticeGivenOn"] = s.day(t, test.notice)
		}
		a := c.post("/tenancies", body).ok(http.StatusCreated)
		at := a.header.Get("Location")
		if test.cancelled {
			a = c.patch(at, object{"cancelled": true}).ok(http.StatusOK)
			cancelled[at] = true
		}
		require.Equal(t, test.status, a.body["status"], test)
		require.Equal(t, test.status, c.get(at).body["status"], test)
		want[a.body["id"].(string)] = test.status
	}
	seen := 0
	for _, status := range []string{"UPCOMING", "ACTIVE", "NOTICE_GIVEN", "ENDED", "CANCELLED"} {
		a := c.get("/tenancies?status=" + status)
		for _, row := range a.list("tenancies") {
			require.Equal(t, status, row["status"])
			require.Equal(t, status, want[row["id"].(string)])
			seen++
		}
		require.Equal(t, len(a.list("tenancies")), a.pagination("total"))
	}
	require.Len(t, want, seen)
	require.Len(t, cancelled, 2)
	c.get("/tenancies?status=active").refused(http.StatusBadRequest, "invalid_request", "?status")
	c.get("/tenancies?q=x").refused(http.StatusBadRequest, "invalid_request", "?q")
}

func TestTenancyFilters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	_, otherUnit := c.made("/units", object{"name": "Cellar"})
	_, otherTenant := c.made("/tenants", person("Al", "Akker"))
	for _, y := range [][4]string{
		{unit, tenant, "2020-01-01", "2020-12-31"},
		{unit, otherTenant, "2021-01-01", "2023-12-31"},
		{otherUnit, tenant, "2022-01-01", "2022-12-31"},
		{otherUnit, otherTenant, "2024-01-01", ""},
	} {
		body := object{"unitId": y[0], "tenantId": y[1], "startDate": y[2]}
		if y[3] != "" {
			body["endDate"] = y[3]
		}
		c.created("/tenancies", body)
	}
	for query, want := range map[string][]string{
		"":                                       {"2024", "2022", "2021", "2020"},
		"sort=-startDate":                        {"2024", "2022", "2021", "2020"},
		"sort=startDate":                         {"2020", "2021", "2022", "2024"},
		"sort=endDate":                           {"2020", "2022", "2021", "2024"}, // the one without an end last
		"unitId=" + unit:                         {"2021", "2020"},
		"tenantId=" + tenant:                     {"2022", "2020"},
		"status=ENDED&unitId=" + otherUnit:       {"2022"},
		"unitId=" + unit + "&tenantId=" + tenant: {"2020"},
		"unitId=" + noSuchRow:                    {},
		"sort=startDate&limit=2&page=2":          {"2022", "2024"},
	} {
		years := []string{}
		for _, row := range c.get("/tenancies?" + query).list("tenancies") {
			years = append(years, row["startDate"].(string)[:4])
		}
		require.Equal(t, want, years, query)
	}
	c.get("/tenancies?sort=-endDate&tenantId=x").refused(http.StatusBadRequest, "invalid_request", "?sort", "?tenantId")
	require.Len(t, c.get("/tenancies?cursor=*").list("tenancies"), 4)
}

func TestOverlappingTenancies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	_, other := c.made("/tenants", person("Al", "Akker"))
	_, otherUnit := c.made("/units", object{"name": "Cellar"})
	first := c.created("/tenancies", object{"unitId": unit, "tenantId": tenant, "startDate": "2026-03-01", "endDate": "2026-03-31"})
	require.NotContains(t, c.get(first).body, "warnings")

	for _, test := range []struct {
		unit, start, end string
		overlaps         bool
	}{
		{unit, "2026-02-01", "2026-02-28", false}, // up to the day before
		{unit, "2026-02-01", "2026-03-01", true},  // one day shared
		{unit, "2026-03-31", "", true},
		{unit, "2026-04-01", "", false},
		{unit, "2026-03-10", "2026-03-11", true},
		{unit, "2026-01-01", "", true},
		{otherUnit, "2026-03-10", "2026-03-11", false},
	} {
		body := object{"unitId": test.unit, "tenantId": other, "startDate": test.start}
		if test.end != "" {
			body["endDate"] = test.end
		}
		a := c.post("/tenancies", body).ok(http.StatusCreated)
		at := a.header.Get("Location")
		for _, shown := range []answer{a, c.get(at).ok(http.StatusOK), c.patch(at, object{}).ok(http.StatusOK)} {
			require.Equal(t, test.overlaps, shown.overlaps(), test)
		}
		require.Equal(t, test.overlaps, c.get(first).overlaps(), "it is so for both")
		c.patch(at, object{"cancelled": true}).ok(http.StatusOK)
		require.False(t, c.get(at).overlaps())
		require.False(t, c.get(first).overlaps(), "what is cancelled is in nobody's way")
		c.delete(at).ok(http.StatusNoContent)
	}

	second := c.created("/tenancies", object{"unitId": unit, "tenantId": other, "startDate": "2026-06-01"})
	require.True(t, c.patch(second, object{"startDate": "2026-03-15"}).ok(http.StatusOK).overlaps())
	require.Equal(t, 2, s.rows(t, "tenancies"), "saved all the same")

	// neither is another landlord's tenancy
	other2 := s.newLandlord(t)
	theirUnit, theirs := other2.home()
	require.False(t, other2.post("/tenancies", object{"unitId": theirUnit, "tenantId": theirs, "startDate": "2026-03-15"}).ok(http.StatusCreated).overlaps())

	body := object{"unitId": unit, "tenantId": tenant, "startDate": "2026-03-20"}
	a := c.post("/tenancies", body, key("twice")).ok(http.StatusCreated)
	require.True(t, a.overlaps())
	require.Equal(t, a.text, c.post("/tenancies", body, key("twice")).ok(http.StatusCreated).text, "a repeated answer warns again")
}

// overlaps reports whether a tenancy is shown with a warning that it overlaps.
func (a answer) overlaps() bool {
	a.t.Helper()
	warnings, warned := a.body["warnings"].([]any)
	if warned {
		require.Len(a.t, warnings, 1)
		require.Equal(a.t, "overlapping_tenancy", warnings[0].(object)["code"])
		require.NotEmpty(a.t, warnings[0].(object)["detail"])
	}
	return warned
}

func TestSameTenancyTwice(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit, tenant := c.home()
	body := object{"unitId": unit, "tenantId": tenant, "startDate": "2026-03-01"}
	answers := make([]answer, 5)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.post("/tenancies", body) })
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.status == http.StatusCreated {
			made++
			continue
		}
		a.refused(http.StatusConflict, "already_exists", "#/startDate").discreet(c.token)
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, s.rows(t, "tenancies"))
	body["startDate"] = "2026-03-02"
	later := c.created("/tenancies", body)
	c.patch(later, object{"startDate": "2026-03-01"}).refused(http.StatusConflict, "already_exists", "#/startDate")
	require.Equal(t, fmt.Sprint(body["startDate"]), c.get(later).body["startDate"])
}

// TestUnitIsOccupiedWhileLet: a tenancy of today shows, whatever the landlord has said
// or sends back; what else they say stays.
func TestUnitIsOccupiedWhileLet(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.newLandlord(t), s.newLandlord(t)
	path := c.created("/units", object{"name": "Flat"})
	tenant := idOf(c.created("/tenants", object{"firstName": "Jo", "lastName": "Doe"}))
	shows := func(status string) {
		t.Helper()
		require.Equal(t, status, c.get(path).ok(http.StatusOK).body["status"])
		require.Equal(t, status, c.get("/units").list("units")[0]["status"])
		for _, asked := range []string{"VACANT", "OCCUPIED", "NOTICE", "OFF_MARKET"} {
			a := c.get("/units?status=" + asked)
			require.Equal(t, status == asked, len(a.list("units")) == 1, asked)
			require.Equal(t, len(a.list("units")), a.pagination("total"), asked)
		}
		units := c.get("/dashboard").ok(http.StatusOK).body["units"].(object)
		for name, number := range map[string]string{"VACANT": "vacant", "OCCUPIED": "occupied", "NOTICE": "notice", "OFF_MARKET": "offMarket"} {
			require.Equal(t, status == name, units[number] == 1.0, "%s: %v", number, units)
		}
	}
	shows("VACANT")
	tenancy := c.created("/tenancies", object{"unitId": idOf(path), "tenantId": tenant, "startDate": s.today(t, 0), "endDate": s.today(t, 0)})
	shows("OCCUPIED")
	for _, days := range [][2]int{{1, 9}, {-9, -1}} {
		c.patch(tenancy, object{"startDate": s.today(t, days[0]), "endDate": s.today(t, days[1])}).ok(http.StatusOK)
		shows("VACANT")
	}
	c.patch(tenancy, object{"startDate": s.today(t, -9), "endDate": nil}).ok(http.StatusOK)
	shows("OCCUPIED")
	c.created("/tenancies", object{"unitId": idOf(path), "tenantId": tenant, "startDate": s.today(t, -5)}) // they overlap
	shows("OCCUPIED")

	require.Equal(t, "OCCUPIED", c.patch(path, object{"name": "Loft"}).ok(http.StatusOK).body["status"])
	require.Equal(t, "OCCUPIED", c.put(path, object{"name": "Loft", "status": "VACANT"}).ok(http.StatusOK).body["status"])
	require.Equal(t, "OCCUPIED", c.put(path, object{"name": "Loft", "status": "OCCUPIED"}).ok(http.StatusOK).body["status"])
	for _, status := range []string{"NOTICE", "OFF_MARKET"} {
		require.Equal(t, status, c.patch(path, object{"status": status}).ok(http.StatusOK).body["status"])
		shows(status)
	}
	c.patch(path, object{"status": "VACANT"}).ok(http.StatusOK)
	c.patch(path, object{"status": "OCCUPIED"}).ok(http.StatusOK)
	s.Exec(t, "update app.tenancies set cancelled_at = now()")
	shows("VACANT")
	c.patch(path, object{"status": "OCCUPIED"}).ok(http.StatusOK)
	shows("OCCUPIED") // the landlord says so

	other.created("/units", object{"name": "Flat"})
	require.Equal(t, "VACANT", other.get("/units").list("units")[0]["status"])
}
