package isolation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attack is a statement that should change nothing of another's.
type attack struct {
	sql  string
	code string // the SQLSTATE of the refusal, or empty if it just finds nothing
	// byPolicy says that the grants would allow it.
	byPolicy bool
}

// writes are the attacks on a table. granted are the columns that the caller may
// insert and changeable those that it may update; both may be empty. What is
// written is C's, so that nothing of B's is in the attack but its keys.
func (w *world) writes(t testing.TB, name string, granted, changeable []string) []attack {
	t.Helper()
	columns, owner, key := w.stored(t, name), tables[name].owner, w.key(t, name)
	b, conflict := quote(w.b.UserID.String()), strings.Join(w.primaryKey(t, name), ", ")
	bKey := w.literal(t, name, key, w.b.UserID)
	about := func(format string, args ...any) string {
		return w.about(t, fmt.Sprintf(format, args...), name)
	}
	row := func(columns []string, replace map[string]string) string { return w.row(t, name, columns, replace) }
	asB := map[string]string{owner: b}
	ontoB := map[string]string{owner: b, key: bKey}
	set := owner + " = " + quote(w.c.UserID.String())
	for _, column := range changeable {
		if !w.refers(t, name, column) {
			set = column + " = " + w.literal(t, name, column, w.c.UserID)
		}
	}
	leaky := "1 = 1"
	for _, column := range columns {
		leaky += fmt.Sprintf(" and x.%s::text::int = 1", column)
	}

	var all []attack
	add := func(code string, statements ...string) {
		for _, sql := range statements {
			all = append(all, attack{sql: sql, code: code})
		}
	}

	// rows in another's name, with and without the check that RETURNING brings
	withOwner := append([]string{owner}, slices.DeleteFunc(slices.Clone(granted), func(c string) bool { return c == owner })...)
	for _, returning := range []string{"", " returning *"} {
		add(denied,
			about("insert into T %s%s", row(columns, asB), returning),
			about("insert into T %s%s", row(withOwner, asB), returning),
			about("insert into T %s%s", strings.Replace(row(withOwner, asB), ") values", ") overriding system value values", 1), returning),
			about("insert into T %s on conflict do nothing%s", row(columns, ontoB), returning),
			about("insert into T as x %s on conflict (%s) do update set %s%s", row(columns, ontoB), conflict, set, returning),
			about("insert into T as x %s on conflict (%s) do update set %s where %s%s", row(columns, ontoB), conflict, set, leaky, returning),
			about("insert into T as x %s on conflict (%s) do update set %s = x.%s where %s%s",
				row(columns, ontoB), conflict, owner, owner, leaky, returning),
			about("with i as (insert into T %s returning *) select * from i", row(columns, asB)),
		)
	}
	add(denied,
		about("insert into T (%[1]s) select %[1]s from T where OWNER = B", strings.Join(columns, ", ")),
		about("insert into T (OWNER) select B from T"),
		about("merge into T x using (values (1)) s on x.OWNER = B when not matched then insert %s", row(columns, asB)),
		about("merge into T x using (values (1)) s on x.OWNER = B when matched then delete"),
		about("copy T from stdin"),
	)

	// changing rows that are there
	code := ""
	if len(changeable) == 0 {
		code = denied
	}
	for _, returning := range []string{"", " returning *"} {
		add(code,
			about("update T set %s%s", set, returning),
			about("update T set %s where OWNER = B%s", set, returning),
			about("update T set %s where KEY = BKEY%s", set, returning),
			about("update T x set %s from T y where y.OWNER = B%s", set, strings.Replace(returning, "*", "x.*, y.*", 1)),
			about("with u as (update T set %s where OWNER <> B or OWNER = B returning *) select * from u%s", set, ""),
		)
		for _, column := range []string{owner, key, "id", "created_by", "created_at", "updated_at", "version"} {
			if slices.Contains(columns, column) {
				add(denied, about("update T set %s = %s%s", column, w.literal(t, name, column, w.c.UserID), returning))
			}
		}
		add(denied,
			about("update T set OWNER = B where OWNER <> B%s", returning),
			about("delete from T%s", returning),
			about("delete from T where OWNER = B%s", returning),
			about("delete from T x using T y where y.KEY = BKEY%s", strings.Replace(returning, "*", "x.*", 1)),
		)
	}
	add(code,
		about("merge into T x using (values (1)) s on x.OWNER = B when matched then update set %s", set),
		about("merge into T x using (values (1)) s on true when matched and x.KEY = BKEY then update set %s when not matched then do nothing", set),
	)
	// refused at the first row of another's that it meets: it reads no column, so no
	// policy for reading hides that row
	all = append(all, attack{about("merge into T x using (values (1)) s on true when matched then update set %s", set), denied, true})
	return all
}

