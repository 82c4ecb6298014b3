-- The policies add owner_user_id = the caller. Rows go in and come back as sets: a
-- chunk of a file takes the same number of statements however many rows it has.

-- name: ImportBatchCreate :one
insert into app.import_batches (kind, file_name, file_sha256, encoding, delimiter, header, mapping, on_existing, unknown_units, send_invites, row_count)
values (@kind, @file_name, @file_sha256, @encoding, @delimiter, @header, @mapping, @on_existing, @unknown_units, @send_invites, @row_count)
returning *;

-- name: ImportBatch :one
select * from app.import_batches where id = @id;

-- ImportDelete deletes an import that nothing is done with.
-- name: ImportDelete :one
select app.delete_import(@id);

-- TakeTurn waits for who else of the landlord has taken theirs, until that transaction
-- has ended.
-- name: TakeTurn :exec
select app.take_turn();

-- ImportsOpen counts imports that are not finished. It reads import_batches_open_idx.
-- name: ImportsOpen :one
select count(*) from app.import_batches where state in ('UPLOADED', 'CHECKED', 'RUNNING', 'UNDOING');

-- ImportRowsForget deletes the rows of an import that nothing is done with.
-- name: ImportRowsForget :exec
select app.forget_import_rows(@id);

-- ImportBatchForgotten says that the rows of an import are gone.
-- name: ImportBatchForgotten :exec
update app.import_batches set rows_purged_at = now() where id = @id;

-- ImportOfJob is the import that a job is for, if it is still there and for it.
-- name: ImportOfJob :many
select id from app.import_batches where job_id = @job_id;

-- ImportBatchLock locks a batch for the rest of the transaction.
-- name: ImportBatchLock :one
select * from app.import_batches where id = @id for no key update;

-- ImportEarlier is the newest other import of the same file, if there is one.
-- name: ImportEarlier :many
select e.id
  from app.import_batches e
 where e.file_sha256 = (select b.file_sha256 from app.import_batches b where b.id = @id) and e.id <> @id
 order by e.created_at desc
 limit 1;

