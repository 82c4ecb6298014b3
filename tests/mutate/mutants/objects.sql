-- Keys, triggers, statistics, and things that should not be there.
with
tables as (
    select c.oid, c.oid::regclass::text as rel, n.nspname
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'app' and c.relkind in ('r', 'p')
),
columns as (
    select t.rel, t.oid, a.attname, a.attnum, a.atttypid, a.attnotnull
      from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
),
keys as ( -- with the columns that are left without the owner
    select t.rel, k.conname, k.contype, k.confrelid, k.confrelid::regclass::text as target, pg_get_constraintdef(k.oid) as def,
           (select string_agg(quote_ident(c.attname), ', ' order by o.place)
              from unnest(k.conkey) with ordinality o (attnum, place) join columns c on c.oid = t.oid and c.attnum = o.attnum
             where c.attname <> 'owner_user_id') as rest,
           (select string_agg(quote_ident(c.attname), ', ' order by o.place)
              from unnest(k.confkey) with ordinality o (attnum, place) join columns c on c.oid = k.confrelid and c.attnum = o.attnum
             where c.attname <> 'owner_user_id') as target_rest,
           exists (select from pg_constraint r where r.conindid = k.conindid and r.contype = 'f') as referred
      from tables t join pg_constraint k on k.conrelid = t.oid
     where k.contype in ('p', 'u', 'f') and cardinality(k.conkey) > 1
),
indexes as ( -- unique ones that no constraint made
    select t.rel, i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as def, pg_get_expr(i.indpred, i.indrelid) as predicate,
           (select string_agg(pg_get_indexdef(i.indexrelid, place, true), ', ' order by place) from generate_series(2, i.indnkeyatts) place) as rest
      from tables t join pg_index i on i.indrelid = t.oid
     where i.indisunique and i.indnkeyatts > 1 and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))
),
references_of as (
    select t.rel, k.conname, k.confrelid::regclass::text as target, pg_get_constraintdef(k.oid) as def
      from tables t join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'
)
select 'reference without the owner' as family, rel as relation, conname::text as name, null as undo,
       format('create unique index plain on %s (%s); alter table %s drop constraint %I, add constraint %I foreign key (%s) references %s (%s)',
              target, target_rest, rel, conname, conname, rest, target, target_rest) as mutation
  from keys where contype = 'f' and rest is not null
union all
select 'key without the owner', rel, conname, null,
       case when referred then format('alter table %s add constraint plain unique (%s)', rel, rest)
            else format('alter table %s drop constraint %I, add constraint %I %s (%s)', rel, conname, conname,
                        case contype when 'p' then 'primary key' else 'unique' end, rest) end
  from keys where contype in ('p', 'u') and rest is not null
union all
select 'key without the owner', rel, name, null,
       format('drop index %s; create unique index plain on %s (%s) %s', name, rel, rest, 'where ' || predicate)
  from indexes
union all
select 'reference dropped', rel, conname, null, format('alter table %s drop constraint %I', rel, conname) from references_of
union all
select 'reference that deletes', rel, conname, null,
       format('alter table %s drop constraint %I, add constraint %I %s on delete cascade', rel, conname, conname, def)
  from references_of where def !~ 'ON DELETE'
union all
select 'reference that updates', rel, conname, null,
       format('alter table %s drop constraint %I, add constraint %I %s on update cascade', rel, conname, conname, def)
  from references_of
union all
select 'reference not checked', rel, conname, null,
       format('alter table %s drop constraint %I, add constraint %I %s not valid', rel, conname, conname, def)
  from references_of
union all
select 'owner not filled in', rel, attname, null, format('alter table %s alter column %I drop default', rel, attname)
  from columns
 where attname = 'owner_user_id' and exists (select from pg_attrdef d where d.adrelid = columns.oid and d.adnum = attnum)
union all
select 'owner may be absent', rel, attname, null, format('alter table %s alter column %I drop not null', rel, attname)
  from columns
 where attname = 'owner_user_id'
   and not exists (select from pg_index i where i.indrelid = columns.oid and i.indisprimary and attnum = any (i.indkey))
union all
select 'trigger dropped', t.rel, tgname, null, format('drop trigger %I on %s', tgname, rel)
  from tables t join pg_trigger g on g.tgrelid = t.oid where not tgisinternal
union all
select 'trigger disabled', t.rel, tgname, null, format('alter table %s disable trigger %I', rel, tgname)
  from tables t join pg_trigger g on g.tgrelid = t.oid where not tgisinternal
union all
select 'trigger for replicas only', t.rel, tgname, null, format('alter table %s enable replica trigger %I', rel, tgname)
  from tables t join pg_trigger g on g.tgrelid = t.oid where not tgisinternal and tgname ~ '^guard_'
union all
select 'statistics gathered', rel, attname, null, format('alter table %s alter column %I set statistics 100', rel, attname)
  from columns where attname in ('owner_user_id', 'id', 'created_by', 'name', 'city', 'email', 'title', 'key')
union all
select 'statistics gathered', rel, 'of several columns', null, format('create statistics app.several on %s from %s', string_agg(quote_ident(attname), ', '), rel)
  from columns where attname in ('owner_user_id', 'id', 'created_at') group by rel having count(*) > 1
union all
select 'statistics gathered', i.indrelid::regclass::text, format('%s, %s', i.indexrelid::regclass, a.attnum), null,
       format('alter index %s alter column %s set statistics 100', i.indexrelid::regclass, a.attnum)
  from tables t join pg_index i on i.indrelid = t.oid
  join pg_attribute a on a.attrelid = i.indexrelid and i.indkey[a.attnum - 1] = 0
union all
select 'view of the superuser', rel, 'view', null,
       format('create view app.stray as select * from %s; grant select on app.stray to rowhouse_landlord', rel)
  from tables
union all
select 'copy of the rows', rel, 'materialized view', null, format('create materialized view app.stray as select * from %s', rel) from tables
union all
select 'copy of the rows', rel, 'child', null, format('create table app.stray () inherits (%s)', rel) from tables
union all
select 'copy of the rows', rel, 'rule', null, format('create rule stray as on insert to %s do also nothing', rel) from tables
union all
select 'thing added', null, name, null, sql
  from (values
           ('publication', 'create publication stray for all tables'),
           ('table without row security', 'create table app.stray (id uuid); alter table app.stray owner to rowhouse_owner'),
           ('table in schema public', 'create table public.stray (id uuid)'),
           ('schema', 'create schema stray'),
           ('function', 'create function app.stray() returns int language sql as ''select 1'''),
           ('function in schema public', 'create function public.stray() returns int language sql as ''select 1'''),
           ('domain', 'create domain app.stray as text'),
           ('sequence', 'create sequence app.stray'),
           ('operator', 'create operator app.= (leftarg = uuid, rightarg = uuid, function = uuid_eq)'),
           ('cast', 'create cast (text as uuid) with inout as implicit'),
           ('event trigger', 'create function app.stray() returns event_trigger language plpgsql as ''begin end''; create event trigger stray on ddl_command_end execute function app.stray()'),
           ('large object', 'select lo_from_bytea(0, ''x'')'),
           ('foreign data wrapper', 'create foreign data wrapper stray')
       ) as t (name, sql)
