package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

func jsonOf(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// labels returns what a search has found, by kind, kinds without anything left out.
func (a answer) labels() map[string][]string {
	a.t.Helper()
	found := map[string][]string{}
	for _, kind := range []string{"units", "tenants", "tickets", "contractors"} {
		for _, row := range a.list(kind) {
			found[kind] = append(found[kind], row["label"].(string))
		}
	}
	return found
}

func TestSearch(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	c := s.landlord(t, ann)
	s.Exec(t, `insert into app.units (owner_user_id, name, address1, city, external_ref, created_by, archived_at) values
		($1, '100% Loft', 'Canal Street', 'Utrecht', 'x_1', $1, null), ($1, 'Çatı', null, 'İzmir', null, $1, null), ($1, 'Old Loft', null, null, null, $1, now())`, ann.UserID)
	s.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, email, phone, created_by) values ($1, 'Ada', 'Byron', 'Ada@Example.org', '+31 30 1', $1)`, ann.UserID)
	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, description, created_by) values ($1, $2, 'Roof leaks', 'Under the chimney', $1)`, ann.UserID, ann.UnitID)
	s.Exec(t, `insert into app.contractors (owner_user_id, name, trade, created_by) values ($1, 'Byron & Sons', 'PLUMBING', $1)`, ann.UserID)
	for q, want := range map[string]map[string][]string{
		"loft":          {"units": {"100% Loft"}},
		"LOFT":          {"units": {"100% Loft"}},
		"  loft  ":      {"units": {"100% Loft"}},
		"canal":         {"units": {"100% Loft"}},
		"0%":            {"units": {"100% Loft"}},
		"x_":            {"units": {"100% Loft"}},
		"%%":            {},
		"__":            {},
		`\\`:            {},
		"' or ''='":     {},
		"çatı":          {"units": {"Çatı"}},
		"byron":         {"tenants": {"Ada Byron"}, "contractors": {"Byron & Sons"}},
		"ada byron":     {"tenants": {"Ada Byron"}},
		"ADA@example":   {"tenants": {"Ada Byron"}},
		"#2":            {"tickets": {"#2 Roof leaks"}},
		"chimney":       {"tickets": {"#2 Roof leaks"}},
		"plumbing":      {"contractors": {"Byron & Sons"}},
		"ann drips":     {"tickets": {"#1 ann drips"}},
		"bob":           {},
		"bob drips":     {},
		"ann plumber":   {"contractors": {"ann plumber"}},
		"ann-tenant@":   {"tenants": {"ann renter ann renter"}},
		"ann house":     {"units": {"ann flat"}},
		"nothing there": {},
	} {
		t.Run(q, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, c.as(t).get("/search?q="+url.QueryEscape(q)).ok(http.StatusOK).labels())
		})
	}
	unit := c.get("/search?q=loft").list("units")[0]
	require.Equal(t, "Canal Street, Utrecht", unit["detail"])
	c.get("/units/" + unit["id"].(string)).ok(http.StatusOK)
	require.Equal(t, "NEW, ann flat", c.get("/search?q=chimney").list("tickets")[0]["detail"])
	require.NotContains(t, c.get("/search?q=an").text, bob.UserID.String())
	require.Empty(t, s.newLandlord(t).get("/search?q=ann").ok(http.StatusOK).labels())

	for _, query := range []string{"", "?q=", "?q=a", "?q=%20a%20", "?q=%C3%A7", "?q=" + fmt.Sprintf("%0101d", 0)} {
		c.get("/search"+query).refused(http.StatusBadRequest, "invalid_request", "?q")
	}
	c.get("/search?q=ab&limit=9").refused(http.StatusBadRequest, "invalid_request", "?limit")
}

// TestSearchShowsFive of each kind, and first what begins with what was asked for.
func TestSearchShowsFive(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann := d.Landlord(t, "ann")
	s.Exec(t, `insert into app.units (owner_user_id, name, created_by) select $1, 'a zz ' || n, $1 from generate_series(1, 9) n`, ann.UserID)
	s.Exec(t, `insert into app.units (owner_user_id, name, created_by) values ($1, 'zz top', $1)`, ann.UserID)
	s.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, created_by) select $1, 'A' || n, 'a zz', $1 from generate_series(1, 9) n`, ann.UserID)
	s.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, created_by) values ($1, 'Zz', 'Top', $1)`, ann.UserID)
	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, created_by) select $1, $2, 'a zz ' || n, $1 from generate_series(1, 9) n`, ann.UserID, ann.UnitID)
	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, created_by, created_at) values ($1, $2, 'zz top', $1, now() - interval '1 day')`, ann.UserID, ann.UnitID)
	s.Exec(t, `insert into app.contractors (owner_user_id, name, created_by) select $1, 'a zz ' || n, $1 from generate_series(1, 9) n`, ann.UserID)
	s.Exec(t, `insert into app.contractors (owner_user_id, name, created_by) values ($1, 'zz top', $1)`, ann.UserID)
	found := s.landlord(t, ann).get("/search?q=ZZ").ok(http.StatusOK).labels()
	for kind, first := range map[string]string{"units": "zz top", "tenants": "Zz Top", "tickets": "#11 zz top", "contractors": "zz top"} {
		require.Len(t, found[kind], 5, kind)
		require.Equal(t, first, found[kind][0], kind)
	}
	require.Equal(t, []string{"zz top", "a zz 1", "a zz 2", "a zz 3", "a zz 4"}, found["units"])
}
