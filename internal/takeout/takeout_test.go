package takeout_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
	"rowhouse/internal/takeout"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// house is a database with two landlords who have everything, and the store of their
// files.
type house struct {
	*dbtest.Database
	t        testing.TB
	files    storage.Store
	ann, bob dbtest.Landlord
}

func newHouse(t testing.TB) *house {
	t.Helper()
	d := dbtest.New(t)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	h := &house{Database: d, t: t, files: files, ann: d.Landlord(t, "ann-the-landlord"), bob: d.Landlord(t, "bob-the-landlord")}
	for _, l := range []dbtest.Landlord{h.ann, h.bob} {
		require.NoError(t, files.Put(t.Context(), h.text("select storage_key from app.attachments where owner_user_id = $1", l.UserID),
			"image/jpeg", strings.NewReader("a picture of "+l.Email)))
	}
	return h
}

func (h *house) text(sql string, args ...any) (text string) {
	h.t.Helper()
	require.NoError(h.t, h.Admin.QueryRow(context.Background(), sql, args...).Scan(&text))
	return text
}

// request has Ann ask for an export.
func (h *house) request(withFiles bool) uuid.UUID {
	h.t.Helper()
	var e query.Export
	require.NoError(h.t, h.AsLandlord(h.ann.Context(h.t), db.ReadWrite, func(tx *db.Tx) (err error) {
		e, err = query.New().ExportCreate(h.t.Context(), tx, query.ExportCreateParams{WithFiles: withFiles})
		return err
	}))
	return e.ID
}

func (h *house) row(id uuid.UUID) query.Export {
	h.t.Helper()
	rows, err := h.Admin.Query(context.Background(), "select * from app.exports where id = $1", id)
	require.NoError(h.t, err)
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[query.Export])
	require.NoError(h.t, err)
	return e
}

// part are the files of a part of Ann's, by name.
func (h *house) part(id uuid.UUID, n int) map[string]string {
	h.t.Helper()
	r, err := h.files.Open(h.t.Context(), takeout.Key(h.ann.UserID, id, n))
	require.NoError(h.t, err)
	data, err := io.ReadAll(r)
	require.NoError(h.t, errors.Join(err, r.Close()))
	require.Len(h.t, data, int(h.row(id).PartBytes[n-1]))
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(h.t, err)
	files := map[string]string{}
	for _, f := range archive.File {
		content, err := archive.Open(f.Name)
		require.NoError(h.t, err)
		text, err := io.ReadAll(content)
		require.NoError(h.t, err)
		files[f.Name] = string(text)
	}
	return files
}

func (h *house) gone(id uuid.UUID, parts int) {
	h.t.Helper()
	for n := 1; n <= parts; n++ {
		_, err := h.files.Open(h.t.Context(), takeout.Key(h.ann.UserID, id, n))
		require.ErrorIs(h.t, err, storage.ErrNotFound)
	}
}

// An export has what Ann has, in each table and each file, and no word and no id of
// Bob's; it goes when its time has come.
func TestExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Exec(t, "update app.tenants set notes = '=cmd()' where id = $1", h.ann.TenantID)
	id := h.request(true)
	maker := takeout.New(h.Open(t, db.Config{URL: h.URL("rowhouse_worker")}), h.files)
	wait, err := maker.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.InDelta(t, takeout.Kept, wait, float64(time.Minute))
	e := h.row(id)
	require.Equal(t, "DONE", e.State)
	require.Len(t, e.PartBytes, 2)
	require.Nil(t, e.ClaimedUntil)

	rows := h.part(id, 1)
	require.Len(t, rows, 2*len(takeout.Tables()))
	counted := int64(0)
	for _, table := range takeout.Tables() {
		require.NotEqual(t, "[]\n", rows[table+".json"], table)
		counted += int64(strings.Count(rows[table+".json"], "\n{"))
		file, err := csvfile.Parse([]byte(rows[table+".csv"]))
		require.NoError(t, err, table)
		require.NotEmpty(t, file.Header)
	}
	require.Equal(t, e.RowsExported, counted)
	require.Contains(t, rows["tenants.csv"], "'=cmd()", "a spreadsheet would run it")
	require.Contains(t, rows["tenants.json"], `"notes":"=cmd()"`)
	pictures := h.part(id, 2)
	require.Len(t, pictures, 1)
	for _, content := range pictures {
		require.Equal(t, "a picture of "+h.ann.Email, content)
	}
	for _, files := range []map[string]string{rows, pictures} {
		for name, content := range files {
			for _, marker := range []string{"bob-the-landlord", h.bob.UserID.String(), h.bob.TenantID.String(), h.bob.UnitID.String(), h.bob.TicketID.String()} {
				require.NotContains(t, content, marker, name)
			}
		}
	}

	h.Exec(t, "update app.exports set expires_at = now() where id = $1", id)
	wait, err = maker.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Zero(t, wait)
	require.Equal(t, "EXPIRED", h.row(id).State)
	require.Empty(t, h.row(id).PartBytes)
	h.gone(id, 2)
}

