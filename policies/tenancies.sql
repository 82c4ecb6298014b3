-- tenancies: a landlord has their own; a person has those of the tenants they are.
--
--            rowhouse_landlord   rowhouse_tenant    rowhouse_remover
--   select   own                 their own          own
--   insert   own
--   update   own (not who and where)
--   delete                                          own (app.delete_tenancy)
--
-- rowhouse_support reads those of the landlord who lets it see tenants.

alter table app.tenancies enable row level security;
alter table app.tenancies force row level security;

grant select on app.tenancies to rowhouse_landlord, rowhouse_support;
grant insert (unit_id, tenant_id, start_date, end_date, is_primary, notice_given_on, move_out_reason) on app.tenancies to rowhouse_landlord;
grant update (start_date, end_date, is_primary, notice_given_on, move_out_reason, cancelled_at) on app.tenancies to rowhouse_landlord;
grant select, delete on app.tenancies to rowhouse_remover;
grant select (id, owner_user_id, unit_id, tenant_id, start_date, end_date, is_primary, notice_given_on, cancelled_at)
    on app.tenancies to rowhouse_tenant;
grant select (unit_id, tenant_id, cancelled_at, owner_user_id) on app.tenancies to rowhouse_clerk;

create policy boundary_all_tenancies on app.tenancies as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[])
        or owner_user_id = (select app.supported_landlord_id('{tenants}')))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy landlord_select_tenancies on app.tenancies for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_tenancies on app.tenancies for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_tenancies on app.tenancies for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_tenancies on app.tenancies for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_tenancies on app.tenancies for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_tenancies on app.tenancies for select to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[])
           and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy clerk_select_tenancies on app.tenancies for select to rowhouse_clerk
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[])
           and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy support_select_tenancies on app.tenancies for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{tenants}')));

set local role rowhouse_remover;
grant execute on function app.delete_tenancy(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
