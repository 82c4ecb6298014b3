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
		if tables[name].grants["rowhouse_landlord"].reads == "" {
			continue // nor does EXPLAIN speak of it
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

// TestStatisticsTargets wants Postgres to gather nothing about the values of
// landlords' rows. The planner would tell it to everybody who may log in and become
// a persona, without any seal: EXPLAIN estimates with the statistics of all rows.
func TestStatisticsTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// the absence of a setting is -1 up to Postgres 16 and null from 17 on
	none(t, w, `select format('%s.%s is in the statistics', c.oid::regclass, attname)
		from pg_attribute a join pg_class c on c.oid = attrelid left join pg_index i on indexrelid = c.oid
		where relnamespace = 'app'::regnamespace and attnum > 0 and not attisdropped and coalesce(attstattarget, -1) <> 0
		  and (relkind in ('r', 'p') or relkind = 'i' and indkey[attnum - 1] = 0) -- an index has those of its expressions
		order by 1`)
}

// TestEstimatesOfValues asks the planner, as nobody, whether anybody has a value
// and how values are spread.
func TestEstimatesOfValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, landlord := range []uuid.UUID{w.b.UserID, w.c.UserID} {
		w.Exec(t, `insert into app.properties (owner_user_id, name, city, created_by) select $1, 'p' || n, 'Bravo City', $1 from generate_series(1, 4000) n`, landlord)
		w.Exec(t, `insert into app.units (owner_user_id, name, city, created_by) select $1, 'u' || n, 'Bravo City', $1 from generate_series(1, 4000) n`, landlord)
	}
	w.Exec(t, "analyze")
	nobody := w.connect(t, &caller{name: "nobody", login: "rowhouse_api", role: "rowhouse_landlord"})
	for _, name := range []string{"app.properties", "app.units"} {
		ask := func(condition string) []string {
			o := nobody.run(t, "explain select 1 from "+name+" where "+condition)
			require.Empty(t, o.code, o.said)
			return estimate.FindAllString(o.said, -1)
		}
		for _, pair := range [][2]string{
			{"created_by = " + quote(w.b.UserID.String()), "created_by = gen_random_uuid()"}, // a copy of the owner
			{"city = 'Bravo City'", "city = 'Nowhere'"},
			{"city < 'B'", "city < 'C'"},
			{"name < 'a'", "name < 'z'"},
			{"lower(name) < 'a'", "lower(name) < 'z'"},
			{"city is null", "address1 is null"},
			{"created_at < now() - interval '1 day'", "created_at < now() + interval '1 day'"},
		} {
			require.Equal(t, ask(pair[1]), ask(pair[0]), "%s: %q and %q", name, pair[0], pair[1])
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
