-- The policies add owner_user_id = the caller to what landlords send here, and
-- token_hash = the token they hold to what invitees send. No query returns a
-- token's hash: nobody may read it.

-- By their address tenants are found among all of the landlord's: lower() is not
-- leakproof, and so under row-level security only the owner leads into the index.

-- InviteTenant makes sure that the landlord has a tenant with this address. One
-- who is there keeps the name and comes back from the archive; the row is locked,
-- so that two invites of one person come after one another.
-- name: InviteTenant :exec
insert into app.tenants as t (first_name, last_name, email, unit_id)
values (@first_name, @last_name, @email::text, sqlc.narg('unit_id')::uuid)
on conflict (owner_user_id, lower(email)) where email is not null do update
   set unit_id = coalesce(excluded.unit_id, t.unit_id), archived_at = null
 where t.archived_at is not null or t.unit_id is distinct from coalesce(excluded.unit_id, t.unit_id);

-- InviteTenancy makes the tenant live in the unit from today, unless a tenancy
-- there has not ended. One that was cancelled or began today is the same row.
-- name: InviteTenancy :exec
insert into app.tenancies (unit_id, tenant_id, start_date)
select u.id, t.id, current_date
  from app.tenants t, app.units u
 where lower(t.email) = lower(@email::text) and t.email is not null and t.user_id is null and u.id = sqlc.narg('unit_id')::uuid
   and not exists (select from app.tenancies y
                    where y.owner_user_id = t.owner_user_id and y.tenant_id = t.id and y.unit_id = u.id
                      and y.cancelled_at is null and (y.end_date is null or y.end_date >= current_date))
on conflict (owner_user_id, unit_id, tenant_id, start_date) do update
   set cancelled_at = null, end_date = null;

-- InviteOpen opens an invite for the tenant with this address, or gives the open
-- one another token. A trigger queues the mail. There is no row for a tenant who has a login.
-- name: InviteOpen :one
insert into app.tenant_invites as i (tenant_id, unit_id, email, mail_id, mail_key, token_hash, landlord_name, unit_label, expires_at)
select t.id, t.unit_id, lower(t.email), @mail_id::uuid, @mail_key::text, @token_hash::bytea,
       (select coalesce(c.company_name, c.name, c.email) from app.landlord_cards c where c.owner_user_id = t.owner_user_id),
       (select concat_ws(', ', u.name, p.name)
          from app.units u left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
         where u.owner_user_id = t.owner_user_id and u.id = t.unit_id),
       now() + interval '14 days'
  from app.tenants t
 where lower(t.email) = lower(@email::text) and t.email is not null and t.user_id is null
on conflict (owner_user_id, tenant_id) where claimed_at is null and revoked_at is null do update
   set unit_id = excluded.unit_id, email = excluded.email, mail_id = excluded.mail_id, mail_key = excluded.mail_key,
       token_hash = @token_hash::bytea, landlord_name = excluded.landlord_name, unit_label = excluded.unit_label,
       expires_at = excluded.expires_at
returning i.id, i.tenant_id, i.email, i.expires_at, i.version;

-- InviteUnits are those of some units that are there.
-- name: InviteUnits :many
select u.id from app.units u where u.id = any (@ids::uuid[]);

-- InviteTenants, InviteTenancies and InvitesOpen are InviteTenant, InviteTenancy and
-- InviteOpen for many, whose addresses differ. Who has a login is left as they are.
-- name: InviteTenants :exec
insert into app.tenants as t (first_name, last_name, email, unit_id)
select i.first_name, i.last_name, i.email, i.unit_id
  from jsonb_to_recordset(@sent::jsonb) as i (first_name text, last_name text, email text, unit_id uuid)
on conflict (owner_user_id, lower(email)) where email is not null do update
   set unit_id = coalesce(excluded.unit_id, t.unit_id), archived_at = null
 where t.user_id is null
   and (t.archived_at is not null or t.unit_id is distinct from coalesce(excluded.unit_id, t.unit_id));

