-- All by primary key: the policies add id = the caller.

-- UserProvision makes the caller's profile if there is none, and says how they stand:
-- whether they have said who they are, and if not, whether they are here as somebody's
-- tenant alone. The id is the column's default, the verified caller. What another
-- transaction makes meanwhile is not seen, and nobody has said anything there yet.
-- name: UserProvision :one
with made as (
    insert into app.users (email, signed_up_as) values (sqlc.narg('email'), @signed_up_as)
    on conflict (id) do nothing
    returning onboarding_step, signed_up_as
)
select coalesce(p.onboarding_step > 1, false)::boolean as onboarded,
       (case when p.onboarding_step > 1 then false
             when p.signed_up_as = 'TENANT' then true
             else array_remove(app.my_roles(), 'ADMIN') = '{TENANT}' end)::boolean as renting
  from (select) as caller
  left join (
      select onboarding_step, signed_up_as from made
      union all
      select u.onboarding_step, u.signed_up_as from app.users u
  ) as p on true;

-- name: UserSelf :one
select * from app.users;

-- name: UserUpdate :one
update app.users
   set full_name = @full_name, company_name = @company_name, phone = @phone,
       locale = @locale, country = @country, time_zone = @time_zone, currency = @currency,
       require_aal2 = @require_aal2
returning *;

-- UserOnboard takes the caller on in setting up; app.guard_user lets nobody back.
-- name: UserOnboard :exec
update app.users
   set full_name = @full_name, company_name = @company_name, locale = @locale, country = @country,
       time_zone = @time_zone, currency = @currency, planned_units = @planned_units, onboarding_step = @onboarding_step;

-- Onboarding is the caller's profile and how much there is of what setting up makes. For
-- a landlord: the policies show their own rows.
-- name: Onboarding :one
select sqlc.embed(u),
       (select count(*) from app.units n where not n.archived) as units,
       (select count(*) from app.tenants t where not t.archived) as tenants,
       (select count(*) from app.tenant_invites i where i.revoked_at is null) as invites
  from app.users u;

-- UserForUpdate locks the caller's profile for the rest of the transaction.
-- name: UserForUpdate :one
select * from app.users for no key update;

-- SealHolds says whether the database takes the caller for who the server says.
-- name: SealHolds :one
select (app.current_user_id() is not distinct from @user_id::uuid)::boolean as holds;
