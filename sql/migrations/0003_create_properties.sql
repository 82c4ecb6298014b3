-- +goose Up
-- A property is a house or building of a landlord's.
--
-- Locks: creates new objects only.

create table app.properties (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    name          text not null check (char_length(name) between 1 and 200),
    kind          text not null default 'other'
                  check (kind in ('house', 'apartment_building', 'condo', 'commercial', 'other')),
    address1      text check (char_length(address1) between 1 and 200),
    address2      text check (char_length(address2) between 1 and 200),
    city          text check (char_length(city) between 1 and 100),
    state         text check (char_length(state) between 1 and 100),
    postal_code   text check (char_length(postal_code) between 1 and 20),
    country       text check (country ~ '^[A-Z]{2}$'),
    latitude      double precision check (latitude between -90 and 90),
    longitude     double precision check (longitude between -180 and 180),
    external_ref  text check (char_length(external_ref) between 1 and 100),
    archived_at   timestamptz,
    -- a column of its own, because without statistics the planner takes half of a
    -- boolean to be false, and hardly anything to be null
    archived      boolean not null generated always as (archived_at is not null) stored,
    version       integer not null default 1,
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    primary key (owner_user_id, id)
);

-- Two properties of one landlord cannot share a name; two landlords' can.
create unique index properties_name_key on app.properties (owner_user_id, lower(name));
-- The list, newest first. By name it reads properties_name_key.
create index properties_created_idx on app.properties (owner_user_id, created_at, id);

alter table app.properties enable row level security;
alter table app.properties force row level security;

create trigger guard_owned_row before update on app.properties
    for each row execute function app.guard_owned_row();
