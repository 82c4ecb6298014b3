-- users: everybody has their own row and nobody another's.
--
--            rowhouse_user      rowhouse_landlord   rowhouse_clerk            others
--   select   self               self                the caller (app.my_roles)
--   insert   self
--   update   self
--   delete
--
-- The id is a default, never a value that a caller could send. is_admin is nobody's
-- to write. What the provider says of somebody (email, provider_*) our server writes
-- as that somebody. signed_up_as is said once, when the profile is made, and opens
-- nothing: who says TENANT is not asked to set up a landlord's books.

alter table app.users enable row level security;
alter table app.users force row level security;

grant select on app.users to rowhouse_user, rowhouse_landlord;
grant insert (email, full_name, signed_up_as, provider_seen_at) on app.users to rowhouse_user;
grant update (email, full_name, company_name, phone, locale, country, time_zone, currency, onboarding_step, planned_units, require_aal2,
              provider_seen_at, provider_deleted_at)
    on app.users to rowhouse_user;
grant select (id, is_admin, email) on app.users to rowhouse_clerk;

create policy boundary_all_users on app.users as restrictive to public
    using (id = (select app.current_user_id()))
    with check (id = (select app.current_user_id()));

create policy user_select_users on app.users for select to rowhouse_user
    using (id = (select app.current_user_id()));

create policy landlord_select_users on app.users for select to rowhouse_landlord
    using (id = (select app.current_user_id()));

create policy user_insert_users on app.users for insert to rowhouse_user
    with check (id = (select app.current_user_id()));

create policy user_update_users on app.users for update to rowhouse_user
    using (id = (select app.current_user_id()))
    with check (id = (select app.current_user_id()));

create policy clerk_select_users on app.users for select to rowhouse_clerk
    using (id = (select app.current_user_id()));

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (id), delete on app.users to rowhouse_remover;

create policy remover_select_users on app.users for select to rowhouse_remover
    using (id = (select app.current_user_id()));

create policy remover_delete_users on app.users for delete to rowhouse_remover
    using (id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
