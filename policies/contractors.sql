-- contractors: a landlord's own book.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update   own
--   delete                       own (app.delete_contractor)
--
-- rowhouse_support reads those of the landlord who lets it see contractors.

alter table app.contractors enable row level security;
alter table app.contractors force row level security;

grant select on app.contractors to rowhouse_landlord, rowhouse_support;
grant insert (name, trade, phone, email, website, address1, address2, city, state, postal_code, country, rating, license_no,
              insured_until, notes, source, external_place_id, archived_at) on app.contractors to rowhouse_landlord;
grant update (name, trade, phone, email, website, address1, address2, city, state, postal_code, country, rating, license_no,
              insured_until, notes, archived_at) on app.contractors to rowhouse_landlord;
grant select, delete on app.contractors to rowhouse_remover;

create policy boundary_all_contractors on app.contractors as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or owner_user_id = (select app.supported_landlord_id('{contractors}')))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_contractors on app.contractors for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_contractors on app.contractors for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_contractors on app.contractors for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_contractors on app.contractors for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_contractors on app.contractors for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy support_select_contractors on app.contractors for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{contractors}')));

set local role rowhouse_remover;
grant execute on function app.delete_contractor(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
