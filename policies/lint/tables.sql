-- Tables: row security, keys, defaults, statistics. Each row is a finding; see
-- policies/README.md. @files are the tables that have a file in policies/.
with
tables as (
    select c.oid, c.oid::regclass as name, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
           owner.attnum as owner_column, owner.attnotnull as owner_set,
           pg_get_expr(d.adbin, d.adrelid) as owner_default
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      left join pg_attribute owner on owner.attrelid = c.oid and owner.attname = 'owner_user_id' and not owner.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = owner.attnum
     where n.nspname in ('app', 'app_private') and c.relkind in ('r', 'p')
),
-- A serving login is one of ours that cannot become the owner of the tables; what
-- it can become are the personas.
personas (oid) as (
    select distinct a.roleid
      from pg_auth_members a join pg_roles m on m.oid = a.member
     where m.rolname ~ '^rowhouse_' and m.rolcanlogin
       and not exists (select from pg_auth_members o join tables t on t.relowner = o.roleid where o.member = m.oid)
),
keys as (
    select f.conname, f.conrelid::regclass as child, f.confrelid::regclass as parent, f.confdeltype, f.confupdtype,
           pg_get_constraintdef(f.oid) as definition,
           child.owner_column is not null and parent.owner_column is not null as between_books,
           exists (select from unnest(f.conkey, f.confkey) as pair (child, parent)
                    where pair.child = child.owner_column and pair.parent = parent.owner_column) as bound,
           coalesce(child.owner_column = any (coalesce(nullif(f.confdelsetcols, '{}'), f.conkey)), false) as sets_owner
      from pg_constraint f
      join tables child on child.oid = f.conrelid
      join tables parent on parent.oid = f.confrelid
     where f.contype = 'f'
)
select 'RH001' as id, 'error' as severity, t.name::text as object,
       'Without row security every role with a grant reads every landlord''s rows.' as why,
       format('alter table %s enable row level security;', t.name) as remedy
  from tables t
 where not t.relrowsecurity

union all
select 'RH002', 'error', t.name::text,
       'Row security that is not forced does not bind the table''s owner, nor the functions that run as it.',
       format('alter table %s force row level security;', t.name)
  from tables t
 where not t.relforcerowsecurity

union all
select 'RH003', 'error', t.name::text,
       'No policy says who may see a row: nobody can, and the first policy that somebody adds in a hurry is the only one.',
       '-- write policies/' || t.relname || '.sql, then: rowhouse policy apply'
  from tables t
 where t.relrowsecurity and not exists (select from pg_policy p where p.polrelid = t.oid)

union all
select 'RH004', 'error', t.name::text,
       'No RESTRICTIVE policy FOR ALL TO PUBLIC stands over the permissive ones, so one permissive policy too many opens the table.',
       case when t.owner_column is null then '-- write the boundary in policies/' || t.relname || '.sql, then: rowhouse policy apply'
            else format('drop policy if exists %I on %s; create policy %1$I on %2$s as restrictive to public using (%3$s) with check (%3$s);',
                        'boundary_all_' || t.relname, t.name, 'owner_user_id = (select app.current_user_id())') end
  from tables t
 where exists (select from pg_policy p where p.polrelid = t.oid)
   and not exists (select from pg_policy p
                    where p.polrelid = t.oid and not p.polpermissive and p.polcmd = '*' and p.polroles = '{0}')

union all
select 'RH005', 'error', t.name::text,
       'No file in policies/ says who may do what with this table, so nobody has read it and policy apply takes its policies away.',
       '-- write policies/' || t.relname || '.sql, or drop the table'
  from tables t
 where t.relname <> all (@files::text[])

union all
select 'RH006', 'error', t.name || '.owner_user_id',
       'A row without an owner belongs to no landlord, and no policy or key holds it.',
       format('alter table %s alter column owner_user_id set not null;', t.name)
  from tables t
 where t.owner_column is not null and not t.owner_set

union all
select 'RH007', 'error', t.name || '.owner_user_id',
       'The owner of a new row must come from the caller''s sealed identity, for no persona may send it.',
       format('alter table %s alter column owner_user_id set default app.current_user_id();', t.name)
  from tables t
 where t.owner_column is not null
   and case when t.owner_default is null
            then exists (select from personas p where has_any_column_privilege(p.oid, t.oid, 'insert'))
                 -- unless a trigger says it before the row is written
                 and not exists (select from pg_trigger g join pg_proc f on f.oid = g.tgfoid
                                  where g.tgrelid = t.oid and g.tgtype & 7 = 7 and f.prosrc ~* 'new\.owner_user_id\s*:=')
            else t.owner_default <> 'app.current_user_id()' end

