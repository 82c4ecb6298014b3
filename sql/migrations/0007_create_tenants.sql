-- +goose Up
-- A tenant is a person who rents from a landlord, as that landlord knows them.
-- Two landlords may know the same person: each has a row, and neither learns of
-- the other's.
--
-- Locks: creates new objects only.

create table app.tenants (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    user_id       uuid references app.users (id), -- their login, once they claimed an invite
    first_name    text not null check (char_length(first_name) between 1 and 100),
    last_name     text not null check (char_length(last_name) between 1 and 100),
    email         text check (char_length(email) between 3 and 320),
    phone         text check (char_length(phone) between 1 and 50),
    unit_id       uuid, -- where the landlord says they live; tenancies say since when
    notes         text check (char_length(notes) between 1 and 5000), -- never shown to the tenant
    external_ref  text check (char_length(external_ref) between 1 and 100),
    archived_at   timestamptz,
    archived      boolean not null generated always as (archived_at is not null) stored,
    version       integer not null default 1,
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint tenants_unit_fkey foreign key (owner_user_id, unit_id) references app.units (owner_user_id, id)
);

create unique index tenants_email_key on app.tenants (owner_user_id, lower(email)) where email is not null;
create unique index tenants_user_key on app.tenants (owner_user_id, user_id) where user_id is not null;
-- The list by name, and newest first.
create index tenants_name_idx on app.tenants (owner_user_id, lower(last_name), lower(first_name), id);
create index tenants_created_idx on app.tenants (owner_user_id, created_at, id);
create index tenants_unit_idx on app.tenants (owner_user_id, unit_id) where unit_id is not null;
-- A person's own entries, with all their landlords: who they are is not led by an owner.
create index tenants_login_idx on app.tenants (user_id) where user_id is not null;

alter table app.tenants enable row level security;
alter table app.tenants force row level security;

create trigger guard_owned_row before update on app.tenants
    for each row execute function app.guard_owned_row();
