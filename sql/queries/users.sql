-- All by primary key: the policies add id = the caller.

-- UserProvision makes the caller's profile if there is none. The id is the
-- column's default, the verified caller.
-- name: UserProvision :exec
insert into app.users (email) values (sqlc.narg('email')) on conflict (id) do nothing;

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
