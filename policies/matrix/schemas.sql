-- Who may look into our schemas (USAGE) or make objects in them (CREATE).
select n.nspname::text as schema, pg_get_userbyid(n.nspowner)::text as owner,
       (case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end) collate "C" as role,
       array_agg(distinct a.privilege_type collate "C" order by a.privilege_type collate "C") as privileges
  from pg_namespace n cross join aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
 where n.nspname in ('app', 'app_private')
 group by n.nspname, n.nspowner, a.grantee
 order by n.nspname collate "C", role;
