-- +goose Up
-- Support access by consent. A landlord lets the people who run Rowhouse read chosen
-- areas of their books, for 72 hours at most; each request of theirs is written down
-- where the landlord reads it, before it is answered.
--
-- Locks: creates new objects only.

create table app.support_grants (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    areas         text[] not null check (cardinality(areas) between 1 and 4
                                         and areas <@ '{properties,tenants,tickets,contractors}'),
    reason        text not null check (char_length(reason) between 1 and 500),
    landlord_name text, -- as it was when access was granted
    expires_at    timestamptz not null,
    revoked_at    timestamptz,
    version       integer not null default 1,
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint support_grants_72_hours check (expires_at > created_at and expires_at <= created_at + interval '72 hours')
);

create index support_grants_created_idx on app.support_grants (owner_user_id, created_at, id);
-- Who runs Rowhouse finds what is granted now, which is little: they do not know the
-- landlord.
create index support_grants_live_idx on app.support_grants (expires_at, id) where revoked_at is null;

create table app.support_accesses (
    owner_user_id  uuid not null references app.users (id), -- comes from the grant
    id             uuid not null default gen_random_uuid(),
    grant_id       uuid not null,
    agent_user_id  uuid not null, -- kept when the user is gone
    agent_email    text,
    operation      text not null check (char_length(operation) between 1 and 100), -- the API's name for what was read
    request_id     text check (char_length(request_id) <= 64),
    at             timestamptz not null default clock_timestamp(),
    transaction_id xid8 not null default pg_current_xact_id(), -- that wrote it: it opens nothing before that has committed

    primary key (owner_user_id, id),
    constraint support_accesses_grant_fkey foreign key (owner_user_id, grant_id) references app.support_grants (owner_user_id, id)
);

create index support_accesses_at_idx on app.support_accesses (owner_user_id, at desc, id);
create index support_accesses_grant_idx on app.support_accesses (owner_user_id, grant_id, at desc);
-- With each statement of a support agent the database looks up their last minute.
create index support_accesses_agent_idx on app.support_accesses (agent_user_id, at);

alter table app.support_grants enable row level security;
alter table app.support_grants force row level security;
alter table app.support_accesses enable row level security;
alter table app.support_accesses force row level security;

create trigger guard_owned_row before update on app.support_grants
    for each row execute function app.guard_owned_row();
create trigger record_insert after insert on app.support_grants referencing new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_update after update on app.support_grants referencing old table as old_rows new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_delete after delete on app.support_grants referencing old table as old_rows
    for each statement execute function app.record_changes();
create trigger record_support_access before insert on app.support_accesses
    for each row execute function app.record_support_access();
