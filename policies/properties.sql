-- properties: a landlord has their own; a tenant sees the address of home.
--
--            rowhouse_landlord   rowhouse_tenant                     rowhouse_remover
--   select   own                 those that their units stand in     own
--   insert   own
--   update   own
--   delete                                                           own (through app.delete_property)
--
-- rowhouse_support reads those of the landlord who lets it see properties.

alter table app.properties enable row level security;
alter table app.properties force row level security;

grant select on app.properties to rowhouse_landlord, rowhouse_support;
grant insert (name, kind, address1, address2, city, state, postal_code, country, latitude, longitude,
              external_ref, archived_at) on app.properties to rowhouse_landlord;
grant update (name, kind, address1, address2, city, state, postal_code, country, latitude, longitude,
              external_ref, archived_at) on app.properties to rowhouse_landlord;
grant select, delete on app.properties to rowhouse_remover;
grant select (owner_user_id, id, name, address1, address2, city, state, postal_code, country)
    on app.properties to rowhouse_tenant;
grant select (owner_user_id, id) on app.properties to rowhouse_clerk;

create policy boundary_all_properties on app.properties as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or id = any ((select app.my_property_ids())::uuid[])
        or owner_user_id = (select app.supported_landlord_id('{properties}')))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_properties on app.properties for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_properties on app.properties for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_properties on app.properties for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_properties on app.properties for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_properties on app.properties for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_properties on app.properties for select to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and id = any ((select app.my_property_ids())::uuid[]));

-- the caller's own (app.my_roles)
create policy clerk_select_properties on app.properties for select to rowhouse_clerk
    using (owner_user_id = (select app.current_user_id()));

create policy support_select_properties on app.properties for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{properties}')));

set local role rowhouse_remover;
grant execute on function app.delete_property(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
