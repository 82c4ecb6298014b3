-- All by primary key: the policies add id = the caller.

-- UserKeep makes the caller's profile, or brings it to what the provider says of them
-- as of seen_at, unless something later is known. Without a time it only makes one. The
-- id is the column's default, the verified caller. A name is taken over until the
-- provider has been heard for the first time: after that it is the person's own.
-- name: UserKeep :exec
insert into app.users as u (email, full_name, provider_seen_at)
values (sqlc.narg('email'), sqlc.narg('full_name'), sqlc.narg('seen_at'))
on conflict (id) do update
   set email = excluded.email,
       full_name = case when u.provider_seen_at is null then coalesce(u.full_name, excluded.full_name) else u.full_name end,
       provider_seen_at = excluded.provider_seen_at, provider_deleted_at = null
 where excluded.provider_seen_at > coalesce(u.provider_seen_at, '-infinity');

-- UserGone says that the provider has removed the caller. Nothing that the provider
-- said before that comes after it.
-- name: UserGone :exec
update app.users
   set provider_deleted_at = @at::timestamptz, provider_seen_at = greatest(provider_seen_at, @at::timestamptz)
 where provider_deleted_at is null;

-- name: UserSelf :one
select * from app.users;

-- name: UserUpdate :one
update app.users
   set full_name = @full_name, company_name = @company_name, phone = @phone,
       locale = @locale, time_zone = @time_zone, currency = @currency
returning *;

-- UserForUpdate locks the caller's profile for the rest of the transaction.
-- name: UserForUpdate :one
select * from app.users for no key update;

-- SealHolds says whether the database takes the caller for who the server says.
-- name: SealHolds :one
select (app.current_user_id() is not distinct from @user_id::uuid)::boolean as holds;
