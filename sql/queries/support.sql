-- Support access by consent. The policies show a landlord their own grants and what
-- was done under them, and support those that are live.

-- SupportGrantCreate: the landlord's name is copied, for support to know whose books
-- they look into.
-- name: SupportGrantCreate :one
insert into app.support_grants (areas, reason, landlord_name, expires_at)
values (@areas, @reason,
        (select coalesce(c.company_name, c.name, c.email) from app.landlord_cards c),
        now() + make_interval(hours => @hours::integer))
returning *;

-- SupportGrantsPage reads support_grants_created_idx backwards, and the primary key when
-- walked by id.
-- name: SupportGrantsPage :many
select * from app.support_grants g
 where (sqlc.narg('state')::text is null
        or sqlc.narg('state') = case when g.revoked_at is not null then 'REVOKED' when g.expires_at <= now() then 'EXPIRED' else 'LIVE' end)
   and (sqlc.narg('after_id')::uuid is null or g.id > sqlc.narg('after_id'))
 order by case when @sort::text = '-createdAt' then g.created_at end desc,
          case when @sort = '-createdAt' then g.id end desc,
          g.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: SupportGrantsCount :one
select count(*) from app.support_grants g
 where (sqlc.narg('state')::text is null
        or sqlc.narg('state') = case when g.revoked_at is not null then 'REVOKED' when g.expires_at <= now() then 'EXPIRED' else 'LIVE' end);

-- name: SupportGrant :one
select * from app.support_grants where id = @id;

-- SupportGrantRevoke takes back what is not taken back yet.
-- name: SupportGrantRevoke :one
update app.support_grants set revoked_at = now() where id = @id and revoked_at is null
returning *;

-- SupportAccessesPage reads support_accesses_at_idx, support_accesses_grant_idx for one
-- grant, and the primary key when walked by id.
-- name: SupportAccessesPage :many
select a.id, a.grant_id, a.agent_email, a.operation, a.request_id, a.at from app.support_accesses a
 where (sqlc.narg('grant_id')::uuid is null or a.grant_id = sqlc.narg('grant_id'))
   and (sqlc.narg('after_id')::uuid is null or a.id > sqlc.narg('after_id'))
 order by case when @sort::text = '-at' then a.at end desc, a.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: SupportAccessesCount :one
select count(*) from app.support_accesses a
 where (sqlc.narg('grant_id')::uuid is null or a.grant_id = sqlc.narg('grant_id'));

-- LiveSupportGrantsPage is what support may use now, of all landlords. It reads
-- support_grants_live_idx: grants last 72 hours, so they are few.
-- name: LiveSupportGrantsPage :many
select g.id, g.areas, g.reason, g.landlord_name, g.expires_at, g.created_at from app.support_grants g
 where (sqlc.narg('after_id')::uuid is null or g.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'expiresAt' then g.expires_at end, g.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: LiveSupportGrantsCount :one
select count(*) from app.support_grants g;

-- SupportAccessCreate writes down that support is about to read.
-- name: SupportAccessCreate :one
insert into app.support_accesses (grant_id, operation) values (@grant_id, @operation) returning id;
