package isolation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
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
	bKey := w.aim(t, name)
	about := func(format string, args ...any) string {
		return w.about(t, fmt.Sprintf(format, args...), name)
	}
	row := func(columns []string, replace map[string]string) string { return w.row(t, name, columns, replace) }
	asB := map[string]string{owner: b}
	ontoB := map[string]string{owner: b, key: bKey}
	set := owner + " = " + quote(w.c.UserID.String())
	if len(changeable) > 0 {
		set = changeable[0] + " = null"
	}
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
		about("copy T (%s) from stdin", strings.Join(columns, ", ")),
		about("insert into T as x %s on conflict on constraint %s do update set %s", row(columns, ontoB), w.keyName(t, name), set),
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
			if slices.Contains(columns, column) && !slices.Contains(changeable, column) {
				add(denied, about("update T set %s = %s%s", column, w.literal(t, name, column, w.c.UserID), returning))
			}
		}
		add(denied,
			about("update T set OWNER = B where OWNER <> B%s", returning),
			about("delete from T%s", returning),
			about("delete from T where OWNER = B%s", returning),
			about("with d as (delete from T where OWNER = B returning 1) select * from d%s", ""),
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
	_, is := w.targets(t, name)[column]
	return is
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
	partial := g.reads != all
	for _, attack := range w.writes(t, name, words(g.inserts), words(g.updates)) {
		o := c.run(t, attack.sql)
		said := fmt.Sprintf("%s: %s\n%s", c.name, attack.sql, o.said)
		o.keeps(t, secrets, attack.sql)
		switch {
		case !exact:
		case attack.code == "" && partial && returnsAll.MatchString(attack.sql):
			require.Equal(t, denied, o.code, said) // not all columns are the caller's to read
		case c.sight != nil && (attack.code == "" || attack.byPolicy):
			// of rows that they see, not every change is theirs to make
			require.Contains(t, []string{"", denied, notNow}, o.code, said)
		default:
			require.Equal(t, attack.code, o.code, said)
		}
		if c.who != w.a.UserID && c.sight == nil { // these have rows of their own
			require.Regexp(t, "^$| 0$", o.tag, said)
		}
		if o.code == "" && !strings.HasSuffix(o.tag, " 0") {
			w.unharmed(t, said)
		}
	}
	w.unharmed(t, c.name+" writing "+name)
}

var returnsAll = regexp.MustCompile(`returning .*\*`)

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
			c, owner, row := w.writer(t, name, persona, nil)
			before := len(w.column(t, name, tables[name].owner, owner))
			sql := fmt.Sprintf("insert into %s %s", name, row)
			o := c.run(t, sql)
			require.Equal(t, "INSERT 0 1", o.tag, "%s\n%s", sql, o.said)
			require.Len(t, w.column(t, name, tables[name].owner, owner), before+1, sql)
			if name == "app.support_grants" { // the one change of one's own that goes one way
				require.Equal(t, "UPDATE 1", c.run(t, "update app.support_grants set revoked_at = now()").tag)
				for _, back := range []string{"now()", "null", "now() where revoked_at is not null"} {
					require.Equal(t, "UPDATE 0", c.run(t, "update app.support_grants set revoked_at = "+back).tag)
				}
				continue
			}
			updated := "UPDATE " + strconv.Itoa(before+1)
			for _, column := range words(g.updates) {
				for _, returning := range []string{"", " returning *"} {
					sql := narrow(fmt.Sprintf("update %s set %s = %s%s", name, column, w.same(t, name, persona, column), returning), name, persona)
					o := c.run(t, sql)
					require.Equal(t, updated, o.tag, "%s\n%s", sql, o.said)
				}
			}
		}
	}
	w.unharmed(t, "writing one's own")
}

// same is what leaves a column as it is, or as good as that where the persona may
// write it and not read it.
func (w *world) same(t testing.TB, name, persona, column string) string {
	t.Helper()
	if reads := tables[name].grants[persona].reads; reads == all || slices.Contains(words(reads), column) {
		return column
	}
	return w.literal(t, name, column, w.c.UserID)
}

// writer is somebody new who may insert a row into a table, whose row it will be,
// and the row: C's but for what is replaced and what it refers to.
func (w *world) writer(t testing.TB, name, persona string, replace map[string]string) (*caller, uuid.UUID, string) {
	t.Helper()
	columns := words(tables[name].grants[persona].inserts)
	switch {
	case tables[name].owner == "id":
		who := w.newcomer(t, false)
		return w.as(t, persona, who), who, w.row(t, name, columns, replace)
	case persona == "rowhouse_tenant" && !slices.Contains(w.columns(t, name), "tenant_id"):
		who := w.newcomer(t, true) // what a person has besides any landlord
		return w.as(t, persona, who), who, w.row(t, name, columns, replace)
	}
	l := w.settler(t)
	if _, referred := parents(l)[name]; !referred {
		w.Exec(t, fmt.Sprintf("delete from %s where %s = $1", name, tables[name].owner), l.UserID)
	}
	if persona == "rowhouse_support" { // somebody whom the landlord lets look
		operator := w.operator(t)
		replace = maps.Clone(replace)
		if replace == nil {
			replace = map[string]string{}
		}
		replace["grant_id"] = quote(w.SupportGrant(t, l, "tickets").String())
		return w.as(t, persona, operator), l.UserID, w.rowOf(t, name, columns, l, replace)
	}
	return w.as(t, persona, actor(persona, l)), l.UserID, w.rowOf(t, name, columns, l, replace)
}
