-- +goose Up
-- An invite and the job that mails it are one transaction.
--
-- Locks: waits for writers of tenant_invites, for a moment.

create trigger enqueue_inserted after insert on app.tenant_invites referencing new table as new_rows
    for each statement execute function app.enqueue_invite_mails();
create trigger enqueue_updated after update on app.tenant_invites referencing old table as old_rows new table as new_rows
    for each statement execute function app.enqueue_invite_mails();
