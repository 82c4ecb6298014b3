-- attachments: a landlord has those of their tickets; a person has the shared ones
-- of their own tickets. An id is chosen by the server, because the file's place
-- holds it; a key that exists is refused within one owner only.
--
--            rowhouse_landlord   rowhouse_tenant             rowhouse_remover
--   select   own                 shared, of their tickets    own
--   insert   own                 shared, to their tickets
--   update
--   delete                                                   own (app.delete_attachment)

alter table app.attachments enable row level security;
alter table app.attachments force row level security;

grant select on app.attachments to rowhouse_landlord;
grant insert (id, ticket_id, storage_key, file_name, media_type, size_bytes, sha256, visibility) on app.attachments to rowhouse_landlord;
grant select, delete on app.attachments to rowhouse_remover;
grant select on app.attachments to rowhouse_tenant;
grant insert (ticket_id, storage_key, file_name, media_type, size_bytes, sha256) on app.attachments to rowhouse_tenant;

create policy boundary_all_attachments on app.attachments as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or visibility = 'shared' and tenant_id = any ((select app.my_tenant_ids())::uuid[]))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or visibility = 'shared' and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy landlord_select_attachments on app.attachments for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_attachments on app.attachments for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_attachments on app.attachments for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_attachments on app.attachments for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_select_attachments on app.attachments for select to rowhouse_tenant
    using (visibility = 'shared' and owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

create policy tenant_insert_attachments on app.attachments for insert to rowhouse_tenant
    with check (visibility = 'shared' and owner_user_id = any ((select app.my_landlord_ids())::uuid[]) and tenant_id = any ((select app.my_tenant_ids())::uuid[]));

set local role rowhouse_remover;
grant execute on function app.delete_attachment(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
