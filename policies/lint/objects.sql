-- What else shows rows: views, copies, publications, extensions. Each row is a
-- finding; see policies/README.md.
with
ours as (
    select n.oid from pg_namespace n where n.nspname in ('app', 'app_private', 'river')
),
-- in our schemas, or anywhere and reading our tables
views as (
    select c.oid::regclass as name, c.relkind, c.reloptions
      from pg_class c
     where c.relkind in ('v', 'm')
       and (c.relnamespace in (select o.oid from ours o)
            or exists (select from pg_rewrite r
                         join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
                         join pg_class t on t.oid = d.refobjid
                        where r.ev_class = c.oid and t.oid <> c.oid and t.relnamespace in (select o.oid from ours o)))
)
select 'RH401' as id, 'error' as severity, v.name::text as object,
       'A view reads as its owner, not as who asks, unless it says security_invoker.' as why,
       format('alter view %s set (security_invoker = true);', v.name) as remedy
  from views v
 where v.relkind = 'v'
   and not coalesce((select split_part(o, '=', 2)::boolean from unnest(v.reloptions) o where o like 'security\_invoker=%'), false)

union all
select 'RH402', 'error', v.name::text,
       'A materialized view has no row security and holds all landlords'' rows.',
       format('drop materialized view %s;', v.name)
  from views v
 where v.relkind = 'm'

union all
select 'RH403', 'error', c.oid::regclass::text,
       'A foreign table has no row security, and connects as somebody else.',
       format('drop foreign table %s;', c.oid::regclass)
  from pg_class c join ours o on o.oid = c.relnamespace
 where c.relkind = 'f'

union all
select 'RH404', 'error', c.oid::regclass::text,
       'Policies hold for the table that a statement names: who reads the parent is not bound by those of its parts, nor the other way round.',
       case when c.relispartition then format('alter table %s detach partition %s;', i.inhparent::regclass, c.oid::regclass)
            else format('alter table %s no inherit %s;', c.oid::regclass, i.inhparent::regclass) end
  from pg_class c join ours o on o.oid = c.relnamespace
  join pg_inherits i on i.inhrelid = c.oid
 where c.relkind in ('r', 'p')

union all
select 'RH405', 'error', format('publication %I', p.pubname),
       format('Replication knows no policies: it ships all landlords'' rows of %s.', string_agg(p.tablename::text, ', ' order by p.tablename)),
       format('drop publication %I;', p.pubname)
  from pg_publication_tables p
 where p.schemaname in ('app', 'app_private')
 group by p.pubname

union all
select 'RH406', 'warning', format('extension %I', e.extname),
       'Its functions are callable by everybody who can look into the schema, and it may be where names are looked up.',
       format('alter extension %I set schema …; -- one of its own, that no persona can look into', e.extname)
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
 where n.nspname in ('app', 'app_private', 'public')
