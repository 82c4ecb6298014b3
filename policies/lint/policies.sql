-- Policies. Each row is a finding; see policies/README.md.
--
-- What a policy calls is read from its stored expression tree, where a name in a
-- text cannot be taken for a call. Whether it calls once a statement is read from
-- the expression as Postgres prints it: with the search_path pg_catalog, every
-- function of others is qualified.
with recursive
policies as (
    select p.oid, p.polname, p.polrelid, p.polrelid::regclass as relation, p.polpermissive, p.polcmd, p.polroles,
           pg_get_expr(p.polqual, p.polrelid) as using_text, pg_get_expr(p.polwithcheck, p.polrelid) as check_text,
           concat(p.polqual, p.polwithcheck) as tree,
           format('policy %I on %s', p.polname, p.polrelid::regclass) as object,
           p.polroles = array['rowhouse_clerk'::regrole::oid] as clerks
      from pg_policy p
      join pg_class c on c.oid = p.polrelid
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('app', 'app_private')
),
-- "(SELECT f())", which Postgres computes once a statement, with the name that it gives the result
bare as (
    select p.*, regexp_replace(concat_ws(' ', p.using_text, p.check_text), '\( SELECT [a-z_.]+\([^()]*\) AS \w+\)', '', 'g') as rest
      from policies p
),
calls as (
    select distinct p.oid, f.oid as function, m[1] = 'opno' as operator
      from policies p
     cross join lateral regexp_matches(p.tree, ':(funcid|opno) ([0-9]+)', 'g') as m
      left join pg_operator o on m[1] = 'opno' and o.oid = m[2]::oid
      join pg_proc f on f.oid = coalesce(o.oprcode::oid, m[2]::oid)
),
-- not leakproof, and harmless: they cannot fail
accepted (signature) as (
    values ('lower(text)')
),
reads as (
    select distinct p.polrelid as reader, m[1]::oid as read
      from policies p cross join lateral regexp_matches(p.tree, ':relid ([0-9]+)', 'g') as m
     where m[1] <> '0'
),
reach (start, at) as (
    select reader, read from reads
    union
    select r.start, n.read from reach r join reads n on n.reader = r.at
),
-- columns of the table that an alternative of USING compares with who asks, and
-- that an index has to find
compared as (
    select p.oid, p.relation, p.object, arm.place, a.attname,
           exists (select from pg_index i where i.indrelid = p.polrelid and i.indisvalid and i.indkey[0] = a.attnum) as led
      from policies p
     cross join lateral regexp_split_to_table(p.using_text, ' OR ') with ordinality as arm (condition, place)
     cross join lateral regexp_matches(arm.condition, '(?:^|\()(\w+) = (?:ANY \()?\(+ ?SELECT [a-z_.]+\(', 'g') as m
      join pg_attribute a on a.attrelid = p.polrelid and a.attname = m[1]
     where p.polpermissive
)
select 'RH101' as id, 'error' as severity, p.object,
       'A permissive policy TO PUBLIC opens the table to every role that ever gets a grant.' as why,
       format('drop policy %I on %s; -- then one for each persona, in policies/', p.polname, p.relation) as remedy
  from policies p
 where p.polpermissive and 0 = any (p.polroles)

union all
select 'RH102', 'error', p.object,
       'USING does not ask who the caller is, so the rows are everybody''s.',
       format('alter policy %I on %s using (owner_user_id = (select app.current_user_id()));', p.polname, p.relation)
  from policies p
 where p.using_text !~ '\mapp\.\w+\(' and not p.clerks

union all
select 'RH103', 'error', p.object,
       'WITH CHECK does not ask who the caller is, so a row can be written into another landlord''s books.',
       format('alter policy %I on %s with check (owner_user_id = (select app.current_user_id()));', p.polname, p.relation)
  from policies p
 where p.polcmd in ('a', 'w', '*') and coalesce(p.check_text, p.using_text, 'true') !~ '\mapp\.\w+\(' and not p.clerks

union all
select 'RH104', 'warning', p.object,
       'WITH CHECK is not written, so it silently follows USING; a reader cannot tell what was meant.',
       format('alter policy %I on %s with check (%s);', p.polname, p.relation, p.using_text)
  from policies p
 where p.polcmd in ('w', '*') and p.check_text is null

union all
select 'RH105', 'warning', b.object,
       'A function is called bare and so for every row; in brackets with select, Postgres calls it once a statement.',
       format('-- write (select %s…)) in the policy''s file, then: rowhouse policy apply',
              coalesce(substring(b.rest from '\w+\.\w+\('), 'current_setting('))
  from bare b
 where b.rest ~ '\w+\.\w+\(|\mcurrent_setting\('

union all
select 'RH106', 'warning', format('%s for %s', p.relation, r.rolname),
       format('Permissive policies are OR-ed, and %s has several for %s: what one refuses the other lets through, and no index serves both.',
              r.rolname, c.command),
       format('drop policy … on %s; -- one of: %s', p.relation, string_agg(p.polname::text, ', ' order by p.polname))
  from policies p
  join pg_roles r on r.oid = any (p.polroles)
  join (values ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE'), ('d', 'DELETE')) as c (letter, command)
    on p.polcmd in (c.letter::"char", '*')
 where p.polpermissive
 group by p.relation, r.rolname, c.command
having count(*) > 1

union all
-- of conditions that must all hold one index is enough
select distinct 'RH107', 'warning', c.object,
       format('No index of %s begins with %s, which the policy compares with who asks: every statement reads the whole table.',
              c.relation, string_agg(c.attname, ' or ' order by c.attname)),
       format('create index on %s (%I); -- or have the policy compare the owner too', c.relation, min(c.attname))
  from compared c
 group by c.oid, c.object, c.relation, c.place
having not bool_or(c.led)

union all
select distinct 'RH108', 'error', r.start::regclass::text,
       'A policy reads a table whose policies read back, and Postgres refuses every statement with "infinite recursion".',
       '-- let one side ask a function of rowhouse_clerk instead, in policies/'
  from reach r
 where r.start = r.at

union all
select 'RH109', 'error', f.oid::regprocedure::text,
       case when f.provolatile = 'v' then 'Policies call it and it is volatile: it runs for every row, and may answer otherwise each time.'
            else 'Policies call it and it is immutable: a plan made for one caller keeps its answer for the next.' end,
       case when f.pronamespace = 'pg_catalog'::regnamespace
            then '-- take it out of ' || string_agg(p.object, ', ' order by p.object)
            else format('alter function %s stable;', f.oid::regprocedure) end
  from calls c join policies p using (oid) join pg_proc f on f.oid = c.function
 where f.provolatile = 'v'
    or (f.provolatile = 'i' and f.pronamespace <> 'pg_catalog'::regnamespace)
 group by f.oid, f.provolatile, f.pronamespace

union all
select 'RH110', 'warning', p.object,
       format('%s is not leakproof: its errors can tell of rows that the policy hides, and it holds conditions of the query back from the index.',
              f.oid::regprocedure),
       '-- compare with = on uuid, text, date or timestamptz instead, or let the table keep the computed value'
  from calls c join bare p using (oid) join pg_proc f on f.oid = c.function
 where not f.proleakproof
   -- what runs once a statement takes no row's value, and cannot tell of one
   and (c.operator or p.rest ~ ('\m' || f.proname || '\('))
   and f.pronargs > 0 and f.proname <> 'current_setting' -- which RH105 finds
   and f.oid::regprocedure::text not in (select signature from accepted)
