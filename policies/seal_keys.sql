-- seal_keys: read by app.current_user_id, which runs as rowhouse_owner, and
-- written by `rowhouse migrate`. No persona and no login has any right here.

alter table app_private.seal_keys enable row level security;
alter table app_private.seal_keys force row level security;

create policy owner_all_seal_keys on app_private.seal_keys to rowhouse_owner
    using (true) with check (true);
