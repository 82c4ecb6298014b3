package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a landlord takes with them is theirs alone, does nothing where it is opened, and
// comes back as it was.
func TestExports(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.Landlord(t, "ann"), s.Landlord(t, "bob")
	c := s.caller(t, ann.Identity)
	c.created("/units", object{"name": "=cmd|' /C calc'!A0", "propertyId": ann.PropertyID, "bedrooms": 2, "areaM2": 64.5, "country": "NL"})
	c.created("/tenants", object{"firstName": "+Ada", "lastName": "@Byron", "notes": "-1\nline, and \"quotes\"", "phone": "+31 30 1"})

	for list, columns := range map[string]int{
		"units": 17, "properties": 14, "tenants": 11, "tenancies": 12, "tenant-invites": 13, "contractors": 18, "tickets": 19,
	} {
		a := c.get("/exports/" + list + ".csv").ok(http.StatusOK)
		require.Equal(t, "text/csv; charset=utf-8", a.header.Get("Content-Type"))
		require.Equal(t, "attachment; filename="+list+".csv", a.header.Get("Content-Disposition"))
		heading, rest, _ := strings.Cut(strings.TrimPrefix(a.text, "\ufeff"), "\n")
		require.Len(t, strings.Split(heading, ","), columns, list)
		require.Contains(t, rest, "ann", list)
		require.NotContains(t, rest, "bob", list)
		require.NotContains(t, rest, bob.UserID.String())
		for line := range strings.Lines(rest) {
			require.NotContains(t, "=+-@\t\r", line[:1], list)
		}
	}
	units := c.get("/exports/units.csv").text
	require.Contains(t, units, "'=cmd|' /C calc'!A0,ann house,apartment,VACANT,,,,,,NL,2,,64.50,")
	for _, list := range []string{"units", "tenants"} {
		at := c.importing("/"+list+"/import", c.get("/exports/"+list+".csv").text)
		a := c.get(at)
		require.Equal(t, a.body["rows"].(object)["total"], a.body["rows"].(object)["unchanged"], "%s: %s", list, a.text)
	}

	kim := s.newLandlord(t)
	require.Equal(t, "\ufeff", kim.get("/exports/units.csv").text[:3], "a header alone is a file too")
}

// An export goes on from where a part ended.
func TestExportInParts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	c.created("/units", object{"name": "Flat"})
	s.Exec(t, `insert into app.units (owner_user_id, name, created_by) select $1, 'Flat ' || n, $1 from generate_series(1, 1000) n`, c.id)
	text := c.get("/exports/units.csv").ok(http.StatusOK).text
	require.Equal(t, 1002, strings.Count(text, "\n"))
	for _, name := range []string{"Flat 1,", "Flat 500,", "Flat 501,", "Flat 1000,"} {
		require.Equal(t, 1, strings.Count(text, name))
	}
}
