-- tickets: a landlord has those of their units; a person has those that they
-- reported. Matched by tenant, never by unit: the next tenant of a unit must not
-- read what the last one reported.
--
--            rowhouse_landlord   rowhouse_tenant                       rowhouse_remover
--   select   own                 their own, without costs              own
--   insert   own                 about a unit they live in today
--   update   own                 cancel what is NEW, reopen RESOLVED
--   delete                                                             own (app.delete_ticket)
--
-- rowhouse_support reads those of the landlord who lets it see tickets.

alter table app.tickets enable row level security;
alter table app.tickets force row level security;

grant select on app.tickets to rowhouse_landlord, rowhouse_support;
grant insert (unit_id, tenant_id, source, title, description, category, priority, status, contractor_id, due_at, entry_permission,
              entry_notes, scheduled_at, cost_minor, currency) on app.tickets to rowhouse_landlord;
grant update (unit_id, title, description, category, priority, status, status_reason, contractor_id, due_at, entry_permission,
              entry_notes, scheduled_at, cost_minor, currency, archived_at) on app.tickets to rowhouse_landlord;
grant select, delete on app.tickets to rowhouse_remover;
grant select (id, owner_user_id, number, unit_id, tenant_id, title, description, category, priority, status, due_at,
              entry_permission, entry_notes, scheduled_at, resolved_at, closed_at, version, created_at, updated_at)
    on app.tickets to rowhouse_tenant;
grant insert (unit_id, tenant_id, title, description, category, entry_permission, entry_notes) on app.tickets to rowhouse_tenant;
grant update (status) on app.tickets to rowhouse_tenant;

create policy boundary_all_tickets on app.tickets as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[])
        or owner_user_id = (select app.supported_landlord_id('{tickets}')))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy landlord_select_tickets on app.tickets for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_tickets on app.tickets for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_tickets on app.tickets for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_tickets on app.tickets for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_tickets on app.tickets for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_tickets on app.tickets for select to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[])
           and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy tenant_insert_tickets on app.tickets for insert to rowhouse_tenant
    with check (status = 'NEW' and tenant_id = any ((select app.my_tenant_ids())::uuid[])
                and exists (select from app.tenancies y
                             where y.owner_user_id = tickets.owner_user_id and y.unit_id = tickets.unit_id
                               and y.tenant_id = tickets.tenant_id and y.cancelled_at is null
                               and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date)));

create policy tenant_update_tickets on app.tickets for update to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[])
           and tenant_id = any ((select app.my_tenant_ids())::uuid[]))
    with check (tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy support_select_tickets on app.tickets for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{tickets}')));

set local role rowhouse_remover;
grant execute on function app.delete_ticket(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
