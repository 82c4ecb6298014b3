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

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id), delete on app.ticket_counters to rowhouse_remover;

create policy remover_select_ticket_counters on app.ticket_counters for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_ticket_counters on app.ticket_counters for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
