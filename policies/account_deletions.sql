-- account_deletions: a landlord's own leaving. Where it may go from where it is says
-- app.guard_account_deletion.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update   own
--   delete

alter table app.account_deletions enable row level security;
alter table app.account_deletions force row level security;

grant select on app.account_deletions to rowhouse_landlord;
grant insert (remove_after) on app.account_deletions to rowhouse_landlord;
grant update (state, export_keys, exported_through, rows_exported, rows_removed, files_removed, profile_kept, exported_at, ended_at,
              claimed_until) on app.account_deletions to rowhouse_landlord;
grant select (owner_user_id, id, state) on app.account_deletions to rowhouse_remover;

create policy boundary_all_account_deletions on app.account_deletions as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_account_deletions on app.account_deletions for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_account_deletions on app.account_deletions for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_account_deletions on app.account_deletions for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_account_deletions on app.account_deletions for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.remove_account_rows(integer), app.remove_profile() to rowhouse_landlord;
set local role rowhouse_owner;
