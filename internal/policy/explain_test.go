package policy

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// size has so many landlords that even of the tables with one row of each it is
// cheaper to read an index.
var size = Size{Landlords: 400, Rows: 20}

// acrossLandlords are the questions that are answered from all landlords' rows,
// each with its reason.
var acrossLandlords = map[string]string{
	"app.tenants rowhouse_user":           "who accepts an invite names the landlord; the policy knows the tenant alone",
	"app.support_grants rowhouse_support": "who supports sees what every landlord has granted",
	"app.support_grants rowhouse_clerk":   "the same, for the functions of the clerk",
}

// seesNothing are those whose function asks for somebody else than the books say
// that they ask for.
var seesNothing = map[string]string{
	"app.support_grants rowhouse_clerk":   "it shows what is live to whoever acts as rowhouse_support",
	"app.support_accesses rowhouse_clerk": "its caller here is a tenant",
}

// TestCosts: every persona is asked about every table that it may read, each sees
// rows, and none reads those of others: an index leads to the owner or the person.
func TestCosts(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	require.NoError(t, fill(t.Context(), d.URL("postgres"), size))
	costs, err := measure(t.Context(), d.URL("postgres"), dbtest.Keyring(t, dbtest.KeysText), "", "")
	require.NoError(t, err)

	rows, err := d.Admin.Query(t.Context(), `select c.oid::regclass || ' ' || r.rolname from pg_class c, pg_roles r
		where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') and r.rolname like 'rowhouse\_%'
		  and r.oid <> c.relowner and has_any_column_privilege(r.oid, c.oid, 'select')`)
	require.NoError(t, err)
	var readers []string
	for rows.Next() {
		var reader string
		require.NoError(t, rows.Scan(&reader))
		readers = append(readers, reader)
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(readers), 40)

	for _, reader := range readers {
		t.Run(reader, func(t *testing.T) {
			var asked []string
			for _, c := range costs {
				if c.Table+" "+c.Persona != reader {
					continue
				}
				asked = append(asked, c.Question)
				require.NotEmpty(t, c.Scans, c.SQL)
				if c.Question == "page" && seesNothing[reader] == "" {
					require.NotZero(t, c.Rows, "%s finds nothing: fill the table in policies/explain/fill.sql", c.SQL)
				}
				if c.Scoped && acrossLandlords[reader] == "" {
					require.True(t, c.Led, "%s: %+v", c.SQL, c.Scans)
				}
			}
			require.Contains(t, asked, "page")
			require.Contains(t, asked, "count")
		})
	}

	// without its index, or with a policy that no index serves, a persona reads the
	// rows of all landlords
	for _, tt := range []struct {
		change, table, persona string
		removes                bool // that is, reads rows; otherwise a whole index
	}{
		{"drop index app.tenants_login_idx", "tenants", "tenant", false},
		{"drop index app.tenant_invites_token_idx", "app.tenant_invites", "rowhouse_user", true},
		{"alter policy landlord_select_units on app.units using (owner_user_id::text = (select app.current_user_id())::text);" +
			"drop policy boundary_all_units on app.units", "units", "landlord", true},
	} {
		t.Run(tt.change, func(t *testing.T) {
			d.Exec(t, tt.change)
			costs, err := measure(t.Context(), d.URL("postgres"), dbtest.Keyring(t, dbtest.KeysText), tt.table, tt.persona)
			require.NoError(t, err)
			page := costs[slices.IndexFunc(costs, func(c Cost) bool { return c.Question == "page" })]
			require.True(t, page.Scoped)
			require.False(t, page.Led, "%+v", page.Scans)
			require.Equal(t, tt.removes, page.Removed > 3000, "%d: %+v", page.Removed, page.Scans)
			var text strings.Builder
			require.NoError(t, Costs{Costs: costs}.WriteText(&text))
			require.Contains(t, text.String(), "  NO  ")
			require.NotContains(t, text.String(), "\n0 read rows of other landlords")
		})
	}
}

// TestExplainLeavesNothing runs the whole on a server of its own.
func TestExplainLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	costs, err := Explain(t.Context(), ExplainOptions{
		Size: Size{Landlords: 10, Rows: 20}, Table: "units", Persona: "landlord", BinDir: os.Getenv("ROWHOUSE_TEST_POSTGRES_BIN"), Progress: io.Discard,
	})
	require.NoError(t, err)
	require.Len(t, costs.Costs, 3)
	require.Equal(t, int64(20), costs.Costs[0].Rows)
	left, err := filepath.Glob(os.Getenv("TMPDIR") + "/rowhouse-explain-*")
	require.NoError(t, err)
	require.Empty(t, left)

	_, err = Explain(t.Context(), ExplainOptions{Size: Size{Landlords: 1, Rows: 1}, Progress: io.Discard})
	require.Error(t, err)
}
