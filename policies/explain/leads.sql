-- The column that each index of ours begins with, and whether it says whose a row
-- is: the owner, a user, or a reference to one.
select c.relname::text as index, pg_get_indexdef(i.indexrelid, 1, true) as first,
       i.indkey[0] in (
           select k from pg_constraint f cross join unnest(f.conkey) k
            where f.conrelid = i.indrelid and f.contype = 'f' and f.confrelid = 'app.users'::regclass and cardinality(f.conkey) = 1)
       or i.indrelid = 'app.users'::regclass and i.indisprimary as whose
  from pg_index i join pg_class c on c.oid = i.indexrelid
 where c.relnamespace = 'app'::regnamespace;
