package isolation

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/seal"
)

// world is a database with landlord A, who attacks, and landlords B and C. What
// attacks write is C's: a text of B's in an answer is then a leak.
type world struct {
	*dbtest.Database
	ring    seal.Keyring
	a, b, c dbtest.Landlord
	all     []string             // tables of the schema app
	tables  []string             // those that are attacked: all, or what narrowTo names
	mine    []string             // users whose rows attacks may change: A and newcomers
	circles map[uuid.UUID]string // a landlord and the tenant who has a login, for SQL
	before  string               // all other rows
	aims    map[string]string    // keys of B's rows, as SQL, that attacks aim at instead of the first
	answers map[string][]string  // to queries whose answer does not change
}

// narrowTo is the environment variable that names the tables to attack, separated
// by commas: for finding out quickly whether a fault in one of them is noticed.
const narrowTo = "ROWHOUSE_TEST_TABLES"

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Database: dbtest.New(t), ring: dbtest.Keyring(t, dbtest.KeysText), answers: map[string][]string{}}
	w.a, w.b, w.c = w.Landlord(t, "alpha-landlord"), w.Landlord(t, "bravo-landlord"), w.Landlord(t, "carla-landlord")
	w.mine = []string{quote(w.a.UserID.String())}
	w.circles = map[uuid.UUID]string{}
	for _, l := range []dbtest.Landlord{w.a, w.b, w.c} {
		w.circles[l.UserID] = quote(l.UserID.String()) + ", " + quote(l.Tenant.UserID.String())
	}
	w.all = list(t, w, `select format('%s.%s', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'app' and c.relkind in ('r', 'p') order by 1`)
	for _, name := range w.all {
		require.Contains(t, tables, name, "say in expectations.go who may do what with it")
		require.NotEmpty(t, tables[name].owner, "%s: say whose its rows are", name)
		require.NotEmpty(t, w.column(t, name, tables[name].owner, w.b.UserID), "%s: dbtest.Landlord makes no row in it", name)
	}
	w.tables = w.all
	if narrow := os.Getenv(narrowTo); narrow != "" {
		w.tables = strings.Split(narrow, ",")
	}
	w.before = w.others(t)
	return w
}

// others are all rows that no attack of A's may touch, as a superuser sees them.
func (w *world) others(t testing.TB) string {
	t.Helper()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		where := "true"
		if owner := tables[name].owner; owner != "" {
			where = fmt.Sprintf("(%s in (%s)) is not true", owner, strings.Join(w.mine, ", "))
		}
		parts = append(parts, fmt.Sprintf("select '%s ' || to_jsonb(t)::text from %s t where %s", name, name, where))
	}
	return strings.Join(list(t, w, strings.Join(parts, " union all ")+" order by 1"), "\n")
}

// actor is who of a landlord's the persona is for.
func actor(persona string, l dbtest.Landlord) uuid.UUID {
	if persona == "rowhouse_tenant" {
		return l.Tenant.UserID
	}
	return l.UserID
}

// settler is a further landlord whose rows attacks may change.
func (w *world) settler(t testing.TB) dbtest.Landlord {
	t.Helper()
	l := w.Landlord(t, "settler-"+uuid.NewString()[:8])
	w.mine = append(w.mine, quote(l.UserID.String()), quote(l.Tenant.UserID.String()))
	return l
}

// operator is somebody who works for Rowhouse, and whose rows attacks may change.
func (w *world) operator(t testing.TB) uuid.UUID {
	t.Helper()
	o := w.Operator(t, "operator-"+uuid.NewString()[:8])
	w.mine = append(w.mine, quote(o.UserID.String()))
	return o.UserID
}

// parents are the rows of a landlord's that others of theirs refer to.
func parents(l dbtest.Landlord) map[string]uuid.UUID {
	return map[string]uuid.UUID{
		"app.properties": l.PropertyID, "app.units": l.UnitID, "app.tenants": l.TenantID,
		"app.contractors": l.ContractorID, "app.tickets": l.TicketID, "app.support_grants": l.SupportGrantID,
		"app.import_batches": l.ImportID,
	}
}

// rowOf is a row of C's as owner would write it: about rows of their own.
func (w *world) rowOf(t testing.TB, name string, columns []string, l dbtest.Landlord, replace map[string]string) string {
	t.Helper()
	own := map[string]string{}
	for column, target := range w.targets(t, name) {
		own[column] = "null"
		if id, ok := parents(l)[target]; ok {
			own[column] = quote(id.String())
		}
	}
	maps.Copy(own, replace)
	row := w.row(t, name, columns, own)
	// what holds its owner's id, as places of files do
	return strings.NewReplacer(w.b.UserID.String(), l.UserID.String(), w.c.UserID.String(), l.UserID.String()).Replace(row)
}

// targets are the columns of a table that refer to other rows, but for the owner,
// and the tables that they refer to.
func (w *world) targets(t testing.TB, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pair := range w.known(t, fmt.Sprintf(`select attname || ' ' || confrelid::regclass from pg_constraint c, unnest(c.conkey) k
		join pg_attribute a on a.attnum = k where a.attrelid = '%s'::regclass and c.conrelid = a.attrelid and c.contype = 'f'`, name)) {
		column, target, _ := strings.Cut(pair, " ")
		if column != tables[name].owner {
			all[column] = target
		}
	}
	return all
}

// newcomer is somebody with a profile at most, who has then said who they are.
func (w *world) newcomer(t testing.TB, profile bool) uuid.UUID {
	t.Helper()
	id := uuid.New()
	w.mine = append(w.mine, quote(id.String()))
	if profile {
		w.Exec(t, "insert into app.users (id, onboarding_step) values ($1, 2)", id)
	}
	return id
}