// row is the columns and values of an insert: C's, but for what is replaced.
// Its key is nobody's.
func (w *world) row(t testing.TB, name string, columns []string, replace map[string]string) string {
	t.Helper()
	values := make([]string, len(columns))
	for i, column := range columns {
		if value, ok := replace[column]; ok {
			values[i] = value
			continue
		}
		values[i] = w.literal(t, name, column, w.c.UserID)
		if column == "id" {
			values[i] = "gen_random_uuid()"
		}
		if w.refers(t, name, column) {
			values[i] = "null" // C's row is not the attacker's to refer to
		}
	}
	return fmt.Sprintf("(%s) values (%s)", strings.Join(columns, ", "), strings.Join(values, ", "))
}

// refers reports whether a column is one of a foreign key, other than the owner.
func (w *world) refers(t testing.TB, name, column string) bool {
	t.Helper()
	return column != tables[name].owner && len(w.known(t, fmt.Sprintf(`select conname from pg_constraint c, unnest(c.conkey) k
		join pg_attribute a on a.attnum = k where a.attrelid = '%[1]s'::regclass and c.conrelid = a.attrelid
		and c.contype = 'f' and a.attname = '%[2]s'`, name, column))) > 0
}

// TestWrite lets every caller write every table in every way.
func TestWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	for _, c := range w.callers(t) {
		if c.who == w.b.UserID {
			continue // for B they are no attacks
		}
		for _, name := range w.tables {
			if !c.hopeless(name) {
				writeTable(t, w, c, name, secrets)
			}
		}
	}
}

func writeTable(t *testing.T, w *world, c *caller, name string, secrets []string) {
	t.Helper()
	role := c.effective()
	// the owner's statements fail on policies alone, or find nothing
	exact := role != "rowhouse_owner" && role != "rowhouse_remover"
	g := tables[name].grants[role]
	for _, attack := range w.writes(t, name, words(g.inserts), words(g.updates)) {
		o := c.run(t, attack.sql)
		said := fmt.Sprintf("%s: %s\n%s", c.name, attack.sql, o.said)
		o.keeps(t, secrets, attack.sql)
		if exact {
			require.Equal(t, attack.code, o.code, said)
		}
		if c.who != w.a.UserID {
			require.Regexp(t, "^$| 0$", o.tag, said)
		}
		if o.code == "" && !strings.HasSuffix(o.tag, " 0") {
			w.unharmed(t, said)
		}
	}
	w.unharmed(t, c.name+" writing "+name)
}

// TestWriteOwn shows that what is refused above is refused for its owner's sake:
// the same statement about one's own row goes through, and the row is one's own.
func TestWriteOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range w.tables {
		for _, persona := range personas {
			g := tables[name].grants[persona]
			if g.inserts == "" {
				continue
			}
			who := w.newcomer(t, tables[name].owner != "id")
			c := w.as(t, persona, who)
			sql := fmt.Sprintf("insert into %s %s", name, w.row(t, name, words(g.inserts), nil))
			o := c.run(t, sql)
			require.Equal(t, "INSERT 0 1", o.tag, "%s\n%s", sql, o.said)
			require.Len(t, w.column(t, name, tables[name].owner, who), 1, sql)
			for _, column := range words(g.updates) {
				for _, returning := range []string{"", " returning *"} {
					sql := fmt.Sprintf("update %s set %s = %s%s", name, column, w.literal(t, name, column, who), returning)
					o := c.run(t, sql)
					require.Equal(t, "UPDATE 1", o.tag, "%s\n%s", sql, o.said)
				}
			}
		}
	}
	w.unharmed(t, "writing one's own")
}
