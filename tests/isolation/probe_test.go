package isolation

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// alike fails the test unless the two answers are the same but for ids.
func alike(t *testing.T, sql string, ofB, ofNobody outcome) {
	t.Helper()
	ofB.said, ofNobody.said = anyID.ReplaceAllString(ofB.said, "<id>"), anyID.ReplaceAllString(ofNobody.said, "<id>")
	ofB.rows, ofNobody.rows = nil, nil // in said
	require.Equal(t, ofNobody, ofB, "%s tells what exists", sql)
}

// reference is a foreign key between tables of landlords.
type reference struct{ Name, Table, Column, Target, TargetColumn string }

func references(t *testing.T, w *world) []reference {
	t.Helper()
	rows, err := w.Admin.Query(t.Context(), `select c.conname, c.conrelid::regclass::text, here.attname, c.confrelid::regclass::text, there.attname
		from pg_constraint c cross join unnest(conkey, confkey) k (h, f)
		join pg_attribute here on here.attrelid = conrelid and here.attnum = h
		join pg_attribute there on there.attrelid = confrelid and there.attnum = f
		where contype = 'f' and connamespace = 'app'::regnamespace and here.attname <> 'owner_user_id' order by 1, 2`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reference])
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// TestForeignKeys tries to attach A's rows to B's. Postgres checks a foreign key
// past every policy: only its columns keep it inside one landlord's rows.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range references(t, w) {
		for persona, g := range tables[r.Table].grants {
			probe := func(format, granted string) {
				if !strings.Contains(" "+granted+" ", " "+r.Column+" ") {
					return
				}
				c := w.as(t, persona, w.a.UserID)
				target := w.literal(t, r.Target, r.TargetColumn, w.b.UserID)
				for _, returning := range []string{"", " returning *"} {
					attempt := func(id string) (outcome, string) {
						sql := fmt.Sprintf(format, id) + returning
						o := c.run(t, sql)
						require.Equal(t, "23503", o.code, "%s\n%s", sql, o.said)
						return o, sql
					}
					ofB, sql := attempt(target)
					ofNobody, _ := attempt(quote(uuid.NewString()))
					alike(t, sql, ofB, ofNobody)
					w.unharmed(t, sql)
				}
			}
			probe("update "+r.Table+" set "+r.Column+" = %s", g.updates)
			probe(fmt.Sprintf("insert into %s %s", r.Table, w.row(t, r.Table, words(g.inserts), map[string]string{r.Column: "%s"})), g.inserts)
			probe(fmt.Sprintf("merge into %s x using (values (1)) s on x.%s is not null when matched then update set %s = ",
				r.Table, tables[r.Table].owner, r.Column)+"%s --", g.updates)
		}
	}
}

// TestUniqueKeys writes B's own values as a newcomer: were they taken, that
// would tell that B has them.
func TestUniqueKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range w.tables {
		for _, persona := range personas {
			g := tables[name].grants[persona]
			if g.inserts == "" {
				continue
			}
			same := map[string]string{}
			for _, column := range words(g.inserts) {
				if !w.refers(t, name, column) {
					same[column] = w.literal(t, name, column, w.b.UserID)
				}
			}
			row := w.row(t, name, words(g.inserts), same)
			for _, conflict := range []string{"", " on conflict do nothing", " on conflict do nothing returning 1"} {
				c := w.as(t, persona, w.newcomer(t, tables[name].owner != "id"))
				sql := "insert into " + name + " " + row + conflict
				o := c.run(t, sql)
				require.Equal(t, "INSERT 0 1", o.tag, "%s\n%s", sql, o.said)
			}
			w.uniqueByUpdate(t, name, persona, g, same)
			w.unharmed(t, "taking B's values in "+name)
		}
	}
}

// uniqueByUpdate gives A's row B's values, and B is not kept waiting meanwhile.
func (w *world) uniqueByUpdate(t *testing.T, name, persona string, g grants, same map[string]string) {
	t.Helper()
	c := w.as(t, persona, w.a.UserID)
	var sets []string
	for _, column := range words(g.updates) {
		if value, ok := same[column]; ok {
			sets = append(sets, column+" = "+value)
		}
	}
	if len(sets) == 0 {
		sets = []string{words(g.updates)[0] + " = null"}
	}
	sql := "update " + name + " set " + strings.Join(sets, ", ")
	c.begin(t)
	o := c.do(t, sql)
	require.Equal(t, "UPDATE 1", o.tag, "%s\n%s", sql, o.said)

	b := w.as(t, persona, w.b.UserID)
	b.begin(t)
	o = b.do(t, "set local lock_timeout = '250ms'; "+sql)
	require.Equal(t, "UPDATE 1", o.tag, "B waits for A: %s\n%s", sql, o.said)
	_, err := b.conn.Exec(t.Context(), "rollback")
	require.NoError(t, err)
	c.end(t)
}