// Who wants no files gets none, and what is somebody else's to make is not there.
func TestExportWithoutFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.request(false)
	maker := takeout.New(h.DB, h.files)
	wait, err := maker.Run(h.bob.Context(t), id)
	require.NoError(t, err)
	require.Zero(t, wait)
	require.Equal(t, "REQUESTED", h.row(id).State)
	_, err = maker.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Len(t, h.row(id).PartBytes, 1)
}

// cut is a store that fails in the middle of a part.
type cut struct {
	storage.Store
	at int // which part, from 1
}

func (c *cut) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if !strings.HasSuffix(key, fmt.Sprint("-", c.at)) {
		return c.Store.Put(ctx, key, mediaType, r)
	}
	_, err := io.CopyN(io.Discard, r, 10)
	return errors.Join(errors.New("the disk is full"), err)
}

// An export that was cut off goes on with the part that was not kept, and one that is
// given up leaves nothing.
func TestExportCutOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.request(true)
	broken := takeout.New(h.DB, &cut{h.files, 2})
	_, err := broken.Run(h.ann.Context(t), id)
	require.ErrorContains(t, err, "the disk is full")
	e := h.row(id)
	require.Equal(t, "REQUESTED", e.State)
	require.Len(t, e.PartBytes, 1)
	require.Nil(t, e.ClaimedUntil, "another may go on at once")

	h.Exec(t, "update app.exports set claimed_until = now() + interval '1 minute' where id = $1", id)
	whole := takeout.New(h.DB, h.files)
	wait, err := whole.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Equal(t, takeout.Busy, wait, "somebody is at work at it")
	h.Exec(t, "update app.exports set claimed_until = now() where id = $1", id)
	_, err = whole.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Equal(t, "DONE", h.row(id).State)
	require.Equal(t, e.PartBytes[0], h.row(id).PartBytes[0], "what was kept is not made again")

	again := h.request(true)
	_, err = broken.Run(h.ann.Context(t), again)
	require.Error(t, err)
	require.NoError(t, whole.Fail(h.ann.Context(t), again))
	require.Equal(t, "FAILED", h.row(again).State)
	h.gone(again, 2)
	require.NoError(t, whole.Fail(h.ann.Context(t), id), "what is done is not failed")
	require.Equal(t, "DONE", h.row(id).State)
}

// What has ended stays so, whoever says otherwise.
func TestGuard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.request(true)
	for _, step := range []struct {
		from, to string
		may      bool
	}{
		{"REQUESTED", "EXPIRED", false},
		{"REQUESTED", "DONE", true},
		{"DONE", "REQUESTED", false},
		{"DONE", "FAILED", false},
		{"DONE", "EXPIRED", true},
		{"EXPIRED", "DONE", false},
		{"EXPIRED", "REQUESTED", false},
	} {
		require.Equal(t, step.from, h.row(id).State)
		err := h.AsLandlord(h.ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "update app.exports set state = $1 where id = $2", step.to, id)
			return err
		})
		if step.may {
			require.NoError(t, err)
		} else {
			require.Equal(t, errs.Conflict, errs.KindOf(err), "%s to %s", step.from, step.to)
		}
	}
}

// Who leaves leaves nothing in the store.
func TestClear(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.request(true)
	maker := takeout.New(h.DB, h.files)
	_, err := maker.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.NoError(t, maker.Clear(h.bob.Context(t)))
	h.part(id, 1)
	require.NoError(t, maker.Clear(h.ann.Context(t)))
	h.gone(id, 2)
}
