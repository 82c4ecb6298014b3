-- +goose Up
-- The keys that prove an identity came from our server; see
-- app.current_user_id. Kept as the two padded keys of HMAC (RFC 2104), so that
-- core sha256() is enough to check one.
--
-- Locks: creates new objects only.

create table app_private.seal_keys (
    id         text primary key check (id ~ '^[a-z0-9_-]{1,32}$'),
    inner_pad  bytea not null check (octet_length(inner_pad) = 64),
    outer_pad  bytea not null check (octet_length(outer_pad) = 64),
    binds_pid  boolean not null, -- false behind a transaction pooler, where the backend is not known beforehand
    created_at timestamptz not null default now()
);

alter table app_private.seal_keys enable row level security;
alter table app_private.seal_keys force row level security;
