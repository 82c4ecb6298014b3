-- One right too many. Every table meets every right and every role, and every role
-- every right, without trying all triples: the comparison is of whole lists.
with
tables as (
    select c.oid, c.oid::regclass::text as rel, c.relacl, row_number() over (order by c.oid::regclass::text) - 1 as place
      from pg_class c
     where c.relnamespace in ('app'::regnamespace, 'app_private'::regnamespace) and c.relkind in ('r', 'p')
),
grantees as (
    select 'public' as grantee, 0::oid as role
    union all
    select quote_ident(rolname), oid from pg_roles
     where rolname ~ '^rowhouse_' and rolname not in ('rowhouse_owner', 'rowhouse_migrator') or rolname in ('anon', 'authenticated', 'service_role')
),
rights (privilege, place) as (
    values ('select', 0), ('insert', 1), ('update', 2), ('delete', 3), ('truncate', 4), ('references', 5), ('trigger', 6)
),
numbered as (
    select *, row_number() over (order by grantee) - 1 as place from grantees
),
triples as (
    select rel, grantee, privilege, relacl, role
      from tables cross join numbered cross join rights
     where grantee = 'public'
        or privilege = 'select'
        or tables.place = (numbered.place * 7 + rights.place) % (select count(*) from tables)
),
personas as (
    select oid, quote_ident(rolname) as grantee
      from pg_roles
     where rolname ~ '^rowhouse_' and not rolcanlogin and rolname not in ('rowhouse_owner')
),
columns as (
    select t.rel, t.oid, t.relacl, a.attname, a.attnum, a.attacl
      from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
),
-- who has something to do with the table, or it would say no more than the rights above
concerned as (
    select c.*, p.grantee, p.oid as role
      from columns c cross join personas p
     where has_any_column_privilege(p.oid, c.oid, 'select, insert, update')
)
select 'table right granted' as family, rel as relation, format('%s to %s', privilege, grantee) as name, null as undo,
       format('grant %s on %s to %s', privilege, rel, grantee) as mutation
  from triples
 where not exists (select from aclexplode(relacl) a where a.grantee = role and a.privilege_type = upper(privilege))
union all
select 'column right granted', rel, format('%s (%s) to %s', privilege, attname, grantee), null,
       format('grant %s (%I) on %s to %s', privilege, attname, rel, grantee)
  from concerned cross join unnest(array['insert', 'update']) as privilege
 where attname in ('owner_user_id', 'id', 'created_by', 'is_admin', 'user_id', 'author', 'claimed_by_user_id')
   and not has_column_privilege(role, oid, attnum, privilege)
union all
-- what the persona does not read: notes, hashes of tokens, costs …
select 'column right granted', rel, format('select (%s) to %s', attname, grantee), null,
       format('grant select (%I) on %s to %s', attname, rel, grantee)
  from concerned
 where not has_column_privilege(role, oid, attnum, 'select')
   and (grantee not in ('rowhouse_remover', 'rowhouse_clerk') or attname in ('notes', 'token_hash', 'email', 'answer'))
union all
select 'column right granted', rel, format('select (%s) to public', min(attname)), null,
       format('grant select (%I) on %s to public', min(attname), rel)
  from columns group by rel
union all
select 'grant option given', rel, grantee, null, format('grant select on %s to %s with grant option', rel, grantee)
  from tables cross join personas
 where has_table_privilege(personas.oid, tables.oid, 'select')
union all
select 'schema opened', null, format('%s on %s to %s', privilege, nspname, grantee), null,
       format('grant %s on schema %I to %s', privilege, nspname, grantee)
  from pg_namespace n cross join numbered cross join unnest(array['usage', 'create']) as privilege
 where nspname in ('app', 'app_private', 'public')
   and not exists (select from aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a where a.grantee = role and a.privilege_type = upper(privilege))
union all
select 'sequence opened', null, format('%s on %s to %s', privilege, c.oid::regclass, grantee), null,
       format('grant %s on sequence %s to %s', privilege, c.oid::regclass, grantee)
  from pg_class c cross join numbered cross join unnest(array['usage', 'select', 'update']) as privilege
 where c.relnamespace in ('app'::regnamespace, 'app_private'::regnamespace) and c.relkind = 'S'
union all
select 'table given away', rel, 'to ' || rolname, null, format('alter table %s owner to %I', rel, rolname)
  from tables cross join (values ('rowhouse_api'), ('rowhouse_landlord'), (current_user)) as r (rolname)
 where rel in (select rel from tables order by rel limit 4)
union all
select 'temporary objects allowed', null, grantee, null,
       format('do $$ begin execute format(%L, current_database()); end $$', format('grant temporary on database %%I to %s', grantee))
  from numbered
union all
select 'new schemas allowed', null, grantee, null,
       format('do $$ begin execute format(%L, current_database()); end $$', format('grant create on database %%I to %s', grantee))
  from numbered
union all
select 'default privileges', null, format('%s on %s of %s to %s', privilege, kind, r.rolname, grantee), null,
       format('alter default privileges for role %I in schema app grant %s on %s to %s', r.rolname, privilege, kind, grantee)
  from pg_roles r cross join (values ('select', 'tables'), ('execute', 'functions'), ('usage', 'sequences')) as d (privilege, kind)
 cross join numbered
 where r.rolname in ('rowhouse_owner', 'rowhouse_remover', 'rowhouse_clerk') and grantee in ('public', 'anon', 'authenticated', 'service_role')
union all
select 'default privileges', null, format('functions of %s are everybody''s', r.rolname), null,
       format('alter default privileges for role %I grant execute on functions to public', r.rolname)
  from pg_roles r where r.rolname in ('rowhouse_owner', 'rowhouse_remover', 'rowhouse_clerk')
