-- Functions. Each row is a finding; see policies/README.md. @definers are the
-- functions that README.md lets run as their owner.
with
functions as (
    select p.oid, p.oid::regprocedure as name, p.prosecdef, p.proleakproof, p.prosrc, p.proacl, p.proowner, p.proconfig,
           p.prokind, o.rolname as owner, o.rolsuper or o.rolbypassrls or o.rolcanlogin or o.rolname !~ '^rowhouse_' as unbound
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      join pg_roles o on o.oid = p.proowner
     where n.nspname in ('app', 'app_private', 'river')
)
select 'RH201' as id, case when f.prosecdef then 'error' else 'warning' end as severity, f.name::text as object,
       case when f.prosecdef
            then 'It runs as its owner with names found by the caller''s search_path: a temporary object of the same name would run as the owner.'
            else 'It finds names by the caller''s search_path, so another object of the same name can take the place of ours.' end as why,
       format('alter function %s set search_path = pg_catalog, pg_temp;', f.name) as remedy
  from functions f
 where f.prokind <> 'a'
   and coalesce((select split_part(s, '=', 2) from unnest(f.proconfig) s where s like 'search\_path=%'), '') <> 'pg_catalog, pg_temp'

union all
select 'RH202', 'error', f.name::text,
       format('It runs as %s, whom policies do not bind or who can sign in.', f.owner),
       format('alter function %s owner to rowhouse_clerk;', f.name)
  from functions f
 where f.unbound

union all
select 'RH203', 'error', format('%s to %s', f.name, g.name),
       format('%s may call it: what of ours can be called is for our roles alone, and for logins only as a persona.', g.name),
       format('revoke execute on function %s from %s;', f.name, g.name)
  from functions f
 cross join aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
  left join pg_roles r on r.oid = a.grantee
 cross join lateral (select coalesce(quote_ident(r.rolname), 'public') as name) g
 where a.grantee <> f.proowner and (r.oid is null or r.rolname !~ '^rowhouse_' or r.rolcanlogin)

union all
select 'RH204', 'error', f.name::text,
       'It runs as its owner, and policies/README.md does not say why.',
       format('alter function %s security invoker; -- or add it to the list in policies/README.md', f.name)
  from functions f
 where f.prosecdef and f.name::text <> all (@definers::text[])

union all
select 'RH205', 'error', f.name::text,
       'LEAKPROOF lets it run on rows that policies hide, before they are hidden.',
       format('alter function %s not leakproof;', f.name)
  from functions f
 where f.proleakproof

union all
select 'RH206', 'error', f.name::text,
       'Its source holds what looks like a key or a password, and everybody can read the catalog.',
       '-- keep the secret in a table of app_private, and change it'
  from functions f
 where f.prosrc ~ @secret

union all
select 'RH207', 'warning', f.name::text,
       'It notifies, and every role of the database can listen: only functions of rowhouse_clerk do, whose payload says nothing.',
       format('drop function %s; -- or write a trigger of rowhouse_clerk in its place', f.name)
  from functions f
 where f.prosrc ~* '\mpg_notify\s*\(|\mnotify\s+\w+\s*[;,'']' and f.owner <> 'rowhouse_clerk'
