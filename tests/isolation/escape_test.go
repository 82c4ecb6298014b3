package isolation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoleEscape tries to become every role there is, in every way, from every
// transaction that somebody's SQL could get into.
func TestRoleEscape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	for _, c := range w.callers(t) {
		if c.login != "rowhouse_api" && c.login != "rowhouse_worker" || c.who != w.a.UserID && c.identity != nil {
			continue // whoever holds B's valid seal is B in the persona that it is for
		}
		for _, name := range append(list(t, w, "select rolname from pg_roles"), "none", "session_user") {
			escapeTo(t, w, c, name, secrets)
		}
	}
	w.unharmed(t, "changing roles")
}

func escapeTo(t *testing.T, w *world, c *caller, name string, secrets []string) {
	t.Helper()
	may := strings.Contains(strings.Join(personas, " ")+" none", name) || name == c.login
	for _, becoming := range []string{
		fmt.Sprintf("set role %q", name), fmt.Sprintf("set local role %q", name),
		fmt.Sprintf("reset role; set role %q", name),
		fmt.Sprintf("select set_config('role', '%s', true)", name), fmt.Sprintf("select set_config('role', '%s', false)", name),
		fmt.Sprintf("set session authorization %q", name), fmt.Sprintf("set local session authorization %q", name),
		fmt.Sprintf("select set_config('session_authorization', '%s', true)", name),
		fmt.Sprintf("reset role; set session authorization %q", name),
	} {
		c.begin(t)
		o := c.do(t, becoming)
		if !may || name == "none" && o.code == "22023" {
			require.NotEmpty(t, o.code, "%s: %s", c.name, becoming)
			c.end(t)
			continue
		}
		// a persona, or the login itself: neither sees more than its seal allows
		if o.code == "" {
			for _, table := range w.tables {
				c.do(t, "savepoint s")
				sql := narrow("select * from "+table, table, c.effective())
				c.do(t, sql).keeps(t, secrets, c.name+": "+becoming+"; "+sql)
				o := c.do(t, "rollback to s")
				require.Empty(t, o.code, o.said)
			}
		}
		c.end(t)
		_, err := c.conn.Exec(t.Context(), "reset session authorization; reset role")
		require.NoError(t, err)
	}
}

// TestIdentityWithinOneStatement changes who one is in the statement that reads.
func TestIdentityWithinOneStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	for _, persona := range personas[:1:1] {
		c := w.as(t, persona, w.a.UserID)
		for _, name := range w.tables {
			for _, setting := range []string{
				"set_config('app.user_id', B, true)", "set_config('app.user_id', B, false)",
				"set_config('role', 'rowhouse_owner', true)", "set_config('role', 'rowhouse_user', true)", "set_config('role', 'none', true)",
				"set_config('role', 'rowhouse_remover', true)", "set_config('role', 'rowhouse_clerk', true)", "set_config('row_security', 'off', true)",
				"set_config('session_authorization', 'rowhouse_owner', true)",
				"concat(set_config('app.user_seal', 'x.y.z', true), set_config('app.user_id', B, true))",
			} {
				for _, pattern := range []string{
					"select " + setting + ", x.* from T x",
					"select x.*, " + setting + " from T x where " + setting + " is not null",
					"with s as materialized (select " + setting + " as s) select x.* from s, T x where s is not null",
					"with s as materialized (select " + setting + " as s) select x.* from s left join T x on s = OWNER::text",
					"select x.* from (select " + setting + " offset 0) s, lateral (select * from T offset 0) x",
					"select x.* from T x order by " + setting,
					"select " + setting + "; select * from T",
				} {
					sql := narrow(w.about(t, pattern, name), name, persona)
					c.run(t, sql).keeps(t, secrets, sql)
					_, err := c.conn.Exec(t.Context(), "reset session authorization; reset role; reset all")
					require.NoError(t, err)
				}
			}
		}
	}
	w.unharmed(t, "changing identity")
}

