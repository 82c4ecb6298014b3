package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// operations returns the ids of the document's operations by "METHOD /path".
func (s *service) operations(t testing.TB) map[string]string {
	t.Helper()
	_, text := s.fetch(t, "/openapi.json")
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	ids := map[string]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			ids[strings.ToUpper(method)+" "+strings.TrimPrefix(path, "/api/v1")] = operation.OperationID
		}
	}
	return ids
}

// fetch reads what everybody may read.
func (s *service) fetch(t testing.TB, path string) (header http.Header, text string) {
	t.Helper()
	resp, err := http.Get(s.url + path)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, path)
	return resp.Header, string(body)
}

var (
	inHTML  = regexp.MustCompile(`(?i)\b(?:src|href|action|data|poster|srcset)\s*=\s*["']?([^"'\s>]+)`)
	inCSS   = regexp.MustCompile(`(?i)(?:url\(\s*["']?|@import\s+["'])([^"')]+)`)
	inJS    = regexp.MustCompile(`(?i)\b(?:fetch|importScripts|import)\(\s*["']([^"']+)|\bnew (?:Worker|WebSocket|EventSource)\(\s*["']([^"']+)`)
	inline  = regexp.MustCompile(`(?is)<(script|style)[^>]*>(.*?)</(?:script|style)>`)
	foreign = regexp.MustCompile(`(?i)["'](?:https?:)?//[a-z0-9.-]+\.[a-z]`)
)

// TestReference reads the reference as a browser does, and demands that it gets
// by with this server alone.
func TestReference(t *testing.T) {
	t.Parallel()
	s := serve(t)
	header, page := s.fetch(t, "/docs/")
	require.Contains(t, header.Get("Content-Type"), "text/html")
	require.Contains(t, page, `"/openapi.json"`)
	require.NotRegexp(t, foreign, page)

	csp := header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} {
		require.Contains(t, csp, directive)
	}
	require.NotContains(t, csp, "http")
	require.NotContains(t, csp, "unsafe-eval")

	assets := references(t, inHTML, "/docs/", page)
	for _, part := range inline.FindAllStringSubmatch(page, -1) {
		require.Empty(t, references(t, map[string]*regexp.Regexp{"script": inJS, "style": inCSS}[strings.ToLower(part[1])], "/docs/", part[2]))
	}
	require.NotEmpty(t, assets)
	kinds := map[string]int{}
	for _, asset := range assets {
		header, text := s.fetch(t, asset)
		require.NotEmpty(t, text, asset)
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		kind := asset[strings.LastIndex(asset, ".")+1:]
		kinds[kind]++
		switch kind {
		case "css":
			require.Contains(t, header.Get("Content-Type"), "text/css", asset)
			require.Empty(t, references(t, inCSS, asset, text))
		case "js":
			require.Contains(t, header.Get("Content-Type"), "javascript", asset)
			require.Empty(t, references(t, inJS, asset, text))
		case "png":
			require.Equal(t, "image/png", header.Get("Content-Type"), asset)
		default:
			require.Fail(t, "unexpected", asset)
		}
	}
	require.Positive(t, kinds["css"])
	require.Positive(t, kinds["js"])
	_, again := s.fetch(t, "/docs") // redirected
	require.Equal(t, page, again)
}

// references returns what text refers to, as paths of this server, and fails when
// something is elsewhere.
func references(t testing.TB, pattern *regexp.Regexp, from, text string) (paths []string) {
	t.Helper()
	base, err := url.Parse(from)
	require.NoError(t, err)
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		ref := strings.Join(match[1:], "")
		if strings.HasPrefix(ref, "data:") || strings.HasPrefix(ref, "#") {
			continue
		}
		u, err := base.Parse(ref)
		require.NoError(t, err)
		require.Empty(t, u.Host, "%s refers to %s", from, ref)
		paths = append(paths, u.Path)
	}
	return paths
}

// TestEveryOperationIsTested fails when a route is added that the tables here do
// not know.
func TestEveryOperationIsTested(t *testing.T) {
	t.Parallel()
	s := serve(t)
	tabled := map[string]bool{"GET /invites/{token}": true} // open to everybody, with tests of its own
	for _, r := range routes {
		path, _, _ := strings.Cut(r.path, "?")
		tabled[r.method+" "+strings.ReplaceAll(path, noSuchRow, "{id}")] = true
	}
	counted := map[string]bool{}
	for _, test := range roundTripTests {
		counted[test.operation] = true
	}
	for route, id := range s.operations(t) {
		require.True(t, tabled[strings.NewReplacer("{resultId}", "{id}", "{grantId}", "{id}", "{n}", "1").Replace(route)], "%s is missing in routes", route)
		require.True(t, counted[id], "%s is missing in roundTripTests", id)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(s.url + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
	}
	s.Close()
	nobody := client{t: t, url: s.url}
	resp, err := http.Get(s.url + "/healthz")
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, nobody.read(resp).status)
	resp, err = http.Get(s.url + "/readyz")
	require.NoError(t, err)
	a := nobody.read(resp).refused(http.StatusServiceUnavailable, "database_unavailable")
	require.NotEmpty(t, a.header.Get("Retry-After"))
}

// TestKeyTakenAway: the database forgets the key of a server that runs.
func TestKeyTakenAway(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	d.Exec(t, "delete from app_private.seal_keys")
	resp, err := http.Get(s.url + "/readyz")
	require.NoError(t, err)
	client{t: t, url: s.url}.read(resp).refused(http.StatusServiceUnavailable, "seal_refused")
}
