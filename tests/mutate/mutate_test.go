// Package mutate shows that the isolation suite notices faults: it weakens a
// database in one place at a time and runs tests/isolation against each.
//
// A mutant that no test notices is a missing test, or a policy that does nothing.
//
//	make mutate          every mutant
//	make mutate-sample   within five minutes, other mutants every day
//
// Each mutant is judged twice. The comparison of the catalog with
// tests/isolation/expectations.go notices nearly everything, and by itself would
// show no more than that two lists agree. So the attacks, which look at what
// happens and not at how it is written, are run apart from it, and the report says
// for each mutant which of the two has noticed.
package mutate

import (
	_ "embed"
	"flag"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// options of the run, after -args on go test's command line.
var options = struct {
	all    *bool
	sample *int
	seed   *uint64
	only   *string
	phase  *string
	report *string
	commit *string
	deep   *bool
	jobs   *int
}{
	all:    flag.Bool("all", false, "try every mutant, by comparison and by attack"),
	sample: flag.Int("sample", 0, "try this many mutants; attack only those that the comparison does not notice"),
	seed:   flag.Uint64("seed", uint64(time.Now().Unix()/86400), "the order in which mutants are sampled; today's by default"),
	only:   flag.String("only", "", "try only mutants whose id matches this regular expression"),
	phase:  flag.String("phase", "", `"catalog" or "attacks": only that phase`),
	report: flag.String("report", "../../build", "folder for mutation.md and isolation-mutants.json"),
	commit: flag.String("commit", "", "what git describe says of the tree, with -dirty at its end if that is no commit's"),
	jobs:   flag.Int("jobs", runtime.NumCPU(), "mutants at a time, each on a server of its own"),
	deep:   flag.Bool("deep", false, "run every other attack too on mutants that those of their family do not notice"),
}

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// TestGenerator applies mutants, each in a transaction that is rolled back, and
// wants it to change something: all with -args -all, and otherwise some.
func TestGenerator(t *testing.T) {
	t.Parallel()
	conn := migrated(t, dbtest.StartServer(t)) // roles are changed, which belong to the server
	mutants := enumerate(t, conn)
	require.Greater(t, len(mutants), 300)
	seen := map[string]bool{}
	w := &worker{conn: conn, intact: fingerprint(t, conn)}
	for i, m := range mutants {
		require.False(t, seen[m.id()], "two mutants are called %s", m.id())
		seen[m.id()] = true
		if *options.all || uint64(i)%8 == *options.seed%8 { // others tomorrow, and whoever is tried is applied
			require.NoError(t, w.changes(t, m))
		}
	}
	require.Equal(t, w.intact, fingerprint(t, conn))
	t.Logf("%d mutants", len(mutants))
}

// TestComparisons takes a condition apart.
func TestComparisons(t *testing.T) {
	t.Parallel()
	const condition = `(COALESCE((owner_user_id = ( SELECT app.current_user_id() AS current_user_id)), false) OR ((kind = 'a (b'::text) AND (tenant_id = ANY (( SELECT app.my_tenant_ids() AS my_tenant_ids)::uuid[]))) OR (EXISTS ( SELECT FROM app.tenancies y WHERE ((y.cancelled_at IS NULL) AND (y.start_date <= CURRENT_DATE)))))`
	var found []string
	for _, c := range comparisons(condition) {
		found = append(found, condition[c.from:c.to])
	}
	require.Equal(t, []string{
		"(owner_user_id = ( SELECT app.current_user_id() AS current_user_id))", "(kind = 'a (b'::text)",
		"(tenant_id = ANY (( SELECT app.my_tenant_ids() AS my_tenant_ids)::uuid[]))",
		"(y.cancelled_at IS NULL)", "(y.start_date <= CURRENT_DATE)",
	}, found)
}

// migrated returns a superuser's connection to a freshly migrated database.
func migrated(t testing.TB, server *dbtest.Server) *pgx.Conn {
	t.Helper()
	return dbtest.Clone(t, server).Connect(t, "postgres")
}

//go:embed fingerprint.sql
var fingerprintSQL string

// fingerprint changes with everything that mutants change.
func fingerprint(t testing.TB, conn *pgx.Conn) string {
	t.Helper()
	var sum string
	require.NoError(t, conn.QueryRow(t.Context(), fingerprintSQL).Scan(&sum))
	return sum
}
