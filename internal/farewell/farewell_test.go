package farewell_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/farewell"
	"rowhouse/internal/jobs"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
	"rowhouse/internal/takeout"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// home is a database with two landlords who have everything, and the store of their files.
type home struct {
	*dbtest.Database
	t        testing.TB
	files    storage.Store
	ann, bob dbtest.Landlord
}

func newHome(t testing.TB) *home {
	t.Helper()
	d := dbtest.New(t)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	h := &home{Database: d, t: t, files: files, ann: d.Landlord(t, "ann-the-landlord"), bob: d.Landlord(t, "bob-the-landlord")}
	for _, l := range []dbtest.Landlord{h.ann, h.bob} {
		for _, key := range h.texts("select storage_key from app.attachments where owner_user_id = $1", l.UserID) {
			require.NoError(t, files.Put(t.Context(), key, "image/jpeg", strings.NewReader("a picture of "+key)))
		}
	}
	return h
}

func (h *home) texts(sql string, args ...any) []string {
	h.t.Helper()
	rows, err := h.Admin.Query(context.Background(), sql, args...)
	require.NoError(h.t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(h.t, err)
	return all
}

// tables are all that hold landlords' rows.
func (h *home) tables() []string {
	h.t.Helper()
	return h.texts(`select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner_user_id'
		where c.relnamespace = 'app'::regnamespace and c.relkind = 'r' order by 1`)
}

// of are all rows of a landlord's, by table.
func (h *home) of(id uuid.UUID) map[string][]string {
	h.t.Helper()
	all := map[string][]string{"users": h.texts("select to_jsonb(u)::text from app.users u where id = $1", id)}
	for _, table := range h.tables() {
		all[table] = h.texts(fmt.Sprintf("select to_jsonb(t)::text from app.%s t where owner_user_id = $1 order by 1", table), id)
	}
	return all
}

// leave has a landlord ask to be removed after grace.
func (h *home) leave(l dbtest.Landlord, grace time.Duration) uuid.UUID {
	h.t.Helper()
	var d query.AccountDeletion
	require.NoError(h.t, h.AsLandlord(l.Context(h.t), db.ReadWrite, func(tx *db.Tx) (err error) {
		d, err = query.New().AccountDeletionCreate(h.t.Context(), tx, time.Now().Add(grace))
		return err
	}))
	return d.ID
}

func (h *home) deletion(id uuid.UUID) (d query.AccountDeletion) {
	h.t.Helper()
	rows, err := h.Admin.Query(context.Background(), "select * from app.account_deletions where id = $1", id)
	require.NoError(h.t, err)
	d, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[query.AccountDeletion])
	require.NoError(h.t, err)
	return d
}

// gone requires that nothing is left of a landlord but what says so, which has nothing of
// theirs in it.
func (h *home) gone(l dbtest.Landlord) {
	h.t.Helper()
	for table, rows := range h.of(l.UserID) {
		if table == "account_deletions" {
			require.NotEmpty(h.t, rows)
			continue
		}
		require.Empty(h.t, rows, table)
	}
}

// export are the files of an export, by name.
func (h *home) export(d query.AccountDeletion) map[string]string {
	h.t.Helper()
	found := map[string]string{}
	for _, key := range d.ExportKeys {
		require.True(h.t, strings.HasPrefix(key, d.OwnerUserID.String()+"/"), "under its owner's prefix")
		r, err := h.files.Open(h.t.Context(), key)
		require.NoError(h.t, err)
		data, err := io.ReadAll(r)
		require.NoError(h.t, err)
		require.NoError(h.t, r.Close())
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		require.NoError(h.t, err)
		for _, f := range archive.File {
			content, err := archive.Open(f.Name)
			require.NoError(h.t, err)
			text, err := io.ReadAll(content)
			require.NoError(h.t, err)
			require.NotContains(h.t, found, f.Name)
			found[f.Name] = string(text)
		}
	}
	return found
}

