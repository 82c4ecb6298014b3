-- +goose Up
-- An import that is started, or to be undone, and the job that does it are one
-- transaction.
--
-- Locks: waits for writers of import_batches, for a moment.

create trigger enqueue_updated after update on app.import_batches referencing old table as old_rows new table as new_rows
    for each statement execute function app.enqueue_imports();
