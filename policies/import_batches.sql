-- import_batches: the spreadsheets that a landlord sent, how they are to be read, and
-- what came of them. What a file is does not change.
--
--            rowhouse_landlord            rowhouse_remover
--   select   own                          own
--   insert   own
--   update   own (not the file)
--   delete                                own (app.delete_import)

alter table app.import_batches enable row level security;
alter table app.import_batches force row level security;

grant select on app.import_batches to rowhouse_landlord;
grant insert (kind, file_name, file_sha256, encoding, delimiter, header, mapping, on_existing, unknown_units, send_invites, row_count) on app.import_batches to rowhouse_landlord;
grant update (mapping, on_existing, unknown_units, send_invites, state, created, updated, unchanged, skipped, failed, invited, warned, done, kept,
              job_id, cancel_asked_at, started_at, finished_at, undone_at, rows_purged_at) on app.import_batches to rowhouse_landlord;
grant select, delete on app.import_batches to rowhouse_remover;

create policy boundary_all_import_batches on app.import_batches as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_import_batches on app.import_batches for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_import_batches on app.import_batches for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_import_batches on app.import_batches for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_import_batches on app.import_batches for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_import_batches on app.import_batches for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.delete_import(uuid), app.forget_import_rows(uuid), app.delete_imported(uuid[], uuid[], uuid[], uuid[]) to rowhouse_landlord;
set local role rowhouse_owner;
