package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// fill gives c n units, in groups of three made at the same time, whose names
// tell nothing of the order they were made in.
func (s *service) fill(t testing.TB, c client, n int) {
	t.Helper()
	c.as(t).get("/me").ok(http.StatusOK) // makes the profile that units refer to
	s.Exec(t, `insert into app.units (owner_user_id, name, created_by, created_at, archived_at)
		select $1, 'Flat ' || lpad(((n * 7919) % 10007)::text, 5, '0'), $1, timestamptz '2026-01-01' + (n / 3) * interval '1 hour', null
		  from generate_series(1, $2) n`, c.id, n)
}

func TestListPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	s.fill(t, c, 120)
	for _, test := range []struct {
		query                    string
		rows, page, limit, pages int
		next, prev               bool
	}{
		{"", 50, 1, 50, 3, true, false},
		{"?page=3", 20, 3, 50, 3, false, true},
		{"?page=4", 0, 4, 50, 3, false, true},
		{"?limit=1", 1, 1, 1, 120, true, false},
		{"?limit=100", 100, 1, 100, 2, true, false},
		{"?limit=101", 100, 1, 100, 2, true, false},
		{"?limit=1000000000&page=2", 20, 2, 100, 2, false, true},
		{"?limit=9223372036854775807", 100, 1, 100, 2, true, false},
		{"?page=9223372036854775807", 0, 9223372036854775807, 50, 3, false, true},
		{"?page=2&limit=60", 60, 2, 60, 2, false, true},
	} {
		t.Run(test.query, func(t *testing.T) {
			t.Parallel()
			a := c.as(t).get("/units" + test.query)
			require.Len(t, a.list("units"), test.rows)
			p := a.body["pagination"].(object)
			require.Equal(t, object{
				"page": float64(test.page), "limit": float64(test.limit), "total": float64(120),
				"totalPages": float64(test.pages), "hasNext": test.next, "hasPrev": test.prev,
			}, p)
		})
	}
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, list := range []string{"units", "properties"} {
		require.JSONEq(t, fmt.Sprintf(`{%q: [], "pagination":
			{"page": 1, "limit": 50, "total": 0, "totalPages": 0, "hasNext": false, "hasPrev": false}}`, list),
			c.get("/"+list).ok(http.StatusOK).text)
		require.JSONEq(t, fmt.Sprintf(`{%q: [], "pagination": {"limit": 50, "total": 0, "hasNext": false}}`, list),
			c.get("/"+list+"?cursor=*").ok(http.StatusOK).text)
	}
}

func TestListRefusesParameters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	s.fill(t, c, 1)
	const marker = "mEXFgLpQ"
	for query, parameter := range map[string]string{
		"page=0": "page", "page=-1": "page", "page=abc" + marker: "page", "page=1e3": "page", "page=": "page", "page": "page",
		"page=1.5": "page", "page=0x10": "page", "page=9223372036854775808": "page", "page=%20 1": "page", "page=1&page=2": "page",
		"limit=0": "limit", "limit=-5": "limit", "limit=abc" + marker: "limit", "limit=1e9": "limit", "limit=": "limit", "limit=99999999999999999999": "limit",
		"sort=": "sort", "sort=colour": "sort", "sort=Name": "sort", "sort=name,createdAt": "sort", "sort=name;drop " + marker: "sort", "sort=+name": "sort",
		"status=vacant": "status", "status=": "status", "kind=" + marker: "kind", "archived=yes": "archived", "archived=": "archived", "archived=1": "archived",
		"propertyId=" + marker: "propertyId", "propertyId=": "propertyId",
		"propertyId=" + marker + strings.Repeat("x", 37): "propertyId",
		"cursor=" + marker: "cursor", "cursor=": "cursor", "cursor=**": "cursor", "cursor=" + strings.Repeat("A", 101): "cursor", "cursor=AAAA": "cursor", "cursor=%2B%2F%3D%3D": "cursor",
		"q=" + strings.Repeat("x", 101): "q", "q=a%00b": "q", "q=%ff": "q", "q=a&q=b": "q",
		"colour=red": "colour", "Page=1": "Page", "owner_user_id=" + noSuchRow: "owner_user_id", "page.x=1": "page.x",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			query := strings.NewReplacer(" ", "%20", ";", "%3B").Replace(query)
			a := c.as(t).get("/units?"+query).refused(http.StatusBadRequest, "invalid_request", "?"+parameter)
			require.NotContains(t, a.text, marker)
		})
	}
	for _, query := range []string{"q=%zz", "page=1;limit=2", "%"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, http.StatusBadRequest, c.as(t).get("/units?"+query).status)
		})
	}
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		c := c.as(t)
		c.get("/properties?page=0&limit=x").refused(http.StatusBadRequest, "invalid_request", "?page", "?limit")
		c.get("/properties?status=VACANT").refused(http.StatusBadRequest, "invalid_request", "?status")
		c.get("/me?page=1").refused(http.StatusBadRequest, "invalid_request", "?page")
	})
	logged.RequireWithout(t, marker)
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	house := c.created("/properties", object{"name": "Canal House", "kind": "house", "city": "Utrecht"})
	c.created("/properties", object{"name": "Old Mill", "kind": "commercial", "archived": true})
	houseID := strings.TrimPrefix(house, "/properties/")
	for _, unit := range []object{
		{"name": "Attic", "kind": "room", "status": "VACANT", "propertyId": houseID},
		{"name": "Cellar", "kind": "storage", "status": "OFF_MARKET", "propertyId": houseID, "archived": true},
		{"name": "Garage 100%", "kind": "parking", "status": "OCCUPIED", "address1": "Dorpsstraße 5", "externalRef": "G_1"},
		{"name": "Çatı katı", "kind": "apartment", "status": "NOTICE", "city": "İzmir", "postalCode": "35000"},
		{"name": `Back\slash`, "kind": "shop"},
	} {
		c.created("/units", unit)
	}
	for query, want := range map[string][]string{
		"status=VACANT":                          {"Attic", `Back\slash`},
		"kind=storage":                           {},
		"kind=storage&archived=all":              {"Cellar"},
		"archived=true":                          {"Cellar"},
		"archived=all":                           {"Attic", `Back\slash`, "Cellar", "Garage 100%", "Çatı katı"},
		"propertyId=" + houseID:                  {"Attic"},
		"propertyId=" + strings.ToUpper(houseID): {"Attic"},
		"propertyId=" + houseID + "&archived=all&status=VACANT": {"Attic"},
		"propertyId=" + noSuchRow:                               {},
		"propertyId=" + uuid.Nil.String():                       {},
		"q=ATTIC":                                               {"Attic"},
		"q=tti":                                                 {"Attic"},
		"q=":                                                    {"Attic", `Back\slash`, "Garage 100%", "Çatı katı"},
		"q=%25":                                                 {"Garage 100%"},
		"q=_":                                                   {"Garage 100%"}, // its reference
		"q=.%2A":                                                {},
		"q=%5C":                                                 {`Back\slash`},
		"q=%27%20or%201=1--":                                    {},
		"q=" + url.QueryEscape("STRASSE"):                       {},
		"q=" + url.QueryEscape("çAT"):                           {"Çatı katı"},
		"q=35000":                                               {"Çatı katı"},
		"q=%20%20attic%20":                                      {"Attic"},
		"cursor=*&q=garage":                                     {"Garage 100%"},
		"q=a&status=OCCUPIED&kind=parking":                      {"Garage 100%"},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			a := c.as(t).get("/units?" + query).ok(http.StatusOK)
			require.ElementsMatch(t, want, a.names("units"))
			require.Equal(t, len(want), a.pagination("total"))
			// also when the page shows fewer
			require.Equal(t, len(want), c.as(t).get("/units?limit=1&"+query).pagination("total"))
		})
	}
	require.Equal(t, []string{"Canal House"}, c.get("/properties?kind=house&q=UTRECHT").names("properties"))
	require.Equal(t, []string{"Old Mill"}, c.get("/properties?archived=true").names("properties"))
}