// unharmed fails the test if what happened has changed a row of another's.
func (w *world) unharmed(t testing.TB, what string) {
	t.Helper()
	if after := w.others(t); after != w.before {
		before := w.before
		w.before = after // so that what follows is judged by itself
		require.Equal(t, before, after, "rows of others have changed: %s", what)
	}
}

// secrets are the texts that only owner's rows hold, and those of owner's tenant.
func (w *world) secrets(t testing.TB, owner uuid.UUID) []string {
	t.Helper()
	values := func(where string) []string {
		var parts []string
		for _, name := range w.all {
			parts = append(parts, fmt.Sprintf("select v.value from %s t, jsonb_each_text(to_jsonb(t)) v where length(v.value) >= 8 and t.%s %s (%s)",
				name, tables[name].owner, where, w.circles[owner]))
		}
		return list(t, w, strings.Join(parts, " union "))
	}
	shared := values("not in")
	own := slices.DeleteFunc(values("in"), func(v string) bool { return slices.Contains(shared, v) })
	require.Greater(t, len(own), 5)
	return own
}

// column returns one column's texts of owner's rows, nulls left out.
func (w *world) column(t testing.TB, name, column string, owner uuid.UUID) []string {
	t.Helper()
	return list(t, w, fmt.Sprintf("select %s::text from %s where %s = '%s' and %s is not null order by 1",
		column, name, tables[name].owner, owner, column))
}

// literal is a value of B's or C's row as SQL.
func (w *world) literal(t testing.TB, name, column string, owner uuid.UUID) string {
	t.Helper()
	values := w.known(t, fmt.Sprintf("select quote_literal(%s) from %s where %s = '%s' and %s is not null order by 1",
		column, name, tables[name].owner, owner, column))
	if len(values) == 0 {
		return "null"
	}
	return values[0]
}

// columns are all columns of a table.
func (w *world) columns(t testing.TB, name string) []string {
	t.Helper()
	return w.known(t, fmt.Sprintf(
		"select attname from pg_attribute where attrelid = '%s'::regclass and attnum > 0 and not attisdropped order by attnum", name))
}

// stored are the columns of a table that are not computed from others.
func (w *world) stored(t testing.TB, name string) []string {
	t.Helper()
	computed := w.known(t, fmt.Sprintf("select attname from pg_attribute where attrelid = '%s'::regclass and attgenerated <> ''", name))
	return slices.DeleteFunc(slices.Clone(w.columns(t, name)), func(column string) bool { return slices.Contains(computed, column) })
}

// primaryKey are the columns of a table's primary key, in order.
func (w *world) primaryKey(t testing.TB, name string) []string {
	t.Helper()
	key := w.known(t, fmt.Sprintf(`select a.attname from pg_index i, unnest(i.indkey) with ordinality k (attnum, place)
		join pg_attribute a on a.attnum = k.attnum where i.indrelid = '%s'::regclass and a.attrelid = i.indrelid and i.indisprimary
		order by place`, name))
	require.NotEmpty(t, key, "%s has no primary key", name)
	return key
}

// keyName is the primary key's as a constraint.
func (w *world) keyName(t testing.TB, name string) string {
	t.Helper()
	return w.known(t, fmt.Sprintf("select quote_ident(conname) from pg_constraint where conrelid = '%s'::regclass and contype = 'p'", name))[0]
}

// key is the column that tells a landlord's rows apart.
func (w *world) key(t testing.TB, name string) string {
	t.Helper()
	key := w.primaryKey(t, name)
	return key[len(key)-1]
}

// version is the server's, such as 150018.
func (w *world) version(t testing.TB) int {
	t.Helper()
	var number int
	require.NoError(t, w.Admin.QueryRow(t.Context(), "select current_setting('server_version_num')::int").Scan(&number))
	return number
}

// dropOwnedFixed reports whether DROP OWNED BY leaves others' policies alone
// (CVE-2026-116311, the minors of 2026-11-12).
func (w *world) dropOwnedFixed(t testing.TB) bool {
	t.Helper()
	version := w.version(t)
	fixed, known := map[int]int{15: 20, 16: 16, 17: 12, 18: 6}[version/10000]
	return !known || version%10000 >= fixed
}

// aim is the key, as SQL, of the row of B's that attacks aim at.
func (w *world) aim(t testing.TB, name string) string {
	t.Helper()
	if key, ok := w.aims[name]; ok {
		return key
	}
	return w.literal(t, name, w.key(t, name), w.b.UserID)
}

// seal seals for now, as the server does.
func (w *world) seal(persona string, id uuid.UUID, pid uint32) string {
	return w.ring.Sign(persona, id, time.Now().Add(time.Minute), pid)
}

// known is list for what does not change as long as the test runs: the catalog,
// and the rows of B and C.
func (w *world) known(t testing.TB, sql string) []string {
	t.Helper()
	if _, asked := w.answers[sql]; !asked {
		w.answers[sql] = list(t, w, sql)
	}
	return w.answers[sql]
}

// list returns a query's only column, as a superuser sees it.
func list(t testing.TB, w *world, sql string) []string {
	t.Helper()
	rows, err := w.Admin.Query(t.Context(), sql)
	require.NoError(t, err, sql)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err, sql)
	return texts
}

// quote makes an SQL literal.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// words splits a list of columns.
func words(text string) []string { return strings.Fields(text) }
