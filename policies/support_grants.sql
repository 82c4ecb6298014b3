-- support_grants: which areas of their books a landlord lets support read, why, and
-- until when. What is granted is never changed but taken back, at once and for good.
--
--            rowhouse_landlord   rowhouse_support        rowhouse_clerk
--   select   own                 live, for operators     live, for operators
--   insert   own
--   update   take back
--   delete

alter table app.support_grants enable row level security;
alter table app.support_grants force row level security;

grant select on app.support_grants to rowhouse_landlord;
grant insert (areas, reason, landlord_name, expires_at) on app.support_grants to rowhouse_landlord;
grant update (revoked_at) on app.support_grants to rowhouse_landlord;
grant select (owner_user_id, id, areas, reason, landlord_name, expires_at, created_at) on app.support_grants to rowhouse_support;
grant select (owner_user_id, id, areas, expires_at, revoked_at) on app.support_grants to rowhouse_clerk;

create policy boundary_all_support_grants on app.support_grants as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or (revoked_at is null and expires_at > now() and (select app.is_operator())))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_support_grants on app.support_grants for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_support_grants on app.support_grants for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_support_grants on app.support_grants for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()) and revoked_at is null)
    with check (owner_user_id = (select app.current_user_id()) and revoked_at is not null);

create policy support_select_support_grants on app.support_grants for select to rowhouse_support
    using (revoked_at is null and expires_at > now() and (select app.is_operator()));

-- for app.supported_landlord_id and app.record_support_access
create policy clerk_select_support_grants on app.support_grants for select to rowhouse_clerk
    using (revoked_at is null and expires_at > now() and (select app.is_operator()));

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id, id), delete on app.support_grants to rowhouse_remover;

create policy remover_select_support_grants on app.support_grants for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_support_grants on app.support_grants for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
