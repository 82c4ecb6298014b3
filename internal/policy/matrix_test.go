package policy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/policy"
)

// TestMatrixIsOfThisBuild compares policies/MATRIX.md with a database that is
// migrated from the files. When they have changed: make generate.
func TestMatrixIsOfThisBuild(t *testing.T) {
	t.Parallel()
	// of a server of its own: other tests alter roles
	d := dbtest.Clone(t, dbtest.StartServer(t))
	matrix, err := policy.ReadMatrix(t.Context(), d.URL("postgres"))
	require.NoError(t, err)
	require.NotEmpty(t, matrix.Access)
	var text strings.Builder
	require.NoError(t, matrix.WriteMarkdown(&text))

	var version int
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select current_setting('server_version_num')::int").Scan(&version))
	if version/10000 != 15 {
		t.Skipf("the file is as PostgreSQL 15 writes conditions; this is %d", version)
	}
	const name = "../../policies/MATRIX.md"
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(text.String()), 0o644))
		return
	}
	stored, err := os.ReadFile(name)
	require.NoError(t, err)
	was, is := strings.Split(string(stored), "\n"), strings.Split(text.String(), "\n")
	require.Empty(t, without(was, is), "no longer so; if this is meant: make generate")
	require.Empty(t, without(is, was), "so now; if this is meant: make generate")
	require.True(t, slices.Equal(was, is), "the order has changed: make generate")
}

// without returns the lines that are not among others.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

// TestMatrixShows changes rights in one way after another: each is seen.
func TestMatrixShows(t *testing.T) {
	t.Parallel()
	d := dbtest.Clone(t, dbtest.StartServer(t))
	read := func() policy.Matrix {
		m, err := policy.ReadMatrix(t.Context(), d.URL("postgres"))
		require.NoError(t, err)
		return m
	}
	text := func() string {
		var b strings.Builder
		require.NoError(t, read().WriteMarkdown(&b))
		return b.String()
	}
	tests := []struct{ change, want string }{
		{"grant select (name) on app.units to anon", "| anon | SELECT | `name` | no row | – | grant |"},
		{"grant truncate on app.units to rowhouse_tenant", "| rowhouse_tenant | TRUNCATE | all | – | – | grant |"},
		{"grant delete on app.users to public", "| PUBLIC | DELETE | all | no row | – | grant |"},
		{"grant select on app.units to service_role", "| service_role | SELECT | all | every row | – | none | grant, past every policy |"},
		{"alter policy landlord_select_units on app.units using (true)", "| rowhouse_landlord | SELECT | all | every row |"},
		{"create policy stray on app.tickets for select to rowhouse_landlord using (true)", "| rowhouse_landlord | SELECT | all | `(owner_user_id = app.current_user_id()) OR (true)`"},
		{"drop policy boundary_all_units on app.units", "| `owner_user_id = app.current_user_id()` | – | none | grant |"},
		{"alter table app.units disable row level security", "grant, without row security |"},
		{"grant execute on function app.delete_property(uuid) to rowhouse_tenant", "| rowhouse_tenant | DELETE | all | `owner_user_id = app.current_user_id()` | – | app.delete_property(uuid) |"},
		{"alter function app.my_roles() reset search_path", "| `app.my_roles()` | rowhouse_clerk | **not set** |"},
		{"grant usage on schema app to anon", "| app | rowhouse_owner | anon | USAGE |"},
		{"grant rowhouse_owner to rowhouse_api", "| rowhouse_api | LOGIN | rowhouse_landlord, rowhouse_owner, rowhouse_support, rowhouse_tenant"},
		{"alter role rowhouse_worker bypassrls", "| rowhouse_worker | LOGIN, BYPASSRLS |"},
	}
	for _, tt := range tests {
		require.False(t, strings.Contains(text(), tt.want), tt.change)
		d.Exec(t, tt.change)
		require.True(t, strings.Contains(text(), tt.want), "%s: no %s", tt.change, tt.want)
	}
	require.Contains(t, text(), "none of ours: `PUBLIC`, `anon`, `service_role`")
}

// TestMatrixHTML: each link goes somewhere, each cell that heads others says
// which, each table has a caption, and nothing is fetched.
func TestMatrixHTML(t *testing.T) {
	t.Parallel()
	m, err := policy.ReadMatrix(t.Context(), dbtest.New(t).URL("postgres"))
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, m.WriteHTML(&b))
	html := b.String()
	for _, link := range regexp.MustCompile(`(?:href="#|aria-labelledby=")([^"]+)"`).FindAllStringSubmatch(html, -1) {
		require.Equal(t, 1, strings.Count(html, ` id="`+link[1]+`"`), link[1])
	}
	require.NotRegexp(t, `<th>|<th [^s]`, html)
	require.Regexp(t, `<th scope="row">`, html)
	require.Equal(t, strings.Count(html, "<table>"), strings.Count(html, "<caption"))
	require.NotRegexp(t, `(src|href)="[^#]|url\(|<script`, html)
	for _, a := range m.Access {
		require.True(t, strings.Contains(html, "<th scope=\"row\">"+a.Role+"</th><td>"+a.Command), a)
	}
}
