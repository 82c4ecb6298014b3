package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/storage"
)

const token = "the user's own token"

// TestStores holds every store to the same contract.
func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) (storage.Store, func() int){
		"disk":     func(t testing.TB) (storage.Store, func() int) { return newDisk(t) },
		"supabase": func(t testing.TB) (storage.Store, func() int) { return newSupabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, files := open(t)
			ctx := auth.WithToken(t.Context(), token)
			key := storage.NewKey(uuid.New(), uuid.New())

			_, err := store.Open(ctx, key)
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.NoError(t, store.Delete(ctx, key))

			content := strings.Repeat("0123456789", 100_000)
			require.NoError(t, store.Put(ctx, key, "image/png", strings.NewReader(content)))
			require.Equal(t, content, read(ctx, t, store, key))
			require.Equal(t, 1, files())

			require.Error(t, store.Put(ctx, key, "image/png", strings.NewReader("other")), "the key is taken")
			require.Equal(t, content, read(ctx, t, store, key))

			broken := io.MultiReader(strings.NewReader(content), iotest.ErrReader(errors.New("the line is dead")))
			require.Error(t, store.Put(ctx, storage.NewKey(uuid.New(), uuid.New()), "image/png", broken))
			over, cancel := context.WithCancel(ctx)
			cancel()
			require.Error(t, store.Put(over, storage.NewKey(uuid.New(), uuid.New()), "image/png", strings.NewReader(content)))
			require.Equal(t, 1, files(), "nothing half done")

			require.NoError(t, store.Delete(ctx, key))
			_, err = store.Open(ctx, key)
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.Zero(t, files())

			for _, bad := range []string{
				"", "..", "../x", "/etc/passwd", "x", uuid.NewString(), uuid.NewString() + "/", uuid.NewString() + "/../x", uuid.NewString() + "/../../x",
				uuid.NewString() + "/./x", uuid.NewString() + "//x", uuid.NewString() + "/a?b", uuid.NewString() + "/a\x00", uuid.NewString() + "/a\n",
				uuid.NewString() + `\..\x`, uuid.NewString() + "/%2e%2e/x", "unfinished/x", uuid.NewString() + "/" + strings.Repeat("x", 300),
			} {
				require.ErrorContains(t, store.Put(ctx, bad, "image/png", strings.NewReader("x")), "not a key", bad)
				_, err := store.Open(ctx, bad)
				require.ErrorContains(t, err, "not a key", bad)
				require.ErrorContains(t, store.Delete(ctx, bad), "not a key", bad)
			}
			require.Zero(t, files())
		})
	}
}

func read(ctx context.Context, t testing.TB, store storage.Store, key string) string {
	t.Helper()
	f, err := store.Open(ctx, key)
	require.NoError(t, err)
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return string(data)
}

func newDisk(t testing.TB) (*storage.Disk, func() int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	return openDisk(t, dir), func() int { return len(filesIn(t, dir)) }
}

func openDisk(t testing.TB, dir string) *storage.Disk {
	t.Helper()
	disk, err := storage.NewDisk(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Close()) })
	return disk
}

func filesIn(t testing.TB, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

func TestDiskIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	disk := openDisk(t, dir)
	require.NoError(t, disk.Put(t.Context(), storage.NewKey(uuid.New(), uuid.New()), "image/png", strings.NewReader("x")))
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s: %s", path, info.Mode())
		return nil
	}))
}

// TestDiskStaysInside: a link that somebody put into the folder leads nowhere.
func TestDiskStaysInside(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), filepath.Join(t.TempDir(), "files")
	disk := openDisk(t, dir)
	owner := uuid.New()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, owner.String())))
	key := owner.String() + "/secret"
	_, err := disk.Open(t.Context(), key)
	require.Error(t, err)
	require.Error(t, disk.Delete(t.Context(), key))
	require.Error(t, disk.Put(t.Context(), owner.String()+"/new", "image/png", strings.NewReader("x")))
	require.Len(t, filesIn(t, outside), 1)
}

