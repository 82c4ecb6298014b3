package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// table reads the rows of a list's spreadsheet, by column.
func (c client) table(path string) []map[string]string {
	c.t.Helper()
	a := c.get(path).ok(http.StatusOK)
	require.Equal(c.t, "text/csv; charset=utf-8", a.header.Get("Content-Type"))
	require.Equal(c.t, strconv.Itoa(len(a.text)), a.header.Get("Content-Length"))
	require.True(c.t, strings.HasPrefix(a.text, "\ufeff"))
	file, err := csvfile.Parse([]byte(a.text))
	require.NoError(c.t, err)
	require.Equal(c.t, ',', file.Delimiter)
	var rows []map[string]string
	for row, err := range file.Rows() {
		if refused, ok := errors.AsType[*csvfile.Error](err); ok && refused.Code == csvfile.CodeNoRows {
			break
		}
		require.NoError(c.t, err)
		cells := map[string]string{}
		for i, cell := range row.Cells {
			cells[file.Header[i]] = cell
		}
		rows = append(rows, cells)
	}
	return rows
}

// A spreadsheet has the rows of its list, all of them, in the same order, whatever the
// list is asked for.
func TestExportsAreTheLists(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	s.multiply(t, l, 150)
	kim := client{t: t, url: s.url, id: l.Tenant.UserID, token: accessToken(t, object{"sub": l.Tenant.UserID.String(), "email": l.Tenant.Email})}
	filled := paths(t, c, kim, l.InviteToken)
	names := map[string]string{"/tenant-invites": "tenantInvites"}
	found := map[string]int{}
	for _, test := range exportPlanTests() {
		path, text, _ := strings.Cut(strings.TrimPrefix(test.request, "GET "), "?")
		list := strings.TrimSuffix(path, "/export.csv")
		name := names[list]
		if name == "" {
			name = list[1:]
		}
		text = filled.Replace(text)
		t.Run(test.request, func(t *testing.T) {
			var want []string
			for page, more := 1, true; more; page++ {
				query, err := url.ParseQuery(text)
				require.NoError(t, err)
				query.Set("limit", "100")
				query.Set("page", strconv.Itoa(page))
				a := c.as(t).get(list + "?" + query.Encode())
				for _, row := range a.list(name) {
					want = append(want, row["id"].(string))
				}
				more = a.body["pagination"].(object)["hasNext"].(bool)
			}
			rows := c.as(t).table(path + "?" + text)
			var got []string
			for _, row := range rows {
				got = append(got, row["id"])
			}
			require.Equal(t, want, got)
			found[list] = max(found[list], len(got))
		})
	}
	for list := range exported {
		require.Greater(t, found[list], 100, list)
	}
	c.get("/units/export.csv?limit=5").refused(http.StatusBadRequest, "invalid_request", "?limit")
	c.get("/units/export.csv?sort=size").refused(http.StatusBadRequest, "invalid_request", "?sort")
}

func TestExportName(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	a := c.get("/units/export.csv").ok(http.StatusOK)
	require.Regexp(t, `^attachment; filename=units-\d{4}-\d\d-\d\d\.csv$`, a.header.Get("Content-Disposition"))
	require.True(t, strings.HasPrefix(a.text, "\ufeffunit,propertyName,kind,"), "there is a header even without units: %s", a.text)
	require.Equal(t, 1, strings.Count(a.text, "\n"))
}

