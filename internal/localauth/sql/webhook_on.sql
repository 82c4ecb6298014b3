-- A database webhook of Supabase is a trigger that queues a request in the
-- writer's transaction; a worker sends it after the commit.
create table if not exists auth.webhook_requests (
    id   bigserial primary key,
    body jsonb not null
);
alter table auth.webhook_requests enable row level security;

create or replace function auth.queue_webhook() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into auth.webhook_requests (body)
    values (jsonb_build_object(
        'type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
        'record', case when tg_op = 'DELETE' then null else to_jsonb(new) end,
        'old_record', case when tg_op = 'INSERT' then null else to_jsonb(old) end));
    notify auth_webhook_requests;
    return null;
end
$$;
revoke execute on function auth.queue_webhook() from public;

create or replace trigger queue_webhook
    after insert or update or delete on auth.users
    for each row execute function auth.queue_webhook();

listen auth_webhook_requests;
