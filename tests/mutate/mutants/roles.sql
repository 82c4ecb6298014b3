-- What roles are and may become. Roles belong to the whole server: each mutant
-- says how it is undone.
with
ours as (
    select * from pg_roles where rolname ~ '^rowhouse_' or rolname in ('anon', 'authenticated', 'service_role')
),
attributes (attribute, negation) as (
    values ('superuser', 'nosuperuser'), ('bypassrls', 'nobypassrls'), ('createrole', 'nocreaterole'), ('createdb', 'nocreatedb'),
           ('replication', 'noreplication'), ('inherit', 'noinherit'), ('login', 'nologin')
),
memberships as (
    select m.oid as member_oid, m.rolname as member, r.oid as role_oid, r.rolname as role
      from pg_auth_members a join pg_roles m on m.oid = a.member join pg_roles r on r.oid = a.roleid
     where m.rolname !~ '^pg_'
)
select 'role made ' || attribute as family, null as relation, rolname::text as name,
       format('alter role %I %s', rolname, negation) as undo, format('alter role %I %s', rolname, attribute) as mutation
  from ours cross join attributes
 where not case attribute when 'superuser' then rolsuper when 'bypassrls' then rolbypassrls when 'createrole' then rolcreaterole
                          when 'createdb' then rolcreatedb when 'replication' then rolreplication when 'inherit' then rolinherit
                          when 'login' then rolcanlogin end
union all
select 'membership added', null, format('%s becomes %s', m.rolname, r.rolname),
       format('revoke %I from %I', r.rolname, m.rolname), format('grant %I to %I', r.rolname, m.rolname)
  from ours m cross join pg_roles r
 where r.oid <> m.oid and (r.oid in (select oid from ours) or r.rolname ~ '^pg_(read|write|monitor|signal|execute)')
   and not pg_has_role(r.oid, m.oid, 'member')
   and not exists (select from memberships where member_oid = m.oid and role_oid = r.oid)
   and (m.rolname in ('rowhouse_api', 'rowhouse_landlord', 'rowhouse_worker', 'rowhouse_tenant', 'rowhouse_remover', 'anon', 'service_role') or r.rolname = 'rowhouse_owner')
union all
select 'membership administered', null, format('%s gives %s away', member, role),
       format('revoke admin option for %I from %I', role, member), format('grant %I to %I with admin option', role, member)
  from memberships
union all
select 'setting of a login', null, format('%s of %s', split_part(setting, '=', 1), rolname),
       format('alter role %I set %I = %s', rolname, split_part(setting, '=', 1),
              case when setting ~ '^search_path=' then split_part(setting, '=', 2) else quote_literal(split_part(setting, '=', 2)) end),
       format('alter role %I reset %I', rolname, split_part(setting, '=', 1))
  from pg_db_role_setting d join ours r on r.oid = d.setrole and d.setdatabase = 0 cross join unnest(d.setconfig) as setting
 where setting !~ '^random_page_cost=' -- protects nobody
