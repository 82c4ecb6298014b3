-- All by primary key: the policies add owner_user_id = the caller.

-- IdempotencyKeyTake claims a key. It waits for another transaction that is
-- using it, and changes no row when that one committed.
-- name: IdempotencyKeyTake :execrows
insert into app.idempotency_keys (key, operation, request_hash)
values (@key, @operation, @request_hash)
on conflict do nothing;

-- name: IdempotencyKey :one
select * from app.idempotency_keys where key = @key;

-- name: IdempotencyKeyAnswer :exec
update app.idempotency_keys set answer = @answer where key = @key;

-- name: IdempotencyKeysForget :exec
select app.forget_idempotency_keys();
