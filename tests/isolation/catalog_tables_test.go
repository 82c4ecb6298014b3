package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// none fails the test for every row of a query; each says what is wrong.
func none(t *testing.T, w *world, sql string) {
	t.Helper()
	require.Empty(t, list(t, w, sql))
}

// ours are the relations of our schemas, for the start of a query.
const ours = `with ours as (select c.*, n.nspname, format('%s.%s', n.nspname, c.relname) as name
	from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('app', 'app_private'))
`

func TestTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	require.Equal(t, slices.Sorted(maps.Keys(tables)),
		list(t, w, ours+"select name from ours where relkind in ('r', 'p') order by name collate \"C\""))
	require.Equal(t, sequences, list(t, w, ours+"select name from ours where relkind = 'S' order by 1"))

	// views run as their owner, materialized ones and foreign tables know no row security
	none(t, w, ours+"select name || ' is neither table, index, sequence nor toast' from ours where relkind not in ('r', 'i', 'S', 't')")
	none(t, w, ours+"select name || ' has a parent or children' from ours where relispartition or relhassubclass")
	none(t, w, ours+"select name || ' does not belong to rowhouse_owner' from ours where relowner <> 'rowhouse_owner'::regrole and relkind <> 'i'")
	none(t, w, ours+"select name || ' has rules' from ours where relhasrules")
	none(t, w, ours+`select name || ' lacks row security, enabled and forced' from ours
		where relkind = 'r' and name <> 'app_private.goose_db_version' and not (relrowsecurity and relforcerowsecurity)`)
	none(t, w, "select pubname || ' publishes rows past every policy' from pg_publication")
	none(t, w, "select stxname || ' are statistics over several columns' from pg_statistic_ext e join pg_namespace n on n.oid = e.stxnamespace where nspname = 'app'")
	none(t, w, "select evtname || ' is an event trigger' from pg_event_trigger")
	none(t, w, "select extname || ' is an extension' from pg_extension where extname <> 'plpgsql'")
	none(t, w, `select nspname || ' is a schema nobody spoke of' from pg_namespace
		where nspname !~ '^pg_' and nspname not in ('app', 'app_private', 'river', 'public', 'information_schema')`)
	none(t, w, "select oid::regclass || ' stands in schema public' from pg_class where relnamespace = 'public'::regnamespace")
}

// TestOwnerColumn is about whose a row is: it must be said, cannot change, and
// tells a planner nothing.
func TestOwnerColumn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range w.all {
		owner := tables[name].owner
		column := list(t, w, fmt.Sprintf(`select concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
			from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
			where attrelid = '%s'::regclass and attname = '%s'`, name, owner))
		want := "uuid t app.current_user_id()"
		if tables[name].byTriggers || tables[name].ownerFollows {
			want = "uuid t" // the row that the trigger is about says whose
		}
		require.Equal(t, []string{want}, column, "%s.%s", name, owner)

		if owner == "owner_user_id" {
			// no estimate tells how much another has; the absence of a setting is -1
			// up to Postgres 16 and null from 17 on
			require.Equal(t, []string{"0"}, list(t, w, fmt.Sprintf(
				"select coalesce(attstattarget, -1)::text from pg_attribute where attrelid = '%s'::regclass and attname = '%s'", name, owner)),
				"statistics of %s.%s", name, owner)
			references := []string{"FOREIGN KEY (owner_user_id) REFERENCES app.users(id)"}
			if tables[name].outlives {
				references = []string{}
			}
			require.Equal(t, references, list(t, w, fmt.Sprintf(
				"select pg_get_constraintdef(oid) from pg_constraint where conrelid = '%s'::regclass and confrelid = 'app.users'::regclass"+
					" and conkey = array[(select attnum from pg_attribute where attrelid = conrelid and attname = 'owner_user_id')]", name)))
		}

		// what keeps it from changing stands wherever rows are counted in versions
		if slices.Contains(w.columns(t, name), "version") {
			guard := guardOwned
			if owner == "id" {
				guard = "guard_user BEFORE UPDATE"
			}
			require.Contains(t, tables[name].triggers, guard, name)
		}
	}
}

