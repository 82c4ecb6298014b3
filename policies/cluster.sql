-- What the cluster and the database must look like before a table exists, as
-- one query: each row is something that is not so yet, and the statement that
-- makes it so. `rowhouse migrate` runs the statements it has the right to and
-- prints the others for a DBA. When nothing is missing the query returns no row.
--
--   step      order of work
--   required  false: hardening that some installations do not allow (a hosted
--             Postgres without a superuser); its absence is a warning
--   remedy    the statement
--
-- Roles (none may be superuser or bypass row security):
--   rowhouse_owner     owns every object of ours and is bound by the policies too
--   rowhouse_landlord  persona of a landlord
--   rowhouse_tenant    persona of a person who rents
--   rowhouse_user      persona of somebody signed in who is neither yet
--   rowhouse_support   persona of who works for Rowhouse, where a landlord lets them look
--   rowhouse_remover   owns the narrow functions that delete rows; bound by policies
--   rowhouse_enqueuer  owns the triggers that queue jobs; may add jobs for the caller alone
--   rowhouse_clerk     owns the triggers and look-ups that serve all personas; bound by policies
--   rowhouse_api       login of the API; no right but to become a persona
--   rowhouse_worker    login of the job worker; likewise, and the job queue is its own
--   rowhouse_migrator  login that migrates; a member of the roles that own
with
roles (name, login, inherit) as (
    values ('rowhouse_owner', false, false),
           ('rowhouse_landlord', false, false),
           ('rowhouse_tenant', false, false),
           ('rowhouse_user', false, false),
           ('rowhouse_support', false, false),
           ('rowhouse_remover', false, false),
           ('rowhouse_clerk', false, false),
           ('rowhouse_enqueuer', false, false),
           ('rowhouse_api', true, false),
           ('rowhouse_worker', true, false),
           ('rowhouse_migrator', true, false)
),
memberships (member, role) as (
    select login, persona
      from unnest(array['rowhouse_api', 'rowhouse_worker']) as login,
           unnest(array['rowhouse_landlord', 'rowhouse_tenant', 'rowhouse_user']) as persona
    union all values ('rowhouse_api', 'rowhouse_support'), ('rowhouse_migrator', 'rowhouse_owner'), ('rowhouse_migrator', 'rowhouse_remover'),
                     ('rowhouse_migrator', 'rowhouse_clerk'), ('rowhouse_migrator', 'rowhouse_enqueuer')
    -- whoever migrates without being superuser has to become the owners; our own
    -- logins, which may ask too, have what stands above
    union all
    select current_user, owner
      from unnest(array['rowhouse_owner', 'rowhouse_remover', 'rowhouse_clerk', 'rowhouse_enqueuer']) as owner
     where current_user not like 'rowhouse\_%'
       and not (select rolsuper from pg_roles where rolname = current_user)
),
granted (member, role) as (
    select m.rolname, r.rolname
      from pg_auth_members a
      join pg_roles m on m.oid = a.member
      join pg_roles r on r.oid = a.roleid
),
settings (name, value) as (
    -- statement_timeout can be changed by whoever runs SQL: it stops accidents, not attackers
    values ('statement_timeout', '10s'), ('lock_timeout', '2s'),
           ('idle_in_transaction_session_timeout', '10s'), ('row_security', 'on'),
           ('search_path', 'pg_catalog, pg_temp'),
           -- what a landlord owns lies scattered over the table and is in memory: reading
           -- it in an index's order beats reading all of it and sorting
           ('random_page_cost', '1.1')
),
-- Functions that every role may call by default and that reach across the
-- landlords' wall: shared locks and large objects, notifications, other
-- sessions' SQL, sleeping on a connection, running SQL from text.
shared_functions as (
    select p.oid::regprocedure as signature, p.proacl, p.proowner
      from pg_proc p
     where p.pronamespace = 'pg_catalog'::regnamespace
       and (p.proname ~ '^(lo_|pg_try_advisory_|pg_sleep|pg_logical_emit_message)'
            -- releasing one's own locks harms nobody and belongs to resetting a connection
            or (p.proname ~ '^pg_advisory_' and p.proname <> 'pg_advisory_unlock_all')
            or p.proname in ('loread', 'lowrite', 'pg_terminate_backend', 'pg_cancel_backend',
                             'pg_export_snapshot', 'pg_notify', 'pg_stat_get_activity',
                             'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema',
                             'table_to_xml', 'table_to_xmlschema', 'table_to_xml_and_xmlschema',
                             'schema_to_xml', 'schema_to_xmlschema', 'schema_to_xml_and_xmlschema',
                             'database_to_xml', 'database_to_xmlschema', 'database_to_xml_and_xmlschema',
                             'cursor_to_xml', 'cursor_to_xmlschema'))
)
select step, required, remedy
  from (
    select 10 as step, true as required,
           format('create role %I %s noinherit', name, case when login then 'login' else 'nologin' end) as remedy
      from roles
     where to_regrole(name) is null

    union all
    -- putting right is apart from creating: these options want a superuser
    select 20, true,
           format('alter role %I nosuperuser nobypassrls nocreaterole nocreatedb noreplication noinherit %s',
                  name, case when login then 'login' else 'nologin' end)
      from roles join pg_roles on rolname = name
     where rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
        or rolinherit or rolcanlogin <> login

    union all
    select 30, true, format('grant %I to %I', role, member)
      from memberships
     where not exists (select from granted g where g.member = memberships.member and g.role = memberships.role)
    union all
    -- PostgreSQL 16 made the right to become a role an option of the membership
    select 31, true, format('grant %I to %I with set true', m.role, m.member)
      from memberships m
     where current_setting('server_version_num')::int >= 160000
       and to_regrole(m.role) is not null and to_regrole(m.member) is not null
       and not pg_has_role(to_regrole(m.member), to_regrole(m.role),
                           case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
       and exists (select from granted g where g.member = m.member and g.role = m.role)

    union all
    -- and so is inheriting its rights, which NOINHERIT on the role no longer takes back
    select 32, true, format('grant %I to %I with inherit false', m.role, m.member)
      from memberships m
     where current_setting('server_version_num')::int >= 160000
       and m.member in ('rowhouse_api', 'rowhouse_worker')
       and to_regrole(m.role) is not null and to_regrole(m.member) is not null
       and exists (select from granted g where g.member = m.member and g.role = m.role)
       and pg_has_role(to_regrole(m.member), to_regrole(m.role), 'USAGE')

    union all
    -- what a login may become is the reach of injected SQL
    select 40, true, format('revoke %I from %I', g.role, g.member)
      from granted g
     where g.member in ('rowhouse_api', 'rowhouse_worker', 'rowhouse_owner', 'rowhouse_remover',
                        'rowhouse_clerk', 'rowhouse_enqueuer', 'rowhouse_landlord', 'rowhouse_tenant', 'rowhouse_user', 'rowhouse_support')
       and not exists (select from memberships m where m.member = g.member and m.role = g.role)

    union all
    select 50, true, format('alter role %I set %I = %s', login, s.name,
                            case s.name when 'search_path' then s.value else quote_literal(s.value) end)
      from unnest(array['rowhouse_api', 'rowhouse_worker']) as login, settings s
     where not exists (
               select from pg_db_role_setting d
                where d.setdatabase = 0 and d.setrole = to_regrole(login)
                  and s.name || '=' || s.value = any (d.setconfig))

    union all
    select 60, true, format('create schema %I authorization rowhouse_owner', name)
      from unnest(array['app', 'app_private', 'river']) as name
     where to_regnamespace(name) is null

    union all
    -- nothing that we make is anybody's by default
    select 70, true, format('alter default privileges for role %I revoke execute on functions from public', name)
      from unnest(array['rowhouse_owner', 'rowhouse_remover', 'rowhouse_clerk', 'rowhouse_enqueuer']) as name
     where not exists (
               select from pg_default_acl d
                where d.defaclrole = to_regrole(name) and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
                  and not exists (select from aclexplode(d.defaclacl) a where a.grantee = 0))
    union all
    -- wherever somebody's default privileges would open objects that they make in our schemas
    select 71, true,
           format('alter default privileges for role %I in schema %I revoke all on %s from %s',
                  pg_get_userbyid(d.defaclrole), n.nspname,
                  case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences'
                                       when 'f' then 'functions' when 'T' then 'types' end,
                  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
      from pg_default_acl d
      join pg_namespace n on n.oid = d.defaclnamespace
     cross join aclexplode(d.defaclacl) a
     where n.nspname in ('app', 'app_private', 'river') and a.grantee <> d.defaclrole
     group by d.defaclrole, n.nspname, d.defaclobjtype, a.grantee

    union all
    -- without temporary tables nobody can shadow ours
    select 80, false, format('revoke temporary on database %I from public', current_database())
      from pg_database d
     where d.datname = current_database()
       and exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                    where a.grantee = 0 and a.privilege_type = 'TEMPORARY')
    union all
    select 81, false, 'revoke all on schema public from public'
      from pg_namespace n
     where n.nspname = 'public'
       and exists (select from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a where a.grantee = 0)
    union all
    -- triggers of rowhouse_clerk tell every process whose roles have changed, and the
    -- queue's library has the call in its statements; before PUBLIC loses the right
    select 81, false, format('grant execute on function pg_catalog.pg_notify(text, text) to %I', name)
      from pg_proc p, unnest(array['rowhouse_clerk', 'rowhouse_worker']) as name
     where p.oid = 'pg_catalog.pg_notify(text, text)'::regprocedure and to_regrole(name) is not null
       and not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                        where a.grantee = to_regrole(name) and a.privilege_type = 'EXECUTE')
    union all
    select 82, false, format('revoke execute on function %s from public',
                             string_agg(format('pg_catalog.%s', signature), ', ' order by signature::text))
      from shared_functions
     where exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee = 0)
    having count(*) > 0
    union all
    -- two migrations at once wait for one another
    select 83, false, format('grant execute on function pg_catalog.%s to rowhouse_migrator', signature)
      from unnest(array['pg_advisory_lock(bigint)', 'pg_advisory_unlock(bigint)']) as signature
     where to_regrole('rowhouse_migrator') is not null
       and not has_function_privilege('rowhouse_migrator', signature, 'execute')
    union all
    -- those who watch the server keep their view of it
    select 84, false, 'grant execute on function pg_catalog.pg_stat_get_activity(integer) to pg_monitor'
     where not has_function_privilege('pg_monitor', 'pg_stat_get_activity(integer)', 'execute')
  ) missing
 order by step, remedy;
