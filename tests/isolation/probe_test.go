package isolation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
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
		for _, persona := range personas {
			g := tables[r.Table].grants[persona]
			probe := func(format, granted string) {
				if !strings.Contains(" "+granted+" ", " "+r.Column+" ") {
					return
				}
				c := w.as(t, persona, actor(persona, w.a))
				target := w.literal(t, r.Target, r.TargetColumn, w.b.UserID)
				for _, returning := range []string{"", " returning *"} {
					attempt := func(id string) (outcome, string) {
						sql := narrow(fmt.Sprintf(format, id)+returning, r.Table, persona)
						o := c.run(t, sql)
						switch {
						case persona == "rowhouse_landlord":
							require.Equal(t, "23503", o.code, "%s\n%s", sql, o.said)
						case o.code == "":
							require.Regexp(t, " 0$", o.tag, sql)
						}
						return o, sql
					}
					ofB, sql := attempt(target)
					ofNobody, _ := attempt(quote(uuid.NewString()))
					alike(t, sql, ofB, ofNobody)
					w.unharmed(t, sql)
				}
			}
			probe("update "+r.Table+" set "+r.Column+" = %s", g.updates)
			probe(fmt.Sprintf("insert into %s %s", r.Table, w.rowOf(t, r.Table, words(g.inserts), w.a, map[string]string{r.Column: "%s"})), g.inserts)
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
			for _, conflict := range []string{"", " on conflict do nothing", " on conflict do nothing returning 1"} {
				c, _, row := w.writer(t, name, persona, same)
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
	if g.updates == "" {
		return
	}
	c, b := w.as(t, persona, actor(persona, w.a)), w.as(t, persona, actor(persona, w.b))
	var sets []string
	for _, column := range words(g.updates) {
		if value, ok := same[column]; ok {
			sets = append(sets, column+" = "+value)
		}
	}
	if len(sets) == 0 {
		sets = []string{words(g.updates)[0] + " = " + w.same(t, name, persona, words(g.updates)[0])}
	}
	update := func(l dbtest.Landlord) string {
		return fmt.Sprintf("update %s set %s where %s = %s", name, strings.Join(sets, ", "), w.key(t, name), w.firstKey(t, name, persona, l))
	}
	c.begin(t)
	sql := update(w.a)
	o := c.do(t, sql)
	require.Regexp(t, "^UPDATE [01]$", o.tag, "%s\n%s", sql, o.said)

	b.begin(t)
	sql = update(w.b)
	o = b.do(t, "set local lock_timeout = '250ms'; "+sql)
	// a further row of B's own may have the value already
	require.Contains(t, []string{"", "23505"}, o.code, "B waits for A: %s\n%s", sql, o.said)
	_, err := b.conn.Exec(t.Context(), "rollback")
	require.NoError(t, err)
	c.end(t)
}

// firstKey is the key of a row that a landlord, or the landlord's tenant, may
// change.
func (w *world) firstKey(t testing.TB, name, persona string, l dbtest.Landlord) string {
	t.Helper()
	c := w.as(t, persona, actor(persona, l))
	o := c.run(t, fmt.Sprintf("select quote_literal(%[1]s) from %[2]s order by %[1]s limit 1", w.key(t, name), name))
	if len(o.rows) == 0 {
		return "null"
	}
	return o.rows[0][0]
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
			a, b := w.as(t, persona, actor(persona, w.a)), w.as(t, persona, actor(persona, w.b))
			lock := narrow("select * from "+name+" for update", name, persona)
			column := words(g.updates)[0]
			update := fmt.Sprintf("update %s set %s = %s", name, column, w.same(t, name, persona, column))
			b.begin(t)
			alone := b.do(t, update)
			require.Empty(t, alone.code, "%s\n%s", update, alone.said)
			_, err := b.conn.Exec(t.Context(), "rollback")
			require.NoError(t, err)

			a.begin(t)
			require.Empty(t, a.do(t, lock).code)
			require.Empty(t, a.do(t, update).code)
			b.begin(t)
			o := b.do(t, "set local lock_timeout = '250ms'; "+lock+"; "+update)
			require.Equal(t, alone.tag, o.tag, "B waits for A: %s\n%s", update, o.said)
			_, err = b.conn.Exec(t.Context(), "rollback")
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
					value, known := map[string]string{
						"uuid": quote(id), "text": quote(id), "text[]": quote("{" + id + ",tickets}"), "uuid[]": quote("{" + id + "}"), "jsonb": quote(`{"token_hash": "` + id + `"}`), "timestamp with time zone": "now()", "integer": "1000",
					}[kind]
					require.True(t, known, "say how to call %s", signature)
					values = append(values, value)
				}
				sql := fmt.Sprintf("select %s(%s)", name, strings.Join(values, ", "))
				o := c.run(t, sql)
				// the identity that it was given is what a caller may learn
				o.keeps(t, secrets, sql+c.who.String())
				return o
			}
			nobodys := call(uuid.NewString())
			if role := c.effective(); !slices.Contains(f.callers, role) && f.owner != role {
				require.Equal(t, denied, nobodys.code, "%s calls %s", c.name, signature)
				require.Equal(t, denied, call(ids[0]).code, "%s calls %s", c.name, signature)
				continue
			}
			for _, id := range ids {
				alike(t, signature, call(id), nobodys)
			}
			w.unharmed(t, c.name+" calling "+signature)
		}
	}

	// the same calls do reach what is A's own
	owner := quote(w.a.UserID.String())
	w.Exec(t, `update app.tenants set archived_at = now() where owner_user_id = `+owner+`; update app.contractors set archived_at = now() where owner_user_id = `+owner+`;
		update app.tickets set archived_at = now() where owner_user_id = `+owner+`; update app.tenancies set cancelled_at = now() where owner_user_id = `+owner+`;
		update app.tenants set unit_id = null where owner_user_id = `+owner+`; update app.tenant_invites set unit_id = null where owner_user_id = `+owner)
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	first := func(name string) string { return w.column(t, name, "id", w.a.UserID)[0] }
	calls := []struct{ function, id, of string }{ // in the order in which they refer to one another
		{"app.forget_import_rows", w.a.ImportID.String(), "app.import_rows"},
		{"app.delete_import", w.a.ImportID.String(), "app.import_batches"},
		{"app.delete_export", w.a.ExportID.String(), "app.exports"},
		{"app.forget_search_results", w.a.TicketID.String(), "app.contractor_search_results"},
		{"app.delete_comment", first("app.ticket_comments"), ""},
		{"app.delete_attachment", first("app.attachments"), "app.attachments"},
		{"app.delete_ticket", w.a.TicketID.String(), "app.tickets"},
		{"app.delete_tenancy", first("app.tenancies"), "app.tenancies"},
		{"app.delete_tenant", w.a.TenantID.String(), ""},
		{"app.delete_contractor", w.a.ContractorID.String(), "app.contractors"},
		{"app.delete_unit", w.a.UnitID.String(), "app.units"},
		{"app.delete_property", w.a.PropertyID.String(), "app.properties"},
	}
	for _, call := range calls {
		sql := fmt.Sprintf("select %s('%s')", call.function, call.id)
		o := a.run(t, sql)
		require.Contains(t, [][][]string{{{"t"}}, {{""}}}, o.rows, "%s\n%s", sql, o.said)
		if call.of != "" {
			require.Empty(t, w.column(t, call.of, "id", w.a.UserID), sql)
		}
	}
	for signature := range functions {
		if name, _, takesID := strings.Cut(signature, "(uuid)"); takesID {
			require.True(t, slices.ContainsFunc(calls, func(c struct{ function, id, of string }) bool { return c.function == name }), "say what %s does", name)
		}
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
			if g.reads == "" {
				continue
			}
			stranger, a := w.as(t, persona, w.newcomer(t, false)), w.as(t, persona, actor(persona, w.a))
			columns := w.columns(t, name)
			if g.reads != all {
				columns = words(g.reads)
			}
			for _, column := range columns {
				value := column + "::text"
				for _, condition := range []string{
					value + "::int = 1", "(" + value + "::jsonb) is not null", "1 / length(left(" + value + ", 0)) = 1",
					"case when " + value + " <> '' then 1 / (length(" + value + ") - length(" + value + ")) = 1 else true end",
					"(select 1 / length(left(" + value + ", 0))) = 1", "coalesce(nullif(" + value + ", ''), '')::date is null",
					value + " ~ (" + value + " || '[')",
				} {
					statements := []string{
						"select * from " + name + " where " + condition,
						"select count(1) from " + name + " where " + condition + " and " + tables[name].owner + " = " + quote(w.b.UserID.String()),
						"select * from " + name + " order by " + condition,
					}
					if g.updates != "" {
						updated := words(g.updates)[0]
						statements = append(statements, fmt.Sprintf("update %s set %s = %s where %s", name, updated, w.same(t, name, persona, updated), condition))
					}
					for _, sql := range statements {
						sql = narrow(sql, name, persona)
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