// TestDefinitions tries to define, alter and drop things, to act on whole tables
// and to reach what all landlords share.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Exec(t, "select lo_from_bytea(4242, 'bravo-landlord')")
	secrets := w.secrets(t, w.b.UserID)
	catalog := func() []string {
		return list(t, w, `select format('%s %s %s', classid::regclass, objid, objsubid) from pg_depend where deptype in ('n', 'a') and classid <> 'pg_largeobject'::regclass
			union select format('%s %s %s', oid, relname, relacl) from pg_class where relkind <> 't' order by 1`)
	}
	before := catalog()
	for _, c := range w.callers(t) {
		switch {
		case c.who == w.b.UserID, c.login == "rowhouse_migrator":
			continue // to define is what it is for
		case c.who != w.a.UserID && c.session == "" && c.role != "":
			continue // an imposture has the role's rights and no others
		}
		for _, sql := range definitions {
			if c.effective() == "rowhouse_worker" && strings.Contains(sql, "pg_notify") {
				continue // the queue's library calls it; with NOTIFY everybody may do the same
			}
			o := c.run(t, sql)
			require.NotEmpty(t, o.code, "%s: %s", c.name, sql)
			o.keeps(t, secrets, sql)
		}
		for _, name := range w.tables {
			for _, pattern := range tableDefinitions {
				sql := w.about(t, pattern, name)
				o := c.run(t, sql)
				require.Equal(t, denied, o.code, "%s: %s\n%s", c.name, sql, o.said)
			}
			for _, mode := range lockModes {
				may := mode == "access share" && tables[name].grants[c.effective()].reads == all
				o := c.run(t, "lock table "+name+" in "+mode+" mode nowait")
				require.Equal(t, !may, o.code == denied, "%s locks %s in %s mode: %s", c.name, name, mode, o.said)
			}
			// these skip what they may not, with a warning
			for _, sql := range []string{"analyze " + name} {
				c.run(t, sql).keeps(t, secrets, sql)
			}
		}
	}
	require.Equal(t, before, catalog())
	w.unharmed(t, "defining things")
}

var lockModes = []string{
	"access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive", "access exclusive",
}

var tableDefinitions = []string{
	"truncate T", "truncate T cascade", "truncate T restart identity cascade", "truncate only T",
	"alter table T disable row level security", "alter table T no force row level security", "alter table T owner to current_user",
	"alter table T add column x text", "alter table T disable trigger all", "alter table T set schema public",
	"alter table T alter column OWNER drop not null", "alter table T alter column OWNER set statistics 100", "alter table T replica identity full",
	"alter table T rename to x", "drop table T", "drop table T cascade", "create index on T (KEY)", "cluster T", "reindex table T",
	"create policy x on T using (true)", "create rule x as on select to T do instead nothing", "comment on table T is 'x'",
	"create trigger x before insert on T for each row execute function app.guard_user()",
	"create trigger x after insert on T for each row execute function app.record_changes()", "alter table T disable trigger user",
	"create statistics app.x on OWNER, KEY from T", "create view app.x as select * from T",
}

