-- ticket_counters: how far each landlord's tickets are counted. Read and written by
-- app.number_ticket alone, for whoever opens a ticket, tenants included.

alter table app.ticket_counters enable row level security;
alter table app.ticket_counters force row level security;

grant select, insert, update on app.ticket_counters to rowhouse_clerk;

create policy boundary_all_ticket_counters on app.ticket_counters as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or current_user = 'rowhouse_clerk')
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or current_user = 'rowhouse_clerk');

create policy clerk_all_ticket_counters on app.ticket_counters to rowhouse_clerk
    using (true) with check (true);
