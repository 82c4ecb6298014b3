-- exports: everything of a landlord's in zips. Where one may go from where it is says
-- app.guard_export.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update   own
--   delete                       own (app.delete_export)

alter table app.exports enable row level security;
alter table app.exports force row level security;

grant select on app.exports to rowhouse_landlord;
grant insert (note, with_files) on app.exports to rowhouse_landlord;
grant update (state, part_bytes, exported_through, rows_exported, finished_at, expires_at, claimed_until) on app.exports to rowhouse_landlord;
grant select, delete on app.exports to rowhouse_remover;

create policy boundary_all_exports on app.exports as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_exports on app.exports for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_exports on app.exports for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_exports on app.exports for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_exports on app.exports for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_exports on app.exports for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.delete_export(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
