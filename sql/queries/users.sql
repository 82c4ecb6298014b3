-- All by primary key: the policies add id = the caller.

-- UserKeep makes the caller's profile, or brings it to what the provider says of them
-- as of seen_at, unless something later is known. Without a time it only makes one. The
-- id is the column's default, the verified caller. A name is taken over until the
-- provider has been heard for the first time: after that it is the person's own.
--
-- It says how they stand: whether they have said who they are, and if not, whether they
-- are here as somebody's tenant alone. What another transaction makes meanwhile is not
-- seen, and nobody has said anything there yet.
-- name: UserKeep :one
with kept as (
    insert into app.users as u (email, full_name, signed_up_as, provider_seen_at)
    values (sqlc.narg('email'), sqlc.narg('full_name'), @signed_up_as, sqlc.narg('seen_at'))
    on conflict (id) do update
       set email = excluded.email,
           full_name = case when u.provider_seen_at is null then coalesce(u.full_name, excluded.full_name) else u.full_name end,
           provider_seen_at = excluded.provider_seen_at, provider_deleted_at = null
     where excluded.provider_seen_at > coalesce(u.provider_seen_at, '-infinity')
    returning onboarding_step, signed_up_as
)
select coalesce(p.onboarding_step > 1, false)::boolean as onboarded,
       (case when p.onboarding_step > 1 then false
             when p.signed_up_as = 'TENANT' then true
             else array_remove(app.my_roles(), 'ADMIN') = '{TENANT}' end)::boolean as renting
  from (select) as caller
  left join (
      select onboarding_step, signed_up_as from kept
      union all
      select u.onboarding_step, u.signed_up_as from app.users u where not exists (select from kept)
  ) as p on true;

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
       (select count(*) from app.tenant_invites i where i.revoked_at is null) as invites,
       exists (select from app.sample_rows)::boolean as sample_data
  from app.users u;

-- UserForUpdate locks the caller's profile for the rest of the transaction.
-- name: UserForUpdate :one
select * from app.users for no key update;

-- SealHolds says whether the database takes the caller for who the server says.
-- name: SealHolds :one
select (app.current_user_id() is not distinct from @user_id::uuid)::boolean as holds;
