-- +goose Up
-- What is said about a ticket: to the tenant (shared), or among the landlord's
-- own (internal). And what happened to it, written by triggers alone.
--
-- Locks: creates new objects only.

create table app.ticket_comments (
    owner_user_id  uuid not null default app.current_user_id() references app.users (id),
    id             uuid not null default gen_random_uuid(),
    ticket_id      uuid not null,
    tenant_id      uuid, -- the ticket's, set by a trigger
    kind           text not null default 'shared' check (kind in ('shared', 'internal')),
    author         text not null default 'landlord' check (author in ('landlord', 'tenant')), -- set by a trigger
    body           text not null check (char_length(body) between 1 and 10000),
    edited_at      timestamptz,
    version        integer not null default 1,
    created_by     uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint ticket_comments_ticket_fkey foreign key (owner_user_id, ticket_id)
        references app.tickets (owner_user_id, id) on delete cascade
);

create index ticket_comments_ticket_idx on app.ticket_comments (owner_user_id, ticket_id, created_at, id);

create table app.ticket_events (
    owner_user_id uuid not null references app.users (id),
    id            uuid not null default gen_random_uuid(),
    ticket_id     uuid not null,
    tenant_id     uuid, -- the ticket's
    type          text not null check (char_length(type) between 1 and 50),
    from_value    text,
    to_value      text,
    actor_user_id uuid,
    actor_kind    text not null check (actor_kind in ('landlord', 'tenant', 'system')),
    created_at    timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint ticket_events_ticket_fkey foreign key (owner_user_id, ticket_id)
        references app.tickets (owner_user_id, id) on delete cascade
);

create index ticket_events_ticket_idx on app.ticket_events (owner_user_id, ticket_id, created_at, id);

alter table app.ticket_comments enable row level security;
alter table app.ticket_comments force row level security;
alter table app.ticket_events enable row level security;
alter table app.ticket_events force row level security;

create trigger guard_owned_row before update on app.ticket_comments
    for each row execute function app.guard_owned_row();
create trigger guard_comment before insert or update on app.ticket_comments
    for each row execute function app.guard_comment();
create trigger record_ticket_event after insert or update on app.tickets
    for each row execute function app.record_ticket_event();
