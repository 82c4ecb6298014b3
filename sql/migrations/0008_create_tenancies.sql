-- +goose Up
-- A tenancy is that a tenant lives in a unit from one day to another. Two may
-- overlap: people share flats.
--
-- Locks: creates new objects only.

create table app.tenancies (
    owner_user_id   uuid not null default app.current_user_id() references app.users (id),
    id              uuid not null default gen_random_uuid(),
    unit_id         uuid not null,
    tenant_id       uuid not null,
    start_date      date not null,
    end_date        date, -- the last day
    is_primary      boolean not null default true,
    notice_given_on date,
    move_out_reason text check (char_length(move_out_reason) between 1 and 500),
    cancelled_at    timestamptz,
    version         integer not null default 1,
    created_by      uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint tenancies_unit_fkey foreign key (owner_user_id, unit_id) references app.units (owner_user_id, id),
    constraint tenancies_tenant_fkey foreign key (owner_user_id, tenant_id) references app.tenants (owner_user_id, id),
    constraint tenancies_dates_check check (end_date >= start_date)
);

create unique index tenancies_start_key on app.tenancies (owner_user_id, unit_id, tenant_id, start_date);
-- Who lives, lived and will live in a unit.
create index tenancies_unit_idx on app.tenancies (owner_user_id, unit_id, start_date);
-- What a tenant has; also the check that a deleted tenant has none.
create index tenancies_tenant_idx on app.tenancies (owner_user_id, tenant_id, start_date);
-- The list by dates, and what ends soon.
create index tenancies_dates_idx on app.tenancies (owner_user_id, start_date, end_date);

alter table app.tenancies enable row level security;
alter table app.tenancies force row level security;

create trigger guard_owned_row before update on app.tenancies
    for each row execute function app.guard_owned_row();
