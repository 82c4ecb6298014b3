-- The policies add owner_user_id = the caller to every statement here, so that
-- "where id = …" reads the primary key (owner_user_id, id).

-- A unit that is let to somebody today is OCCUPIED, whether the landlord has said so
-- or not; that it is OFF_MARKET or about to be free they say themselves.

-- UnitsCount and UnitsPage share their filters. The search for @q reads all of
-- the caller's units: no index finds a part of a word below a policy, and a
-- landlord's own units are few.
-- name: UnitsCount :one
select count(*)
  from app.units u
 where (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when u.status = 'VACANT'
                                       and exists (select from app.tenancies y
                                                    where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                                                      and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
                                      then 'OCCUPIED' else u.status end)
   and (sqlc.narg('kind')::text is null or u.kind = sqlc.narg('kind'))
   and (sqlc.narg('property_id')::uuid is null or u.property_id = sqlc.narg('property_id'))
   and (sqlc.narg('archived')::boolean is null or u.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', u.name, u.address1, u.address2, u.city, u.postal_code, u.external_ref)),
                  lower(@q)) > 0);

-- UnitsPage returns one page. Sorted by name it reads units_name_idx, by
-- createdAt units_created_idx, and walked by id (sort "id" and after_id) the
-- primary key: with the parameters known, all but one of the order's terms are
-- constants, and the planner drops them.
-- name: UnitsPage :many
select u.owner_user_id, u.id, u.property_id, u.name, u.kind,
       (case when u.status = 'VACANT'
              and exists (select from app.tenancies y
                           where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                             and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
             then 'OCCUPIED' else u.status end)::text as status,
       u.address1, u.address2, u.city, u.state, u.postal_code, u.country, u.bedrooms, u.bathrooms, u.area_m2, u.external_ref,
       u.archived_at, u.archived, u.version, u.created_by, u.created_at, u.updated_at
  from app.units u
 where (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when u.status = 'VACANT'
                                       and exists (select from app.tenancies y
                                                    where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                                                      and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
                                      then 'OCCUPIED' else u.status end)
   and (sqlc.narg('kind')::text is null or u.kind = sqlc.narg('kind'))
   and (sqlc.narg('property_id')::uuid is null or u.property_id = sqlc.narg('property_id'))
   and (sqlc.narg('archived')::boolean is null or u.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', u.name, u.address1, u.address2, u.city, u.postal_code, u.external_ref)),
                  lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or u.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'name' then lower(u.name) end,
          case when @sort = '-name' then lower(u.name) end desc,
          case when @sort = 'createdAt' then u.created_at end,
          case when @sort = '-createdAt' then u.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then u.id end desc,
          u.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: Unit :one
select u.owner_user_id, u.id, u.property_id, u.name, u.kind,
       (case when u.status = 'VACANT'
              and exists (select from app.tenancies y
                           where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                             and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
             then 'OCCUPIED' else u.status end)::text as status,
       u.address1, u.address2, u.city, u.state, u.postal_code, u.country, u.bedrooms, u.bathrooms, u.area_m2, u.external_ref,
       u.archived_at, u.archived, u.version, u.created_by, u.created_at, u.updated_at
  from app.units u
 where u.id = @id;

-- UnitForUpdate locks a unit for the rest of the transaction. Its status is what the
-- landlord has said.
-- name: UnitForUpdate :one
select * from app.units where id = @id for no key update;

-- name: UnitCreate :one
insert into app.units (property_id, name, kind, status, address1, address2, city, state, postal_code, country,
                       bedrooms, bathrooms, area_m2, external_ref, archived_at)
values (@property_id, @name, @kind, @status, @address1, @address2, @city, @state, @postal_code, @country,
        @bedrooms, @bathrooms, @area_m2, @external_ref, case when @archived::boolean then now() end)
returning *;

-- UnitUpdate replaces a unit's data. An archived unit that stays archived keeps
-- its time. Who sends OCCUPIED because a tenancy shows it so has said nothing of
-- their own: once the tenancy has ended the unit is VACANT.
-- name: UnitUpdate :one
update app.units u
   set property_id = @property_id, name = @name, kind = @kind,
       status = case when @status::text = 'OCCUPIED' and u.status = 'VACANT'
                      and exists (select from app.tenancies y
                                   where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                                     and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
                     then u.status else @status end,
       address1 = @address1, address2 = @address2, city = @city, state = @state, postal_code = @postal_code, country = @country,
       bedrooms = @bedrooms, bathrooms = @bathrooms, area_m2 = @area_m2, external_ref = @external_ref,
       archived_at = case when @archived::boolean then coalesce(u.archived_at, now()) end
 where u.id = @id
returning u.owner_user_id, u.id, u.property_id, u.name, u.kind,
       (case when u.status = 'VACANT'
              and exists (select from app.tenancies y
                           where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                             and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
             then 'OCCUPIED' else u.status end)::text as status,
       u.address1, u.address2, u.city, u.state, u.postal_code, u.country, u.bedrooms, u.bathrooms, u.area_m2, u.external_ref,
       u.archived_at, u.archived, u.version, u.created_by, u.created_at, u.updated_at;

-- name: UnitDelete :one
select app.delete_unit(@id);
