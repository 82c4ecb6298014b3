-- UserRoles are the caller's: OWNER, TENANT, ADMIN or none.
-- name: UserRoles :one
select app.my_roles()::text[] as roles;
