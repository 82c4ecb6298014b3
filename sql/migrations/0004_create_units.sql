-- +goose Up
-- A unit is what is let: a flat, a house, a room, a parking space. It may stand
-- in a property.
--
-- Locks: creates new objects only.

create table app.units (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    property_id   uuid,
    name          text not null check (char_length(name) between 1 and 200),
    kind          text not null default 'apartment'
                  check (kind in ('apartment', 'house', 'room', 'parking', 'storage', 'office', 'shop', 'other')),
    status        text not null default 'VACANT'
                  check (status in ('VACANT', 'OCCUPIED', 'NOTICE', 'OFF_MARKET')),
    address1      text check (char_length(address1) between 1 and 200),
    address2      text check (char_length(address2) between 1 and 200),
    city          text check (char_length(city) between 1 and 100),
    state         text check (char_length(state) between 1 and 100),
    postal_code   text check (char_length(postal_code) between 1 and 20),
    country       text check (country ~ '^[A-Z]{2}$'),
    bedrooms      smallint check (bedrooms between 0 and 99),
    bathrooms     numeric(3, 1) check (bathrooms between 0 and 99),
    area_m2       numeric(8, 2) check (area_m2 between 0 and 999999),
    external_ref  text check (char_length(external_ref) between 1 and 100),
    archived_at   timestamptz,
    -- a column of its own, because without statistics the planner takes half of a
    -- boolean to be false, and hardly anything to be null
    archived      boolean not null generated always as (archived_at is not null) stored,
    version       integer not null default 1,
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    primary key (owner_user_id, id),
    -- with the owner in the key, a unit cannot stand in another landlord's property
    constraint units_property_fkey foreign key (owner_user_id, property_id)
        references app.properties (owner_user_id, id)
);

-- Names are unique within a property, and among the units that stand in none.
create unique index units_name_key on app.units
    (owner_user_id, coalesce(property_id, '00000000-0000-0000-0000-000000000000'), lower(name));
-- The list by name, across properties.
create index units_name_idx on app.units (owner_user_id, lower(name), id);
-- The list, newest first.
create index units_created_idx on app.units (owner_user_id, created_at, id);
-- The units of a property, and the check that a deleted property has none.
create index units_property_idx on app.units (owner_user_id, property_id) where property_id is not null;

alter table app.units enable row level security;
alter table app.units force row level security;

create trigger guard_owned_row before update on app.units
    for each row execute function app.guard_owned_row();
