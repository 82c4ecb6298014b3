-- The policies add owner_user_id = the caller to every statement here.

-- AuditCount and AuditPage share their filters. From is the first moment and to the
-- first one no more.
-- name: AuditCount :one
select count(*)
  from app.audit_log a
 where (sqlc.narg('table_name')::text is null or a.table_name = sqlc.narg('table_name'))
   and (sqlc.narg('row_id')::uuid is null or a.row_id = sqlc.narg('row_id'))
   and (sqlc.narg('actor_kind')::text is null or a.actor_kind = sqlc.narg('actor_kind'))
   and (sqlc.narg('action')::text is null or a.action = sqlc.narg('action'))
   and (sqlc.narg('from_at')::timestamptz is null or a.at >= sqlc.narg('from_at'))
   and (sqlc.narg('to_at')::timestamptz is null or a.at < sqlc.narg('to_at'));

-- AuditPage returns one page, newest first, as audit_log_at_idx has them. Walked, it
-- goes on behind the entry (after_at, after_id).
-- name: AuditPage :many
select a.*
  from app.audit_log a
 where (sqlc.narg('table_name')::text is null or a.table_name = sqlc.narg('table_name'))
   and (sqlc.narg('row_id')::uuid is null or a.row_id = sqlc.narg('row_id'))
   and (sqlc.narg('actor_kind')::text is null or a.actor_kind = sqlc.narg('actor_kind'))
   and (sqlc.narg('action')::text is null or a.action = sqlc.narg('action'))
   and (sqlc.narg('from_at')::timestamptz is null or a.at >= sqlc.narg('from_at'))
   and (sqlc.narg('to_at')::timestamptz is null or a.at < sqlc.narg('to_at'))
   and (sqlc.narg('after_at')::timestamptz is null
        or (a.at <= sqlc.narg('after_at') and (a.at < sqlc.narg('after_at') or a.id > sqlc.narg('after_id')::uuid)))
 order by a.at desc, a.id
 limit @row_limit::bigint offset @row_offset::bigint;
