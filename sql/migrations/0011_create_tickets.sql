-- +goose Up
-- A ticket is a request for something to be done about a unit, by the landlord
-- or by the tenant who lives there. Its number counts within one landlord.
--
-- Locks: creates new objects only.

create table app.ticket_counters (
    owner_user_id uuid primary key references app.users (id),
    last_number   integer not null
);

alter table app.ticket_counters enable row level security;
alter table app.ticket_counters force row level security;

create table app.tickets (
    owner_user_id      uuid not null default app.current_user_id() references app.users (id),
    id                 uuid not null default gen_random_uuid(),
    number             integer not null default 0, -- set by a trigger
    unit_id            uuid not null,
    tenant_id          uuid, -- who reported it; null if the landlord did
    source             text not null default 'LANDLORD'
                       check (source in ('TENANT_PORTAL', 'LANDLORD', 'API', 'IMPORT', 'EMAIL')),
    title              text not null check (char_length(title) between 1 and 200),
    description        text check (char_length(description) between 1 and 10000),
    category           text not null default 'OTHER'
                       check (category in ('PLUMBING', 'ELECTRICAL', 'HVAC', 'APPLIANCE', 'STRUCTURAL', 'PEST',
                                           'LOCKS_KEYS', 'CLEANING', 'NOISE', 'INTERNET_TV', 'EXTERIOR', 'OTHER')),
    priority           text not null default 'NORMAL' check (priority in ('LOW', 'NORMAL', 'HIGH', 'EMERGENCY')),
    status             text not null default 'NEW'
                       check (status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD', 'RESOLVED', 'CLOSED', 'CANCELLED')),
    status_reason      text check (char_length(status_reason) between 1 and 500),
    contractor_id      uuid,
    due_at             timestamptz, -- set from the priority unless given
    entry_permission   boolean not null default false,
    entry_notes        text check (char_length(entry_notes) between 1 and 1000),
    scheduled_at       timestamptz,
    resolved_at        timestamptz,
    closed_at          timestamptz,
    reopened_count     integer not null default 0,
    cost_minor         bigint check (cost_minor >= 0),
    currency           text check (currency ~ '^[A-Z]{3}$'),
    archived_at        timestamptz,
    archived           boolean not null generated always as (archived_at is not null) stored,
    version            integer not null default 1,
    created_by         uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint tickets_unit_fkey foreign key (owner_user_id, unit_id) references app.units (owner_user_id, id),
    constraint tickets_tenant_fkey foreign key (owner_user_id, tenant_id) references app.tenants (owner_user_id, id),
    constraint tickets_contractor_fkey foreign key (owner_user_id, contractor_id) references app.contractors (owner_user_id, id)
);

create unique index tickets_number_key on app.tickets (owner_user_id, number);
-- The list, newest first; by status; what is due.
create index tickets_created_idx on app.tickets (owner_user_id, created_at, id);
create index tickets_status_idx on app.tickets (owner_user_id, status, created_at);
create index tickets_priority_idx on app.tickets (owner_user_id, priority, created_at);
create index tickets_due_idx on app.tickets (owner_user_id, due_at) where status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD');
-- A unit's tickets, a tenant's, a contractor's.
create index tickets_unit_idx on app.tickets (owner_user_id, unit_id, status);
create index tickets_tenant_idx on app.tickets (owner_user_id, tenant_id, created_at) where tenant_id is not null;
create index tickets_contractor_idx on app.tickets (owner_user_id, contractor_id) where contractor_id is not null;

alter table app.tickets enable row level security;
alter table app.tickets force row level security;

create trigger guard_owned_row before update on app.tickets
    for each row execute function app.guard_owned_row();
-- after guard_owned_row, in the order of their names
create trigger guard_ticket before insert or update on app.tickets
    for each row execute function app.guard_ticket();
create trigger number_ticket before insert on app.tickets
    for each row execute function app.number_ticket();
