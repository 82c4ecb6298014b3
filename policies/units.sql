-- units: a landlord has their own.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update   own
--   delete                       own (through app.delete_unit)

alter table app.units enable row level security;
alter table app.units force row level security;

grant select on app.units to rowhouse_landlord;
grant insert (property_id, name, kind, status, address1, address2, city, state, postal_code, country,
              bedrooms, bathrooms, area_m2, external_ref, archived_at) on app.units to rowhouse_landlord;
grant update (property_id, name, kind, status, address1, address2, city, state, postal_code, country,
              bedrooms, bathrooms, area_m2, external_ref, archived_at) on app.units to rowhouse_landlord;
grant select, delete on app.units to rowhouse_remover;

create policy boundary_all_units on app.units as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_units on app.units for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_units on app.units for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_units on app.units for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_units on app.units for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_units on app.units for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.delete_unit(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