// unexported says why a landlord's table is not in their export.
var unexported = map[string]string{
	"idempotency_keys": "answers to requests of the last day, whose rows are there",
	"landlord_cards":   "a copy of the profile",
	"sample_rows":      "which rows were samples",
	"ticket_counters":  "the number of the last ticket",
}

// TestFarewell exports and removes one of two landlords who have a row in every table.
func TestFarewell(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	f := farewell.New(farewell.Config{DB: h.DB, Files: h.files})
	h.Exec(t, "update app.tenants set notes = '=cmd()' where owner_user_id = $1 and id = $2", h.ann.UserID, h.ann.TenantID)
	anns, bobs := h.of(h.ann.UserID), h.of(h.bob.UserID)
	for table, rows := range anns {
		require.NotEmpty(t, rows, "dbtest.Landlord has nothing in %s", table)
	}
	picture := h.texts("select storage_key from app.attachments where owner_user_id = $1", h.ann.UserID)[0]
	id := h.leave(h.ann, 0)
	wait, err := f.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.InDelta(t, farewell.ExportKept, wait, float64(time.Minute))

	d := h.deletion(id)
	require.Equal(t, "DONE", d.State)
	require.NotNil(t, d.EndedAt)
	require.False(t, d.ProfileKept)
	require.EqualValues(t, 1, d.FilesRemoved)
	h.gone(h.ann)
	require.NotContains(t, h.texts("select to_jsonb(d)::text from app.account_deletions d where id = $1", id)[0], "ann")
	require.Equal(t, bobs, h.of(h.bob.UserID))
	_, err = h.files.Open(t.Context(), picture)
	require.ErrorIs(t, err, storage.ErrNotFound)

	export := h.export(d)
	for table, rows := range anns {
		if _, excused := unexported[table]; excused {
			require.NotContains(t, export, table+".json")
			continue
		}
		var objects []map[string]any
		require.NoError(t, json.Unmarshal([]byte(export[table+".json"]), &objects), table)
		want := rows
		if table == "account_deletions" {
			want = append(slices.Clone(rows), "the one that made the export")
		}
		require.Len(t, objects, len(want), table)
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(export[table+".csv"], "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, len(want)+1, table)
		for i, name := range lines[0] {
			require.Contains(t, objects[0], name)
			if text, ok := objects[0][name].(string); ok {
				require.Equal(t, text, strings.TrimPrefix(lines[1][i], "'"), "%s.%s", table, name)
			}
		}
		if table == "account_deletions" || table == "audit_log" { // these go on meanwhile, and numbers have many forms
			continue
		}
		var inDatabase, inExport []map[string]any
		require.NoError(t, json.Unmarshal([]byte("["+strings.Join(rows, ",")+"]"), &inDatabase))
		inExport = objects
		for _, row := range inDatabase {
			delete(row, "token_hash") // what opens an invite is a secret, also of an export
			delete(row, "mail_key")
		}
		require.ElementsMatch(t, inDatabase, inExport, table)
	}
	require.Contains(t, export["tenants.csv"], "'=cmd()")
	require.Contains(t, slices.Collect(maps.Values(export)), "a picture of "+picture)
	for name, content := range export {
		require.NotContains(t, content, "bob", name)
	}

	// in its time the export goes too
	later := farewell.New(farewell.Config{DB: h.DB, Files: h.files, Now: func() time.Time { return time.Now().Add(farewell.ExportKept + time.Hour) }})
	wait, err = later.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Zero(t, wait)
	for _, key := range d.ExportKeys {
		_, err := h.files.Open(t.Context(), key)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	require.Empty(t, h.deletion(id).ExportKeys)
}

// TestEverythingIsExported wants every table that a landlord may read to be in the
// export, or a reason why not.
func TestEverythingIsExported(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	want := slices.DeleteFunc(append(h.tables(), "users"), func(table string) bool { _, excused := unexported[table]; return excused })
	require.ElementsMatch(t, want, takeout.Tables())
}

// TestChunks exports and removes more than fits into one chunk.
func TestChunks(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Exec(t, "insert into app.contractors (owner_user_id, name, created_by) select $1, 'Pipes ' || n, $1 from generate_series(1, 1234) n", h.ann.UserID)
	h.Exec(t, `insert into app.attachments (owner_user_id, ticket_id, storage_key, file_name, media_type, size_bytes, sha256, created_by)
		select $1, $2, $1::uuid || '/' || n, 'x.pdf', 'application/pdf', 1, sha256('x'), $1 from generate_series(1, 250) n`, h.ann.UserID, h.ann.TicketID)
	for n := 1; n <= 250; n++ {
		require.NoError(t, h.files.Put(t.Context(), fmt.Sprintf("%s/%d", h.ann.UserID, n), "application/pdf", strings.NewReader("x")))
	}
	id := h.leave(h.ann, 0)
	_, err := farewell.New(farewell.Config{DB: h.DB, Files: h.files}).Run(h.ann.Context(t), id)
	require.NoError(t, err)
	d := h.deletion(id)
	require.Equal(t, "DONE", d.State)
	require.EqualValues(t, 251, d.FilesRemoved)
	require.Len(t, d.ExportKeys, 4) // rows, and 251 files a hundred at a time
	export := h.export(d)
	var contractors []struct{ ID uuid.UUID }
	require.NoError(t, json.Unmarshal([]byte(export["contractors.json"]), &contractors))
	ids := map[uuid.UUID]bool{}
	for _, c := range contractors {
		ids[c.ID] = true
	}
	require.Len(t, ids, 1235)
	h.gone(h.ann)
}

// unreliable is a store of which every third call fails.
type unreliable struct {
	storage.Store
	calls atomic.Int64
}

var errAway = errors.New("the store is away")

func (u *unreliable) fails() bool { return u.calls.Add(1)%3 == 0 }

func (u *unreliable) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if u.fails() {
		_, _ = io.CopyN(io.Discard, r, 10) // in the middle
		return errAway
	}
	return u.Store.Put(ctx, key, mediaType, r)
}

func (u *unreliable) Delete(ctx context.Context, key string) error {
	if u.fails() {
		return errAway
	}
	return u.Store.Delete(ctx, key)
}

// TestFaults goes on after each fault of the store, and after being cut off at any time.
func TestFaults(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Exec(t, "insert into app.contractors (owner_user_id, name, created_by) select $1, 'Pipes ' || n, $1 from generate_series(1, 3000) n", h.ann.UserID)
	bobs := h.of(h.bob.UserID)
	id := h.leave(h.ann, 0)
	f := farewell.New(farewell.Config{DB: h.DB, Files: &unreliable{Store: h.files}})
	cut := 0
	for n := 1; h.deletion(id).State != "DONE"; n++ {
		require.Less(t, n, 120)
		ctx, cancel := context.WithTimeout(h.ann.Context(t), time.Duration(5*math.Pow(1.1, float64(n)))*time.Millisecond) // at last as long as any machine needs
		if _, err := f.Run(ctx, id); err != nil {
			cut++
		}
		cancel()
		h.Exec(t, "update app.account_deletions set claimed_until = null where claimed_until is not null") // as if two minutes had passed
	}
	require.Greater(t, cut, 2)
	h.gone(h.ann)
	require.Equal(t, bobs, h.of(h.bob.UserID))
	d := h.deletion(id)
	require.Len(t, h.export(d), 2*len(takeout.Tables())+1)
}

// TestSecondThoughts waits as long as the landlord may think it over; cancelled then,
// nothing is removed, and the export goes.
func TestSecondThoughts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	f := farewell.New(farewell.Config{DB: h.DB, Files: h.files})
	id := h.leave(h.ann, time.Hour)
	before := h.of(h.ann.UserID)
	wait, err := f.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.InDelta(t, time.Hour, wait, float64(time.Minute))
	d := h.deletion(id)
	require.Equal(t, "EXPORTED", d.State)
	h.export(d)

	landlord := func(sql string) error {
		return h.AsLandlord(h.ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
	}
	for _, sql := range []string{
		"update app.account_deletions set state = 'REMOVING' where state = 'EXPORTED'",
		"update app.account_deletions set state = 'DONE' where state = 'EXPORTED'",
		"update app.account_deletions set state = 'REQUESTED' where state = 'CANCELLED'",
		"select app.remove_account_rows(10)",
	} {
		require.Error(t, landlord(sql), sql)
	}
	require.NoError(t, landlord("select app.remove_profile()"))
	require.NoError(t, landlord("update app.account_deletions set state = 'CANCELLED' where state = 'EXPORTED'"))
	wait, err = f.Run(h.ann.Context(t), id)
	require.NoError(t, err)
	require.Zero(t, wait)
	_, err = h.files.Open(t.Context(), d.ExportKeys[0])
	require.ErrorIs(t, err, storage.ErrNotFound)
	after := h.of(h.ann.UserID)
	delete(before, "account_deletions")
	delete(after, "account_deletions")
	require.Equal(t, before, after)
	require.NoError(t, landlord("select 1"))
	h.leave(h.ann, 0) // they may think of it once more
}

// TestTenantOfAnother leaves as a landlord and stays as somebody's tenant.
func TestTenantOfAnother(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.Exec(t, "update app.users set company_name = 'Ann Ltd', country = 'NL' where id = $1", h.ann.UserID)
	h.Exec(t, "insert into app.tenants (owner_user_id, user_id, first_name, last_name, created_by) values ($1, $2, 'A', 'L', $1)", h.bob.UserID, h.ann.UserID)
	bobs := h.of(h.bob.UserID)
	id := h.leave(h.ann, 0)
	_, err := farewell.New(farewell.Config{DB: h.DB, Files: h.files}).Run(h.ann.Context(t), id)
	require.NoError(t, err)
	d := h.deletion(id)
	require.Equal(t, "DONE", d.State)
	require.True(t, d.ProfileKept)
	require.Equal(t, bobs, h.of(h.bob.UserID))
	require.Equal(t, []string{"ann-the-landlord||"}, h.texts("select concat_ws('|', full_name, coalesce(company_name, ''), coalesce(country, '')) from app.users where id = $1", h.ann.UserID))
	for table, rows := range h.of(h.ann.UserID) {
		if table != "users" && table != "landlord_cards" && table != "account_deletions" {
			require.Empty(t, rows, table)
		}
	}
}

// TestAtOnce runs one deletion many times at once: one is at work, the others leave it.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	f := farewell.New(farewell.Config{DB: h.DB, Files: h.files})
	id := h.leave(h.ann, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := f.Run(h.ann.Context(t), id)
			require.NoError(t, err)
		})
	}
	wg.Wait()
	require.Equal(t, "DONE", h.deletion(id).State)
	require.Len(t, h.deletion(id).ExportKeys, 2)
	h.gone(h.ann)
}