func TestListSorts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	s.fill(t, c, 95)
	for _, sort := range []string{"name", "-name", "createdAt", "-createdAt"} {
		t.Run(sort, func(t *testing.T) {
			t.Parallel()
			c := c.as(t)
			var places, ids []string // a place is the key, and among equals the id
			for page := 1; page <= 10; page++ {
				for _, unit := range c.get(fmt.Sprintf("/units?limit=10&page=%d&sort=%s", page, sort)).list("units") {
					ids = append(ids, unit["id"].(string))
					places = append(places, unit[strings.TrimPrefix(sort, "-")].(string)+" "+unit["id"].(string))
				}
			}
			require.Len(t, places, 95)
			if strings.HasPrefix(sort, "-") {
				slices.Reverse(places)
			}
			require.True(t, slices.IsSorted(places), places)
			slices.Sort(ids)
			require.Len(t, slices.Compact(ids), 95, "every unit stands on exactly one page")
		})
	}
	require.Equal(t, c.get("/units?sort=name").text, c.get("/units").text, "by name unless asked otherwise")
}

func TestCursor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	s.fill(t, c, 230)

	// walk goes through everything and calls between after each answer.
	walk := func(query string, between func(step int)) (ids []string) {
		cursor := "*"
		for step := 1; ; step++ {
			a := c.get("/units?cursor=" + cursor + query).ok(http.StatusOK)
			for _, unit := range a.list("units") {
				ids = append(ids, unit["id"].(string))
			}
			p := a.body["pagination"].(object)
			for _, absent := range []string{"page", "totalPages", "hasPrev"} {
				require.NotContains(t, p, absent)
			}
			next, more := p["nextCursor"].(string)
			require.Equal(t, more, p["hasNext"])
			if !more {
				return ids
			}
			between(step)
			cursor = next
		}
	}
	nothing := func(int) {}

	for _, query := range []string{"", "&limit=1000", "&limit=23", "&limit=230", "&page=7&sort=-name"} {
		ids := walk(query, nothing)
		require.Len(t, ids, 230, query)
		require.True(t, slices.IsSorted(ids))
		require.Len(t, slices.Compact(ids), 230, query)
	}
	require.Equal(t, 230, c.get("/units?cursor=*&limit=3").pagination("total"))
	require.Empty(t, walk("&status=OCCUPIED", nothing))

	before := walk("", nothing)
	gone := map[string]bool{}
	during := walk("&limit=20", func(step int) {
		for _, at := range []int{step * 3, 229 - step*2} { // one already seen, one to come
			c.delete("/units/" + before[at]).ok(http.StatusNoContent)
			gone[before[at]] = true
		}
		c.created("/units", object{"name": fmt.Sprintf("Late %d", step)})
	})
	seen := map[string]int{}
	for _, id := range during {
		seen[id]++
		require.Equal(t, 1, seen[id], "seen twice")
	}
	for _, id := range before {
		require.True(t, seen[id] == 1 || gone[id], "missed")
	}
}
