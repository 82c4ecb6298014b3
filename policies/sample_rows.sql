-- sample_rows: which of a landlord's rows are sample data.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update
--   delete                       own (app.delete_sample_rows)

alter table app.sample_rows enable row level security;
alter table app.sample_rows force row level security;

grant select on app.sample_rows to rowhouse_landlord;
grant insert (table_name, row_id) on app.sample_rows to rowhouse_landlord;
grant select, delete on app.sample_rows to rowhouse_remover;

create policy boundary_all_sample_rows on app.sample_rows as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_sample_rows on app.sample_rows for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_sample_rows on app.sample_rows for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_sample_rows on app.sample_rows for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_sample_rows on app.sample_rows for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.delete_sample_rows() to rowhouse_landlord;
set local role rowhouse_owner;