// TestNobodyElses has a landlord go on with another's deletion: there is none for them.
func TestNobodyElses(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	f := farewell.New(farewell.Config{DB: h.DB, Files: h.files})
	id := h.leave(h.ann, 0)
	before := h.of(h.ann.UserID)
	wait, err := f.Run(h.bob.Context(t), id)
	require.NoError(t, err)
	require.Zero(t, wait)
	require.NoError(t, f.Fail(h.bob.Context(t), id))
	require.Equal(t, before, h.of(h.ann.UserID))
}

// TestJob has the queue do it: to ask for it is to queue it.
func TestJob(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	worker := h.Open(t, db.Config{URL: h.URL("rowhouse_worker")})
	runner, err := jobs.Open(context.Background(), jobs.Config{
		URL: h.URL("rowhouse_worker"), Kinds: []jobs.Kind{farewell.New(farewell.Config{DB: worker, Files: h.files}).Kind()}, Poll: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() { worked <- runner.Run(ctx, 10*time.Second) }()
	defer func() {
		stop()
		require.NoError(t, <-worked)
	}()
	id := h.leave(h.ann, 0)
	require.Eventually(t, func() bool { return h.deletion(id).State == "DONE" }, time.Minute, 20*time.Millisecond)
	h.gone(h.ann)
}
