package isolationreport

import (
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/probe"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // faults are planted here
	os.Exit(dbtest.Main(m))
}

const (
	commit  = "4f2a9c01b7de53a1c0b9e8d7f6a5b4c3d2e1f009"
	version = "4f2a9c01b7de"
)

// statuses are the checks' outcomes by name.
func statuses(r Report) map[string]CheckStatus {
	all := map[string]CheckStatus{}
	for _, c := range r.Checks {
		all[c.Name] = c.Status
	}
	return all
}

// words is what a report says of a table.
func words(t *testing.T, r Report, table string) string {
	t.Helper()
	for _, one := range r.Policies.ByTable {
		if one.Table == table {
			return strings.Join(one.InWords, "\n")
		}
	}
	require.Fail(t, "not in the report", table)
	return ""
}

func current(t *testing.T, c Config) Report {
	t.Helper()
	signed, err := New(c).Current(t.Context())
	require.NoError(t, err)
	return signed.Report
}

// embedded is a result as the linker would set it.
func embedded(t *testing.T, r any) string {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(text)
}

// TestNothingWrong: on a database that was migrated, as the login that serves.
func TestNothingWrong(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	r := current(t, Config{DatabaseURL: d.URL("rowhouse_api"), Version: version})
	for name, status := range statuses(r) {
		require.Equal(t, CheckPassed, status, name)
	}
	require.Len(t, r.Checks, 8)

	require.True(t, r.Policies.Read)
	var tables, policies, boundaries, definers int
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select
		(select count(*) from pg_class where relnamespace::regnamespace::text in ('app', 'app_private') and relkind in ('r', 'p')),
		(select count(*) from pg_policies where schemaname in ('app', 'app_private') and permissive = 'PERMISSIVE'),
		(select count(*) from pg_policies where schemaname in ('app', 'app_private') and permissive = 'RESTRICTIVE'),
		(select count(*) from pg_proc where pronamespace::regnamespace::text in ('app', 'app_private') and prosecdef)`).
		Scan(&tables, &policies, &boundaries, &definers))
	require.Equal(t, []int{tables, policies, boundaries, definers},
		[]int{r.Policies.Tables, r.Policies.Policies, r.Policies.Boundaries, len(r.Policies.Functions)})
	var landlords PersonaCount
	for _, p := range r.Policies.ByPersona {
		require.NotContains(t, []string{"rowhouse_owner", "rowhouse_clerk", "rowhouse_remover"}, p.Persona)
		require.NotEmpty(t, p.Who)
		if p.Persona == "rowhouse_landlord" {
			landlords = p
		}
	}
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from pg_policies
		where schemaname = 'app' and 'rowhouse_landlord' = any (roles) and cmd in ('SELECT', 'ALL') and permissive = 'PERMISSIVE'`).Scan(&policies))
	require.Positive(t, policies)
	require.Equal(t, policies, landlords.Read)

	require.Contains(t, words(t, r, "app.contractors"), "our support staff those that a landlord lets them see")
	require.Contains(t, words(t, r, "app.contractors"), "Only you can add, change and delete your contractors.")
	require.Contains(t, words(t, r, "app.units"), "Only you can add, change and delete your units.")
	require.Contains(t, words(t, r, "app.units"), "your tenants")
	require.Contains(t, words(t, r, "app_private.seal_keys"), "Nobody who signs in")

	require.Equal(t, Incomplete, r.Status)
	for _, said := range []string{"Nothing was found wrong", "no result of the isolation suite", "No report of a probe", "not signed"} {
		require.Contains(t, r.Verdict, said)
	}
	require.Equal(t, SuiteAbsent, r.Suite.Status)
	require.Nil(t, r.Suite.Result)
	require.Equal(t, ProbeAbsent, r.Probe.Status)
	require.Nil(t, r.Probe.Result)
}

