-- tenants: a landlord has the people they let to; a person has the entries about
-- themselves, with every landlord, but not the notes; whoever has just claimed an
-- invite becomes its tenant's login.
--
--            rowhouse_landlord   rowhouse_tenant        rowhouse_user            rowhouse_remover
--   select   own                 about themselves       the one they claimed     own
--   insert   own
--   update   own                                        its login, once
--   delete                                                                       own (app.delete_tenant)
--
-- user_id is nobody's to write but through a claim: with it go a person's home and
-- tickets.
--
-- rowhouse_support reads those of the landlord who lets it see tenants.

alter table app.tenants enable row level security;
alter table app.tenants force row level security;

grant select on app.tenants to rowhouse_landlord, rowhouse_support;
grant insert (first_name, last_name, email, phone, unit_id, notes, external_ref, archived_at) on app.tenants to rowhouse_landlord;
grant update (first_name, last_name, email, phone, unit_id, notes, external_ref, archived_at) on app.tenants to rowhouse_landlord;
grant select, delete on app.tenants to rowhouse_remover;
grant select (id, owner_user_id, user_id, first_name, last_name, email, phone, unit_id) on app.tenants to rowhouse_tenant;
grant select (id, owner_user_id, user_id) on app.tenants to rowhouse_user;
grant update (user_id) on app.tenants to rowhouse_user;
grant select (id, owner_user_id, user_id) on app.tenants to rowhouse_clerk;

create policy boundary_all_tenants on app.tenants as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or user_id = (select app.current_user_id())
        or id = (select app.claimed_tenant_id())
        or owner_user_id = (select app.supported_landlord_id('{tenants}')))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or user_id = (select app.current_user_id())
        or id = (select app.claimed_tenant_id()));

create policy landlord_select_tenants on app.tenants for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_tenants on app.tenants for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_tenants on app.tenants for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_tenants on app.tenants for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_tenants on app.tenants for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_tenants on app.tenants for select to rowhouse_tenant
    using (user_id = (select app.current_user_id()));

create policy user_select_tenants on app.tenants for select to rowhouse_user
    using (id = (select app.claimed_tenant_id()));

create policy user_update_tenants on app.tenants for update to rowhouse_user
    using (user_id is null
           and id = (select app.claimed_tenant_id()))
    with check (user_id = (select app.current_user_id()));

-- the caller's as tenant (app.my_tenant_ids …) and as landlord (app.my_roles)
create policy clerk_select_tenants on app.tenants for select to rowhouse_clerk
    using (user_id = (select app.current_user_id()) or owner_user_id = (select app.current_user_id()));

create policy support_select_tenants on app.tenants for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{tenants}')));

set local role rowhouse_remover;
grant execute on function app.delete_tenant(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