// TestDiskTidies: what a process left unfinished when it died goes at the next
// start, and what another one is writing stays.
func TestDiskTidies(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	disk := openDisk(t, dir)
	written := make(chan struct{})
	r, w := io.Pipe()
	key := storage.NewKey(uuid.New(), uuid.New())
	go func() {
		defer close(written)
		_ = disk.Put(context.Background(), key, "image/png", r) // read below
	}()
	_, err := w.Write([]byte("half"))
	require.NoError(t, err)
	require.Len(t, filesIn(t, dir), 1)
	_, err = disk.Open(t.Context(), key)
	require.ErrorIs(t, err, storage.ErrNotFound, "not there before it is whole")

	dead := filepath.Join(dir, "unfinished", "DEAD")
	require.NoError(t, os.WriteFile(dead, []byte("ha"), 0o600))
	long := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(dead, long, long))
	again := openDisk(t, dir)
	require.NoFileExists(t, dead)

	_, err = w.Write([]byte(" and half"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	<-written
	require.Equal(t, "half and half", read(t.Context(), t, again, key))
	require.Len(t, filesIn(t, dir), 1)
}

// newSupabase is a store on a server that answers as Supabase's storage-api does
// for one bucket, and demands the user's token of every request.
func newSupabase(t testing.TB) (*storage.Supabase, func() int) {
	t.Helper()
	var mu sync.Mutex
	objects := map[string][]byte{}
	refuse := func(w http.ResponseWriter, code, name, message string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"statusCode": code, "error": name, "message": message})
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("Apikey") != "anon" {
			refuse(w, "403", "Unauthorized", "new row violates row-level security policy")
			return
		}
		key := r.PathValue("key")
		switch r.Method {
		case http.MethodPost:
			data, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if _, taken := objects[key]; taken {
				refuse(w, "409", "Duplicate", "The resource already exists")
				return
			}
			if r.Header.Get("Content-Type") != "image/png" {
				refuse(w, "415", "invalid_mime_type", "mime type "+r.Header.Get("Content-Type")+" is not supported")
				return
			}
			objects[key] = data
			_ = json.NewEncoder(w).Encode(map[string]string{"Key": "attachments/" + key, "Id": uuid.NewString()})
		case http.MethodGet:
			data, ok := objects[key]
			if !ok {
				refuse(w, "404", "not_found", "Object not found")
				return
			}
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(data)
		case http.MethodDelete:
			var body struct{ Prefixes []string }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Prefixes) == 0 {
				refuse(w, "400", "invalid_request", "body must have required property 'prefixes'")
				return
			}
			removed := []map[string]string{}
			for _, key := range body.Prefixes {
				if _, ok := objects[key]; ok {
					delete(objects, key)
					removed = append(removed, map[string]string{"name": key, "bucket_id": "attachments"})
				}
			}
			_ = json.NewEncoder(w).Encode(removed)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /storage/v1/object/attachments/{key...}", handle)
	mux.HandleFunc("GET /storage/v1/object/attachments/{key...}", handle)
	mux.HandleFunc("DELETE /storage/v1/object/attachments", handle)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return storage.NewSupabase(server.URL+"/", "anon", "attachments"), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(objects)
	}
}

// TestSupabaseActsAsTheUser: with another's token, or none, nothing happens.
func TestSupabaseActsAsTheUser(t *testing.T) {
	t.Parallel()
	store, files := newSupabase(t)
	key := storage.NewKey(uuid.New(), uuid.New())
	for name, ctx := range map[string]context.Context{
		"nobody": t.Context(), "another": auth.WithToken(t.Context(), "another's token"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, store.Put(ctx, key, "image/png", bytes.NewReader([]byte("x"))))
			_, err := store.Open(ctx, key)
			require.Error(t, err)
			require.NotErrorIs(t, err, storage.ErrNotFound)
			require.Error(t, store.Delete(ctx, key))
		})
	}
	require.Zero(t, files())
}
