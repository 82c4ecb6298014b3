-- What makes it unsafe to serve requests as the current login: each row is one
-- reason with the statement that mends it. Every process runs this query when it
-- starts and refuses to go on while it returns a row. It reads the catalog only,
-- and needs no right that PUBLIC does not have.
with
me as (select oid, rolname, rolsuper, rolbypassrls from pg_roles where rolname = session_user),
ours as (
    select c.oid, n.nspname, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
           exists (select from pg_policy p where p.polrelid = c.oid) as has_policy
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'app' and c.relkind in ('r', 'p')
),
personas (name) as (values ('rowhouse_landlord'), ('rowhouse_tenant'), ('rowhouse_user'), ('rowhouse_support'))
select reason, remedy
  from (
    select 1 as step, format('the login %s is a superuser, whom no policy binds', rolname) as reason,
           format('alter role %I nosuperuser; -- or connect as rowhouse_api', rolname) as remedy
      from me where rolsuper
    union all
    select 2, format('the login %s has BYPASSRLS, so no policy binds it', rolname),
           format('alter role %I nobypassrls; -- or connect as rowhouse_api', rolname)
      from me where rolbypassrls
    union all
    select 3, format('the login %s owns %s.%s, and an owner can switch its policies off', me.rolname, o.nspname, o.relname),
           format('alter table %I.%I owner to rowhouse_owner; -- or connect as rowhouse_api', o.nspname, o.relname)
      from me join ours o on o.relowner = me.oid
    union all
    select 4, format('the login %s may become %s', me.rolname, r.rolname),
           format('revoke %I from %I; -- or connect as rowhouse_api', r.rolname, me.rolname)
      from me join pg_roles r on r.oid <> me.oid and pg_has_role(me.oid, r.oid, 'MEMBER')
     where not me.rolsuper and r.rolname not in (select name from personas)
    union all
    select 5, format('the login %s itself has rights on %s.%s', me.rolname, o.nspname, o.relname),
           format('revoke all on %I.%I from %I, public; -- then: rowhouse policy apply', o.nspname, o.relname, me.rolname)
      from me join ours o on has_any_column_privilege(me.oid, o.oid, 'select, insert, update')
                          or has_table_privilege(me.oid, o.oid, 'delete, truncate, references, trigger')
     where not me.rolsuper and o.relowner <> me.oid
    union all
    -- revoking from the login itself does not take away what it inherits
    select 5, format('the login %s inherits the rights of %s', me.rolname, r.rolname),
           case when current_setting('server_version_num')::int >= 160000
                then format('grant %I to %I with inherit false;', r.rolname, me.rolname)
                else format('alter role %I noinherit;', me.rolname) end
      from me join pg_roles r on pg_has_role(me.oid, r.oid, 'USAGE')
     where not me.rolsuper and r.rolname in (select name from personas)
    union all
    select 6, format('the role %s may not be a superuser or bypass row security', r.rolname),
           format('alter role %I nosuperuser nobypassrls;', r.rolname)
      from pg_roles r
     where (r.rolsuper or r.rolbypassrls)
       and (r.rolname in (select name from personas) or r.rolname in ('rowhouse_remover', 'rowhouse_clerk', 'rowhouse_enqueuer')
            or r.oid in (select relowner from ours))
    union all
    select 7, 'the schema app does not exist, or has no table', '-- run: rowhouse migrate'
     where not exists (select from ours)
    union all
    select 8, format('row security is not enabled on %s.%s', nspname, relname),
           format('alter table %I.%I enable row level security;', nspname, relname)
      from ours where not relrowsecurity
    union all
    select 9, format('row security is not forced on %s.%s: it would not bind the owner', nspname, relname),
           format('alter table %I.%I force row level security;', nspname, relname)
      from ours where not relforcerowsecurity
    union all
    select 10, format('%s.%s has no policy', nspname, relname), '-- run: rowhouse policy apply'
      from ours where not has_policy
    union all
    select 11, format('the role %s can look into the schema app', r.rolname),
           format('revoke all on schema app from %I, public; -- then: rowhouse policy apply', r.rolname)
      from pg_roles r
     where r.rolname in ('anon', 'authenticated', 'service_role') and to_regnamespace('app') is not null
       and has_schema_privilege(r.oid, to_regnamespace('app'), 'usage')
    union all
    select 12, format('PostgreSQL %s has a hole in row security (CVE-2024-10976)', current_setting('server_version')),
           '-- upgrade to 15.9, 16.5, 17.1 or newer'
     where current_setting('server_version_num')::int < 150009
        or current_setting('server_version_num')::int between 160000 and 160004
        or current_setting('server_version_num')::int = 170000
  ) reasons
 order by step, reason;