-- name: InviteTenancies :exec
insert into app.tenancies (unit_id, tenant_id, start_date)
select u.id, t.id, current_date
  from jsonb_to_recordset(@sent::jsonb) as i (email text, unit_id uuid)
  join app.tenants t on lower(t.email) = lower(i.email) and t.email is not null and t.user_id is null
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = i.unit_id
 where not exists (select from app.tenancies y
                    where y.owner_user_id = t.owner_user_id and y.tenant_id = t.id and y.unit_id = u.id
                      and y.cancelled_at is null and (y.end_date is null or y.end_date >= current_date))
on conflict (owner_user_id, unit_id, tenant_id, start_date) do update
   set cancelled_at = null, end_date = null;

-- name: InvitesOpen :many
insert into app.tenant_invites as i (tenant_id, unit_id, email, mail_id, mail_key, token_hash, landlord_name, unit_label, expires_at)
select t.id, t.unit_id, lower(t.email), s.mail_id, s.mail_key, decode(s.token_hash, 'hex'),
       (select coalesce(c.company_name, c.name, c.email) from app.landlord_cards c where c.owner_user_id = t.owner_user_id),
       (select concat_ws(', ', u.name, p.name)
          from app.units u left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
         where u.owner_user_id = t.owner_user_id and u.id = t.unit_id),
       now() + interval '14 days'
  from jsonb_to_recordset(@sent::jsonb) as s (email text, mail_id uuid, mail_key text, token_hash text)
  join app.tenants t on lower(t.email) = lower(s.email) and t.email is not null and t.user_id is null
on conflict (owner_user_id, tenant_id) where claimed_at is null and revoked_at is null do update
   set unit_id = excluded.unit_id, email = excluded.email, mail_id = excluded.mail_id, mail_key = excluded.mail_key,
       -- excluded.token_hash would be reading it
       token_hash = (select decode(s.token_hash, 'hex') from jsonb_to_recordset(@sent) as s (mail_id uuid, token_hash text)
                      where s.mail_id = excluded.mail_id),
       landlord_name = excluded.landlord_name, unit_label = excluded.unit_label, expires_at = excluded.expires_at
returning i.id, i.email;

-- TenantInvitesCount and TenantInvitesPage share their filters, as UnitsCount and
-- UnitsPage do. What a state means for claimed_at is said a second time, in a way that
-- tenant_invites_claimed_idx can find.
-- name: TenantInvitesCount :one
select count(*)
  from app.tenant_invites i
  join app.tenants t on t.owner_user_id = i.owner_user_id and t.id = i.tenant_id
 where (sqlc.narg('state')::text is null
        or sqlc.narg('state') = case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
                                     when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)
   and (coalesce(sqlc.narg('state'), 'CLAIMED') = 'CLAIMED' or i.claimed_at is null)
   and (sqlc.narg('state') is distinct from 'CLAIMED' or i.claimed_at is not null)
   and (sqlc.narg('tenant_id')::uuid is null or i.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('email')::text is null or i.email = lower(sqlc.narg('email')))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', t.first_name, t.last_name, i.email, i.unit_label)), lower(@q)) > 0);

-- TenantInvitesPage reads tenant_invites_created_idx, or tenant_invites_claimed_idx for
-- one state, tenant_invites_tenant_idx for one tenant's, tenant_invites_email_idx for one
-- address, and the primary key when walked by id.
-- name: TenantInvitesPage :many
select i.id, i.tenant_id, t.first_name, t.last_name, i.unit_id, i.email, i.landlord_name, i.unit_label,
       (case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
             when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)::text as state,
       i.expires_at, i.send_count, i.mail_state, i.sent_at, i.last_error, i.claimed_at, i.revoked_at, i.version, i.created_at, i.updated_at
  from app.tenant_invites i
  join app.tenants t on t.owner_user_id = i.owner_user_id and t.id = i.tenant_id
 where (sqlc.narg('state')::text is null
        or sqlc.narg('state') = case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
                                     when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)
   and (coalesce(sqlc.narg('state'), 'CLAIMED') = 'CLAIMED' or i.claimed_at is null)
   and (sqlc.narg('state') is distinct from 'CLAIMED' or i.claimed_at is not null)
   and (sqlc.narg('tenant_id')::uuid is null or i.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('email')::text is null or i.email = lower(sqlc.narg('email')))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', t.first_name, t.last_name, i.email, i.unit_label)), lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or i.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then i.created_at end,
          case when @sort = '-createdAt' then i.created_at end desc,
          case when @sort = '-createdAt' then i.id end desc,
          i.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: TenantInvite :one
