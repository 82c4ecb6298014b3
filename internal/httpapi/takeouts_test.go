package httpapi_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
	"rowhouse/internal/takeout"
)

// makes does what the worker does with an export of c's.
func (s *service) makes(c client, path string) {
	c.t.Helper()
	worker := takeout.New(s.Open(c.t, db.Config{URL: s.URL("rowhouse_worker")}), s.files)
	_, err := worker.Run(auth.With(c.t.Context(), auth.Identity{UserID: c.id}), uuid.MustParse(path[strings.LastIndex(path, "/")+1:]))
	require.NoError(c.t, err)
}

// queued counts a landlord's jobs of a kind.
func (s *service) queued(t testing.TB, kind string, owner uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from river.river_job where kind = $1 and args ->> 'ownerId' = $2::text",
		kind, owner.String()).Scan(&n))
	return n
}

func TestTakeout(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, bob := s.newLandlord(t), s.newLandlord(t)
	c.created("/units", object{"name": "Attic"})
	at := c.created("/exports", object{"note": "For the accountant"})
	a := c.get(at).ok(http.StatusOK)
	require.Equal(t, "REQUESTED", a.body["state"])
	require.Equal(t, true, a.body["withFiles"])
	require.Equal(t, "For the accountant", a.body["note"])
	require.EqualValues(t, 0, a.body["parts"])
	require.Equal(t, 1, s.queued(t, "export", c.id))
	c.get(at+"/download").refused(http.StatusNotFound, "not_found")
	c.post("/exports", object{}).refused(http.StatusConflict, "export_under_way")

	s.makes(c, at)
	a = c.get(at).ok(http.StatusOK)
	require.Equal(t, "DONE", a.body["state"])
	require.EqualValues(t, 1, a.body["parts"])
	require.NotEmpty(t, a.body["expiresAt"])
	file := c.get(at + "/download").ok(http.StatusOK)
	require.Equal(t, "application/zip", file.header.Get("Content-Type"))
	require.Regexp(t, `^attachment; filename="rowhouse-\d{4}-\d\d-\d\d-1\.zip"$`, file.header.Get("Content-Disposition"))
	require.Equal(t, strconv.Itoa(len(file.text)), file.header.Get("Content-Length"))
	require.EqualValues(t, len(file.text), a.body["size"])
	archive, err := zip.NewReader(bytes.NewReader([]byte(file.text)), int64(len(file.text)))
	require.NoError(t, err)
	require.Len(t, archive.File, 2*len(takeout.Tables()))
	c.get(at+"/download?part=2").refused(http.StatusNotFound, "not_found")
	c.get(at+"/download?part=0").refused(http.StatusBadRequest, "invalid_request", "?part")
	for _, path := range []string{at, at + "/download"} {
		bob.get(path).refused(http.StatusNotFound, "not_found")
	}
	require.Empty(t, bob.get("/exports").list("exports"))

	s.Exec(t, "update app.exports set expires_at = now()")
	c.get(at+"/download").refused(http.StatusNotFound, "not_found")
	s.Exec(t, "update app.exports set expires_at = now() + interval '1 day'")
	for range 2 {
		s.makes(c, c.created("/exports", object{"withFiles": false}))
	}
	c.post("/exports", object{}).refused(http.StatusConflict, "too_many_exports")
	list := c.get("/exports").list("exports")
	require.Len(t, list, 3)
	require.Equal(t, false, list[0]["withFiles"])
	require.Equal(t, a.body["id"], list[2]["id"])

	c.delete(at, `If-Match: "0"`).refused(http.StatusPreconditionFailed, "version_changed")
	bob.delete(at).refused(http.StatusForbidden, "forbidden")
	c.delete(at).ok(http.StatusNoContent)
	c.get(at).refused(http.StatusNotFound, "not_found")
	for _, key := range takeout.Keys(c.id, uuid.MustParse(a.body["id"].(string)), 1) {
		_, err := s.files.Open(t.Context(), key)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}

	key := key("takeout")
	first := bob.post("/exports", object{}, key).ok(http.StatusCreated)
	require.Equal(t, first.body["id"], bob.post("/exports", object{}, key).ok(http.StatusCreated).body["id"])
}

// Somebody with a session alone does not get all that there is, of a landlord who wants
// a second factor for that.
func TestTakeoutSecondFactor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	at := c.created("/exports", object{})
	s.makes(c, at)
	second := c
	second.token = accessToken(t, object{"sub": c.id.String(), "email": "ann@example.com", "aal": "aal2"})
	second.patch("/me", object{"requireMfa": true}).ok(http.StatusOK)
	c.post("/exports", object{}).refused(http.StatusForbidden, "mfa_required")
	c.get(at).ok(http.StatusOK)
	second.get(at + "/download").ok(http.StatusOK)
	c.get(at+"/download").refused(http.StatusForbidden, "mfa_required")
}

// Where files open to the landlord alone, asking how far it is makes it.
func TestTakeoutInSession(t *testing.T) {
	t.Parallel()
	c := serve(t, func(c *httpapi.Config) { c.FilesInSession = true }).newLandlord(t)
	at := c.created("/exports", object{})
	require.Equal(t, "DONE", c.get(at).ok(http.StatusOK).body["state"])
	c.get(at + "/download").ok(http.StatusOK)
}