union all
select 'RH008', 'warning', r.oid::regclass || '.' || a.attname,
       'Statistics of landlords'' values are told to everybody who can run EXPLAIN: its estimates come from all rows.',
       format('alter %s %s alter column %s set statistics 0;', case r.relkind when 'i' then 'index' else 'table' end,
              r.oid::regclass, case r.relkind when 'i' then a.attnum::text else quote_ident(a.attname) end)
  from pg_attribute a
  join pg_class r on r.oid = a.attrelid
  join pg_namespace n on n.oid = r.relnamespace
  left join pg_index i on i.indexrelid = r.oid
 where n.nspname = 'app' and a.attnum > 0 and not a.attisdropped
   and coalesce(a.attstattarget, -1) <> 0
   and (r.relkind in ('r', 'p') or (r.relkind = 'i' and i.indkey[a.attnum - 1] = 0))

union all
select 'RH009', 'warning', s.oid::regclass::text,
       'A sequence counts over all landlords: its numbers tell each how much the others do.',
       coalesce((select format('alter table %s alter column %I drop %s; -- and make the key a uuid', d.refobjid::regclass, a.attname,
                               case d.deptype when 'i' then 'identity' else 'default' end)
                   from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                  where d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass
                    and d.deptype in ('a', 'i')), format('drop sequence %s;', s.oid::regclass))
  from pg_class s join pg_namespace n on n.oid = s.relnamespace
 where n.nspname = 'app' and s.relkind = 'S'

union all
select 'RH010', 'error', format('constraint %I on %s', k.conname, k.child),
       'A foreign key looks past row security: unless the owner is in it on both sides, one landlord can refer to another''s row, learn that it exists and lock it.',
       format('alter table %s drop constraint %I; -- then: add foreign key (owner_user_id, …) references %s (owner_user_id, …)',
              k.child, k.conname, k.parent)
  from keys k
 where k.between_books and not k.bound

union all
select 'RH011', 'error', format('index %s', i.indexrelid::regclass),
       'Uniqueness is checked over all landlords'' rows: unless the owner leads the key, a refusal tells one what another has.',
       coalesce((select format('alter table %s drop constraint %I; -- then: a key led by owner_user_id', t.name, c.conname)
                   from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')),
                format('drop index %s; -- then: a unique index led by owner_user_id', i.indexrelid::regclass))
  from pg_index i join tables t on t.oid = i.indrelid
 where t.owner_column is not null and (i.indisunique or i.indisexclusion) and i.indkey[0] <> t.owner_column

union all
select 'RH012', 'error', format('constraint %I on %s', k.conname, k.child),
       case when k.bound then 'What a foreign key sets or cascades it does past row security, and this one changes who owns a row.'
            else 'What a foreign key sets or cascades it does past row security, and this one is not bound to one landlord''s rows.' end,
       format('alter table %s drop constraint %I; alter table %1$s add constraint %2$I %s;', k.child, k.conname,
              regexp_replace(k.definition, ' ON (DELETE|UPDATE) (CASCADE|SET (NULL|DEFAULT)( \([^)]*\))?)', '', 'g'))
  from keys k
 where k.confupdtype in ('c', 'n', 'd')
    or (k.confdeltype in ('c', 'n', 'd') and not k.bound)
    or (k.confdeltype in ('n', 'd') and k.sets_owner)

union all
select 'RH013', 'error', format('trigger %I on %s', g.tgname, t.name),
       'A trigger that is off guards nothing: owners could change, numbers repeat, or foreign keys not be checked.',
       format('alter table %s enable trigger %I;', t.name, g.tgname)
  from pg_trigger g join tables t on t.oid = g.tgrelid
 where g.tgenabled in ('D', 'R')

union all
select 'RH014', 'error', t.name || '.' || a.attname,
       'The default holds what looks like a key or a password, and everybody can read the catalog.',
       format('alter table %s alter column %I drop default; -- and change the secret', t.name, a.attname)
  from tables t
  join pg_attrdef d on d.adrelid = t.oid
  join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
 where pg_get_expr(d.adbin, d.adrelid) ~ @secret

union all
select 'RH015', 'error', t.name::text,
       format('Its owner %s is not bound by policies, or can sign in: an owner can switch row security off.', o.rolname),
       format('alter table %s owner to rowhouse_owner;', t.name)
  from tables t join pg_roles o on o.oid = t.relowner
 where o.rolsuper or o.rolbypassrls or o.rolcanlogin or o.rolname !~ '^rowhouse_'
