-- +goose Up
-- Imports: a spreadsheet that a landlord sends, and each row of it, from what it says
-- to what came of it. A row is in exactly one state, and the rows of a file are the
-- file.
--
-- Locks: creates new objects only.

create table app.import_batches (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    kind          text not null check (kind in ('units', 'tenants', 'portfolio')),
    file_name     text not null check (char_length(file_name) between 1 and 200),
    file_sha256   bytea not null check (octet_length(file_sha256) = 32),
    encoding      text not null check (encoding in ('UTF-8', 'UTF-16LE', 'UTF-16BE', 'Windows-1252')),
    delimiter     text not null check (char_length(delimiter) = 1),
    header        text[] not null check (cardinality(header) between 1 and 64),
    mapping       text[] not null check (cardinality(mapping) between 1 and 64), -- a field for each column, or ''
    on_existing   text not null default 'update' check (on_existing in ('skip', 'fill', 'update')),
    unknown_units text not null default 'error' check (unknown_units in ('error', 'create')),
    state         text not null default 'UPLOADED'
                  check (state in ('UPLOADED', 'CHECKED', 'RUNNING', 'COMPLETED', 'PARTIAL', 'CANCELLED', 'UNDOING', 'UNDONE')),
    row_count     integer not null check (row_count between 1 and 10000),
    -- how many rows came to what; kept from import_rows by every statement that changes those
    created       integer not null default 0,
    updated       integer not null default 0,
    unchanged     integer not null default 0,
    skipped       integer not null default 0,
    failed        integer not null default 0,
    done          integer not null default 0, -- rows that were run, or undone while that goes on
    kept          integer not null default 0, -- rows that undoing left alone
    job_id        uuid not null default gen_random_uuid(), -- another one each time that there is something to do
    cancel_asked_at timestamptz,
    started_at    timestamptz,
    finished_at   timestamptz,
    undone_at     timestamptz,
    version       integer not null default 1,
    created_by    uuid not null default app.current_user_id(), -- kept when the user is gone
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    primary key (owner_user_id, id)
);

-- The list, newest first, and the landlord's first import, on which chunks wait for one
-- another.
create index import_batches_created_idx on app.import_batches (owner_user_id, created_at, id);
-- Whether the same file was here before.
create index import_batches_file_idx on app.import_batches (owner_user_id, file_sha256);

-- The worker has the id of the job.
create unique index import_batches_job_key on app.import_batches (owner_user_id, job_id);

create table app.import_rows (
    owner_user_id uuid not null default app.current_user_id() references app.users (id),
    id            uuid not null default gen_random_uuid(),
    batch_id      uuid not null,
    n             integer not null check (n >= 1),    -- of the rows, from 1
    line          integer not null check (line >= 1), -- of the file
    cells         jsonb not null, -- as in the file, or as edited since
    fields        jsonb,          -- what the cells mean; null if they can't be taken
    same_as       text,           -- rows with the same text here say the same
    action        text check (action in ('CREATE', 'UPDATE', 'UNCHANGED', 'SKIP', 'ERROR')), -- or would, before the run
    code          text check (char_length(code) between 1 and 50),
    field         text check (char_length(field) between 1 and 50),
    message       text check (char_length(message) between 1 and 500),
    unit_id       uuid, -- what the row is about; kept when that is gone
    tenant_id     uuid,
    changes       jsonb, -- what the run did: of each row its table, id, version and, if it was there, what it was before
    done_at       timestamptz,
    undone        text check (undone in ('REVERSED', 'EDITED', 'IN_USE')),

    primary key (owner_user_id, id),
    constraint import_rows_says_why check (action is distinct from 'ERROR' or code is not null and message is not null),
    constraint import_rows_batch_fkey foreign key (owner_user_id, batch_id) references app.import_batches (owner_user_id, id)
) with (fillfactor = 50); -- each row is written again once or twice, in its place

create unique index import_rows_n_key on app.import_rows (owner_user_id, batch_id, n);

alter table app.import_batches enable row level security;
alter table app.import_batches force row level security;
alter table app.import_rows enable row level security;
alter table app.import_rows force row level security;

create trigger guard_owned_row before update on app.import_batches
    for each row execute function app.guard_owned_row();
create trigger record_insert after insert on app.import_batches referencing new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_update after update on app.import_batches referencing old table as old_rows new table as new_rows
    for each statement execute function app.record_changes();
create trigger record_delete after delete on app.import_batches referencing old table as old_rows
    for each statement execute function app.record_changes();
