-- landlord_cards: what tenants may know of their landlord. Written by a trigger on
-- users alone.
--
--            rowhouse_landlord   rowhouse_tenant          rowhouse_clerk
--   select   own                 of their own landlords
--   insert                                                any
--   update                                                any

alter table app.landlord_cards enable row level security;
alter table app.landlord_cards force row level security;

grant select on app.landlord_cards to rowhouse_landlord;
grant select, insert, update on app.landlord_cards to rowhouse_clerk;
grant select on app.landlord_cards to rowhouse_tenant;

create policy boundary_all_landlord_cards on app.landlord_cards as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or owner_user_id = any ((select app.my_landlord_ids())::uuid[])
        or current_user = 'rowhouse_clerk')
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or owner_user_id = any ((select app.my_landlord_ids())::uuid[])
        or current_user = 'rowhouse_clerk');

create policy landlord_select_landlord_cards on app.landlord_cards for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_landlord_cards on app.landlord_cards for select to rowhouse_tenant
    using (owner_user_id = any ((select app.my_landlord_ids())::uuid[]));

create policy clerk_all_landlord_cards on app.landlord_cards to rowhouse_clerk
    using (true) with check (true);

-- for a landlord who leaves, and whose removal has begun (app.remove_account_rows, app.remove_profile)
grant select (owner_user_id), delete on app.landlord_cards to rowhouse_remover;

create policy remover_select_landlord_cards on app.landlord_cards for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_landlord_cards on app.landlord_cards for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id())
           and exists (select from app.account_deletions d
                        where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING'));
