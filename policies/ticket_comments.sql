-- ticket_comments: a landlord has those of their tickets; a person has the shared
-- ones of their own tickets.
--
--            rowhouse_landlord     rowhouse_tenant             rowhouse_remover
--   select   own                   shared, of their tickets    own
--   insert   own                   shared, to their tickets
--   update   own, as the author
--   delete                                                     own (app.delete_comment)
--
-- rowhouse_support reads the shared ones of the landlord who lets it see tickets.

alter table app.ticket_comments enable row level security;
alter table app.ticket_comments force row level security;

grant select on app.ticket_comments to rowhouse_landlord, rowhouse_support;
grant insert (ticket_id, kind, body) on app.ticket_comments to rowhouse_landlord;
grant update (body) on app.ticket_comments to rowhouse_landlord;
grant select, delete on app.ticket_comments to rowhouse_remover;
grant select (id, owner_user_id, ticket_id, kind, author, body, edited_at, created_by, version, created_at, updated_at)
    on app.ticket_comments to rowhouse_tenant;
grant insert (ticket_id, body) on app.ticket_comments to rowhouse_tenant;

create policy boundary_all_ticket_comments on app.ticket_comments as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or kind = 'shared' and tenant_id = any ((select app.my_tenant_ids())::uuid[])
        or (kind = 'shared' and owner_user_id = (select app.supported_landlord_id('{tickets}'))))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or kind = 'shared' and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy landlord_select_ticket_comments on app.ticket_comments for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_ticket_comments on app.ticket_comments for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_ticket_comments on app.ticket_comments for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()) and created_by = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()) and created_by = (select app.current_user_id()));

create policy remover_select_ticket_comments on app.ticket_comments for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_ticket_comments on app.ticket_comments for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_ticket_comments on app.ticket_comments for select to rowhouse_tenant
    using (kind = 'shared' and owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy tenant_insert_ticket_comments on app.ticket_comments for insert to rowhouse_tenant
    with check (kind = 'shared' and author = 'tenant' and owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy support_select_ticket_comments on app.ticket_comments for select to rowhouse_support
    using (kind = 'shared' and owner_user_id = (select app.supported_landlord_id('{tickets}')));

set local role rowhouse_remover;
grant execute on function app.delete_comment(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
