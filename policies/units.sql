-- units: a landlord has their own; a tenant sees the address of home.
--
--            rowhouse_landlord   rowhouse_tenant                     rowhouse_remover
--   select   own                 where they live, did or will        own
--   insert   own
--   update   own
--   delete                                                           own (through app.delete_unit)
--
-- rowhouse_support reads those of the landlord who lets it see properties or tickets.

alter table app.units enable row level security;
alter table app.units force row level security;

grant select on app.units to rowhouse_landlord, rowhouse_support;
grant insert (property_id, name, kind, status, address1, address2, city, state, postal_code, country,
              bedrooms, bathrooms, area_m2, external_ref, archived_at) on app.units to rowhouse_landlord;
grant update (property_id, name, kind, status, address1, address2, city, state, postal_code, country,
              bedrooms, bathrooms, area_m2, external_ref, archived_at) on app.units to rowhouse_landlord;
grant select, delete on app.units to rowhouse_remover;
grant select (owner_user_id, id, property_id, name, kind, address1, address2, city, state, postal_code, country)
    on app.units to rowhouse_tenant;
grant select (owner_user_id, id, property_id) on app.units to rowhouse_clerk;

create policy boundary_all_units on app.units as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or id = any ((select app.my_unit_ids())::uuid[])
        or owner_user_id = (select app.supported_landlord_id('{properties,tickets}')))
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

create policy tenant_select_units on app.units for select to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and id = any ((select app.my_unit_ids())::uuid[]));

-- where the caller lives (app.my_property_ids), and their own (app.my_roles)
create policy clerk_select_units on app.units for select to rowhouse_clerk
    using (owner_user_id = (select app.current_user_id())
           or owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and id = any ((select app.my_unit_ids())::uuid[]));

create policy support_select_units on app.units for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{properties,tickets}')));

set local role rowhouse_remover;
grant execute on function app.delete_unit(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
