-- +goose Up
-- Everybody who can sign in, one row each, keyed by the identity provider's id.
-- The e-mail address mirrors the provider's and is not unique: nothing is looked
-- up by it, and a unique address would tell one person of another.
--
-- Locks: creates new objects only.

create table app.users (
    id           uuid primary key default app.current_user_id(),
    email        text check (char_length(email) between 1 and 320),
    full_name    text check (char_length(full_name) between 1 and 200),
    company_name text check (char_length(company_name) between 1 and 200),
    phone        text check (char_length(phone) between 1 and 50),
    locale       text check (char_length(locale) between 2 and 35),
    time_zone    text check (char_length(time_zone) between 1 and 64),
    currency     text check (currency ~ '^[A-Z]{3}$'),
    version      integer not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

alter table app.users enable row level security;
alter table app.users force row level security;

create trigger guard_user before update on app.users
    for each row execute function app.guard_user();
