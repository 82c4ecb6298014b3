-- name: SealKeyPut :exec
insert into app_private.seal_keys (id, inner_pad, outer_pad, binds_pid)
values (@id, @inner_pad, @outer_pad, @binds_pid)
on conflict (id) do update
   set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, binds_pid = excluded.binds_pid;

-- name: SealKeysForgetOthers :exec
delete from app_private.seal_keys where id <> all (@ids::text[]);
