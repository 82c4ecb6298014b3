-- +goose Up
-- What a landlord's create answered, under the Idempotency-Key that came with
-- it, for a day. Written in the create's own transaction: a key without its row,
-- or a row without its key, cannot exist.
--
-- Locks: creates new objects only.

create table app.idempotency_keys (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    key           text not null check (char_length(key) between 1 and 200),
    operation     text not null check (char_length(operation) between 1 and 100),
    request_hash  bytea not null check (octet_length(request_hash) = 32), -- SHA-256 of the body
    answer        text, -- JSON; null only inside the transaction that makes it
    created_at    timestamptz not null default now(),

    primary key (owner_user_id, key)
);

-- For forgetting those past their day.
create index idempotency_keys_created_idx on app.idempotency_keys (owner_user_id, created_at);

alter table app.idempotency_keys enable row level security;
alter table app.idempotency_keys force row level security;
