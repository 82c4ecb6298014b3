package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
)

// sampleTables are what sample data is made of, and how much.
var sampleTables = map[string]int{"properties": 1, "units": 3, "tenants": 2, "tenancies": 2, "contractors": 1, "tickets": 3}

func (s *service) requireSamples(t testing.TB, c client, want map[string]int) {
	t.Helper()
	for table := range sampleTables {
		var n int
		require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from app."+table+" where owner_user_id = $1", c.id).Scan(&n))
		require.Equal(t, want[table], n, table)
	}
}

func TestSampleData(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	newcomer := s.newcomer(t)
	newcomer.post("/onboarding/sample-data", nil).refused(http.StatusForbidden, "onboarding_required")

	require.Equal(t, false, ann.get("/onboarding").ok(http.StatusOK).body["sampleData"])
	ann.post("/onboarding/sample-data", nil, `If-Match: "77"`).refused(http.StatusPreconditionFailed, "version_changed")
	added := ann.post("/onboarding/sample-data", nil).ok(http.StatusOK)
	require.Equal(t, true, added.body["sampleData"])
	require.Equal(t, []any{3.0, 2.0, 0.0}, counted(added))
	require.Equal(t, added.text, ann.post("/onboarding/sample-data", nil).ok(http.StatusOK).text, "once more adds nothing")
	s.requireSamples(t, ann, sampleTables)
	require.Zero(t, s.rows(t, "tenant_invites"))
	for _, tenant := range ann.get("/tenants").list("tenants") {
		require.True(t, strings.HasSuffix(tenant["email"].(string), ".example"), "no mail may reach a sample tenant")
	}
	bob.post("/onboarding/sample-data", nil).ok(http.StatusOK)

	own := ann.created("/units", object{"name": "Flat of my own"})
	ann.delete("/onboarding/sample-data", `If-Match: "77"`).refused(http.StatusPreconditionFailed, "version_changed")
	gone := ann.delete("/onboarding/sample-data").ok(http.StatusOK)
	require.Equal(t, object{"removed": 12.0, "kept": 0.0}, gone.body)
	require.Equal(t, object{"removed": 0.0, "kept": 0.0}, ann.delete("/onboarding/sample-data").ok(http.StatusOK).body)
	s.requireSamples(t, ann, map[string]int{"units": 1})
	ann.get(own).ok(http.StatusOK)
	require.Equal(t, false, ann.get("/onboarding").ok(http.StatusOK).body["sampleData"])
	s.requireSamples(t, bob, sampleTables)

	ann.post("/onboarding/sample-data", nil).ok(http.StatusOK)
	s.requireSamples(t, ann, map[string]int{"properties": 1, "units": 4, "tenants": 2, "tenancies": 2, "contractors": 1, "tickets": 3})
}

// TestSampleDataAtOnce asks for it, and for its removal, many times at once.
func TestSampleDataAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann := s.newLandlord(t)
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		answers := make([]answer, 8)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = ann.send(method, "/onboarding/sample-data", nil) })
		}
		wg.Wait()
		for _, a := range answers {
			a.ok(http.StatusOK)
		}
		want := map[string]int{}
		if method == http.MethodPost {
			want = sampleTables
		}
		s.requireSamples(t, ann, want)
	}
}

// TestSampleDataBuiltUpon has a landlord do real work on sample rows: what that refers
// to stays, and is a sample no longer.
func TestSampleDataBuiltUpon(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	ann := f.newLandlord(t)
	ann.post("/onboarding/sample-data", nil).ok(http.StatusOK)
	byName := func(list, key, name string) string {
		for _, row := range ann.get("/" + list + "?limit=100").list(list) {
			if row[key] == name {
				return row["id"].(string)
			}
		}
		require.Fail(t, "not there", "%s %s", list, name)
		return ""
	}
	flat := byName("units", "name", "Sample Flat 3")
	house := byName("properties", "name", "Sample House")
	plumber := byName("contractors", "name", "Sample Plumbing")
	ben := byName("tenants", "firstName", "Ben")
	drip := byName("tickets", "title", "The kitchen tap drips")

	mine := idOf(ann.created("/tickets", object{"title": "My own", "unitId": flat, "contractorId": plumber}))
	ann.created("/tickets/"+drip+"/comments", object{"body": "just trying"})
	ann.upload("/tickets/"+drip+"/attachments", "x.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	files := len(f.kept(t))
	f.Exec(t, `update app.tenants set user_id = $1 where id = $2`, f.newPerson(t, "ben@example.com").id, ben)

	require.Equal(t, object{"removed": 7.0, "kept": 5.0}, ann.delete("/onboarding/sample-data").ok(http.StatusOK).body)
	ann.get("/tickets/" + mine).ok(http.StatusOK)
	ann.get("/units/" + flat).ok(http.StatusOK)
	ann.get("/properties/" + house).ok(http.StatusOK)
	ann.get("/contractors/" + plumber).ok(http.StatusOK)
	ann.get("/tenants/" + ben).ok(http.StatusOK)
	ann.get("/tickets/"+drip).refused(http.StatusNotFound, "not_found")
	require.Len(t, f.kept(t), files-1, "its file goes too")

	require.Equal(t, object{"removed": 0.0, "kept": 0.0}, ann.delete("/onboarding/sample-data").ok(http.StatusOK).body)
	ann.post("/onboarding/sample-data", nil).refused(http.StatusConflict, "name_taken") // the house is theirs now
	ann.patch("/properties/"+house, object{"name": "Mine"}).ok(http.StatusOK)
	ann.post("/onboarding/sample-data", nil).ok(http.StatusOK)
}

// TestSampleDataStatements adds and removes it in a bounded number of statements.
func TestSampleDataStatements(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var heard listener
	counting := serveOn(t, s.Database, s.Open(t, db.Config{MaxConns: 1, Configure: heard.listen}))
	ann := counting.newLandlord(t)
	ann.get("/units").ok(http.StatusOK)
	require.Len(t, heard.of(func() { ann.post("/onboarding/sample-data", nil).ok(http.StatusOK) }), 2)
	require.Len(t, heard.of(func() { ann.delete("/onboarding/sample-data").ok(http.StatusOK) }), 3) // one asks for the second factor
}