// TestTriggers wants each table's triggers to be those of expectations.go, each
// of the function of its name, for every row, and enabled; those of the audit trail
// among them, unless expectations.go says why not.
func TestTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for name, table := range tables {
		recorded := 0
		for _, trigger := range []string{recordInsert, recordUpdate, recordDelete} {
			if slices.Contains(table.triggers, trigger) {
				recorded++
			}
		}
		if table.owner == "owner_user_id" && !table.byTriggers {
			_, excused := unrecorded[name]
			require.True(t, recorded == 3 && !excused || recorded == 0 && excused, "%s: in the audit trail, or a reason why it is not", name)
		}
		for _, trigger := range table.triggers {
			function, when, _ := strings.Cut(trigger, " ")
			when, rest, special := strings.Cut(when, " ... ")
			if !special {
				rest = "FOR EACH ROW EXECUTE FUNCTION app." + function + "()"
			}
			want = append(want, fmt.Sprintf("CREATE TRIGGER %s %s ON %s %s O", function, when, name, rest))
		}
	}
	slices.Sort(want)
	has := list(t, w, ours+"select pg_get_triggerdef(t.oid) || ' ' || tgenabled::text from ours join pg_trigger t on tgrelid = ours.oid where not tgisinternal")
	slices.Sort(has)
	require.Equal(t, strings.Join(want, "\n"), strings.Join(has, "\n"))
}

// TestKeys is about what Postgres looks up past row security: every key begins
// with the owner, or one landlord could ask it about another.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var others []string
	for _, name := range w.all {
		others = append(others, list(t, w, fmt.Sprintf(`select indexrelid::regclass::text
			from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
			where indrelid = '%[1]s'::regclass and a.attname <> '%[2]s'`, name, tables[name].owner))...)
		none(t, w, fmt.Sprintf(`select indexrelid::regclass || ' is unique and not led by the owner'
			from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
			where indrelid = '%[1]s'::regclass and a.attname <> '%[2]s' and (indisunique or indisprimary or indisexclusion)
			union all
			select indexrelid::regclass || ' begins with an expression' from pg_index where indrelid = '%[1]s'::regclass and indkey[0] = 0
			union all
			select conname || ' is an exclusion constraint' from pg_constraint where conrelid = '%[1]s'::regclass and contype = 'x'`,
			name, tables[name].owner))
	}
	slices.Sort(others)
	require.Equal(t, slices.Sorted(maps.Keys(byOtherThanOwner)), others, "indexes not led by the owner, without a reason in expectations.go")
	require.Equal(t, slices.Sorted(maps.Keys(loose)), list(t, w, ours+`select format('%s.%s', name, attname)
		from ours join pg_attribute a on attrelid = ours.oid and attnum > 0 and atttypid = 'uuid'::regtype and attname <> 'id'
		where relkind = 'r' and not exists (select from pg_constraint where conrelid = ours.oid and contype = 'f' and attnum = any (conkey))
		order by format('%s.%s', name, attname) collate "C"`), "columns that refer without a foreign key")
	none(t, w, ours+`select format('%s: %s', conname, pg_get_constraintdef(k.oid)) || ' does not carry the owner along'
		from ours join pg_constraint k on conrelid = ours.oid and contype = 'f'
		join pg_attribute here on here.attrelid = conrelid and here.attnum = conkey[1]
		join pg_attribute there on there.attrelid = confrelid and there.attnum = confkey[1]
		where confrelid <> 'app.users'::regclass
		  and not (here.attname = 'owner_user_id' and there.attname = 'owner_user_id' and cardinality(conkey) > 1)`)
	none(t, w, ours+`select format('%s: %s', conname, pg_get_constraintdef(k.oid)) || ' is not checked, or acts on rows by itself'
		from ours join pg_constraint k on conrelid = ours.oid and contype = 'f'
		where not convalidated or confupdtype <> 'a' or confdeltype not in ('a', 'r') and not (confdeltype = 'c' and conname = any ('{`+
		strings.Join(cascades, ",")+"}'))")
}

