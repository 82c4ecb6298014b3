-- A landlord's leaving. The policies add owner_user_id = the caller.

-- name: AccountDeletionCreate :one
insert into app.account_deletions (remove_after) values (@remove_after) returning *;

-- name: AccountDeletionLatest :one
select * from app.account_deletions order by created_at desc, id desc limit 1;

-- AccountDeletionExport is the latest export that is there.
-- name: AccountDeletionExport :one
select * from app.account_deletions where cardinality(export_keys) > 0 order by created_at desc, id desc limit 1;

-- name: AccountDeletionForUpdate :one
select * from app.account_deletions order by created_at desc, id desc limit 1 for no key update;

-- name: AccountDeletionCancel :one
update app.account_deletions set state = 'CANCELLED', ended_at = now(), claimed_until = null where id = @id returning *;

-- AccountDeletionClaim lets one at a time work at it, for two minutes from now.
-- name: AccountDeletionClaim :one
update app.account_deletions
   set claimed_until = now() + interval '2 minutes'
 where id = @id and (claimed_until is null or claimed_until < now())
returning *;

-- name: AccountDeletion :one
select * from app.account_deletions where id = @id;

-- name: AccountDeletionRelease :exec
update app.account_deletions set claimed_until = null where id = @id;

-- AccountDeletionPart notes a part of the export that is kept.
-- name: AccountDeletionPart :one
update app.account_deletions
   set export_keys = export_keys || @key::text, exported_through = sqlc.narg('exported_through'), rows_exported = rows_exported + @rows,
       claimed_until = now() + interval '2 minutes'
 where id = @id and state = 'REQUESTED'
returning *;

-- name: AccountDeletionExported :one
update app.account_deletions set state = 'EXPORTED', exported_at = now() where id = @id and state = 'REQUESTED' returning *;

-- name: AccountDeletionRemoving :one
update app.account_deletions set state = 'REMOVING' where id = @id and state = 'EXPORTED' returning *;

-- name: AccountDeletionRemoved :exec
update app.account_deletions
   set rows_removed = rows_removed + @rows, files_removed = files_removed + @files, claimed_until = now() + interval '2 minutes'
 where id = @id;

-- name: AccountDeletionDone :exec
update app.account_deletions
   set state = 'DONE', profile_kept = @profile_kept, ended_at = now(), claimed_until = null
 where id = @id and state = 'REMOVING';

-- name: AccountDeletionFailed :exec
update app.account_deletions
   set state = 'FAILED', ended_at = now(), claimed_until = null
 where id = @id and state in ('REQUESTED', 'EXPORTED', 'REMOVING');

-- name: AccountDeletionForgetExport :exec
update app.account_deletions set export_keys = '{}' where id = @id;

-- name: AccountRowsRemove :one
select app.remove_account_rows(@at_most)::integer as removed;

-- name: AccountProfileRemove :one
select app.remove_profile()::boolean as removed;

-- AccountProfileStrip takes from a profile that stays what a landlord has said there.
-- name: AccountProfileStrip :exec
update app.users set company_name = null, country = null, currency = null, time_zone = null, planned_units = null;

-- AccountHasData says whether there is anything that a landlord would miss.
-- name: AccountHasData :one
select (exists (select from app.properties) or exists (select from app.units) or exists (select from app.tenants)
        or exists (select from app.contractors) or exists (select from app.tickets))::boolean as has_data;

-- AccountFiles are the next files after an id.
-- name: AccountFiles :many
select id, storage_key, file_name, size_bytes from app.attachments
 where id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000') order by id limit @at_most;

-- name: AccountFilesRemove :one
select count(*) as removed from unnest(@ids::uuid[]) as f (id) where app.delete_attachment(f.id);
