-- +goose Up
-- As of when we know what the identity provider says of somebody, so that what it told
-- earlier and arrives later is passed over; and when it told us that they are gone. The
-- profile stays then, and so does all that it owns.
--
-- Locks: two columns without a default; nothing is rewritten.

alter table app.users
    add column provider_seen_at    timestamptz,
    add column provider_deleted_at timestamptz;
