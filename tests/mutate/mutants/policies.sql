-- Row security taken away, in whole or from one policy. Conditions of policies are
-- weakened in conditions_test.go, which has to take them apart.
with
policies as (
    select p.*, format('%I.%I', schemaname, tablename) as rel,
           (p.roles = '{public}') as for_public
      from pg_policies p
     where schemaname in ('app', 'app_private')
),
tables as (
    select c.oid::regclass::text as rel
      from pg_class c
     where c.relnamespace in ('app'::regnamespace, 'app_private'::regnamespace) and c.relkind in ('r', 'p') and c.relrowsecurity
),
personas as (
    select rolname from pg_roles where rolname in ('rowhouse_landlord', 'rowhouse_tenant', 'rowhouse_user', 'rowhouse_support')
)
select 'policy dropped' as family, rel as relation, policyname::text as name, null as undo,
       format('drop policy %I on %s', policyname, rel) as mutation
  from policies
union all
select 'USING made true', rel, policyname, null, format('alter policy %I on %s using (true)', policyname, rel)
  from policies where qual <> 'true'
union all
select 'WITH CHECK made true', rel, policyname, null, format('alter policy %I on %s with check (true)', policyname, rel)
  from policies where with_check <> 'true'
union all
select 'policy widened', rel, policyname || ' to public', null, format('alter policy %I on %s to public', policyname, rel)
  from policies where not for_public
union all
select 'policy widened', rel, policyname || ' to ' || rolname, null,
       format('alter policy %I on %s to %s, %I', policyname, rel, array_to_string(roles, ', '), rolname)
  from policies cross join personas
 where not for_public and rolname <> all (roles) and cmd in ('SELECT', 'ALL')
union all
select 'boundary made permissive', rel, policyname, null,
       format('drop policy %1$I on %2$s; create policy %1$I on %2$s as permissive for %3$s to %4$s using (%5$s) with check (%6$s)',
              policyname, rel, cmd, array_to_string(roles, ', '), qual, coalesce(with_check, qual))
  from policies where permissive = 'RESTRICTIVE'
union all
select 'policy added', rel, format('true for %s', command), null,
       format('create policy stray on %s as permissive for %s to public %s', rel, command,
              case command when 'insert' then 'with check (true)' else 'using (true)' end)
  from tables cross join unnest(array['all', 'select', 'insert']) as command
union all
select 'FORCE removed', rel, 'force', null, format('alter table %s no force row level security', rel) from tables
union all
select 'row security disabled', rel, 'enable', null, format('alter table %s disable row level security', rel) from tables
