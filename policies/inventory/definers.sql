-- The functions of our schemas that run with their owner's rights (SECURITY
-- DEFINER), without their source. It works for every login.
--
--   callers   who may call it, its owner aside; a trigger needs nobody's call
select (n.nspname || '.' || p.proname) collate "C" as name, pg_get_userbyid(p.proowner)::text as owner,
       array(select distinct (case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end) collate "C" as name
               from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
              where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner
              order by name) as callers
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('app', 'app_private')
 where p.prosecdef
 order by name, p.oid;
