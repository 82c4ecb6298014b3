-- Grants and memberships. Each row is a finding; see policies/README.md.
with
ours as (
    select n.oid, n.nspname, n.nspowner, n.nspacl from pg_namespace n where n.nspname in ('app', 'app_private', 'river')
),
-- A serving login is one of ours that cannot become the owner of the schemas; what
-- it can become are the personas.
personas (oid) as (
    select distinct a.roleid
      from pg_auth_members a join pg_roles m on m.oid = a.member
     where m.rolname ~ '^rowhouse_' and m.rolcanlogin
       and not exists (select from pg_auth_members o join ours s on s.nspowner = o.roleid where o.member = m.oid)
),
relations as (
    select c.oid, c.oid::regclass as name, c.relkind, c.relowner, c.relacl
      from pg_class c join ours s on s.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
),
grants as (
    select r.oid, r.name, a.grantee, a.privilege_type as privilege, a.is_grantable, null::name as column_name
      from relations r cross join aclexplode(r.relacl) a where a.grantee <> r.relowner
    union all
    select r.oid, r.name, a.grantee, a.privilege_type, a.is_grantable, t.attname
      from relations r
      join pg_attribute t on t.attrelid = r.oid and not t.attisdropped
     cross join aclexplode(t.attacl) a where a.grantee <> r.relowner
),
held as (
    select g.*, coalesce(quote_ident(o.rolname), 'public') as to_whom, o.rolcanlogin,
           coalesce(o.rolname ~ '^rowhouse_', false) as is_ours,
           g.grantee in (select p.oid from personas p) as is_persona
      from grants g left join pg_roles o on o.oid = g.grantee
)
select 'RH301' as id, 'error' as severity, format('%s to %s', h.name, h.to_whom) as object,
       format('%s is none of our roles, and has rights here: %s.', h.to_whom, string_agg(distinct h.privilege, ', ')) as why,
       format('revoke all on %s from %s cascade;', h.name, h.to_whom) as remedy
  from held h
 where not h.is_ours
 group by h.name, h.to_whom

union all
select 'RH302', 'error', format('%s to %s', h.name, h.to_whom),
       'A login has rights of its own, which every statement has before it becomes a persona.',
       format('revoke all on %s from %s cascade;', h.name, h.to_whom)
  from held h
 where h.is_ours and h.rolcanlogin
 group by h.name, h.to_whom

union all
select 'RH303', 'error', format('%s to %s', h.name, h.to_whom),
       format('%s on the whole table goes past row security or brings LOCK TABLE, and so the power to stop every landlord.',
              string_agg(distinct h.privilege, ', ')),
       format('revoke %s on %s from %s;', string_agg(distinct h.privilege, ', '), h.name, h.to_whom)
  from held h
 where h.is_ours and not h.rolcanlogin and h.column_name is null
   and (h.privilege in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') or (h.is_persona and h.privilege in ('UPDATE', 'DELETE')))
 group by h.name, h.to_whom

union all
select 'RH304', 'error', format('%s to %s', h.name, h.to_whom),
       'Keys and owners come from defaults and never change: whoever sends them can give rows away, or ask which exist.',
       string_agg(format('revoke %s%s on %s from %s;', h.privilege, ' (' || quote_ident(h.column_name) || ')', h.name, h.to_whom), ' '
                  order by h.privilege, h.column_name)
  from held h
 where h.is_persona
   and ((h.privilege in ('INSERT', 'UPDATE') and h.column_name in ('owner_user_id', 'id', 'created_by'))
        or (h.privilege = 'INSERT' and h.column_name is null))
 group by h.name, h.to_whom

union all
select 'RH305', 'error', format('schema %I to %s', s.nspname, g.name),
       case a.privilege_type when 'CREATE' then 'Whoever can create objects here owns them, and owners make their own rules.'
                             else 'Whoever can look inside can use what is granted by mistake; the schema is for our roles alone.' end,
       format('revoke %s on schema %I from %s;', a.privilege_type, s.nspname, g.name)
  from ours s
 cross join aclexplode(s.nspacl) a
  left join pg_roles r on r.oid = a.grantee
 cross join lateral (select coalesce(quote_ident(r.rolname), 'public') as name) g
 where a.grantee <> s.nspowner
   and (a.privilege_type = 'CREATE' or s.nspname = 'app_private' or r.oid is null or r.rolname !~ '^rowhouse_')

union all
select 'RH306', 'warning', format('%s to %s', h.name, h.to_whom),
       format('%s may hand its rights on, and policies/ would not say to whom.', h.to_whom),
       format('revoke grant option for all on %s from %s cascade;', h.name, h.to_whom)
  from held h
 where h.is_grantable and h.is_ours
 group by h.name, h.to_whom

union all
-- those within a schema are policies/cluster.sql's to take back
select 'RH307', 'error', format('default privileges of %I on %s', o.rolname, k.kind),
       format('What %s makes will be open to %s without a grant that anybody reads.', o.rolname, g.name),
       format('alter default privileges for role %I revoke all on %s from %s;', o.rolname, k.kind, g.name)
  from pg_default_acl d
  join pg_roles o on o.oid = d.defaclrole
  join (values ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas')) as k (letter, kind)
    on k.letter = d.defaclobjtype::text
 cross join aclexplode(d.defaclacl) a
  left join pg_roles r on r.oid = a.grantee
 cross join lateral (select coalesce(quote_ident(r.rolname), 'public') as name) g
 where d.defaclnamespace = 0 and o.rolname ~ '^rowhouse_' and a.grantee <> d.defaclrole
   -- the types of tables are PUBLIC's to name
   and not (a.grantee = 0 and d.defaclobjtype in ('T', 'f'))

union all
select 'RH308', 'warning', format('pg_notify to %s', g.name),
       'Notifications reach every process of ours; only rowhouse_clerk sends them, and the queue''s library.',
       format('revoke execute on function pg_catalog.pg_notify(text, text) from %s;', g.name)
  from pg_proc f
 cross join aclexplode(f.proacl) a
  join pg_roles r on r.oid = a.grantee
 cross join lateral (select quote_ident(r.rolname) as name) g
 where f.oid = 'pg_notify(text, text)'::regprocedure and a.grantee <> f.proowner and r.rolname not in ('rowhouse_clerk', 'rowhouse_worker')

union all
-- who migrates is a member by need; of our own roles policies/cluster.sql knows all
select 'RH309', 'error', format('%I in %I', m.rolname, r.rolname),
       format('%s is none of our roles and may become %s.', m.rolname, r.rolname),
       format('revoke %I from %I;', r.rolname, m.rolname)
  from pg_auth_members a
  join pg_roles r on r.oid = a.roleid
  join pg_roles m on m.oid = a.member
 where r.rolname ~ '^rowhouse_' and m.rolname !~ '^rowhouse_' and m.rolname <> current_user and not m.rolsuper
