package isolation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFunctions wants the functions of our schemas to be those of
// expectations.go.
func TestFunctions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for signature, f := range functions {
		callers := slices.Sorted(slices.Values(f.callers))
		want = append(want, fmt.Sprintf("%s %s definer=%t %s %s [%s]", signature, f.owner, f.definer, f.volatility, f.parallel, strings.Join(callers, " ")))
	}
	slices.Sort(want)
	has := list(t, w, `select format('%s %s definer=%s %s %s [%s]', p.oid::regprocedure, proowner::regrole, prosecdef::text, provolatile, proparallel,
			(select string_agg(coalesce(nullif(a.grantee::regrole::text, '-'), 'PUBLIC'), ' ' order by a.grantee::regrole::text collate "C")
			   from aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee <> proowner))
		from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname in ('app', 'app_private')`)
	slices.Sort(has)
	require.Equal(t, strings.Join(want, "\n"), strings.Join(has, "\n"))

	const functions = `with functions as (select p.oid::regprocedure as name, p.*, n.nspname from pg_proc p join pg_namespace n on n.oid = pronamespace
		where nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'river'))
	` // of river's own: TestQueue
	none(t, w, functions+"select name || ' stands in schema ' || nspname from functions where nspname not in ('app', 'app_private')")
	// with '' the caller's temporary schema would be searched first for types
	none(t, w, functions+`select name || ' does not pin its search_path' from functions
		where proconfig is distinct from '{"search_path=pg_catalog, pg_temp"}'`)
	none(t, w, functions+"select name || ' claims to be leakproof' from functions where proleakproof")
	none(t, w, functions+"select name || ' is not written in plpgsql' from functions join pg_language l on l.oid = prolang where lanname not in ('plpgsql', 'sql')")
	none(t, w, "select oprname || ' is an operator of ours' from pg_operator where oprnamespace::regnamespace::text in ('app', 'app_private')")
	none(t, w, "select 'one makes a cast' from pg_cast where oid >= 16384")
	none(t, w, `select typname || ' is a type nobody spoke of' from pg_type t
		where typnamespace::regnamespace::text in ('app', 'app_private') and typtype not in ('c', 'b') or typnamespace::regnamespace::text = 'app' and typtype = 'b' and typelem = 0`)
	// everybody reads the source of functions
	none(t, w, functions+"select name || ' holds a key' from functions, app_private.seal_keys where strpos(prosrc, encode(inner_pad, 'hex')) > 0 or prosrc ~ '[0-9a-f]{32}'")
}

// TestRoles wants the roles of the cluster to be those of expectations.go.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want, members []string
	for name, r := range roles {
		want = append(want, fmt.Sprintf("%s login=%t bypassrls=%t inherit=%t super=false createrole=false createdb=false replication=false", name, r.login, r.bypasses, r.inherits))
		for _, becomes := range r.becomes {
			members = append(members, name+" becomes "+becomes+" admin=false")
		}
	}
	slices.Sort(want)
	has := list(t, w, `select format('%s login=%s bypassrls=%s inherit=%s super=%s createrole=%s createdb=%s replication=%s', rolname, rolcanlogin::text,
		rolbypassrls::text, rolinherit::text, rolsuper::text, rolcreaterole::text, rolcreatedb::text, rolreplication::text)
		from pg_roles where rolname !~ '^pg_' and rolname <> current_user`)
	slices.Sort(has)
	require.Equal(t, strings.Join(want, "\n"), strings.Join(has, "\n"))

	slices.Sort(members)
	has = list(t, w, `select distinct format('%s becomes %s admin=%s', member::regrole, roleid::regrole, admin_option::text)
		from pg_auth_members where member::regrole::text !~ '^pg_'`)
	slices.Sort(has)
	require.Equal(t, strings.Join(members, "\n"), strings.Join(has, "\n"))
	if w.version(t) >= 160000 {
		// since 16 a membership says itself whether it passes rights on
		none(t, w, "select format('%s inherits from %s', member::regrole, roleid::regrole) from pg_auth_members where inherit_option and member::regrole::text ~ '^rowhouse_'")
	}
	for name, r := range roles {
		for right, want := range map[string]bool{"usage": r.looksInto || name == "rowhouse_owner", "create": name == "rowhouse_owner"} {
			require.Equal(t, []string{fmt.Sprint(want)}, list(t, w, fmt.Sprintf("select has_schema_privilege('%s', 'app', '%s')::text", name, right)), "%s: %s on app", name, right)
			require.Equal(t, []string{fmt.Sprint(name == "rowhouse_owner")}, list(t, w, fmt.Sprintf("select has_schema_privilege('%s', 'app_private', '%s')::text", name, right)), "%s: %s on app_private", name, right)
		}
	}
}

