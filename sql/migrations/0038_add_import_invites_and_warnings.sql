-- +goose Up
-- An import may invite the tenants that it brings, and says of rows that it takes what
-- is odd about them.
--
-- Locks: import_batches and import_rows, for a moment; no row is rewritten.

alter table app.import_batches
    add column send_invites boolean not null default false,
    add column invited      integer not null default 0, -- how many rows have an invite, or would
    add column warned       integer not null default 0; -- how many of those that are taken have a code
alter table app.import_rows
    add column invite_id uuid; -- that was opened for the row; kept when it is gone
