-- +goose Up
-- A landlord leaves: what they have is exported, and then removed. The row is what is left
-- of them afterwards, and says that and when it happened; of what there was it holds
-- numbers alone. So it refers to no user.
--
-- Locks: creates new objects only.

create table app.account_deletions (
    owner_user_id    uuid not null default app.current_user_id(),
    id               uuid not null default gen_random_uuid(),
    state            text not null default 'REQUESTED'
                     check (state in ('REQUESTED', 'EXPORTED', 'REMOVING', 'DONE', 'FAILED', 'CANCELLED')),
    remove_after     timestamptz not null, -- until then it can be cancelled
    export_keys      text[] not null default '{}', -- places of the parts of the export
    exported_through uuid, -- the last file in them
    rows_exported    bigint not null default 0,
    rows_removed     bigint not null default 0,
    files_removed    bigint not null default 0,
    profile_kept     boolean not null default false, -- they are somebody's tenant
    exported_at      timestamptz,
    ended_at         timestamptz,
    claimed_until    timestamptz, -- somebody is at work at it
    version          integer not null default 1,
    created_by       uuid not null default app.current_user_id(),
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),

    primary key (owner_user_id, id)
);

-- One at a time.
create unique index account_deletions_open_key on app.account_deletions (owner_user_id)
    where state in ('REQUESTED', 'EXPORTED', 'REMOVING');
create index account_deletions_created_idx on app.account_deletions (owner_user_id, created_at, id);

alter table app.account_deletions enable row level security;
alter table app.account_deletions force row level security;

create trigger guard_owned_row before update on app.account_deletions
    for each row execute function app.guard_owned_row();
create trigger guard_account_deletion before update on app.account_deletions
    for each row execute function app.guard_account_deletion();
create trigger enqueue_account_deletion after insert on app.account_deletions referencing new table as new_rows
    for each statement execute function app.enqueue_account_deletion();
