-- Who may do what on which rows, from the catalog: a row for each table, role and
-- command. It works for every login and takes no lock.
--
--   role       ours, and whoever else was granted something; PUBLIC is everybody
--   columns    null: all of them
--   without    the columns that are not among them
--   using      the rows that are read, changed or deleted: what the permissive
--              policies let through, of which one is enough
--   checks     what a written row must be
--   boundary_using, boundary_checks   what must be so besides (restrictive policies)
--   through    why the role may: "grant", "grant to …" (inherited), "owner", or the
--              definer function that does it as its owner
--
-- 'true' is every row, 'false' none, null that the command asks for nothing of the
-- kind. Which tables a function writes is read off its text.
with
relations as (
    select c.oid, n.nspname as schema, c.relname as name, c.relowner as owner, c.relacl as acl,
           c.relrowsecurity as enabled, c.relforcerowsecurity as forced
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('app', 'app_private') and c.relkind in ('r', 'p', 'v', 'm', 'f')
),
attributes as (
    select t.attrelid as relation, t.attnum, t.attname as name, t.attacl as acl
      from pg_attribute t join relations r on r.oid = t.attrelid
     where t.attnum > 0 and not t.attisdropped
),
-- attnum is 0 where a grant is on the whole table
grants as (
    select r.oid as relation, a.grantee, a.privilege_type as command, 0::int2 as attnum, false as owned
      from relations r cross join aclexplode(r.acl) a
     where a.grantee <> r.owner
    union
    select t.relation, a.grantee, a.privilege_type, t.attnum, false
      from attributes t join relations r on r.oid = t.relation cross join aclexplode(t.acl) a
     where a.grantee <> r.owner
    union
    select r.oid, r.owner, command, 0, true
      from relations r cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as command
),
holders as (
    select oid, rolname as name, rolsuper or rolbypassrls as bypasses
      from pg_roles
     where rolname like 'rowhouse\_%' or oid in (select grantee from grants where not owned)
    union all
    select 0, 'PUBLIC', false
),
rights as (
    select h.oid as role, h.name, h.bypasses, g.relation, g.command, array_agg(distinct g.attnum) as attnums,
           case when g.owned and g.grantee = h.oid then 'owner'
                when g.grantee = h.oid then 'grant'
                when g.owned then 'owner ' || pg_get_userbyid(g.grantee)
                when g.grantee = 0 then 'grant to PUBLIC'
                else 'grant to ' || pg_get_userbyid(g.grantee) end as through,
           g.grantee
      from grants g
      join holders h on h.oid = g.grantee
                     or (h.oid <> 0 and g.grantee <> 0 and pg_has_role(h.oid, g.grantee, 'USAGE')
                         and not exists (select from pg_roles s where s.oid = h.oid and s.rolsuper))
     group by h.oid, h.name, h.bypasses, g.relation, g.command, g.grantee, g.owned
),
-- what functions write as their owner, for those who may call them
writes as (
    select distinct p.oid, p.proowner as owner, p.oid::regprocedure::text as signature, r.oid as relation,
           case lower(w.found[1]) when 'insert into' then 'INSERT' when 'update' then 'UPDATE' else 'DELETE' end as command,
           a.grantee
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname in ('app', 'app_private')
     cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     cross join regexp_matches(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc),
                               '\m(insert into|update|delete from)\s+(app\w*)\.(\w+)', 'gi') as w (found)
      join relations r on r.schema = w.found[2] and r.name = w.found[3]
     where p.prosecdef and a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner
       and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
),
-- who asks, and as whom the policies see it
asks as (
    select relation, name as role, role as acts_as, bypasses, command, attnums, through from rights
    union all
    select w.relation, case w.grantee when 0 then 'PUBLIC' else pg_get_userbyid(w.grantee) end, w.owner, r.bypasses,
           w.command, r.attnums, w.signature
      from writes w
      join rights r on r.role = w.owner and r.relation = w.relation and r.command = w.command
),
-- the conditions as people write them: without casts of literals, the brackets with
-- select that have Postgres ask once, and the coalesce that is for the planner
conditions as (
    select p.oid, sides.side,
           regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
               sides.expression,
               '\s+', ' ', 'g'),
               '(''(?:[^'']|'''')*'')::(?:text|name)\M(?!\[)', '\1', 'g'),
               '\( SELECT (\w+(?:\.\w+)?\([^()]*\)) AS \w+\)', '\1', 'g'),
               '(\W)\((app\.\w+\([^()]*\))\)(?:::\w+\[\])?', '\1\2', 'g'),
               'COALESCE\((\w+ = app\.\w+\(\)), false\)', '\1', 'g'),
               '\((\w+ = ANY \(app\.\w+\([^()]*\)\))\)', '\1', 'g') as text
      from pg_policy p
      join relations r on r.oid = p.polrelid
     cross join lateral (values ('using', pg_get_expr(p.polqual, p.polrelid, true)),
                                ('check', pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid, true))) as sides (side, expression)
     where sides.expression is not null
),
-- which side of a policy a command asks: a written row must pass the check
sides (command, letter, side) as (
    values ('SELECT', 'r'::"char", 'using'), ('UPDATE', 'w', 'using'), ('DELETE', 'd', 'using'),
           ('INSERT', 'a', 'check'), ('UPDATE', 'w', 'check')
)
select r.schema, r.name as "table", a.role, a.command,
       case when 0 <> all (a.attnums) then array(
            select t.name from attributes t where t.relation = r.oid and t.attnum = any (a.attnums) order by t.attnum) end as columns,
       case when 0 <> all (a.attnums) then array(
            select t.name from attributes t where t.relation = r.oid and t.attnum <> all (a.attnums) order by t.attnum)
            else '{}' end as without,
       c.using, c.checks, c.boundary_using, c.boundary_checks,
       case when a.bypasses then a.through || ', past every policy'
            when not r.enabled then a.through || ', without row security'
            when not r.forced and a.acts_as = r.owner then a.through || ', whom the policies do not bind'
            else a.through end as through
  from asks a
  join relations r on r.oid = a.relation
 cross join lateral (
     select max(s.found) filter (where s.side = 'using' and not s.boundary) as using,
            max(s.found) filter (where s.side = 'check' and not s.boundary) as checks,
            max(s.found) filter (where s.side = 'using' and s.boundary) as boundary_using,
            max(s.found) filter (where s.side = 'check' and s.boundary) as boundary_checks
       from (
           select sides.side, b.boundary,
                  case when a.bypasses or not r.enabled or (a.acts_as = r.owner and not r.forced)
                       then case when not b.boundary then 'true' end
                       else coalesce(m.found, case when not b.boundary then 'false' end) end as found
             from sides
            cross join (values (false), (true)) as b (boundary)
             left join lateral (
                 select case when count(*) = 1 then min(t.text)
                             else string_agg('(' || t.text || ')', case when b.boundary then ' AND ' else ' OR ' end order by p.polname) end as found
                   from pg_policy p join conditions t on t.oid = p.oid and t.side = sides.side
                  where p.polrelid = r.oid and p.polpermissive <> b.boundary and p.polcmd in (sides.letter, '*')
                    and (0 = any (p.polroles)
                         or exists (select from unnest(p.polroles) as polrole
                                     where polrole = a.acts_as or (a.acts_as <> 0 and pg_has_role(a.acts_as, polrole, 'USAGE'))))
             ) m on true
            where sides.command = a.command
       ) s
 ) c
 -- an owner whom no policy lets through has nothing
 where a.through not like 'owner%' or coalesce(c.using, c.checks) <> 'false'
 order by r.schema collate "C", r.name collate "C", a.role collate "C",
          array_position(array['SELECT', 'INSERT', 'UPDATE', 'DELETE'], a.command), a.command collate "C", through collate "C";
