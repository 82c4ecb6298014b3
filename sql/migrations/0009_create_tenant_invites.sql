-- +goose Up
-- An invite lets a person with an address become the login of a tenant. The raw
-- token is in the mail and nowhere else; here is its SHA-256. What the invitee
-- may see before signing in stands in the row, so that no other table opens.
--
-- Locks: creates new objects only.

create table app.tenant_invites (
    owner_user_id      uuid not null default app.current_user_id() references app.users (id),
    id                 uuid not null default gen_random_uuid(),
    tenant_id          uuid not null,
    unit_id            uuid,
    email              text not null check (email = lower(email) and char_length(email) between 3 and 320),
    token_hash         bytea not null check (octet_length(token_hash) = 32),
    landlord_name      text, -- as it was when the invite was made
    unit_label         text,
    expires_at         timestamptz not null,
    send_count         integer not null default 1,
    sent_at            timestamptz,
    last_error         text check (char_length(last_error) <= 500),
    claimed_at         timestamptz,
    claimed_by_user_id uuid references app.users (id),
    revoked_at         timestamptz,
    version            integer not null default 1,
    created_by         uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint tenant_invites_tenant_fkey foreign key (owner_user_id, tenant_id) references app.tenants (owner_user_id, id),
    constraint tenant_invites_unit_fkey foreign key (owner_user_id, unit_id) references app.units (owner_user_id, id),
    check ((claimed_at is null) = (claimed_by_user_id is null))
);

-- One open invite for a tenant.
create unique index tenant_invites_open_key on app.tenant_invites (owner_user_id, tenant_id)
    where claimed_at is null and revoked_at is null;
create index tenant_invites_claimed_idx on app.tenant_invites (owner_user_id, claimed_at);
create index tenant_invites_email_idx on app.tenant_invites (owner_user_id, email, claimed_at);
create index tenant_invites_created_idx on app.tenant_invites (owner_user_id, created_at, id);
create index tenant_invites_tenant_idx on app.tenant_invites (owner_user_id, tenant_id);
create index tenant_invites_unit_idx on app.tenant_invites (owner_user_id, unit_id) where unit_id is not null;
-- The holder of a token does not know the owner. 32 random bytes tell nothing to
-- who cannot name them, so this key is not led by the owner.
create index tenant_invites_token_idx on app.tenant_invites (token_hash);

alter table app.tenant_invites enable row level security;
alter table app.tenant_invites force row level security;

create trigger guard_owned_row before update on app.tenant_invites
    for each row execute function app.guard_owned_row();