// TestRowLocks holds every lock that A can get and lets B work.
func TestRowLocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range w.tables {
		for _, persona := range personas {
			g := tables[name].grants[persona]
			if g.updates == "" {
				continue
			}
			a, b := w.as(t, persona, w.a.UserID), w.as(t, persona, w.b.UserID)
			a.begin(t)
			require.Empty(t, a.do(t, "select * from "+name+" for update").code)
			b.begin(t)
			column := words(g.updates)[0]
			sql := fmt.Sprintf("set local lock_timeout = '250ms'; select * from %[1]s for update; update %[1]s set %[2]s = %[2]s", name, column)
			o := b.do(t, sql)
			require.Equal(t, "UPDATE 1", o.tag, "B waits for A: %s\n%s", sql, o.said)
			_, err := b.conn.Exec(t.Context(), "rollback")
			require.NoError(t, err)
			a.end(t)
		}
	}
}

// TestFunctionsWithForeignIDs calls every function that a persona may call, with
// every id of B's and with one that nobody has.
func TestFunctionsWithForeignIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// a key of B's past its day, which nobody but B may sweep away
	w.Exec(t, "update app.idempotency_keys set created_at = now() - interval '3 days'")
	w.before = w.others(t)
	secrets := w.secrets(t, w.b.UserID)
	var ids []string
	for _, secret := range secrets {
		if anyID.MatchString(secret) && len(secret) == 36 {
			ids = append(ids, secret)
		}
	}
	callers := w.callers(t)
	for signature, f := range functions {
		name, arguments, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
		for _, c := range callers {
			if c.who == w.b.UserID || c.role == f.owner {
				continue // may do what the function does
			}
			call := func(id string) outcome {
				var values []string
				for _, kind := range strings.FieldsFunc(arguments, func(r rune) bool { return r == ',' }) {
					require.Equal(t, "uuid", kind, "say how to call %s", signature)
					values = append(values, quote(id))
				}
				sql := fmt.Sprintf("select %s(%s)", name, strings.Join(values, ", "))
				o := c.run(t, sql)
				// the identity that it was given is what a caller may learn
				o.keeps(t, secrets, sql+c.who.String())
				w.unharmed(t, c.name+" calling "+signature)
				return o
			}
			nobodys := call(uuid.NewString())
			for _, id := range ids {
				alike(t, signature, call(id), nobodys)
			}
		}
	}

	// the same calls do reach what is A's own
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	for _, sql := range []string{
		fmt.Sprintf("select app.delete_unit('%s')", w.a.UnitID),
		fmt.Sprintf("select app.delete_property('%s')", w.a.PropertyID),
	} {
		require.Equal(t, [][]string{{"t"}}, a.run(t, sql).rows, sql)
	}
	require.Empty(t, w.column(t, "app.idempotency_keys", "key", w.a.UserID), "A's old key is forgotten")
	w.unharmed(t, "deleting one's own")
}

// TestErrorsTellNothing runs what fails on a row, as somebody who has none: an
// error would come from another's row.
func TestErrorsTellNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	for _, name := range w.tables {
		for _, persona := range personas {
			g := tables[name].grants[persona]
			if !g.reads {
				continue
			}
			stranger, a := w.as(t, persona, w.newcomer(t, tables[name].owner != "id")), w.as(t, persona, w.a.UserID)
			for _, column := range w.columns(t, name) {
				value := column + "::text"
				for _, condition := range []string{
					value + "::int = 1", "(" + value + "::jsonb) is not null", "1 / length(left(" + value + ", 0)) = 1",
					"case when " + value + " <> '' then 1 / (length(" + value + ") - length(" + value + ")) = 1 else true end",
					"(select 1 / length(left(" + value + ", 0))) = 1", "coalesce(nullif(" + value + ", ''), '')::date is null",
					value + " ~ (" + value + " || '[')",
				} {
					statements := []string{
						"select * from " + name + " where " + condition,
						"select count(*) from " + name + " where " + condition + " and " + tables[name].owner + " = " + quote(w.b.UserID.String()),
						"select * from " + name + " order by " + condition,
					}
					if g.updates != "" {
						updated := words(g.updates)[0]
						statements = append(statements, fmt.Sprintf("update %s set %s = %s where %s", name, updated, updated, condition))
					}
					for _, sql := range statements {
						o := stranger.run(t, sql)
						require.Empty(t, o.code, "%s\n%s", sql, o.said)
						a.run(t, sql).keeps(t, secrets, sql)
					}
				}
			}
		}
	}
	w.unharmed(t, "errors")
}
