package isolation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reads are ways to read a table. T is the table, OWNER its owner column, KEY
// its key, B and BKEY those of landlord B.
var reads = []string{
	"select * from T",
	"select * from T where OWNER = B",
	"select * from T where KEY = BKEY",
	"select * from T where OWNER = B and KEY = BKEY",
	"select * from T where OWNER <> B or OWNER = B or OWNER is null",
	"select y.* from (values (BKEY)) v(k) join T y on y.KEY::text = v.k::text",
	"select y.* from T x full join T y on true",
	"select l.* from T x left join lateral (select * from T z where z.OWNER <> x.OWNER) l on true",
	"select * from T x where exists (select from T y where y.OWNER = B)",
	"with recursive r as (select KEY::text k from T union select BKEY::text) select T.* from T join r on r.k = T.KEY::text",
	"with m as materialized (select * from T) select * from m",
	"select min(KEY::text), max(KEY::text), min(OWNER::text), max(OWNER::text) from T",
	"select * from T tablesample system (100)",
	"select * from T union all select * from T",
	"select * from T order by OWNER desc limit 1 offset 0",
	"explain select KEY from T where OWNER = B",
	"explain (analyze, verbose, costs off, timing off, summary off) select KEY from T where OWNER = B",
	"copy (select * from T) to stdout",
	"copy (select * from T where OWNER = B) to stdout (format csv, header)",
	"deallocate all; prepare p as select * from T; execute p",
	"declare c cursor for select * from T; fetch all from c",
	"declare c scroll cursor with hold for select * from T; fetch last from c; fetch absolute 1 from c; move backward all in c; fetch all from c; close c",
	"deallocate all; prepare p (uuid) as select * from T where OWNER = $1; execute p (B); explain (analyze, verbose, costs off, timing off, summary off) execute p (B)",
	"select set_config('row_security', 'off', true); select * from T",
	"set local row_security = off; select * from T",
	"set local plan_cache_mode = force_generic_plan; select * from T",
	"set local enable_seqscan = off; select * from T where OWNER = B",
	"set local search_path = app; select * from T",
}

// wholes are ways to read whole rows, for which all columns must be granted.
var wholes = []string{
	"table T",
	"select to_jsonb(x) from T x",
	"select jsonb_agg(to_jsonb(x)) from T x",
	"select x from only T x",
	"select ctid, xmin, xmax, tableoid from T",
	"select * from T where ctid = '(0,2)'",
	"select (select jsonb_agg(x) from T x) from generate_series(1, 2)",
	"select array_agg(x) over (order by x.KEY) from T x",
	"copy T to stdout",
	"select * from T",
}

// locks read and lock rows, for which a right to update is needed as well.
var locks = []string{"for update", "for no key update", "for share", "for key share"}

// about fills a pattern in for a table.
func (w *world) about(t testing.TB, pattern, name string) string {
	t.Helper()
	key := w.key(t, name)
	filled := map[string]string{
		"BKEY": w.aim(t, name), "KEY": key, "OWNER": tables[name].owner, "B": quote(w.b.UserID.String()), "T": name,
	}
	return blanks.ReplaceAllStringFunc(pattern, func(blank string) string { return filled[blank] })
}

var blanks = regexp.MustCompile(`\b(BKEY|KEY|OWNER|B|T)\b`)

// TestRead lets every caller read every table in every way.
func TestRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ofA, ofB := w.secrets(t, w.a.UserID), w.secrets(t, w.b.UserID)
	for _, c := range w.callers(t) {
		forbidden := append(append([]string{}, ofA...), ofB...)
		switch c.who {
		case w.a.UserID:
			forbidden = ofB
		case w.b.UserID:
			forbidden = ofA
		}
		for _, name := range w.tables {
			if !c.hopeless(name) {
				readTable(t, w, c, name, forbidden)
			}
		}
	}
	w.unharmed(t, "reading")
}

func readTable(t *testing.T, w *world, c *caller, name string, forbidden []string) {
	t.Helper()
	who, may := c.sees(name)
	columns := tables[name].grants[c.effective()].reads
	for _, pattern := range slices.Concat(reads, wholes) {
		sql := w.about(t, pattern, name)
		whole := columns != all && slices.Contains(wholes, pattern)
		if !whole {
			sql = narrow(sql, name, c.effective())
		}
		o := c.run(t, sql)
		o.keeps(t, forbidden, c.name+": "+sql)
		switch {
		case !may, whole && c.effective() != "rowhouse_owner":
			require.Equal(t, denied, o.code, "%s: %s\n%s", c.name, sql, o.said)
		case strings.Contains(sql, "row_security"):
			// refused where a policy would hide rows, or overruled by none
			require.Contains(t, []string{"", denied}, o.code, "%s: %s\n%s", c.name, sql, o.said)
		default:
			require.Empty(t, o.code, "%s: %s\n%s", c.name, sql, o.said)
		}
	}
	for _, lock := range locks {
		sql := narrow(fmt.Sprintf("select * from %s %s", name, lock), name, c.effective())
		o := c.run(t, sql)
		o.keeps(t, forbidden, c.name+": "+sql)
		if !may || tables[name].grants[c.effective()].updates == "" && c.effective() != "rowhouse_owner" {
			require.Equal(t, denied, o.code, "%s: %s", c.name, sql)
		}
	}
	if !may {
		return
	}
	rows := w.column(t, name, w.key(t, name), who)
	if c.sight != nil {
		rows = c.sight[name]
	}
	ofB := slices.DeleteFunc(w.column(t, name, w.key(t, name), w.b.UserID), func(key string) bool { return !slices.Contains(rows, key) })
	visible := slices.ContainsFunc(ofB, func(key string) bool { return quote(key) == w.aim(t, name) })
	for _, question := range []struct{ pattern, answer string }{
		{"select count(1) from T", strconv.Itoa(len(rows))},
		{"select count(1) from T where OWNER = B", strconv.Itoa(len(ofB))},
		{"select exists (select from T where KEY = BKEY)", map[bool]string{true: "t", false: "f"}[visible]},
	} {
		sql := w.about(t, question.pattern, name)
		o := c.run(t, sql)
		require.Equal(t, [][]string{{question.answer}}, o.rows, "%s: %s\n%s", c.name, sql, o.said)
	}
}
