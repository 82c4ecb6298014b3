-- Exports of everything. The policies add owner_user_id = the caller.

-- name: ExportCreate :one
insert into app.exports (note, with_files) values (sqlc.narg('note'), @with_files) returning *;

-- ExportsLive are those that are being made or can be fetched.
-- name: ExportsLive :one
select count(*) from app.exports where state in ('REQUESTED', 'DONE');

-- name: Export :one
select * from app.exports where id = @id;

-- ExportsPage reads exports_created_idx, and the primary key when walked by id.
-- name: ExportsPage :many
select * from app.exports e
 where (sqlc.narg('after_id')::uuid is null or e.id > sqlc.narg('after_id'))
 order by case when @sort::text = '-createdAt' then e.created_at end desc,
          case when @sort = '-createdAt' then e.id end desc,
          e.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: ExportsCount :one
select count(*) from app.exports;

-- ExportClaim lets one at a time work at it, for two minutes from now.
-- name: ExportClaim :one
update app.exports
   set claimed_until = now() + interval '2 minutes'
 where id = @id and (claimed_until is null or claimed_until < now())
returning *;

-- name: ExportRelease :exec
update app.exports set claimed_until = null where id = @id;

-- ExportPart notes a part that is kept.
-- name: ExportPart :one
update app.exports
   set part_bytes = part_bytes || @size::bigint, exported_through = sqlc.narg('exported_through'), rows_exported = rows_exported + @rows,
       claimed_until = now() + interval '2 minutes'
 where id = @id and state = 'REQUESTED'
returning *;

-- name: ExportDone :one
update app.exports
   set state = 'DONE', finished_at = now(), expires_at = now() + make_interval(secs => @kept_seconds::double precision)
 where id = @id and state = 'REQUESTED'
returning *;

-- ExportFailed says that an export came to nothing, once its parts are gone.
-- name: ExportFailed :exec
update app.exports
   set state = 'FAILED', part_bytes = '{}', finished_at = now(), claimed_until = null
 where id = @id and state = 'REQUESTED';

-- ExportExpired says that an export is gone, once its parts are.
-- name: ExportExpired :exec
update app.exports set state = 'EXPIRED', part_bytes = '{}' where id = @id and state = 'DONE';

-- ExportForUpdate locks an export for the rest of the transaction.
-- name: ExportForUpdate :one
select * from app.exports where id = @id for no key update;

-- name: ExportDelete :one
select app.delete_export(@id);

-- ExportsKept are those that have something in the store, or may have.
-- name: ExportsKept :many
select owner_user_id, id, cardinality(part_bytes)::integer as parts
  from app.exports
 where part_bytes <> '{}' or state = 'REQUESTED'
 order by id;
