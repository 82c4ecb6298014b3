package isolation

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var estimate = regexp.MustCompile(`rows=\d+`)

// TestEstimates asks the planner how much B has. It knows the statistics of all
// rows, and tells them for operators that are leakproof.
func TestEstimates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, landlord := range []uuid.UUID{w.b.UserID, w.c.UserID} {
		w.Exec(t, `insert into app.properties (owner_user_id, name, created_by) select $1, 'p' || n, $1 from generate_series(1, 2000) n`, landlord)
		w.Exec(t, `insert into app.units (owner_user_id, name, created_by) select $1, 'u' || n, $1 from generate_series(1, 2000) n`, landlord)
		w.Exec(t, `insert into app.idempotency_keys (owner_user_id, key, operation, request_hash) select $1, n, 'x', sha256('') from generate_series(1, 2000) n`, landlord)
	}
	w.Exec(t, "analyze")
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	for _, name := range w.tables {
		if tables[name].owner == "id" {
			continue // one row each
		}
		ask := func(pattern string, id uuid.UUID) []string {
			o := a.run(t, fmt.Sprintf("explain "+pattern, name, id))
			require.Empty(t, o.code, o.said)
			return estimate.FindAllString(o.said, -1)
		}
		for _, pattern := range []string{
			"select 1 from %s where owner_user_id = '%s'",
			"select 1 from %s where owner_user_id in ('%s', gen_random_uuid())",
			"select 1 from %s where owner_user_id > '%s'",
			"select owner_user_id, count(*) from %s where owner_user_id = '%s' group by 1",
		} {
			require.Equal(t, ask(pattern, uuid.UUID{0x7f}), ask(pattern, w.b.UserID), "%s: %s", name, pattern)
		}
	}
}

// TestStatisticsViews looks for B's values among what Postgres has gathered.
func TestStatisticsViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Exec(t, "analyze")
	secrets := w.secrets(t, w.b.UserID)
	for _, c := range w.callers(t) {
		if c.who == w.b.UserID || c.role == "rowhouse_owner" {
			continue // the owner sees those of the indexes on expressions, lower(name) among them
		}
		for _, sql := range []string{
			"select * from pg_stats where schemaname in ('app', 'app_private')",
			"select * from pg_stats_ext", "select * from pg_stats_ext_exprs",
			"select * from pg_statistic", "select * from pg_stat_activity", "select * from pg_stat_get_activity(null)",
			"select * from pg_prepared_statements", "select * from pg_cursors", "select * from pg_locks",
			"select * from pg_stat_user_tables", "select * from pg_settings where name like 'app.%'",
			"select prosrc from pg_proc where pronamespace::regnamespace::text = 'app'", "select * from pg_policies",
			"select * from information_schema.columns where table_schema = 'app'",
			"select * from pg_largeobject_metadata", "select * from pg_db_role_setting", "select * from pg_hba_file_rules",
		} {
			c.run(t, sql).keeps(t, secrets, c.name+": "+sql)
		}
		o := c.run(t, "select count(*) from pg_stats where schemaname in ('app', 'app_private')")
		require.Equal(t, [][]string{{"0"}}, o.rows, c.name)
	}
}