// TestPolicies wants each table's policies to be those that follow from
// expectations.go, to the letter: as Postgres prints them once they are made.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string // as statements
	for name, table := range tables {
		if table.owner == "" {
			continue
		}
		short := strings.TrimPrefix(name, "app.")
		add := func(kind, policy, command, role string, r rule) {
			sql := fmt.Sprintf("create policy %s on %s as %s for %s to %s", policy, name, kind, command, role)
			if r.check == "" {
				r.check = r.using
			}
			if command != "insert" {
				sql += " using (" + r.using + ")"
			}
			if command != "select" && command != "delete" {
				sql += " with check (" + r.check + ")"
			}
			want = append(want, sql)
		}
		boundary := table.boundary
		if boundary.using == "" {
			boundary.using = own
		}
		add("restrictive", "boundary_all_"+short, "all", "public", boundary)
		for role, g := range table.grants {
			held := map[string]bool{"select": g.reads != "", "insert": g.inserts != "", "update": g.updates != "", "delete": g.deletes}
			if _, one := g.rows["all"]; one {
				held = map[string]bool{"all": true}
			}
			for verb, may := range held {
				r, special := g.rows[verb]
				if !special {
					r = rule{using: own}
				}
				require.True(t, r.using != "true" || role == "rowhouse_clerk" && table.byTriggers, "%s: %s may not have all rows", name, role)
				if may {
					add("permissive", strings.TrimPrefix(role, "rowhouse_")+"_"+verb+"_"+short, verb, role, r)
				}
			}
		}
	}
	// the one policy that lets everything through: of the owner, for the keys that
	// app.current_user_id reads as the owner
	want = append(want, "create policy owner_all_seal_keys on app_private.seal_keys to rowhouse_owner using (true) with check (true)")

	const all = `select concat_ws(' ', schemaname || '.' || tablename, permissive, policyname, cmd, roles, coalesce(qual, '-'), coalesce(with_check, '-'))
		from pg_policies where schemaname <> 'river' order by 1`
	has := list(t, w, all)
	w.Exec(t, dropBoundary+dropPersonaPolicies)
	require.Empty(t, list(t, w, all))
	for _, sql := range want {
		w.Exec(t, sql)
	}
	require.Equal(t, strings.Join(list(t, w, all), "\n"), strings.Join(has, "\n"))
}

const dropPersonaPolicies = `
	do $$ declare p record; begin
		for p in select * from pg_policies where schemaname <> 'river' loop
			execute format('drop policy %I on %I.%I', p.policyname, p.schemaname, p.tablename);
		end loop;
	end $$;`

// TestGrants wants each table's and column's grants to be those of
// expectations.go and no more: not to PUBLIC, a login or Supabase's roles, and
// never for a whole table what would let a persona lock it.
func TestGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for name, table := range tables {
		for role, g := range table.grants {
			add := func(right string) { want = append(want, name+" "+role+" "+right) }
			rights := func(right, columns string) {
				if columns == all {
					require.True(t, right == "SELECT" || role == "rowhouse_clerk" && table.byTriggers, "%s: %s for all columns", name, right)
					add(right)
					return
				}
				for _, column := range words(columns) {
					add(right + " (" + column + ")")
				}
			}
			if g.deletes {
				add("DELETE")
			}
			rights("SELECT", g.reads)
			rights("INSERT", g.inserts)
			rights("UPDATE", g.updates)
			require.True(t, !g.deletes || role == "rowhouse_remover", "%s: DELETE brings LOCK TABLE; only rowhouse_remover has it", name)
			for _, fixed := range []string{table.owner, "id", "owner_user_id", "created_by", "created_at", "updated_at", "version"} {
				if !slices.Contains(words(table.chosen), fixed) {
					require.NotContains(t, words(g.inserts+" "+g.updates), fixed, name)
				}
			}
		}
	}
	slices.Sort(want)
	has := list(t, w, ours+`select format('%s %s %s%s', name, coalesce(nullif(a.grantee::regrole::text, '-'), 'PUBLIC'), a.privilege_type,
			case when a.is_grantable then ' with grant option' end)
		from ours cross join aclexplode(relacl) a where a.grantee <> relowner
		union all
		select format('%s %s %s (%s)%s', name, coalesce(nullif(a.grantee::regrole::text, '-'), 'PUBLIC'), a.privilege_type, attname,
			case when a.is_grantable then ' with grant option' end)
		from ours join pg_attribute on attrelid = ours.oid cross join aclexplode(attacl) a`)
	slices.Sort(has)
	require.Equal(t, strings.Join(want, "\n"), strings.Join(has, "\n"))

	for name, table := range tables {
		known := words(table.fixed)
		for role, g := range table.grants {
			if role != "rowhouse_clerk" {
				known = append(known, words(g.inserts+" "+g.updates)...)
			}
		}
		slices.Sort(known)
		require.Equal(t, slices.Compact(known), slices.Sorted(slices.Values(w.columns(t, name))),
			"%s: say in expectations.go who may write the column", name)
	}
}
