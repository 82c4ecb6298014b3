-- +goose Up
-- A landlord takes everything with them: a zip of all rows, then zips of the files, made
-- by a job and kept for some days. Where a part is kept follows from whose it is and of
-- what: no row can name another landlord's file.
--
-- Locks: creates new objects only.

create table app.exports (
    owner_user_id    uuid not null default app.current_user_id() references app.users (id),
    id               uuid not null default gen_random_uuid(),
    state            text not null default 'REQUESTED' check (state in ('REQUESTED', 'DONE', 'FAILED', 'EXPIRED')),
    note             text check (char_length(note) between 1 and 1000), -- what it is for, to its owner
    with_files       boolean not null default true, -- those of tickets too
    part_bytes       bigint[] not null default '{}' check (cardinality(part_bytes) <= 10000), -- the sizes of the parts that are kept
    exported_through uuid, -- the last file in them
    rows_exported    bigint not null default 0,
    finished_at      timestamptz,
    expires_at       timestamptz, -- when the parts go; known once it is done
    claimed_until    timestamptz, -- somebody is at work at it
    version          integer not null default 1,
    created_by       uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),

    primary key (owner_user_id, id)
);

-- One at a time.
create unique index exports_open_key on app.exports (owner_user_id) where state = 'REQUESTED';
create index exports_created_idx on app.exports (owner_user_id, created_at, id);

alter table app.exports enable row level security;
alter table app.exports force row level security;

create trigger guard_owned_row before update on app.exports for each row execute function app.guard_owned_row();
create trigger guard_export before update on app.exports for each row execute function app.guard_export();
create trigger enqueue_export after insert on app.exports referencing new table as new_rows
    for each statement execute function app.enqueue_export();
create trigger record_insert after insert on app.exports referencing new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_update after update on app.exports referencing old table as old_rows new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_delete after delete on app.exports referencing old table as old_rows
    for each statement execute function app.record_changes();
