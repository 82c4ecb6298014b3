-- audit_log: who changed what, written by app.record_changes and changed by nobody. It goes
-- with the landlord who leaves.
--
--            rowhouse_landlord   rowhouse_clerk
--   select   own
--   insert                       any

alter table app.audit_log enable row level security;
alter table app.audit_log force row level security;

grant select on app.audit_log to rowhouse_landlord;
grant insert on app.audit_log to rowhouse_clerk;

-- the clerk writes and never reads: a second way to see rows would have Postgres
-- expect few of them, and sort a landlord's whole trail for each page
create policy boundary_all_audit_log on app.audit_log as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or current_user = 'rowhouse_clerk');

create policy landlord_select_audit_log on app.audit_log for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy clerk_insert_audit_log on app.audit_log for insert to rowhouse_clerk
    with check (true);

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id, id), delete on app.audit_log to rowhouse_remover;

create policy remover_select_audit_log on app.audit_log for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_audit_log on app.audit_log for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
