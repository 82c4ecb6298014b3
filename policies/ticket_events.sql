-- ticket_events: what happened to a ticket, written by app.record_ticket_event and
-- changed by nobody.
--
--            rowhouse_landlord   rowhouse_tenant                  rowhouse_clerk
--   select   own                 of their tickets, status only
--   insert                                                        any
--
-- rowhouse_support reads those of the landlord who lets it see tickets.

alter table app.ticket_events enable row level security;
alter table app.ticket_events force row level security;

grant select on app.ticket_events to rowhouse_landlord, rowhouse_support;
grant select (id, owner_user_id, ticket_id, type, from_value, to_value, actor_kind, created_at) on app.ticket_events
    to rowhouse_tenant;
grant insert on app.ticket_events to rowhouse_clerk;

create policy boundary_all_ticket_events on app.ticket_events as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[])
        or current_user = 'rowhouse_clerk'
        or owner_user_id = (select app.supported_landlord_id('{tickets}')))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or tenant_id = any ((select app.my_tenant_ids())::uuid[])
        or current_user = 'rowhouse_clerk');

create policy landlord_select_ticket_events on app.ticket_events for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy clerk_insert_ticket_events on app.ticket_events for insert to rowhouse_clerk
    with check (true);

create policy tenant_select_ticket_events on app.ticket_events for select to rowhouse_tenant
    using (type in ('created', 'status') and owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy support_select_ticket_events on app.ticket_events for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{tickets}')));

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id, id), delete on app.ticket_events to rowhouse_remover;

create policy remover_select_ticket_events on app.ticket_events for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_ticket_events on app.ticket_events for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
