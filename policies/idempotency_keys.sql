-- idempotency_keys: everybody's own, written with each keyed create and
-- forgotten after a day.
--
--            rowhouse_landlord   rowhouse_tenant     rowhouse_remover
--   select   own                 own                 own
--   insert   own                 own
--   update   own (the answer)    own (the answer)
--   delete                                           own (through app.forget_idempotency_keys)
--
-- The caller chooses the key; it is unique within their own keys only.

alter table app.idempotency_keys enable row level security;
alter table app.idempotency_keys force row level security;

grant select on app.idempotency_keys to rowhouse_landlord;
grant insert (key, operation, request_hash) on app.idempotency_keys to rowhouse_landlord;
grant update (answer) on app.idempotency_keys to rowhouse_landlord;
grant select on app.idempotency_keys to rowhouse_tenant;
grant insert (key, operation, request_hash) on app.idempotency_keys to rowhouse_tenant;
grant update (answer) on app.idempotency_keys to rowhouse_tenant;
grant select, delete on app.idempotency_keys to rowhouse_remover;

create policy boundary_all_idempotency_keys on app.idempotency_keys as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_idempotency_keys on app.idempotency_keys for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_idempotency_keys on app.idempotency_keys for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_idempotency_keys on app.idempotency_keys for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy tenant_select_idempotency_keys on app.idempotency_keys for select to rowhouse_tenant
    using (owner_user_id = (select app.current_user_id()));

create policy tenant_insert_idempotency_keys on app.idempotency_keys for insert to rowhouse_tenant
    with check (owner_user_id = (select app.current_user_id()));

create policy tenant_update_idempotency_keys on app.idempotency_keys for update to rowhouse_tenant
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_idempotency_keys on app.idempotency_keys for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_idempotency_keys on app.idempotency_keys for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.forget_idempotency_keys() to rowhouse_landlord, rowhouse_tenant;
set local role rowhouse_owner;
