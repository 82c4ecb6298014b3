-- +goose Up
-- The check that a deleted user has claimed no invite; without it, it reads all
-- landlords' invites. Led by the user, as the check looks for it.
--
-- Locks: stops writers of tenant_invites while the index is built.

create index tenant_invites_claimed_by_idx on app.tenant_invites (claimed_by_user_id) where claimed_by_user_id is not null;
