package policy

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/policies"
)

func TestLintOfSources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, sql, want string }{
		{"units.sql", "create policy landlord_select_units on app.units for select to rowhouse_landlord\n    using (true);", ""},
		{"units.sql", "create policy clerk_all_units on app.units to rowhouse_clerk using (true) with check (true);", ""},
		{"units.sql", "create policy boundary_all_units on app.units as restrictive to public\n using (true);", ""},
		{"units.sql", "-- create policy none on app.units using (true);", ""},
		{"other.sql", "create policy landlord_select_units on app.units for select to rowhouse_landlord using (true);", "RH111"},
		{"units.sql", "create policy landlord_select_units on app.units for select using (true);", "RH112"},
		{"units.sql", "create policy landlord_all_units on app.units for select to rowhouse_landlord using (true);", "RH113"},
		{"units.sql", "create policy landlord_select_units on app.units for select to rowhouse_tenant using (true);", "RH113"},
		{"units.sql", "create policy landlord_select_units on app.units for select to rowhouse_landlord, rowhouse_tenant using (true);", "RH113"},
		{"units.sql", "create policy boundary_all_units on app.units as restrictive for select to public using (true);", "RH113"},
		{"units.sql", "create policy boundary_all_units on app.units to public using (true);", "RH113"},
	} {
		var got string
		for _, f := range lintSources([]policies.File{{Name: tt.file, SQL: tt.sql}}) {
			got += f.ID
		}
		require.Equal(t, tt.want, got, tt.sql)
	}
	require.Empty(t, lintSources(policies.Files()))
}

var sample = Report{
	Findings: []Finding{
		{"RH001", Error, "app.units", "Why.", "alter table app.units enable row level security;"},
		{"RH102", Error, "policy landlord_select_units on app.units", "Why not.", "alter policy …;"},
		{"RH113", Warning, "policies/units.sql: x", "The name.", "-- call it y"},
		{"RH407", Info, "server", "Old <&>.", "-- upgrade"},
	},
	Exceptions: []Exception{{"RH001", "app_private.goose_db_version", "a journal"}},
}

func TestReportAsText(t *testing.T) {
	t.Parallel()
	var short, long bytes.Buffer
	require.NoError(t, sample.WriteText(&short, false))
	require.NoError(t, sample.WriteText(&long, true))
	require.Contains(t, short.String(), "error RH001 app.units\n  Why.\n    alter table app.units enable row level security;\n")
	require.Contains(t, short.String(), "2 errors, 1 warning, 1 exception (--all shows them)\n")
	require.NotContains(t, short.String(), "a journal")
	require.Contains(t, long.String(), "exception RH001 app_private.goose_db_version\n  a journal\n")
	require.True(t, sample.Failed())
	require.False(t, Report{Findings: []Finding{{Severity: Info}}}.Failed())
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, sample.WriteJSON(&b))
	require.Contains(t, b.String(), "Old <&>.")
	var read Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &read))
	require.Equal(t, sample, read)
}

// TestReportAsSARIF holds the output against what the standard requires of a log,
// and code scanning of a result.
func TestReportAsSARIF(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, sample.WriteSARIF(&b, "1.2.3"))
	var log sarifLog
	dec := json.NewDecoder(&b)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&log))
	require.Equal(t, "2.1.0", log.Version)
	require.Contains(t, log.Schema, "sarif-2.1.0.json")
	require.Len(t, log.Runs, 1)
	run := log.Runs[0]
	require.Equal(t, "rowhouse policy lint", run.Tool.Driver.Name)
	require.Len(t, run.Tool.Driver.Rules, 4, "one for each id")
	require.Len(t, run.Results, 5)

	var files []string
	fingerprints := map[string]bool{}
	for _, result := range run.Results {
		require.Equal(t, result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		require.Contains(t, []string{"none", "note", "warning", "error"}, result.Level)
		require.NotEmpty(t, result.Message.Text)
		require.Len(t, result.Locations, 1)
		require.Positive(t, result.Locations[0].PhysicalLocation.Region.StartLine)
		require.NotEmpty(t, result.Locations[0].LogicalLocations[0].FullyQualifiedName)
		files = append(files, result.Locations[0].PhysicalLocation.ArtifactLocation.URI)
		fingerprints[result.PartialFingerprints["finding/v1"]] = true
	}
	require.Equal(t, []string{
		"policies/units.sql", "policies/units.sql", "policies/units.sql", "policies/cluster.sql", "policies/README.md",
	}, files)
	require.Len(t, fingerprints, 5)
	require.Equal(t, []sarifSuppression{{"external", "a journal"}}, run.Results[4].Suppressions)

	b.Reset()
	require.NoError(t, Report{}.WriteSARIF(&b, ""))
	require.Contains(t, b.String(), `"results": []`)
}