// TestFaults plants faults, each of which must show. Where and what they are must
// not.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  string
		failed []string
	}{
		{"drop policy boundary_all_units on app.units", []string{"as_written", "tables"}},
		{"drop policy landlord_select_units on app.units", []string{"as_written"}},
		{"alter policy landlord_select_units on app.units using (true)", []string{"as_written", "policies"}},
		{"alter table app.units no force row level security", []string{"serving", "as_written", "tables"}},
		{"grant update (owner_user_id) on app.units to rowhouse_landlord", []string{"as_written", "grants"}},
		{"alter function app.delete_unit(uuid) reset search_path", []string{"as_written", "functions"}},
		{"create view app.all_units as select * from app.units; grant select on app.all_units to rowhouse_landlord", []string{"as_written", "objects"}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			d.Exec(t, tt.fault)
			r := current(t, Config{DatabaseURL: d.URL("rowhouse_api"), Version: version})
			require.Equal(t, Failed, r.Status)
			require.Contains(t, r.Verdict, "Something is wrong")
			all := statuses(r)
			for _, name := range tt.failed {
				require.Equal(t, CheckFailed, all[name], name)
			}
			for _, c := range r.Checks {
				require.Equal(t, c.Status == CheckFailed || c.Status == CheckWarning, c.Findings > 0, c.Name)
				text, err := json.Marshal(c)
				require.NoError(t, err)
				require.NotContains(t, string(text), "units")
			}
			if strings.Contains(tt.fault, "using (true)") {
				require.Contains(t, words(t, r, "app.units"), "you those within the table's boundary")
			}
			if strings.Contains(tt.fault, "no force") {
				for _, one := range r.Policies.ByTable {
					if one.Table == "app.units" {
						require.False(t, one.RowSecurity)
					}
				}
			}
		})
	}
}

// TestMinute: the database is looked at once a minute, however many ask, and then
// again.
func TestMinute(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	r := New(Config{DatabaseURL: d.URL("rowhouse_api"), Version: version, Now: func() time.Time { return now }})
	first, err := r.Current(t.Context())
	require.NoError(t, err)
	require.Equal(t, now, first.Report.GeneratedAt)
	d.Exec(t, "drop policy landlord_select_units on app.units")

	now = now.Add(keptFor - time.Second)
	again, err := r.Current(t.Context())
	require.NoError(t, err)
	require.Same(t, first, again)

	now = now.Add(time.Second)
	later, err := r.Current(t.Context())
	require.NoError(t, err)
	require.Equal(t, now, later.Report.GeneratedAt)
	require.Equal(t, Failed, later.Report.Status)
}

