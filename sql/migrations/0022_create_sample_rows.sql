-- +goose Up
-- Which of a landlord's rows are sample data, so that they can be taken away again and
-- nothing else with them. A row that is not there any more is named in vain.
--
-- Locks: creates new objects only.

create table app.sample_rows (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    table_name    text not null check (table_name in ('properties', 'units', 'tenants', 'tenancies', 'contractors', 'tickets')),
    row_id        uuid not null,
    created_at    timestamptz not null default now(),

    primary key (owner_user_id, table_name, row_id)
);

alter table app.sample_rows enable row level security;
alter table app.sample_rows force row level security;
