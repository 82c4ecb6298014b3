package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/httpapi"
)

// TestChannels wants the tests of channels.go to be there, and none of the suite to
// be skipped: what is left out would be taken for shown.
func TestChannels(t *testing.T) {
	t.Parallel()
	for _, c := range channels {
		require.NotEmpty(t, c.because+strings.Join(c.tests, ""), "%s: neither a test nor a reason", c.name)
		for _, test := range c.tests {
			dir, name, elsewhere := strings.Cut(test, ": ")
			if elsewhere {
				dir = filepath.Join("../..", dir)
			} else {
				dir, name = ".", test
			}
			require.Contains(t, functionsOf(t, dir), name, "%s: there is no such test", c.name)
		}
	}
	for name, function := range functionsOf(t, ".") {
		ast.Inspect(function, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				require.NotContains(t, []string{"Skip", "Skipf", "SkipNow", "Short"}, call.Sel.Name, "%s leaves something out", name)
			}
			return true
		})
	}
}

// functionsOf are the functions of the tests in a folder.
func functionsOf(t *testing.T, dir string) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, dir)
	all := map[string]*ast.FuncDecl{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				all[function.Name.Name] = function
			}
		}
	}
	return all
}

// TestOthersWorkShowsNowhere reads all that B, and B's tenant, can read, has A do
// all there is to do, and reads it again: to the byte, and with every header, it is
// what it was.
func TestOthersWorkShowsNowhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.a, s.b = s.b, s.a // they read
	s.hidden = s.secrets(t, s.b.UserID)
	before := s.readAll(t)
	require.Greater(t, len(before), 50)
	s.a, s.b = s.b, s.a // they work
	s.hidden = s.secrets(t, s.b.UserID)
	s.work(t)
	s.a, s.b = s.b, s.a
	s.hidden = nil // of what is there now the comparison tells more
	after := s.readAll(t)
	require.Equal(t, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	for request, answer := range before {
		require.Equal(t, answer, after[request], request)
	}
}

// readAll is the answers to all that can be read by A and by A's tenant, in every
// order that there is.
func (s *site) readAll(t *testing.T) map[string]answer {
	t.Helper()
	all := map[string]answer{}
	for _, o := range operations(t, s.api.Document()) {
		// support reads by consent, and the report is about the system, with the time of it
		if o.method != http.MethodGet || strings.HasPrefix(o.path, "/api/v1/support/") || strings.HasPrefix(o.path, "/api/v1/security/") {
			continue
		}
		queries := []url.Values{nil}
		for _, p := range o.Parameters {
			if p.In != "query" {
				continue
			}
			values := slices.Clone(p.Schema.Enum)
			if value, ok := map[string]any{"q": "landlord", "cursor": "*", "limit": 1, "page": 2}[p.Name]; ok {
				values = append(values, value)
			}
			for _, value := range values {
				queries = append(queries, url.Values{p.Name: {fmt.Sprint(value)}})
			}
		}
		for _, query := range queries {
			a := s.send(t, request{operation: o, values: s.own(t, o), query: query, token: s.caller(o)})
			require.Less(t, a.Status, 300, "%s %s: %s", o.OperationID, query, a.Body)
			all[o.OperationID+" "+query.Encode()] = a
		}
	}
	return all
}

// TestTicketNumbers: A's next ticket has A's next number, however many others were
// opened since.
func TestTicketNumbers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	all := operations(t, s.api.Document())
	open := all[slices.IndexFunc(all, func(o operation) bool { return o.OperationID == "createTicket" })]
	number := func(owner uuid.UUID, unit uuid.UUID) int {
		values := map[hole]string{{"body", "unitId"}: unit.String()}
		a := s.send(t, request{operation: open, values: values, token: accessToken("authenticated", owner, time.Minute)})
		require.Equal(t, http.StatusCreated, a.Status, a.Body)
		var made struct{ Number int }
		require.NoError(t, json.Unmarshal([]byte(a.Body), &made))
		return made.Number
	}
	first := number(s.a.UserID, s.a.UnitID)
	s.hidden = nil // B writes
	for range 5 {
		number(s.b.UserID, s.b.UnitID)
	}
	require.Equal(t, first+1, number(s.a.UserID, s.a.UnitID))
}

// notifies finds what a function says NOTIFY to.
var notifies = regexp.MustCompile(`(?i)\bpg_notify\s*\(\s*('([^']*)')?|\bnotify\s+(\w+)`)