// What is exported and sent back as it is changes nothing, whatever people write into
// their books, and however those came to be what they are.
func TestExportRoundTrip(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	_, house := c.made("/properties", object{"name": "=Canal; \"House\""})
	odd := []string{
		"=1+1", "+31", "-5", "@home", "'tis", "'=1", "''-", "＝1", "Flat, 2", "Flat; 3", `Flat "4"`, "Ünit ẞ", "شقة", "🏠 5", "0012", "1e5", "TRUE", "2026-01-01",
	}
	var units []string
	for i, name := range odd {
		unit := object{"name": name, "kind": "storage", "status": "OFF_MARKET", "externalRef": name}
		if i%2 == 0 {
			unit = object{"name": name, "propertyId": house, "address1": "-1 Canal Street", "country": "NL", "bedrooms": 2, "bathrooms": 1.5, "areaM2": 1234.5}
		}
		_, id := c.made("/units", unit)
		units = append(units, id)
	}
	c.created("/units", object{"name": "Flat, 2"}) // another of that name
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for i, tenant := range []object{
		{"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+31 6 12345678", "notes": "=HYPERLINK(\"x\")\nsecond, line", "unitId": units[0]},
		{"firstName": "-", "lastName": "@nobody", "email": "o'hara@example.com", "externalRef": "0012"},
		{"firstName": "No", "lastName": "Address", "unitId": units[8]},      // lives there since nobody knows when
		{"firstName": "No", "lastName": "Address", "externalRef": "moves"},  // the same, by a tenancy alone
		{"firstName": "Early", "lastName": "Bird", "unitId": units[2]},      // who has not moved in yet
		{"firstName": "Long", "lastName": "Gone", "email": "g@example.com"}, // who has moved out
	} {
		_, id := c.made("/tenants", tenant)
		if span, ok := map[int][2]string{0: {day(-400), ""}, 3: {day(-5), day(90)}, 4: {day(30), ""}, 5: {day(-900), day(-500)}}[i]; ok {
			tenancy := object{"tenantId": id, "unitId": units[i], "startDate": span[0]}
			if span[1] != "" {
				tenancy["endDate"] = span[1]
			}
			c.created("/tenancies", tenancy)
		}
	}
	before := c.get("/audit").pagination("total")

	for _, kind := range []string{"units", "tenants"} {
		a := c.get("/" + kind + "/export.csv").ok(http.StatusOK)
		require.NotRegexp(t, `(?m)(^|,)"?[=+@\t\r-]`, strings.TrimPrefix(a.text, "\ufeff"), "a spreadsheet would run this")
		at := c.importing("/"+kind+"/import", a.text)
		batch := c.get(at).ok(http.StatusOK)
		rows := batch.body["rows"].(object)
		require.Greater(t, rows["total"], 5.0)
		require.Equal(t, rows["total"], rows["unchanged"], "%s: %s\n%s", kind, batch.tiles(), c.get(at+"/rows").text)
		c.post(at+"/run", nil).ok(http.StatusOK)
		s.runImport(c, at)
		require.Equal(t, "COMPLETED", c.get(at).body["state"])
	}
	after := 0
	for _, entry := range c.get("/audit?limit=100").list("audit") {
		if entry["table"] != "import_batches" {
			after++
		}
	}
	require.Equal(t, before, after, "nothing but the imports themselves is in the trail")

	// an edit is what it takes, and no more
	rows := c.table("/tenants/export.csv?q=ada")
	require.Equal(t, "=HYPERLINK(\"x\")\nsecond, line", rows[0]["notes"])
	edited := c.importing("/tenants/import", "email,phone,firstName,lastName\nada@example.com,'+1 555 0100,Ada,Byron\n")
	require.Equal(t, "CHECKED create 0 update 1 unchanged 0 skip 0 error 0", c.get(edited).tiles())
}

// Nobody has the database wait for more than a few files of theirs.
func TestExportsAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{Configure: func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["lock_timeout"] = "1min" }}))
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	lock, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "lock table app.units")
	require.NoError(t, err)
	var wg sync.WaitGroup
	answers := make([]answer, 2)
	for i := range answers {
		wg.Go(func() { answers[i] = ann.get("/units/export.csv") })
	}
	require.Eventually(t, func() bool { return s.waiting(t) == len(answers) }, 10*time.Second, 5*time.Millisecond)
	a := ann.get("/properties/export.csv").refused(http.StatusTooManyRequests, "export_under_way")
	require.Equal(t, "5", a.header.Get("Retry-After"))
	var others answer // waits for its turn
	wg.Go(func() { others = bob.get("/properties/export.csv") })
	require.NoError(t, lock.Rollback(t.Context()))
	wg.Wait()
	for _, a := range append(answers, others) {
		a.ok(http.StatusOK)
	}
	ann.get("/properties/export.csv").ok(http.StatusOK)
}

// What fails while the rows are read is said as such, and none of them is sent; what
// fails while they are sent cuts the connection.
func TestExportCutShort(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	s.multiply(t, l, 60)
	// the last row can't be read
	s.Exec(t, `create function app.stumble(name text) returns boolean language plpgsql as $$
		begin if name = 'House 60' then raise exception 'stumbled' using errcode = '57P01'; end if; return true; end $$;
		grant execute on function app.stumble(text) to rowhouse_landlord;
		create policy stumble on app.units as restrictive for select to rowhouse_landlord using (app.stumble(name))`)
	a := c.get("/units/export.csv?sort=createdAt").refused(http.StatusServiceUnavailable, "database_unavailable")
	require.Empty(t, a.header.Get("Content-Disposition"))
	s.Exec(t, `drop policy stumble on app.units`)
	c.get("/units/export.csv").ok(http.StatusOK) // and the place of that which failed is free again
	c.get("/units/export.csv").ok(http.StatusOK)

	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() {
		s.api.ServeHTTP(&deaf{httptest.NewRecorder()}, c.request(http.MethodGet, "/units/export.csv", nil))
	})
	for range 3 { // which has left nothing behind either
		c.get("/units/export.csv").ok(http.StatusOK)
	}
}

// deaf is a client that has gone.
type deaf struct{ *httptest.ResponseRecorder }

func (*deaf) Write([]byte) (int, error) { return 0, errors.New("gone") }