select i.id, i.tenant_id, t.first_name, t.last_name, i.unit_id, i.email, i.landlord_name, i.unit_label,
       (case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
             when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)::text as state,
       i.expires_at, i.send_count, i.mail_state, i.sent_at, i.last_error, i.claimed_at, i.revoked_at, i.version, i.created_at, i.updated_at
  from app.tenant_invites i
  join app.tenants t on t.owner_user_id = i.owner_user_id and t.id = i.tenant_id
 where i.id = @id;

-- TenantInviteForUpdate locks an invite for the rest of the transaction.
-- name: TenantInviteForUpdate :one
select i.version,
       (case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
             when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)::text as state
  from app.tenant_invites i
 where i.id = @id
   for no key update;

-- TenantInviteRenew gives an invite another token and another 14 days, and sends
-- it to where the tenant has moved to.
-- name: TenantInviteRenew :exec
update app.tenant_invites i
   set mail_id = @mail_id::uuid, mail_key = @mail_key::text, token_hash = @token_hash, expires_at = now() + interval '14 days',
       email = coalesce((select lower(t.email) from app.tenants t where t.owner_user_id = i.owner_user_id and t.id = i.tenant_id), i.email)
 where i.id = @id;

-- InviteMail is what goes into a mail of the landlord's, and whether it is still to go.
-- name: InviteMail :one
select i.email, i.mail_key, i.landlord_name, i.unit_label, i.expires_at, c.email as reply_to,
       (i.mail_state = 'QUEUED' and i.claimed_at is null and i.revoked_at is null and i.expires_at > now())::boolean as due
  from app.tenant_invites i
  left join app.landlord_cards c on c.owner_user_id = i.owner_user_id
 where i.mail_id = @mail_id;

-- InviteMailSent says that a mail has left, if that was not known.
-- name: InviteMailSent :execrows
update app.tenant_invites set mail_state = 'SENT', sent_at = now(), last_error = null
 where mail_id = @mail_id and mail_state = 'QUEUED';

-- InviteMailFailed says why a mail will not leave, or has not yet left. Without a
-- reason the one that is there stays.
-- name: InviteMailFailed :execrows
update app.tenant_invites
   set mail_state = case when @for_good::boolean then 'FAILED' else mail_state end,
       last_error = coalesce(nullif(@reason::text, ''), last_error, 'The mail could not be sent.')
 where mail_id = @mail_id and mail_state = 'QUEUED' and (@for_good or last_error is distinct from @reason);

-- InviteMailBounced says that a mail came back. One that came back once stays so.
-- name: InviteMailBounced :execrows
update app.tenant_invites set mail_state = 'BOUNCED', last_error = @reason::text
 where mail_id = @mail_id and mail_state in ('QUEUED', 'SENT', 'FAILED');

-- name: TenantInviteRevoke :exec
update app.tenant_invites set revoked_at = now() where id = @id;

-- InviteSeen is what the holder of a token may know. The address never leaves the
-- database in full.
-- name: InviteSeen :one
select i.landlord_name, i.unit_label,
       (left(i.email, 1) || '***' || coalesce(substring(i.email from '@[^@]*$'), ''))::text as email,
       (case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
             when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end)::text as state,
       i.expires_at
  from app.tenant_invites i;

-- InviteOpenTo tells whether the invite whose token is held is open, and went to email.
-- name: InviteOpenTo :one
select exists (select from app.tenant_invites i
                where i.email = lower(@email::text) and i.claimed_at is null and i.revoked_at is null and i.expires_at > now());

-- InviteClaim marks the invite as claimed by the caller. The policy lets through
-- one that is open, to its own address.
-- name: InviteClaim :execrows
update app.tenant_invites
   set claimed_at = now(), claimed_by_user_id = app.current_user_id()
 where claimed_at is null;

-- InviteLink makes the caller the login of the tenant whose invite they have
-- claimed in this transaction. In a statement of its own: the policy looks for
-- the claim, and a statement does not see what it does itself. The landlord of the
-- invite is named for the index: without, it would look through all tenants.
-- name: InviteLink :execrows
update app.tenants
   set user_id = app.current_user_id()
 where user_id is null and owner_user_id = any (array(select i.owner_user_id from app.tenant_invites i));
