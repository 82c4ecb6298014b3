package httpapi_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/farewell"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
)

// serveLeaving is a service with its store of files, and what does the work in the
// background.
func serveLeaving(t testing.TB, set ...func(*httpapi.Config)) (*service, *farewell.Farewell) {
	t.Helper()
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	s := serve(t, append([]func(*httpapi.Config){func(c *httpapi.Config) { c.Files, c.DeletionGrace = files, time.Hour }}, set...)...)
	worker := farewell.New(farewell.Config{DB: s.Open(t, db.Config{URL: s.URL("rowhouse_worker")}), Files: files})
	return s, worker
}

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	s, worker := serveLeaving(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	unit := ann.created("/units", object{"name": "Flat"})
	kept := bob.created("/units", object{"name": "Flat"})
	ann.get("/account/deletion").refused(http.StatusNotFound, "not_found")
	ann.get("/account/deletion/export").refused(http.StatusNotFound, "not_found")
	ann.post("/account/deletion/cancel", nil).refused(http.StatusForbidden, "forbidden")

	for body, blamed := range map[string]string{`{}`: "#/confirm", `{"confirm":"yes"}`: "#/confirm", `{"confirm":null}`: "#/confirm", `{"confirm":"Delete my account"}`: "#/confirm"} {
		ann.post("/account/deletion", body).refused(http.StatusBadRequest, "invalid_request", blamed)
	}
	ann.post("/account/deletion", object{"confirm": "delete my empty account"}).refused(http.StatusConflict, "account_has_data", "#/confirm")
	all := object{"confirm": "delete my account"}
	ann.post("/account/deletion", all, `If-Match: "77"`).refused(http.StatusPreconditionFailed, "version_changed")
	require.Zero(t, s.rows(t, "account_deletions"))

	asked := ann.post("/account/deletion", all).ok(http.StatusAccepted)
	require.Equal(t, "REQUESTED", asked.body["state"])
	require.Contains(t, asked.body["signIn"], "identity provider")
	require.Equal(t, asked.text, ann.get("/account/deletion").ok(http.StatusOK).text)
	ann.post("/account/deletion", all).refused(http.StatusConflict, "deletion_under_way")
	id := uuid.MustParse(asked.body["id"].(string))
	var queued int
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select count(*) from river.river_job where kind = 'account_deletion'
		and args = jsonb_build_object('ownerId', $1::uuid, 'id', $2::uuid)`, ann.id, id).Scan(&queued))
	require.Equal(t, 1, queued)

	// exported, and nothing removed before its time: it can be called off
	asAnn := ann.context(t)
	_, err := worker.Run(asAnn, id)
	require.NoError(t, err)
	exported := ann.get("/account/deletion").ok(http.StatusOK)
	require.Equal(t, "EXPORTED", exported.body["state"])
	part := ann.get("/account/deletion/export").ok(http.StatusOK)
	require.Equal(t, "application/zip", part.header.Get("Content-Type"))
	archive, err := zip.NewReader(bytes.NewReader([]byte(part.text)), int64(len(part.text)))
	require.NoError(t, err)
	require.NotEmpty(t, archive.File)
	ann.get("/account/deletion/export?part=2").refused(http.StatusNotFound, "not_found")
	bob.get("/account/deletion").refused(http.StatusNotFound, "not_found")
	bob.get("/account/deletion/export").refused(http.StatusNotFound, "not_found")
	bob.post("/account/deletion/cancel", nil).refused(http.StatusForbidden, "forbidden")
	ann.get(unit).ok(http.StatusOK)
	ann.post("/account/deletion/cancel", nil, `If-Match: "77"`).refused(http.StatusPreconditionFailed, "version_changed")
	cancelled := ann.post("/account/deletion/cancel", nil).ok(http.StatusOK)
	require.Equal(t, "CANCELLED", cancelled.body["state"])
	require.Equal(t, cancelled.text, ann.post("/account/deletion/cancel", nil).ok(http.StatusOK).text)

	// once more, and the time to think it over has passed
	again := uuid.MustParse(ann.post("/account/deletion", all).ok(http.StatusAccepted).body["id"].(string))
	s.Exec(t, "update app.account_deletions set remove_after = now() where id = $1", again)
	_, err = worker.Run(asAnn, again)
	require.NoError(t, err)
	done := ann.get("/account/deletion").ok(http.StatusOK)
	require.Equal(t, "DONE", done.body["state"])
	ann.get("/account/deletion/export").ok(http.StatusOK)
	ann.post("/account/deletion/cancel", nil).refused(http.StatusConflict, "not_possible_now")
	require.Zero(t, s.rows(t, "units where owner_user_id = '"+ann.id.String()+"'"))
	bob.get(kept).ok(http.StatusOK)

	// who signs in again is new here; this server remembers them for a while, another not
	elsewhere := ann
	elsewhere.url = serveOn(t, s.Database, s.DB).url
	require.Equal(t, "company", elsewhere.get("/onboarding").ok(http.StatusOK).body["step"])
	elsewhere.get("/units").refused(http.StatusForbidden, "onboarding_required")
}

// exporting has the last file that somebody has uploaded pass for their export.
func (s *service) exporting(t testing.TB, c client) {
	t.Helper()
	s.Exec(t, `update app.account_deletions d set export_keys = array[(
		select a.storage_key from app.attachments a where a.owner_user_id = d.owner_user_id order by a.created_at desc limit 1)] where d.owner_user_id = $1`, c.id)
}

// TestDeleteEmptyAccount needs no more than to be asked for.
func TestDeleteEmptyAccount(t *testing.T) {
	t.Parallel()
	s, worker := serveLeaving(t, func(c *httpapi.Config) { c.DeletionGrace = 0 })
	ann := s.newcomer(t) // who has not even said who they are
	asked := ann.post("/account/deletion", object{"confirm": "delete my empty account"}).ok(http.StatusAccepted)
	_, err := worker.Run(ann.context(t), uuid.MustParse(asked.body["id"].(string)))
	require.NoError(t, err)
	require.Equal(t, "DONE", ann.get("/account/deletion").ok(http.StatusOK).body["state"])
	require.Zero(t, s.rows(t, "users where id = '"+ann.id.String()+"'"))
}

// TestDeleteAccountInSession goes on with it whenever the landlord asks how far it is,
// where files open to nobody else.
func TestDeleteAccountInSession(t *testing.T) {
	t.Parallel()
	s, _ := serveLeaving(t, func(c *httpapi.Config) { c.DeletionGrace, c.FilesInSession = 0, true })
	ann := s.newLandlord(t)
	ann.created("/units", object{"name": "Flat"})
	ann.post("/account/deletion", object{"confirm": "delete my account"}).ok(http.StatusAccepted)
	require.Equal(t, "DONE", ann.get("/account/deletion").ok(http.StatusOK).body["state"])
	require.Zero(t, s.rows(t, "units"))
}

// TestDeleteAccountWithSecondFactor asks for it, and for what is exported, with a session
// that has none.
func TestDeleteAccountWithSecondFactor(t *testing.T) {
	t.Parallel()
	s, _ := serveLeaving(t)
	plain := s.newLandlord(t)
	strong := plain
	strong.token = accessToken(t, object{"sub": plain.id.String(), "aal": "aal2"})
	strong.patch("/me", object{"requireMfa": true}).ok(http.StatusOK)
	plain.post("/account/deletion", object{"confirm": "delete my account"}).refused(http.StatusForbidden, "mfa_required")
	plain.delete("/onboarding/sample-data").refused(http.StatusForbidden, "mfa_required")
	strong.post("/account/deletion", object{"confirm": "delete my account"}).ok(http.StatusAccepted)
	plain.get("/account/deletion/export").refused(http.StatusForbidden, "mfa_required")
	plain.get("/account/deletion").ok(http.StatusOK)
	plain.post("/account/deletion/cancel", nil).ok(http.StatusOK)
}
