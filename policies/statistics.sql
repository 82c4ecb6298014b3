-- Postgres gathers no statistics about the values in landlords' rows, of no
-- column and no indexed expression. The planner would tell them to everybody who
-- can run EXPLAIN, without any identity: its estimates come from all rows.
-- Plans do without, because they begin with the owner.
do $$
declare
    item record;
begin
    for item in
        select c.oid::regclass as relation, c.relkind, a.attname, a.attnum
          from pg_attribute a
          join pg_class c on c.oid = a.attrelid
          left join pg_index i on i.indexrelid = c.oid
         where c.relnamespace = 'app'::regnamespace and a.attnum > 0 and not a.attisdropped
           and coalesce(a.attstattarget, -1) <> 0 -- unset is -1 up to PostgreSQL 16 and null from 17 on
           and (c.relkind in ('r', 'p') or (c.relkind = 'i' and i.indkey[a.attnum - 1] = 0))
    loop
        if item.relkind = 'i' then
            execute format('alter index %s alter column %s set statistics 0', item.relation, item.attnum);
        else
            execute format('alter table %s alter column %I set statistics 0', item.relation, item.attname);
        end if;
    end loop;
end
$$;
