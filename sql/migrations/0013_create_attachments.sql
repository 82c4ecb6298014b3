-- +goose Up
-- A file that belongs to a ticket. The bytes lie in a store under storage_key,
-- which begins with the owner; a row that one can read is what opens them, so no
-- row may name another landlord's place.
--
-- Locks: creates new objects only.

create table app.attachments (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    ticket_id     uuid not null,
    tenant_id     uuid, -- the ticket's, set by a trigger
    storage_key   text not null check (char_length(storage_key) between 1 and 200),
    file_name     text not null check (char_length(file_name) between 1 and 200),
    media_type    text not null check (media_type in ('image/jpeg', 'image/png', 'image/webp', 'image/heic', 'application/pdf')),
    size_bytes    bigint not null check (size_bytes between 1 and 26214400),
    sha256        bytea not null check (octet_length(sha256) = 32),
    visibility    text not null default 'shared' check (visibility in ('shared', 'internal')),
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint attachments_place_check
        check (starts_with(storage_key, owner_user_id::text || '/') and strpos(storage_key, '..') = 0),
    constraint attachments_ticket_fkey foreign key (owner_user_id, ticket_id)
        references app.tickets (owner_user_id, id) on delete cascade
);

create unique index attachments_storage_key on app.attachments (owner_user_id, storage_key);
create index attachments_ticket_idx on app.attachments (owner_user_id, ticket_id, created_at, id);

alter table app.attachments enable row level security;
alter table app.attachments force row level security;

create trigger guard_attachment before insert on app.attachments
    for each row execute function app.guard_attachment();