// TestAway: what could not be looked at has not passed.
func TestAway(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "postgres://rowhouse_api:hidden@127.0.0.1:1/rowhouse?connect_timeout=2"} {
		r := current(t, Config{DatabaseURL: url, Version: version})
		require.Equal(t, Incomplete, r.Status)
		require.Contains(t, r.Verdict, "8 checks of the live database could not be run. The policies could not be read.")
		for name, status := range statuses(r) {
			require.Equal(t, CheckNotRun, status, name)
		}
		require.False(t, r.Policies.Read)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		require.NotContains(t, string(text), "hidden")
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	good := SuiteResult{Commit: commit, FinishedAt: time.Now().UTC(), Go: "go1.26.0", Postgres: "15.20", Passed: 61}
	tried := Mutants{Commit: commit, All: 2500, Judged: 320, Killed: 320}
	with := func(change func(*SuiteResult, *Mutants)) (string, string) {
		r, m := good, tried
		change(&r, &m)
		return embedded(t, r), embedded(t, m)
	}
	for _, tt := range []struct {
		change  func(*SuiteResult, *Mutants)
		version string
		status  SuiteStatus
		said    string
		mutants bool
	}{
		{func(*SuiteResult, *Mutants) {}, version, SuitePassed, "ran on commit 4f2a9c01b7de (go1.26.0, PostgreSQL 15.20): 61 tests passed, 0 failed, 0 were skipped. The database was weakened on purpose in 320 of 2500 places, and the suite noticed 320 times.", true},
		{func(*SuiteResult, *Mutants) {}, "0123456789ab", SuiteOtherBuild, "This build is another, 0123456789ab.", true},
		{func(*SuiteResult, *Mutants) {}, "", SuiteOtherBuild, "This build is another", true},
		{func(_ *SuiteResult, m *Mutants) { *m = Mutants{} }, version, SuitePassed, "0 were skipped.", false},
		{func(_ *SuiteResult, m *Mutants) { m.Commit = "0123456789ab" }, version, SuitePassed, "0 were skipped.", false},
		{func(_ *SuiteResult, m *Mutants) { m.Modified = true }, version, SuitePassed, "0 were skipped.", false},
		{func(r *SuiteResult, _ *Mutants) { r.Modified = true }, version, SuiteOtherBuild, "changes that are in no commit", false},
		{func(r *SuiteResult, _ *Mutants) { r.Failed = 1 }, version, SuiteFailed, "1 failed", true},
		{func(r *SuiteResult, _ *Mutants) { r.Passed = 0 }, version, SuiteFailed, "0 tests passed", true},
		{func(_ *SuiteResult, m *Mutants) { m.Killed, m.Survived = 319, 1 }, version, SuiteFailed, "noticed 319 times", true},
	} {
		result, mutants := with(tt.change)
		s := readSuite(result, mutants, tt.version)
		require.Equal(t, tt.status, s.Status, tt.said)
		require.Contains(t, s.InWords, tt.said)
		require.Equal(t, tt.mutants, s.Mutants != nil, tt.said)
	}
	for said, unreadable := range map[string][]string{
		"This build carries no result of the isolation suite.": {""},
		"cannot be read": {"e30!", base64.StdEncoding.EncodeToString([]byte("[]"))},
	} {
		for _, text := range unreadable {
			s := readSuite(text, embedded(t, tried), version)
			require.Equal(t, SuiteAbsent, s.Status)
			require.Contains(t, s.InWords, said)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	good := probe.Report{
		Verdict: probe.Held, Target: "https://rowhouse.example.com", Version: version, Requests: 1868,
		StartedAt: now.Add(-time.Hour), FinishedAt: now.Add(-50 * time.Minute),
		Operations: []probe.Operation{{ID: "getUnit", Outcome: probe.OperationHeld}},
	}
	for _, tt := range []struct {
		change func(*probe.Report)
		status ProbeStatus
		said   string
	}{
		{func(*probe.Report) {}, ProbeHeld, "ended on 23 November 2026 11:10 UTC: it tried 1 operations with 1868 requests, and found nothing"},
		{func(r *probe.Report) { r.FinishedAt = now.Add(-4 * time.Hour) }, ProbeStale, "more than 3h0m0s ago"},
		{func(r *probe.Report) { r.FinishedAt = now.Add(time.Hour) }, ProbeStale, "yet to come"},
		{func(r *probe.Report) { r.Version = "other" }, ProbeIncomplete, "another build"},
		{func(r *probe.Report) { r.Verdict, r.Error = probe.Incomplete, "sign in as canary@example.com" }, ProbeIncomplete, "could not try everything"},
		{func(r *probe.Report) {
			r.Verdict, r.FinishedAt = probe.Crossed, now.Add(-99*time.Hour)
			r.Crossings = []probe.Crossing{{Operation: "getUnit", Request: "GET /api/v1/units/secret"}}
		}, ProbeCrossed, "got through to another landlord's rows"},
	} {
		report := good
		tt.change(&report)
		path := filepath.Join(t.TempDir(), "isolation.json")
		require.NoError(t, report.WriteJSON(path))
		p := readProbe(t.Context(), path, 3*time.Hour, version, now)
		require.Equal(t, tt.status, p.Status, tt.said)
		require.Contains(t, p.InWords, tt.said)
		require.Equal(t, len(report.Crossings), p.Result.Crossings)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.NotContains(t, string(text), "secret")
		require.NotContains(t, string(text), "canary")
	}
	for path, said := range map[string]string{"": "known to this server", "/nonexistent/report.json": "yet", os.DevNull: "cannot be read"} {
		p := readProbe(t.Context(), path, time.Hour, version, now)
		require.Equal(t, ProbeAbsent, p.Status)
		require.Contains(t, p.InWords, said)
		require.Nil(t, p.Result)
	}
}

// TestHeld: all that there is to know is known, and good.
func TestHeld(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	path := filepath.Join(t.TempDir(), "isolation.json")
	report := probe.Report{Verdict: probe.Held, Version: version, FinishedAt: time.Now()}
	require.NoError(t, report.WriteJSON(path))
	c := Config{
		DatabaseURL: d.URL("rowhouse_api"), Version: version, ProbeFile: path, ProbeMaxAge: time.Hour,
		suite: embedded(t, SuiteResult{Commit: commit, Passed: 61}),
	}
	r := current(t, c)
	require.Equal(t, Held, r.Status, r.Verdict)
	require.Contains(t, r.Verdict, "Landlords are kept apart: every check")

	c.suite = embedded(t, SuiteResult{Commit: commit, Passed: 60, Failed: 1})
	require.Equal(t, Failed, current(t, c).Status)
	c.suite = embedded(t, SuiteResult{Commit: commit, Passed: 61})
	report.Verdict = probe.Crossed
	require.NoError(t, report.WriteJSON(path))
	require.Equal(t, Failed, current(t, c).Status)
}
