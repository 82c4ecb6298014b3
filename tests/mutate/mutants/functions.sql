-- What a function may do, and who may call it. Their sources are changed in
-- sources.sql.
with
functions as (
    select p.*, p.oid::regprocedure::text as signature, row_number() over (order by p.oid::regprocedure::text) - 1 as place
      from pg_proc p
     where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace)
),
grantees as (
    select grantee, row_number() over (order by grantee) - 1 as place, role
      from (select 'public' as grantee, 0::oid as role
            union all
            select quote_ident(rolname), oid from pg_roles
             where rolname ~ '^rowhouse_' and rolname not in ('rowhouse_owner', 'rowhouse_migrator') or rolname in ('anon', 'authenticated', 'service_role')) g
)
select 'EXECUTE granted' as family, null as relation, format('%s to %s', signature, grantee) as name, null as undo,
       format('grant execute on function %s to %s', signature, grantee) as mutation
  from functions f cross join grantees g
 where role <> f.proowner
   and (grantee = 'public' or g.place = f.place % (select count(*) from grantees) or signature = 'app.current_user_id()')
   and not exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee = role)
union all
select 'search_path not pinned', null, signature, null, format('alter function %s reset search_path', signature) from functions
union all
select 'search_path empty', null, signature, null, format('alter function %s set search_path = %L', signature, '') from functions
union all
select 'search_path of the caller''s first', null, signature, null, format('alter function %s set search_path = pg_temp, pg_catalog', signature)
  from functions where prosecdef
union all
select 'made definer', null, signature, null, format('alter function %s security definer', signature) from functions where not prosecdef
union all
select 'definer with another owner', null, format('%s of %s', signature, rolname), null,
       format('alter function %s owner to %I', signature, rolname)
  from functions cross join (values ('rowhouse_owner'), (current_user)) as r (rolname)
 where prosecdef and proowner <> to_regrole(quote_ident(rolname))
union all
select 'made IMMUTABLE', null, signature, null, format('alter function %s immutable', signature) from functions where provolatile = 's'
union all
select 'made LEAKPROOF', null, signature, null, format('alter function %s leakproof', signature) from functions where prorettype <> 'trigger'::regtype
union all
select 'made PARALLEL SAFE', null, signature, null, format('alter function %s parallel safe', signature) from functions where proparallel = 'r'
union all
-- what Postgres gives to everybody and we have taken away
select 'shared function opened', null, p.oid::regprocedure::text, null, format('grant execute on function pg_catalog.%s to public', p.oid::regprocedure)
  from pg_proc p
 where p.pronamespace = 'pg_catalog'::regnamespace and p.proacl is not null
   and not exists (select from aclexplode(p.proacl) a where a.grantee = 0)
   and not exists (select from pg_init_privs i where i.classoid = 'pg_proc'::regclass and i.objoid = p.oid)
union all
-- and what it has for administrators
select 'shared function opened', null, format('%s to %s', p.oid::regprocedure, grantee), null,
       format('grant execute on function pg_catalog.%s to %s', p.oid::regprocedure, grantee)
  from pg_proc p cross join (values ('rowhouse_api'), ('rowhouse_landlord')) as g (grantee)
 where p.oid in ('pg_notify(text,text)'::regprocedure, 'pg_sleep(double precision)'::regprocedure, 'pg_terminate_backend(integer,bigint)'::regprocedure)
