-- Our roles, those that may become one of them or that they may become, and
-- Supabase's. Superusers, whom nothing binds, are not the policies' to list.
--
--   attributes   what the role is allowed besides grants
--   member_of   the roles that it may become; "with their rights" if it has them
--                without becoming one
with roles as (
    select oid, rolname::text as name, rolcanlogin, rolinherit, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolsuper
      from pg_roles
),
ours as (
    select * from roles r
     where name like 'rowhouse\_%'
        or name in ('anon', 'authenticated', 'service_role')
        or not rolsuper and exists (
               select from pg_auth_members m join roles o on o.oid in (m.roleid, m.member)
                where r.oid in (m.roleid, m.member) and o.name like 'rowhouse\_%')
)
select r.name,
       array_remove(array[case when r.rolcanlogin then 'LOGIN' end, case when r.rolinherit then 'INHERIT' end,
                          case when r.rolsuper then 'SUPERUSER' end, case when r.rolbypassrls then 'BYPASSRLS' end,
                          case when r.rolcreaterole then 'CREATEROLE' end, case when r.rolcreatedb then 'CREATEDB' end,
                          case when r.rolreplication then 'REPLICATION' end], null) as attributes,
       array(select distinct (o.name || case when not r.rolsuper and pg_has_role(r.oid, o.oid, 'USAGE') then ' with their rights' else '' end) collate "C" as name
               from pg_auth_members m join roles o on o.oid = m.roleid
              where m.member = r.oid order by name) as member_of
  from ours r
 order by r.name not like 'rowhouse\_%', r.name collate "C";
