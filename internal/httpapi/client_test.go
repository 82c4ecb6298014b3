package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
)

const (
	issuer    = "https://project.example.com/auth/v1"
	signedBy  = "a secret that only the tests' provider knows"
	maxBody   = 1 << 20
	jsonType  = "application/json"
	noSuchRow = "00000000-0000-4000-8000-000000000000"
)

type object = map[string]any

// service is the API at a real address, on a database of its own.
type service struct {
	*dbtest.Database
	url string
	api http.Handler
}

// serve starts the API on a new database.
func serve(t testing.TB, set ...func(*httpapi.Config)) *service {
	t.Helper()
	d := dbtest.New(t)
	return serveOn(t, d, d.DB, set...)
}

// serveOn starts the API on d through opened.
func serveOn(t testing.TB, d *dbtest.Database, opened *db.DB, set ...func(*httpapi.Config)) *service {
	t.Helper()
	tokens, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: issuer, LegacySecret: []byte(signedBy)})
	require.NoError(t, err)
	t.Cleanup(tokens.Close)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	config := httpapi.Config{DB: opened, Tokens: tokens, Version: "test", Files: files, InviteKeys: dbtest.InviteKeys(t)}
	for _, f := range set {
		f(&config)
	}
	api, err := httpapi.New(config)
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &service{Database: d, url: server.URL, api: api}
}

// rows counts the rows of a table, past every policy.
func (s *service) rows(t testing.TB, table string) (n int) {
	t.Helper()
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from app."+table).Scan(&n))
	return n
}

// waiting counts the API's sessions that wait for a lock.
func (s *service) waiting(t testing.TB) (n int) {
	t.Helper()
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
		where usename = 'rowhouse_api' and datname = current_database() and wait_event_type = 'Lock'`).Scan(&n))
	return n
}

// client sends requests as one landlord. Without a token it is nobody.
type client struct {
	t     testing.TB
	url   string
	id    uuid.UUID
	token string
}

// newLandlord is somebody who has signed in and said who they are.
func (s *service) newLandlord(t testing.TB) client {
	t.Helper()
	c := s.newcomer(t)
	s.Exec(t, `insert into app.users (id, email, onboarding_step) values ($1, 'ann@example.com', 2)`, c.id)
	return c
}

// newcomer is somebody who has signed in and not been seen yet.
func (s *service) newcomer(t testing.TB) client {
	t.Helper()
	id := uuid.New()
	return client{t: t, url: s.url, id: id, token: accessToken(t, object{"sub": id.String(), "email": "ann@example.com"})}
}

// as is c within another test.
func (c client) as(t testing.TB) client {
	c.t = t
	return c
}

// accessToken is a token of Supabase Auth for an hour, changed by claims.
func accessToken(t testing.TB, claims object) string {
	t.Helper()
	all := object{
		"iss": issuer, "aud": "authenticated", "role": "authenticated", "aal": "aal1",
		"session_id": uuid.NewString(), "is_anonymous": false,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	payload, err := json.Marshal(all)
	require.NoError(t, err)
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, []byte(signedBy)))
	require.NoError(t, err)
	return string(token)
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	text   string
	body   object // nil if it is not a JSON object
}

// send sends body, a string or bytes as they are and anything else as JSON, with
// headers written as "Name: value", and under /api/v1 unless path says otherwise.
func (c client) send(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	req := c.request(method, path, body, headers...)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	return c.read(resp)
}

func (c client) request(method, path string, body any, headers ...string) *http.Request {
	c.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case []byte:
		content = bytes.NewReader(b)
	default:
		data, err := json.Marshal(b)
		require.NoError(c.t, err)
		content = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "/api/") {
		path = "/api/v1" + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, content)
	require.NoError(c.t, err)
	if content != nil {
		req.Header.Set("Content-Type", jsonType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, value)
	}
	return req
}

func (c client) read(resp *http.Response) answer {
	c.t.Helper()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, resp.Body.Close())
	a := answer{t: c.t, status: resp.StatusCode, header: resp.Header, text: string(text)}
	if strings.HasPrefix(a.text, "{") {
		require.NoError(c.t, json.Unmarshal(text, &a.body), a.text)
	}
	return a
}

func (c client) get(path string, headers ...string) answer {
	c.t.Helper()
	return c.send(http.MethodGet, path, nil, headers...)
}

func (c client) post(path string, body any, headers ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPost, path, body, headers...)
}

func (c client) put(path string, body any, headers ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPut, path, body, headers...)
}

func (c client) patch(path string, body any, headers ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPatch, path, body, headers...)
}

func (c client) delete(path string, headers ...string) answer {
	c.t.Helper()
	return c.send(http.MethodDelete, path, nil, headers...)
}

// created makes something and returns its path.
func (c client) created(path string, body any) string {
	c.t.Helper()
	a := c.post(path, body).ok(http.StatusCreated)
	return strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
}

// ok requires a success with status.
func (a answer) ok(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.text)
	return a
}

// list returns the rows of a list's answer.
func (a answer) list(name string) []object {
	a.t.Helper()
	require.Equal(a.t, http.StatusOK, a.status, a.text)
	rows, ok := a.body[name].([]any)
	require.True(a.t, ok, a.text)
	list := make([]object, len(rows))
	for i, row := range rows {
		list[i] = row.(object)
	}
	return list
}

// names returns the names of a list's rows.
func (a answer) names(list string) []string {
	a.t.Helper()
	names := []string{}
	for _, row := range a.list(list) {
		names = append(names, row["name"].(string))
	}
	return names
}

// pagination returns a number of the list's pagination, -1 if it is absent.
func (a answer) pagination(name string) int {
	a.t.Helper()
	n, ok := a.body["pagination"].(object)[name].(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// refused requires a complete problem with status and code that blames exactly
// the given parts of the request, written as "#/pointer", "?parameter" or
// "header Name".
func (a answer) refused(status int, code string, blamed ...string) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.text)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"), a.text)
	require.Equal(a.t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(a.t, "about:blank", a.body["type"])
	require.EqualValues(a.t, status, a.body["status"])
	require.Equal(a.t, http.StatusText(status), a.body["title"])
	require.Equal(a.t, code, a.body["code"], a.text)
	require.NotEmpty(a.t, a.body["detail"])
	require.NotEmpty(a.t, a.body["requestId"])
	require.Equal(a.t, a.header.Get("X-Request-Id"), a.body["requestId"])
	parts := []string{}
	fields, _ := a.body["errors"].([]any)
	for _, field := range fields {
		f := field.(object)
		require.NotEmpty(a.t, f["detail"], a.text)
		switch {
		case f["pointer"] != nil:
			parts = append(parts, f["pointer"].(string))
		case f["parameter"] != nil:
			parts = append(parts, "?"+f["parameter"].(string))
		default:
			parts = append(parts, "header "+f["header"].(string))
		}
	}
	require.ElementsMatch(a.t, append([]string{}, blamed...), parts, a.text)
	return a
}