-- ImportBatchesPage reads import_batches_created_idx, and the primary key when walked by
-- id.
-- name: ImportBatchesPage :many
select * from app.import_batches b
 where (sqlc.narg('kind')::text is null or b.kind = sqlc.narg('kind'))
   and (sqlc.narg('state')::text is null or b.state = sqlc.narg('state'))
   and (sqlc.narg('after_id')::uuid is null or b.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then b.created_at end,
          case when @sort = '-createdAt' then b.created_at end desc,
          case when @sort = '-createdAt' then b.id end desc,
          b.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: ImportBatchesCount :one
select count(*) from app.import_batches b
 where (sqlc.narg('kind')::text is null or b.kind = sqlc.narg('kind'))
   and (sqlc.narg('state')::text is null or b.state = sqlc.narg('state'));

-- name: ImportBatchMap :exec
update app.import_batches
   set mapping = @mapping, on_existing = @on_existing, unknown_units = @unknown_units, send_invites = @send_invites
 where id = @id;

-- ImportBatchState takes a batch to a state in which there is something to do, with the
-- job that does it.
-- name: ImportBatchState :exec
update app.import_batches
   set state = @state::text,
       started_at = case when @state = 'RUNNING' then now() else started_at end,
       job_id = gen_random_uuid(), cancel_asked_at = null
 where id = @id;

-- name: ImportBatchAskCancel :exec
update app.import_batches set cancel_asked_at = now() where id = @id;

-- ImportBatchCount counts what the rows of a batch have come to, and takes it to another
-- state if one is named: COMPLETED becomes PARTIAL if rows were not taken.
-- name: ImportBatchCount :exec
update app.import_batches b
   set created = c.created, updated = c.updated, unchanged = c.unchanged, skipped = c.skipped, failed = c.failed,
       invited = c.invited, warned = c.warned, done = c.done, kept = c.kept,
       state = case when sqlc.narg('state')::text = 'COMPLETED' and c.failed > 0 then 'PARTIAL' else coalesce(sqlc.narg('state'), b.state) end,
       finished_at = case when sqlc.narg('state') in ('COMPLETED', 'CANCELLED') then now() else b.finished_at end,
       undone_at = case when sqlc.narg('state') = 'UNDONE' then now() else b.undone_at end
  from (
      select count(*) filter (where r.action = 'CREATE') as created, count(*) filter (where r.action = 'UPDATE') as updated,
             count(*) filter (where r.action = 'UNCHANGED') as unchanged, count(*) filter (where r.action = 'SKIP') as skipped,
             count(*) filter (where r.action = 'ERROR') as failed, count(r.invite_id) as invited,
             count(*) filter (where r.action in ('CREATE', 'UPDATE', 'UNCHANGED') and r.code is not null) as warned,
             count(*) filter (where case when @undoing::boolean then r.undone is not null else r.done_at is not null end) as done,
             count(*) filter (where r.undone in ('EDITED', 'IN_USE')) as kept
        from app.import_rows r
       where r.batch_id = @id
  ) c
 where b.id = @id;

-- ImportTurn makes the chunks of all of a landlord's imports come after one another: they
-- wait for the landlord's first import.
-- name: ImportTurn :exec
select b.id from app.import_batches b order by b.created_at, b.id limit 1 for no key update;

-- ImportBatchAdvance counts rows that were run. What they came to is as it was checked
-- until ImportBatchCount counts it at the end: doing that after each chunk reads the whole
-- file as often as it has chunks.
-- name: ImportBatchAdvance :exec
update app.import_batches set done = done + @rows::bigint where id = @id;

-- name: ImportRowsInsert :exec
insert into app.import_rows (batch_id, n, line, cells, fields, same_as, action, code, field, message)
select @batch_id, i.n, i.line, i.cells, i.fields, i.same_as, i.action, i.code, i.field, i.message
  from jsonb_to_recordset(@sent::jsonb) as i (n integer, line integer, cells jsonb, fields jsonb, same_as text, action text,
                                              code text, field text, message text);

-- ImportRowsRead replaces what was read out of cells.
-- name: ImportRowsRead :exec
update app.import_rows r
   set cells = coalesce(i.cells, r.cells), fields = i.fields, same_as = i.same_as, action = i.action, code = i.code, field = i.field, message = i.message,
       unit_id = null, tenant_id = null, invite_id = null
  from jsonb_to_recordset(@sent::jsonb) as i (n integer, cells jsonb, fields jsonb, same_as text, action text, code text, field text, message text)
 where r.batch_id = @batch_id and r.n = i.n;

-- ImportRowsResult writes what came of rows.
-- name: ImportRowsResult :exec
update app.import_rows r
   set action = i.action, code = i.code, field = i.field, message = i.message, unit_id = i.unit_id, tenant_id = i.tenant_id,
       invite_id = i.invite_id, changes = i.changes, done_at = case when @done::boolean then now() end
  from jsonb_to_recordset(@sent::jsonb) as i (n integer, action text, code text, field text, message text, unit_id uuid, tenant_id uuid, invite_id uuid,
                                              changes jsonb)
 where r.batch_id = @batch_id and r.n = i.n;

-- ImportRowsSettle marks what no run has to do with as done.
-- name: ImportRowsSettle :exec
update app.import_rows r set done_at = now() where r.batch_id = @batch_id and r.done_at is null and r.fields is null;

-- ImportRowsAfter reads on from a row in import_rows_n_key.
-- name: ImportRowsAfter :many
select r.* from app.import_rows r
 where r.batch_id = @batch_id and r.n > @after and (not @failed::boolean or r.action = 'ERROR')
 order by r.n
 limit @row_limit::bigint;

-- ImportSamples are the first rows of a batch.
-- name: ImportSamples :many
select r.cells from app.import_rows r where r.batch_id = @batch_id order by r.n limit 20;

-- name: ImportRow :one
select * from app.import_rows where batch_id = @batch_id and n = @n;

-- ImportRowsToRun are the next rows that a run has not done.
-- name: ImportRowsToRun :many
select r.n, r.line, r.fields, r.same_as from app.import_rows r
 where r.batch_id = @batch_id and r.n > @after and r.fields is not null and r.done_at is null
 order by r.n
 limit @row_limit::bigint;

-- ImportRowsToUndo are the last rows that did something and are not undone.
-- name: ImportRowsToUndo :many
select r.n, r.changes, r.invite_id from app.import_rows r
 where r.batch_id = @batch_id and (r.changes is not null or r.invite_id is not null) and r.undone is null
 order by r.n desc
 limit @row_limit::bigint;

-- name: ImportRowsUndone :exec
update app.import_rows r
   set undone = i.undone
  from jsonb_to_recordset(@sent::jsonb) as i (n integer, undone text)
 where r.batch_id = @batch_id and r.n = i.n;

-- ImportFirsts are the rows of a batch by what they say, for finding those that say the
-- same.
-- name: ImportFirsts :many
select r.same_as::text as same_as, min(r.n)::integer as n from app.import_rows r
 where r.batch_id = @batch_id and r.fields is not null and r.same_as is not null
 group by r.same_as;

-- ImportUnitsBefore and ImportTenantsBefore are those that earlier rows of a batch are
-- about.
-- name: ImportUnitsBefore :many
select r.unit_id from app.import_rows r
 where r.batch_id = @batch_id and r.n < @n and r.unit_id = any (@ids::uuid[]);

-- name: ImportTenantsBefore :many
select r.tenant_id from app.import_rows r
 where r.batch_id = @batch_id and r.n < @n and r.tenant_id = any (@ids::uuid[]);

-- ImportRowsGiveUp says of the rows that a run did not come to that it was cancelled.
-- name: ImportRowsGiveUp :exec
update app.import_rows r
   set action = 'SKIP', code = 'cancelled', field = null, message = 'The import was cancelled before this row.',
       invite_id = null, done_at = now()
 where r.batch_id = @batch_id and r.done_at is null;

-- ImportRowsPage reads import_rows_n_key, and the primary key when walked by id.
-- name: ImportRowsPage :many
select * from app.import_rows r
 where r.batch_id = @batch_id
   and (sqlc.narg('action')::text is null or r.action = sqlc.narg('action'))
   and (sqlc.narg('code')::text is null or r.code = sqlc.narg('code'))
   and (sqlc.narg('after_id')::uuid is null or r.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'n' then r.n end, r.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: ImportRowsCount :one
select count(*) from app.import_rows r
 where r.batch_id = @batch_id
   and (sqlc.narg('action')::text is null or r.action = sqlc.narg('action'))
   and (sqlc.narg('code')::text is null or r.code = sqlc.narg('code'));
