package probe

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeld(t *testing.T) {
	t.Parallel()
	s, o := newShop(t)
	report := Run(t.Context(), o)
	require.Equal(t, Held, report.Verdict, text(t, report))
	require.Len(t, report.Operations, 6)
	require.Equal(t, "7", report.Version)
	require.Empty(t, s.left())
}

// Each mistake that a server can make is found, at the operation that makes it.
func TestCrossed(t *testing.T) {
	t.Parallel()
	for bug, want := range map[string]struct{ operation, leaked string }{
		"read":            {"getNote", "/text"},
		"oracle":          {"getNote", "/code"},
		"list":            {"listNotes", "/notes/0/id"},
		"search":          {"listNotes", "/notes"},
		"filter":          {"listNotes", "/notes"},
		"summary":         {"getSummary", "/counts/0/latest"},
		"update":          {"updateNote", "status 200, not 403"},
		"etag":            {"updateNote", "status 200, not 403"},
		"silent change":   {"updateNote", "/version"},
		"delete":          {"deleteNote", "status 204, not 403"},
		"reference":       {"createNote", "status 201, not 403"}, // and updateNote
		"keys":            {"createNote", "status 201"},
		"no session":      {"getSummary", "status 200, not 401"},
		"unsigned tokens": {"getNote", "status 404, not 401"},
	} {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			s, o := newShop(t, bug)
			report := Run(t.Context(), o)
			require.Equal(t, Crossed, report.Verdict, text(t, report))
			require.Equal(t, 1, report.Verdict.ExitCode())
			var leaked []string
			for _, c := range report.Crossings {
				if c.Operation == want.operation {
					leaked = append(leaked, c.Leaked...)
				}
			}
			require.Contains(t, leaked, want.leaked, text(t, report))
			require.Empty(t, s.left())
			if bug != "unsigned tokens" && bug != "reference" { // which several operations make
				require.Equal(t, want.operation, onlyCrossed(t, report))
			}
		})
	}
}

func onlyCrossed(t *testing.T, r *Report) string {
	t.Helper()
	require.Equal(t, 1, r.Count(OperationCrossed), text(t, r))
	for _, o := range r.Operations {
		if o.Outcome == OperationCrossed {
			return o.ID
		}
	}
	return ""
}

// What cannot be tried is named, with the reason.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	for cause, want := range map[string]struct{ operation, reason string }{
		"asks what nobody knows":  {"getSummary", "no value is known for query parameter shape"},
		"takes what nobody knows": {"createNote", "no value is known for member shape of the body"},
		"refuses everything":      {"updateNote", "with none of A's own ids in path id is the answer another"},
		"down":                    {"getNote", "is answered 500"},
		"down later":              {"getNote", "is answered 500"},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			_, o := newShop(t, cause)
			report := Run(t.Context(), o)
			require.Equal(t, Incomplete, report.Verdict, text(t, report))
			require.Equal(t, 2, report.Verdict.ExitCode())
			for _, o := range report.Operations {
				if o.ID == want.operation {
					require.Equal(t, OperationNotCovered, o.Outcome)
					require.Contains(t, strings.Join(o.Reasons, "\n"), want.reason)
				}
			}
			require.Contains(t, text(t, report), "NOT COVERED "+want.operation)
		})
	}
}

func TestRowsThatStay(t *testing.T) {
	t.Parallel()
	s, o := newShop(t, "keeps all")
	report := Run(t.Context(), o)
	require.Equal(t, Incomplete, report.Verdict)
	require.Len(t, report.NotDeleted, 2)
	require.Contains(t, report.NotDeleted[0], "answered 409")
	require.Len(t, s.left(), 2)

	s.bugs["keeps all"] = false
	s.notes["theirs"] = &note{ID: "theirs", Text: "The landlord's own", owner: "a@example.com"}
	report = Run(t.Context(), o)
	require.Equal(t, Held, report.Verdict, text(t, report))
	require.Equal(t, 2, report.Leftovers)
	require.Equal(t, []string{"The landlord's own"}, s.left())
}

func TestStopped(t *testing.T) {
	t.Parallel()
	s, o := newShop(t)
	o.Rate = 50
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for there := 0; there < 2; {
			s.mu.Lock()
			there = len(s.notes)
			s.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	report := Run(ctx, o)
	require.Equal(t, Incomplete, report.Verdict)
	require.NotEmpty(t, report.Error)
	require.Empty(t, s.left())
}

// What was made although the answer did not come is found by its name.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s, o := newShop(t, "loses answers")
	o.Timeout = 500 * time.Millisecond
	report := Run(t.Context(), o)
	require.Equal(t, Incomplete, report.Verdict, text(t, report))
	require.Contains(t, report.Error, "createNote")
	require.Empty(t, s.left())
	require.Empty(t, report.NotDeleted)
}

func TestCannotSignIn(t *testing.T) {
	t.Parallel()
	_, o := newShop(t)
	o.B.Password = "wrong"
	report := Run(t.Context(), o)
	require.Equal(t, Incomplete, report.Verdict)
	require.Contains(t, report.Error, "sign in as b@example.com")
	require.NotContains(t, report.Error, "wrong")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := Options{
		URL: "https://a.example.com", SupabaseURL: "http://127.0.0.1:9999", AnonKey: "k",
		A: Landlord{"a@example.com", "x"}, B: Landlord{"b@example.com", "y"},
	}
	require.NoError(t, good.Check())
	for name, spoil := range map[string]func(*Options){
		"clear text":       func(o *Options) { o.URL = "http://a.example.com" },
		"clear text login": func(o *Options) { o.SupabaseURL = "http://10.0.0.1" },
		"looks local":      func(o *Options) { o.URL = "http://localhost.example.com" },
		"no host":          func(o *Options) { o.URL = "https:///x" },
		"a password in it": func(o *Options) { o.URL = "https://u:p@a.example.com" },
		"another scheme":   func(o *Options) { o.URL = "ftp://a.example.com" },
		"one landlord":     func(o *Options) { o.B.Email = "A@example.com" },
		"no password":      func(o *Options) { o.B.Password = "" },
		"hardly a rate":    func(o *Options) { o.Rate = 0.1 },
	} {
		o := good
		spoil(&o)
		require.Error(t, o.Check(), name)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	_, o := newShop(t, "read", "refuses everything")
	report := Run(t.Context(), o)
	dir := t.TempDir()
	for name, write := range map[string]func(string) error{"r.json": report.WriteJSON, "r.xml": report.WriteJUnit, "r.html": report.WriteHTML} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("the one before"), 0o600))
		require.NoError(t, write(path))
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 3, "nothing half-written stays")

	data, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, Crossed, again.Verdict)
	require.Equal(t, report.Crossings, again.Crossings)

	junit, err := os.ReadFile(filepath.Join(dir, "r.xml"))
	require.NoError(t, err)
	require.Contains(t, string(junit), `failures="1" errors="1"`)
	page, err := os.ReadFile(filepath.Join(dir, "r.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "<h1>CROSSED</h1>")
	require.NotContains(t, string(page), "ZgotmplZ")
	require.NotRegexp(t, `(?i)(src|href)=|@import|url\(`, string(page), "nothing from elsewhere")

	for _, all := range []string{string(data), string(junit), string(page), text(t, report)} {
		require.NotContains(t, all, "tail", "a token")
		require.NotContains(t, all, "isolation probe "+report.RunID, "a text of a row")
	}
}

func text(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	return b.String()
}