var definitions = []string{
	"create table app.x (id int)", "create table public.x (id int)", "create temporary table x (id int)", "create temporary table units (id int)",
	"create table x (id int)", "create unlogged table pg_temp.x (id int)", "create table app_private.x (id int)",
	"create function app.x() returns int language sql as 'select 1'", "create function public.x() returns int language sql as 'select 1'",
	"create function pg_temp.x() returns int language sql as 'select 1'", "create procedure app.x() language sql as 'select 1'",
	"create domain pg_temp.uuid as text check (value <> '')", "create domain app.x as text", "create type public.x as enum ('x')",
	"create temporary sequence x", "create temporary view x as select 1", "select 1 as x into temporary x",
	"create or replace function app.current_user_id() returns uuid language sql as 'select null::uuid'",
	"alter function app.current_user_id() immutable", "alter function app.current_user_id() owner to current_user",
	"alter function app.delete_unit(uuid) security invoker", "drop function app.current_user_id()", "drop function app.current_user_id() cascade",
	"create schema x", "drop schema app cascade", "alter schema app owner to current_user", "create database x", "drop database postgres",
	"create extension pgcrypto", "create publication x for all tables", "create role x", "drop role rowhouse_owner", "alter role rowhouse_owner login",
	"alter role current_user bypassrls", "alter role rowhouse_owner password 'x'", "grant rowhouse_owner to current_user",
	"grant rowhouse_remover to rowhouse_api", "alter default privileges for role rowhouse_owner grant all on tables to public",
	"alter system set row_security = off", "alter database postgres set row_security = off", "reassign owned by rowhouse_owner to current_user",
	"drop owned by rowhouse_owner", "create server x foreign data wrapper x", "create event trigger x on ddl_command_end execute function app.guard_user()",
	"create language plperl", "create cast (text as uuid) with inout as implicit", "create operator app.= (leftarg = uuid, rightarg = uuid, function = uuid_eq)",
	"set session_replication_role = replica", "set session_preload_libraries = 'x'", "set log_statement = 'all'", "load 'auto_explain'",
	"checkpoint", "do $$ begin perform pg_sleep(0); end $$",
	"copy (select 1) to program 'true'", "copy (select 1) to '/tmp/x'",
	"select pg_read_file('postgresql.conf')", "select pg_ls_dir('.')", "select lo_import('/etc/passwd')",
	"select lo_from_bytea(0, 'x')", "select lo_put(4242, 0, 'x')", "select lo_export(4242, '/tmp/x')", "select loread(0, 10)", "select lowrite(0, 'x')",
	"select lo_truncate(0, 0)", "alter large object 4242 owner to current_user", "comment on large object 4242 is 'x'",
	"select lo_create(0)", "select lo_get(4242)", "select lo_unlink(4242)", "select lo_open(4242, 262144)", "select * from pg_largeobject",
	"select * from pg_statistic", "select * from pg_statistic_ext_data", "select * from pg_authid", "select * from pg_stat_activity", "select * from pg_file_settings",
	"select pg_advisory_lock(1)", "select pg_advisory_xact_lock(1)", "select pg_try_advisory_lock(1)", "select pg_advisory_unlock(1)",
	"select pg_notify('x', 'y')", "select pg_sleep(0)", "select pg_terminate_backend(pid) from pg_stat_activity", "select pg_terminate_backend(1)",
	"select pg_cancel_backend(1)", "select pg_export_snapshot()", "select pg_logical_emit_message(true, 'x', 'y')",
	"select pg_create_logical_replication_slot('x', 'pgoutput')", "select pg_reload_conf()",
	"select query_to_xml('select * from app.units', true, true, '')", "select table_to_xml('app.units', true, true, '')",
	"select schema_to_xml('app', true, true, '')", "select database_to_xml(true, true, '')", "select nextval('app_private.goose_db_version_id_seq')",
	"select setval('app_private.goose_db_version_id_seq', 1)", "select last_value from app_private.goose_db_version_id_seq",
	"select currval('app_private.goose_db_version_id_seq')", "select lastval()", "create sequence app.x", "alter sequence app_private.goose_db_version_id_seq restart",
	"select pg_get_sequence_data('app_private.goose_db_version_id_seq')", "drop sequence app_private.goose_db_version_id_seq cascade",
	"select * from app_private.seal_keys", "table app_private.seal_keys", "copy app_private.seal_keys to stdout", "select 'app_private.seal_keys'::regclass",
	"update app_private.seal_keys set binds_pid = false", "delete from app_private.seal_keys", "lock table app_private.seal_keys in access share mode",
	"insert into app_private.seal_keys (id, inner_pad, outer_pad, binds_pid) values ('mine', sha256('') || sha256(''), sha256('') || sha256(''), false)",
	"select app.guard_user()", "select app.record_changes()", "select app.record_ticket_event()", "select app.number_ticket()",
	"select app.keep_landlord_card()", "select app.masked('{}')", "alter function app.record_changes() security invoker",
	"create or replace function app.my_tenant_ids() returns uuid[] language sql as 'select null::uuid[]'", "grant rowhouse_clerk to rowhouse_api",
	"select * from app_private.goose_db_version", "explain select * from app_private.seal_keys",
	"truncate app_private.seal_keys", "select app_private.seal_keys from app_private.seal_keys",
}