// TestServer is about what reaches across landlords without being a table.
func TestServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Logf("the suite runs on PostgreSQL %s", list(t, w, "show server_version")[0]) // tests/isolation/result reads it
	for _, login := range []string{"rowhouse_api", "rowhouse_worker"} {
		for _, setting := range []string{"statement_timeout=10s", "lock_timeout=2s", "idle_in_transaction_session_timeout=10s", "row_security=on", `search_path=pg_catalog, pg_temp`} {
			require.Contains(t, list(t, w, fmt.Sprintf("select unnest(setconfig) from pg_db_role_setting where setrole = '%s'::regrole", login)), setting, login)
		}
	}
	for name := range maps.Keys(roles) {
		none(t, w, fmt.Sprintf("select '%[1]s may make temporary objects' where has_database_privilege('%[1]s', current_database(), 'temporary')", name))
		none(t, w, fmt.Sprintf("select '%[1]s may make schemas' where has_database_privilege('%[1]s', current_database(), 'create')", name))
		none(t, w, fmt.Sprintf("select '%[1]s may use schema public' where has_schema_privilege('%[1]s', 'public', 'usage') or has_schema_privilege('%[1]s', 'public', 'create')", name))
		none(t, w, fmt.Sprintf(`select format('%%s may call %%s', '%[1]s', oid::regprocedure) from pg_proc
			where pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('%[1]s', oid, 'execute')
			  and (proname ~ '^(lo_|lo(read|write)$|pg_sleep|pg_(try_)?advisory_|pg_logical_emit_message)'
			    or proname ~ '^(query|table|schema|database|cursor)_to_xml'
			    or proname in ('pg_notify', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_export_snapshot', 'pg_stat_get_activity'))
			  and proname <> 'pg_advisory_unlock_all'
			  -- its triggers tell every process whose roles have changed
			  and not ('%[1]s' = 'rowhouse_clerk' and proname = 'pg_notify')
			  -- the queue's library has the call in its statements
			  and not ('%[1]s' = 'rowhouse_worker' and proname = 'pg_notify')
			  -- migrations take turns
			  and not ('%[1]s' = 'rowhouse_migrator' and oid::regprocedure::text in ('pg_advisory_lock(bigint)', 'pg_advisory_unlock(bigint)'))`, name))
	}
	none(t, w, `select format('%s gets %s on new objects of %s', a.grantee::regrole, a.privilege_type, defaclrole::regrole)
		from pg_default_acl cross join aclexplode(defaclacl) a where a.grantee <> defaclrole`)
	for _, owner := range append([]string{"rowhouse_owner", enqueuer}, servants...) {
		require.Len(t, list(t, w, fmt.Sprintf("select defaclacl::text from pg_default_acl where defaclrole = '%s'::regrole and defaclobjtype = 'f' and defaclnamespace = 0", owner)), 1,
			"a function that %s makes would be everybody's to call", owner)
	}
	none(t, w, "select 'a large object: ' || oid from pg_largeobject_metadata")
	none(t, w, "select 'an event trigger: ' || evtname from pg_event_trigger union all select 'a publication: ' || pubname from pg_publication")
	require.Equal(t, schemas, list(t, w, `select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1`),
		"say in channels.go what a schema is for")
	require.Equal(t, extensions, list(t, w, "select extname from pg_extension order by 1"), "say in channels.go why an extension may be there")
	none(t, w, "select srvname from pg_foreign_server union all select fdwname from pg_foreign_data_wrapper union all select subname from pg_subscription")
}
