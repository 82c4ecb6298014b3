package localpg

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	"github.com/stretchr/testify/require"
)

func TestDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ version, binDir, message string }{
		"unsupported":       {version: "14", message: "is of Postgres 14, which is not supported: delete "},
		"of other binaries": {version: "18", binDir: "17.5", message: "is of Postgres 18 and "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := openDir(t)
			if test.binDir != "" {
				test.binDir = programs(t, test.binDir)
			}
			version := filepath.Join(dir, "data", "PG_VERSION")
			require.NoError(t, os.Mkdir(filepath.Dir(version), 0o700))
			require.NoError(t, os.WriteFile(version, []byte(test.version+"\n"), 0o600))

			_, err := Start(t.Context(), Options{Dir: dir, BinDir: test.binDir})
			require.ErrorContains(t, err, test.message)
			require.FileExists(t, version)
		})
	}
}

func TestNotADataDirectory(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	letter := filepath.Join(dir, "data", "letter")
	require.NoError(t, os.Mkdir(filepath.Dir(letter), 0o700))
	require.NoError(t, os.WriteFile(letter, []byte("Dear landlord"), 0o600))

	_, err := Start(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "is not a Postgres data directory")
	require.FileExists(t, letter)
}

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := programs(t, "18beta1")
	above, err := inspect(t.Context(), dir)
	require.NoError(t, err)
	within, err := inspect(t.Context(), filepath.Join(dir, "bin"))
	require.NoError(t, err)
	require.Equal(t, binaries{dir: filepath.Join(dir, "bin"), version: "18", major: 18}, above)
	require.Equal(t, above, within)

	_, err = inspect(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "no Postgres server")
}

func TestDownload(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // a failed start of the library leaves its log behind
	cache := t.TempDir()
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", cache)

	archive, err := os.ReadFile("testdata/pgsql.txz") // scripts that say they are 17.5
	require.NoError(t, err)
	var jar bytes.Buffer
	writer := zip.NewWriter(&jar)
	entry, err := writer.Create("postgres.txz")
	require.NoError(t, err)
	_, err = entry.Write(archive)
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	requests := 0
	hangs := make(chan struct{})
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "17.5.0.jar"):
			requests++
			_, _ = w.Write(jar.Bytes())
		case strings.HasSuffix(r.URL.Path, "15.13.0.jar"):
			hangs <- struct{}{}
			<-hangs
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(repository.Close)

	options := Options{Log: io.Discard, repository: repository.URL}
	var kept binaries
	for range 2 { // the second time it is there
		kept, err = download(t.Context(), options, embeddedpostgres.V17)
		require.NoError(t, err)
		require.Equal(t, "17.5", kept.version)
		require.Contains(t, kept.dir, cache)
	}
	require.Equal(t, 1, requests)

	_, err = download(t.Context(), options, embeddedpostgres.V16)
	require.ErrorContains(t, err, "download Postgres 16.9.0")
	require.ErrorContains(t, err, "PG_BIN")

	// A download that hangs does not hold up Ctrl-C.
	cancelled, cancel := context.WithCancel(t.Context())
	go func() {
		<-hangs
		cancel()
		hangs <- struct{}{}
	}()
	_, err = download(cancelled, options, embeddedpostgres.V15)
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool {
		unfinished, err := filepath.Glob(filepath.Join(filepath.Dir(kept.dir), "..", "download-*"))
		return err == nil && len(unfinished) == 0
	}, 5*time.Second, 10*time.Millisecond)
}

// programs makes a directory with programs of a version, for looking at only.
func programs(t *testing.T, version string) string {
	t.Helper()
	dir := openDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", program), []byte(script), 0o755))
	}
	return dir
}
