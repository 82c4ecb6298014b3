-- import_rows: the rows of the spreadsheets in import_batches.
--
--            rowhouse_landlord            rowhouse_remover
--   select   own                          own
--   insert   own
--   update   own (not which row it is)
--   delete                                own (app.delete_import, app.forget_import_rows)

alter table app.import_rows enable row level security;
alter table app.import_rows force row level security;

grant select on app.import_rows to rowhouse_landlord;
grant insert (batch_id, n, line, cells, fields, same_as, action, code, field, message) on app.import_rows to rowhouse_landlord;
grant update (cells, fields, same_as, action, code, field, message, unit_id, tenant_id, invite_id, changes, done_at, undone) on app.import_rows to rowhouse_landlord;
grant select, delete on app.import_rows to rowhouse_remover;

create policy boundary_all_import_rows on app.import_rows as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_import_rows on app.import_rows for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_import_rows on app.import_rows for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_import_rows on app.import_rows for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_import_rows on app.import_rows for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_import_rows on app.import_rows for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));
