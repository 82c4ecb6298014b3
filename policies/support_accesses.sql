-- support_accesses: each request of a support agent, for the landlord to read. No row
-- of the landlord's opens to the agent before their request is committed here, so what
-- was read can't be hidden by rolling back.
--
--            rowhouse_landlord   rowhouse_support                rowhouse_clerk
--   select   own                 what they did themselves        what the caller did
--   insert                       under a grant that is live
--   update
--   delete

alter table app.support_accesses enable row level security;
alter table app.support_accesses force row level security;

grant select on app.support_accesses to rowhouse_landlord;
grant select (owner_user_id, id, grant_id, operation, at) on app.support_accesses to rowhouse_support;
grant insert (grant_id, operation) on app.support_accesses to rowhouse_support;
grant select (owner_user_id, id, grant_id, agent_user_id, at, transaction_id) on app.support_accesses to rowhouse_clerk;

create policy boundary_all_support_accesses on app.support_accesses as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or agent_user_id = (select app.current_user_id()))
    with check (agent_user_id = (select app.current_user_id()));

create policy landlord_select_support_accesses on app.support_accesses for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy support_select_support_accesses on app.support_accesses for select to rowhouse_support
    using (agent_user_id = (select app.current_user_id()));

create policy support_insert_support_accesses on app.support_accesses for insert to rowhouse_support
    with check (agent_user_id = (select app.current_user_id())
                and exists (select from app.support_grants g
                             where g.owner_user_id = support_accesses.owner_user_id and g.id = support_accesses.grant_id));

-- for app.supported_landlord_id
create policy clerk_select_support_accesses on app.support_accesses for select to rowhouse_clerk
    using (agent_user_id = (select app.current_user_id()));

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id, id), delete on app.support_accesses to rowhouse_remover;

create policy remover_select_support_accesses on app.support_accesses for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_support_accesses on app.support_accesses for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
