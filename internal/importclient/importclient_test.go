package importclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/importclient"
	"rowhouse/internal/imports"
	"rowhouse/internal/storage"
)

const (
	issuer = "https://project.example.com/auth/v1"
	secret = "a secret that only the tests' provider knows"
)

// server is the API with a landlord, and a worker that does an import as soon as it was
// started.
type server struct {
	url, token string
	db         *dbtest.Database
	busy       atomic.Int32 // how many requests are turned away before one is served
	asked      atomic.Int32
}

func newServer(t *testing.T) *server {
	t.Helper()
	d := dbtest.New(t)
	landlord := d.Landlord(t, "ann")
	tokens, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: issuer, LegacySecret: []byte(secret)})
	require.NoError(t, err)
	t.Cleanup(tokens.Close)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	api, err := httpapi.New(httpapi.Config{DB: d.DB, Tokens: tokens, Version: "test", Files: files, InviteKeys: dbtest.InviteKeys(t)})
	require.NoError(t, err)
	payload, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": "authenticated", "role": "authenticated", "aal": "aal1", "sub": landlord.UserID.String(),
		"session_id": uuid.NewString(), "is_anonymous": false, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	require.NoError(t, err)
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, []byte(secret)))
	require.NoError(t, err)
	s := &server{token: string(token), db: d}
	worker := imports.New(d.DB)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.busy.Add(-1) >= 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		api.ServeHTTP(w, r)
		if path, ok := strings.CutSuffix(r.URL.Path, "/run"); ok {
			id := uuid.MustParse(path[strings.LastIndex(path, "/")+1:])
			if err := worker.Run(auth.With(context.WithoutCancel(r.Context()), landlord.Identity), id); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

func (s *server) config(t *testing.T, kind, text string) (importclient.Config, *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "book.csv")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out := &bytes.Buffer{}
	return importclient.Config{URL: s.url, Token: s.token, Kind: kind, File: file, Out: out, Poll: 10 * time.Millisecond}, out
}

func (s *server) count(t *testing.T, what string) (n int) {
	t.Helper()
	require.NoError(t, s.db.Admin.QueryRow(t.Context(), "select count(*) from app."+what).Scan(&n))
	return n
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, out := s.config(t, "units", "unit,area\nAttic,20\nCellar,large\nLoft,30\n")
	s.busy.Store(1)
	result, err := importclient.Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, importclient.Result{
		State: "PARTIAL", Total: 3, Create: 2, Error: 1, FailedFile: strings.TrimSuffix(c.File, ".csv") + ".failed.csv",
	}, result)
	failed, err := os.ReadFile(result.FailedFile)
	require.NoError(t, err)
	require.Equal(t, "\ufeffunit,area,row,error_code,error\nCellar,large,3,invalid_number,areaM2: This is not a number.\n", string(failed))
	require.Contains(t, out.String(), "3 rows: 2 to create, 0 to update, 0 unchanged, 0 skipped, 1 with errors\n")
	require.Contains(t, out.String(), "[##############################] 3 of 3\n")
	require.NotContains(t, out.String(), s.token)
	require.Equal(t, 2, s.count(t, "units where name in ('Attic', 'Loft')"))

	again, err := importclient.Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, 2, again.Unchanged)
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	before := s.count(t, "import_batches")
	c, _ := s.config(t, "tenants", "name,email\nAda Byron,ada@example.com\nNobody,nobody@\n")
	c.DryRun = true
	result, err := importclient.Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []any{"CHECKED", 1, 1}, []any{result.State, result.Create, result.Error})
	require.FileExists(t, result.FailedFile)
	require.Zero(t, s.count(t, "tenants where email = 'ada@example.com'"))
	require.Equal(t, before, s.count(t, "import_batches"), "nothing is left behind")
}

func TestWhatCannotBe(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c, _ := s.config(t, "tenants", "who,mail\nAda,ada@example.com\n")
	_, err := importclient.Run(t.Context(), c)
	require.ErrorIs(t, err, importclient.ErrNotMapped)
	require.ErrorContains(t, err, "firstName, lastName")

	c, _ = s.config(t, "units", "unit,city\na,\"b\n")
	_, err = importclient.Run(t.Context(), c)
	require.EqualError(t, err, "Line 2, column 2: a quote is opened here and never closed.")

	c.Token = "nonsense"
	_, err = importclient.Run(t.Context(), c)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "nonsense")

	for _, address := range []string{"http://example.com", "ftp://localhost", "localhost:8080", ""} {
		c.URL = address
		_, err = importclient.Run(t.Context(), c)
		require.ErrorContains(t, err, "must begin with https://", address)
	}
}

// The token stays with the server that it was meant for.
func TestNoRedirects(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var seen atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	defer other.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	c, _ := s.config(t, "units", "unit\nAttic\n")
	c.URL = redirecting.URL
	_, err := importclient.Run(t.Context(), c)
	require.EqualError(t, err, fmt.Sprintf("The server answers %d Temporary Redirect.", http.StatusTemporaryRedirect))
	require.Zero(t, seen.Load())
}