// TestNotifications listens wherever a function of ours notifies while A works.
// Everybody who can log in hears that: an id of a user is all there may be to hear.
func TestNotifications(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var heard []string
	for _, source := range list(t, s.world, "select prosrc from pg_proc where pronamespace::regnamespace::text in ('app', 'app_private')") {
		for _, found := range notifies.FindAllStringSubmatch(source, -1) {
			require.Contains(t, notified, found[2]+found[3], "say in channels.go what is said in %s", found[0])
			heard = append(heard, found[2]+found[3])
		}
	}
	slices.Sort(heard)
	require.Equal(t, slices.Sorted(maps.Keys(notified)), slices.Compact(heard), "channels.go names others")

	conn, err := pgx.Connect(t.Context(), s.URL("rowhouse_worker"))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	for name := range notified {
		_, err := conn.Exec(t.Context(), "listen "+pgx.Identifier{name}.Sanitize())
		require.NoError(t, err)
	}
	s.work(t)
	all := operations(t, s.api.Document())
	first := all[slices.IndexFunc(all, func(o operation) bool { return o.OperationID == "createProperty" })] // makes somebody a landlord
	require.Equal(t, http.StatusCreated, s.send(t, request{operation: first, token: accessToken("authenticated", s.newcomer(t, true), time.Minute)}).Status)
	s.Exec(t, "notify rowhouse_roles, 'that was all'")
	users := list(t, s.world, "select id::text from app.users")
	said := 0
	for {
		n, err := conn.WaitForNotification(t.Context())
		require.NoError(t, err)
		if n.Payload == "that was all" {
			break
		}
		require.Contains(t, users, n.Payload, n.Channel)
		said++
	}
	require.NotZero(t, said, "nothing was said that could have been heard")
}

// TestRateIsOnesOwn uses up B's requests: A's are as many as before.
func TestRateIsOnesOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *httpapi.Config) { c.RatePerMinute = 3 })
	all := operations(t, s.api.Document())
	o := all[slices.IndexFunc(all, func(o operation) bool { return o.OperationID == "getMe" })]
	ask := func(who uuid.UUID) (int, string) {
		s.hidden = nil // each reads their own
		a := s.send(t, request{operation: o, token: accessToken("authenticated", who, time.Minute)})
		return a.Status, a.Limits.Get("X-Ratelimit-Remaining")
	}
	var status int
	for range 4 {
		status, _ = ask(s.b.UserID)
	}
	require.Equal(t, http.StatusTooManyRequests, status)
	status, left := ask(s.a.UserID)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "2", left)
}

// TestFilesOfOthers names B's file as A's, and what is not A's folder.
func TestFilesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.column(t, "app.attachments", "storage_key", w.b.UserID)[0]
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	for key, code := range map[string]string{
		theirs: "23514", w.b.UserID.String() + "/new": "23514", w.a.UserID.String() + "/../" + theirs: "23514", "": "23514",
		w.a.UserID.String() + "/new": "",
	} {
		o := a.run(t, fmt.Sprintf(`insert into app.attachments (ticket_id, storage_key, file_name, media_type, size_bytes, sha256)
			values ('%s', %s, 'a.pdf', 'application/pdf', 1, sha256(''))`, w.a.TicketID, quote(key)))
		require.Equal(t, code, o.code, "%q: %s", key, o.said)
	}
}

// keeping are what packages import that keep something from one request to another.
var keeping = []string{
	"sync", "sync/atomic", "golang.org/x/sync/singleflight", "github.com/go-chi/httprate", "github.com/hashicorp/golang-lru/v2",
}

// TestRemembered wants to know of every package that serves requests and can keep
// something between them.
func TestRemembered(t *testing.T) {
	t.Parallel()
	keepers := packages(t, []string{"-deps", "rowhouse/internal/app"}, func(path string) bool {
		return slices.Contains(keeping, path) || strings.Contains(path, "cache") || strings.Contains(path, "redis")
	})
	require.Equal(t, slices.Sorted(maps.Keys(remembered)), keepers, "say in channels.go by what it is found again")
}

// TestMeasured wants to know of every package with metrics.
func TestMeasured(t *testing.T) {
	t.Parallel()
	measuring := packages(t, []string{"rowhouse/..."}, func(path string) bool {
		return strings.HasPrefix(path, "github.com/prometheus/client_golang/") || strings.HasPrefix(path, "go.opentelemetry.io/") || path == "expvar"
	})
	require.Equal(t, slices.Sorted(maps.Keys(measured)), measuring, "say in channels.go what the labels say")
}

// packages are those of ours that import something.
func packages(t *testing.T, which []string, imports func(path string) bool) []string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}"}, which...)...).Output()
	require.NoError(t, err)
	var found []string
	for line := range strings.Lines(string(output)) {
		all := strings.Fields(line)
		if strings.HasPrefix(all[0], "rowhouse/") && slices.ContainsFunc(all[1:], imports) {
			found = append(found, all[0])
		}
	}
	slices.Sort(found)
	return found
}
