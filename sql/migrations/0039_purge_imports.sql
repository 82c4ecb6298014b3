-- +goose Up
-- The rows of an import say what a file said of people. They are kept for 90 days after
-- the import has ended or was last touched, and the job that deletes them is queued in
-- the transaction that makes the import. Imports that are not finished are counted with
-- every upload: there is an index of them alone.
--
-- Locks: a column without a default, nothing is rewritten; stops writers of
-- import_batches while the index is built.

alter table app.import_batches add column rows_purged_at timestamptz;

create index import_batches_open_idx on app.import_batches (owner_user_id) where state in ('UPLOADED', 'CHECKED', 'RUNNING', 'UNDOING');

create trigger enqueue_inserted after insert on app.import_batches referencing new table as new_rows
    for each statement execute function app.enqueue_imports();

-- Those that are here already; the owner is under the policies too. On a new database
-- the queue is made later, and there are none.
alter table app.import_batches no force row level security;
-- +goose StatementBegin
do $$
begin
    if exists (select from app.import_batches) then
        insert into river.river_job (kind, queue, priority, max_attempts, args, unique_key, unique_states)
        select 'import_purge', 'import', 2, 25, jsonb_build_object('ownerId', b.owner_user_id, 'id', b.id),
               sha256(convert_to(concat_ws('|', 'import_purge', b.owner_user_id, b.id), 'UTF8')), B'11110001'
          from app.import_batches b;
    end if;
end
$$;
-- +goose StatementEnd
alter table app.import_batches force row level security;
