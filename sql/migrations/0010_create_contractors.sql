-- +goose Up
-- A contractor is somebody who mends things, in a landlord's own book.
--
-- Locks: creates new objects only.

create table app.contractors (
    owner_user_id     uuid not null default app.current_user_id() references app.users (id),
    id                uuid not null default gen_random_uuid(),
    name              text not null check (char_length(name) between 1 and 200),
    trade             text not null default 'GENERAL'
                      check (trade in ('PLUMBING', 'ELECTRICAL', 'HVAC', 'APPLIANCE', 'STRUCTURAL', 'PEST', 'LOCKS_KEYS',
                                       'CLEANING', 'NOISE', 'INTERNET_TV', 'EXTERIOR', 'OTHER', 'GENERAL')),
    phone             text check (char_length(phone) between 1 and 50),
    email             text check (char_length(email) between 3 and 320),
    website           text check (char_length(website) between 1 and 500),
    address1          text check (char_length(address1) between 1 and 200),
    address2          text check (char_length(address2) between 1 and 200),
    city              text check (char_length(city) between 1 and 100),
    state             text check (char_length(state) between 1 and 100),
    postal_code       text check (char_length(postal_code) between 1 and 20),
    country           text check (country ~ '^[A-Z]{2}$'),
    rating            smallint check (rating between 1 and 5),
    license_no        text check (char_length(license_no) between 1 and 100),
    insured_until     date,
    notes             text check (char_length(notes) between 1 and 5000),
    source            text not null default 'MANUAL' check (source in ('MANUAL', 'SEARCH', 'IMPORT')),
    external_place_id text check (char_length(external_place_id) between 1 and 200),
    archived_at       timestamptz,
    archived          boolean not null generated always as (archived_at is not null) stored,
    version           integer not null default 1,
    created_by        uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),

    primary key (owner_user_id, id)
);

create unique index contractors_place_key on app.contractors (owner_user_id, external_place_id)
    where external_place_id is not null;
create index contractors_name_idx on app.contractors (owner_user_id, lower(name), id);
create index contractors_created_idx on app.contractors (owner_user_id, created_at, id);
create index contractors_trade_idx on app.contractors (owner_user_id, trade);

alter table app.contractors enable row level security;
alter table app.contractors force row level security;

create trigger guard_owned_row before update on app.contractors
    for each row execute function app.guard_owned_row();
