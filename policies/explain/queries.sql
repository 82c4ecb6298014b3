-- What is asked of the books: for each table and each role that may read it, the
-- first page in the order of its main index, one row by its id, and how many there are.
--
--   sql      the query; $1 is an id
--   sample   a query for such an id, or null
--   scoped   a policy keeps rows from the role
--   the rest   who asks
--
-- The main index is the one with a time after the owner, otherwise one that no key
-- needs, the longest and first, among those whose columns the role may read.
with
readers as (
    select c.oid as relation, r.oid as role, r.rolname::text as name,
           (select string_agg(quote_ident(t.attname), ', ' order by t.attnum) from pg_attribute t
             where t.attrelid = c.oid and t.attnum > 0 and not t.attisdropped
               and has_column_privilege(r.oid, c.oid, t.attnum, 'SELECT')) as columns
      from pg_class c
      join pg_roles r on r.rolname like 'rowhouse\_%' and r.oid <> c.relowner
                     and has_any_column_privilege(r.oid, c.oid, 'SELECT')
     where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p')
),
indexes as (
    select i.indexrelid as oid, i.indrelid as relation, i.indisprimary, i.indisunique, i.indnkeyatts, i.indkey, i.indoption,
           array(select d.refobjsubid from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.refobjid = i.indrelid
                    and d.refobjsubid > 0
                 union select k from unnest(i.indkey::int2[]) k where k > 0) as attnums
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam and a.amname = 'btree'
     where i.indisvalid and i.indpred is null
),
main as (
    select distinct on (r.relation, r.role) r.relation, r.role,
           (select string_agg(pg_get_indexdef(i.oid, k, true) || case when i.indoption[k - 1] & 1 = 1 then ' desc' else '' end, ', ' order by k)
              from generate_series(1, i.indnkeyatts) k
             where k > 1 or i.indnkeyatts = 1) as keys
      from readers r
      join indexes i on i.relation = r.relation
     where not exists (select from unnest(i.attnums) a where not has_column_privilege(r.role, r.relation, a::int2, 'SELECT'))
     order by r.relation, r.role,
              exists (select from pg_attribute t where t.attrelid = i.relation and t.attnum = i.indkey[1] and t.atttypid in ('timestamptz'::regtype, 'date'::regtype)) desc,
              i.indisprimary, i.indisunique, i.indnkeyatts desc, i.oid
),
identifiers as (
    select r.relation, r.role, t.attname as name, format_type(t.atttypid, null) as type
      from readers r
      join indexes i on i.relation = r.relation and i.indisprimary
      join pg_attribute t on t.attrelid = r.relation and t.attnum = i.indkey[i.indnkeyatts - 1]
     where has_column_privilege(r.role, r.relation, t.attnum, 'SELECT')
),
questions as (
    select r.*, 1 as step, 'page' as question, null as sample,
           format('select %s from %s%s limit 50', r.columns, r.relation::regclass, ' order by ' || m.keys) as sql
      from readers r left join main m using (relation, role)
    union all
    select r.*, 2, 'one', format('select %I::text from %s limit 1', i.name, r.relation::regclass),
           format('select %s from %s where %I = $1::%s', r.columns, r.relation::regclass, i.name, i.type)
      from readers r join identifiers i using (relation, role)
    union all
    select r.*, 3, 'count', null, format('select count(*) from %s', r.relation::regclass)
      from readers r
)
select q.relation::regclass::text as "table", q.name as persona, q.question, q.sql, q.sample,
       not exists (select from pg_policy p
                    where p.polrelid = q.relation and p.polpermissive and p.polcmd in ('r', '*')
                      and (q.role = any (p.polroles) or 0 = any (p.polroles))
                      and pg_get_expr(p.polqual, p.polrelid) = 'true') as scoped,
       c.user_id, c.invite_hash, c.email, c.support_access
  from questions q
  left join explain.callers own on own.role = q.name
  join explain.callers c on c.role = coalesce(own.role, 'rowhouse_landlord')
 where ($1 = '' or q.relation::regclass::text in ($1, 'app.' || $1))
   and ($2 = '' or q.name in ($2, 'rowhouse_' || $2))
 order by 1, 2, q.step;
