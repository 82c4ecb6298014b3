-- The tables of our schemas and their policies: a row for each policy, and one for
-- a table that has none. It works for every login and takes no lock.
--
--   enabled, forced   row security of the table
--   policy            null if there is none, and so is what follows
--   boundary          restrictive: it must hold besides
--   command           ALL, SELECT, INSERT, UPDATE or DELETE
--   roles             whom it is for; PUBLIC is everybody
select n.nspname::text as schema, c.relname::text as "table", c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       p.polname::text as policy, not p.polpermissive as boundary,
       case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE'
                     when '*' then 'ALL' end as command,
       array(select (case member when 0 then 'PUBLIC' else pg_get_userbyid(member)::text end) collate "C" as name
               from unnest(p.polroles) as member order by name) as roles
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('app', 'app_private')
  left join pg_policy p on p.polrelid = c.oid
 where c.relkind in ('r', 'p')
 order by n.nspname collate "C", c.relname collate "C", p.polname collate "C";
