package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
)

// sendUnit sends a file of one unit.
func (c client) sendUnit(n int) answer {
	c.t.Helper()
	return c.post("/units/import", fmt.Sprintf("unit\nUnit %d\n", n), csvType...)
}

// However many files a landlord sends at once, twenty imports are open at most, and each
// that ends makes room for another. Nobody else's count.
func TestImportsOpen(t *testing.T) {
	t.Parallel()
	const most = 20
	s := serve(t)
	c, other := s.newLandlord(t), s.newLandlord(t)
	other.sendUnit(0).ok(http.StatusCreated)
	answers := make([]answer, most+5)
	var wg sync.WaitGroup
	atOnce := make(chan struct{}, 4) // more at a time the API puts off with 503
	for i := range answers {
		wg.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			answers[i] = c.sendUnit(i)
		})
	}
	wg.Wait()
	var made []string
	for _, a := range answers {
		if a.status == http.StatusCreated {
			made = append(made, a.header.Get("Location")[len("/api/v1"):])
			continue
		}
		a.refused(http.StatusConflict, "too_many_imports")
		require.Equal(t, "There are 20 imports of yours that are not finished. Run, cancel or delete one of those first.", a.body["detail"])
	}
	require.Len(t, made, most)
	require.Equal(t, most+1, s.rows(t, "import_batches"))
	require.Equal(t, most+1, s.rows(t, "import_rows"))
	c.post("/tenants/import", "name\nAda Byron\n", csvType...).refused(http.StatusConflict, "too_many_imports")
	other.sendUnit(1).ok(http.StatusCreated)

	for i, end := range []func(at string){
		func(at string) { c.post(at+"/cancel", nil).ok(http.StatusOK) },
		func(at string) { c.delete(at).ok(http.StatusNoContent) },
		func(at string) {
			c.post(at+"/run", nil).ok(http.StatusOK)
			c.sendUnit(100).refused(http.StatusConflict, "too_many_imports")
			s.runImport(c, at)
		},
	} {
		end(made[i])
		again := c.post("/units/import", "unit\nBarn\n", append([]string{key(fmt.Sprintf("again-%d", i))}, csvType...)...).ok(http.StatusCreated)
		require.Equal(t, again.text, c.post("/units/import", "unit\nBarn\n", append([]string{key(fmt.Sprintf("again-%d", i))}, csvType...)...).
			ok(http.StatusCreated).text, "what was made already is no further one")
		c.sendUnit(101).refused(http.StatusConflict, "too_many_imports")
	}
}

// Two uploads, of which one has come to its end and is not committed yet: the other waits
// for it before it counts.
func TestImportsOpenAtTheSameMoment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for n := range 19 {
		c.sendUnit(n).ok(http.StatusCreated)
	}
	first, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = first.Rollback(t.Context()) }() // it is committed below
	_, err = first.Exec(t.Context(), "select from app.landlord_cards where owner_user_id = $1 for no key update", c.id)
	require.NoError(t, err)
	_, err = first.Exec(t.Context(), `insert into app.import_batches (owner_user_id, kind, file_name, file_sha256, encoding, delimiter, header, mapping, row_count, created_by)
		values ($1, 'units', 'twentieth.csv', sha256('x'), 'UTF-8', ',', '{unit}', '{unit}', 1, $1)`, c.id)
	require.NoError(t, err)
	second := make(chan answer, 1)
	go func() { second <- c.sendUnit(20) }()
	require.Eventually(t, func() bool { return s.waiting(t) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, first.Commit(t.Context()))
	(<-second).refused(http.StatusConflict, "too_many_imports")
}

// purge does what the worker does when it is time, or when it is not.
func (s *service) purge(c client, path string) {
	c.t.Helper()
	id, err := uuid.Parse(path[len("/imports/"):])
	require.NoError(c.t, err)
	_, err = imports.New(s.DB, dbtest.InviteKeys(c.t)).Purge(auth.With(c.t.Context(), auth.Identity{UserID: c.id}), id)
	require.NoError(c.t, err)
}

// What is left of an import after its time says what came of it, and that the rest is
// gone.
func TestImportsAreForgotten(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, other := s.newLandlord(t), s.newLandlord(t)
	ran := c.importing("/tenants/import?fileName=Mieter.csv", "name,email\nAda Byron,ada@example.com\nGrace Hopper,grace@\n")
	c.post(ran+"/run", nil).ok(http.StatusOK)
	s.runImport(c, ran)
	waiting := c.importing("/units/import", "unit\nAttic\n")
	theirs := other.importing("/units/import", "unit\nAttic\n")
	for _, at := range []string{ran, waiting} {
		s.purge(c, at)
		require.NotContains(t, c.get(at).ok(http.StatusOK).body, "rowsPurgedAt", "they are fresh")
	}
	before := c.get(ran)

	s.Exec(t, `alter table app.import_batches disable trigger guard_owned_row`)
	s.Exec(t, `update app.import_batches set finished_at = finished_at - interval '91 days', updated_at = updated_at - interval '91 days'`)
	s.Exec(t, `alter table app.import_batches enable trigger guard_owned_row`)
	for _, at := range []string{ran, waiting, theirs} { // theirs is none of hers
		s.purge(c, at)
	}
	require.Equal(t, 1, s.rows(t, "import_rows"))
	require.Len(t, other.get(theirs+"/rows").list("rows"), 1)
	require.Len(t, c.get("/tenants").list("tenants"), 1, "what came of them stays")

	after := c.get(ran).ok(http.StatusOK)
	require.NotEmpty(t, after.body["rowsPurgedAt"])
	require.Equal(t, before.tiles(), after.tiles())
	require.Equal(t, "Mieter.csv", after.body["fileName"])
	require.Equal(t, "CANCELLED create 0 update 0 unchanged 0 skip 1 error 0", c.get(waiting).tiles(), "it never ran, and never will")
	for _, at := range []string{ran, waiting} {
		c.get(at+"/rows").refused(http.StatusGone, "rows_purged")
		c.get(at+"/failed.csv").refused(http.StatusGone, "rows_purged")
		for _, do := range []string{"/run", "/undo"} {
			c.post(at+do, nil).refused(http.StatusConflict, "rows_purged")
		}
		c.patch(at+"/rows/1", object{"field": "email", "value": "x@example.com"}).refused(http.StatusConflict, "rows_purged")
		c.patch(at+"/mapping", object{"onExisting": "skip"}).refused(http.StatusConflict, "rows_purged")
		require.Equal(t, after.body["rowsPurgedAt"] != nil, c.get(at).body["rowsPurgedAt"] != nil)
	}
	s.purge(c, ran) // once more changes nothing
	require.Equal(t, after.text, c.get(ran).text)
	c.delete(ran).ok(http.StatusNoContent)
}
