-- The functions of our schemas: whose rights they use, and who may call them.
--
--   kind         "runs as its owner" (SECURITY DEFINER) or "runs as the caller"
--   search_path  what it pins, or null
--   callers      who may call it, its owner aside; a trigger needs nobody's call
--   triggers     the tables whose changes run it
--   reads, writes   tables, as its text names them
select p.oid::regprocedure::text as signature, pg_get_userbyid(p.proowner)::text as owner,
       case when p.prosecdef then 'runs as its owner' else 'runs as the caller' end as kind,
       (select substr(s, 13) from unnest(p.proconfig) s where s like 'search_path=%') as search_path,
       array(select (case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end) collate "C" as name
               from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
              where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner
              order by name) as callers,
       array(select distinct t.tgrelid::regclass::text collate "C" as name
               from pg_trigger t where t.tgfoid = p.oid and not t.tgisinternal order by name) as triggers,
       array(select distinct lower(m[1]) collate "C" as name
               from regexp_matches(b.text, '(?:(?<!delete )\mfrom|\mjoin)\s+(app\w*\.\w+)', 'gi') as m
              where to_regclass(m[1]) is not null order by name) as reads,
       array(select distinct lower(m[1] || ' ' || m[2]) collate "C" as name
               from regexp_matches(b.text, '\m(insert into|update|delete from)\s+(app\w*\.\w+)', 'gi') as m
              where to_regclass(m[2]) is not null order by name) as writes
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('app', 'app_private')
 cross join lateral (select coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as text) b
 order by p.prosecdef desc, p.oid::regprocedure::text collate "C";
