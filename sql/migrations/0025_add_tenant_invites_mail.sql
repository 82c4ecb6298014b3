-- +goose Up
-- What became of the mail of an invite. Each sending has an id of its own, which
-- names the mail, and from which, with a key that is not in the database, the token
-- is computed that the mail carries.
--
-- Invites from before this migration have no state: whether they were mailed is not
-- known.
--
-- Locks: tenant_invites for a moment; the columns need no rewrite but that of mail_id.

alter table app.tenant_invites
    add column mail_id    uuid not null default gen_random_uuid(),
    add column mail_key   text check (char_length(mail_key) <= 64), -- the key's name
    add column mail_state text check (mail_state in ('QUEUED', 'SENT', 'FAILED', 'BOUNCED'));

alter table app.tenant_invites alter column mail_state set default 'QUEUED';

-- The worker has the id of the mail.
create unique index tenant_invites_mail_key on app.tenant_invites (owner_user_id, mail_id);

create trigger guard_invite_mail before update on app.tenant_invites
    for each row execute function app.guard_invite_mail();
