-- +goose Up
-- Who changed what, written by a trigger in the change's own transaction. Nobody
-- has the right to change or delete a row of it.
--
-- Locks: creates a new table; each trigger waits for writers of its table.

create table app.audit_log (
    owner_user_id uuid not null references app.users (id),
    id            uuid not null default gen_random_uuid(),
    at            timestamptz not null default clock_timestamp(),
    actor_user_id uuid,
    actor_kind    text not null check (actor_kind in ('landlord', 'tenant', 'user', 'system')),
    request_id    text check (char_length(request_id) <= 64),
    action        text not null check (action in ('insert', 'update', 'delete')),
    table_name    text not null,
    row_id        uuid not null,
    before        jsonb,
    after         jsonb,

    primary key (owner_user_id, id)
);

create index audit_log_at_idx on app.audit_log (owner_user_id, at desc, id);
create index audit_log_row_idx on app.audit_log (owner_user_id, table_name, row_id, at desc);

alter table app.audit_log enable row level security;
alter table app.audit_log force row level security;

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['properties', 'units', 'tenants', 'tenancies', 'tenant_invites', 'contractors', 'tickets',
                             'ticket_comments', 'attachments'] loop
        execute format('create trigger record_change after insert or update or delete on app.%I
                        for each row execute function app.record_change()', t);
    end loop;
end
$$;
-- +goose StatementEnd
