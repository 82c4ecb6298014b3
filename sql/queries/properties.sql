-- The policies add owner_user_id = the caller to every statement here, so that
-- "where id = …" reads the primary key (owner_user_id, id).

-- PropertiesCount and PropertiesPage share their filters. The search for @q reads all of
-- the caller's properties: no index finds a part of a word below a policy, and a
-- landlord's own properties are few.
-- name: PropertiesCount :one
select count(*)
  from app.properties p
 where (sqlc.narg('kind')::text is null or p.kind = sqlc.narg('kind'))
   and (sqlc.narg('archived')::boolean is null or p.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', p.name, p.address1, p.address2, p.city, p.postal_code, p.external_ref)),
                  lower(@q)) > 0);

-- PropertiesPage returns one page. Sorted by name it reads properties_name_key, by
-- createdAt properties_created_idx, and walked by id (sort "id" and after_id) the
-- primary key: with the parameters known, all but one of the order's terms are
-- constants, and the planner drops them.
-- name: PropertiesPage :many
select p.*
  from app.properties p
 where (sqlc.narg('kind')::text is null or p.kind = sqlc.narg('kind'))
   and (sqlc.narg('archived')::boolean is null or p.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', p.name, p.address1, p.address2, p.city, p.postal_code, p.external_ref)),
                  lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or p.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'name' then lower(p.name) end,
          case when @sort = '-name' then lower(p.name) end desc,
          case when @sort = 'createdAt' then p.created_at end,
          case when @sort = '-createdAt' then p.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then p.id end desc,
          p.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: Property :one
select * from app.properties where id = @id;

-- PropertyForUpdate locks a property for the rest of the transaction.
-- name: PropertyForUpdate :one
select * from app.properties where id = @id for no key update;

-- name: PropertyCreate :one
insert into app.properties (name, kind, address1, address2, city, state, postal_code, country,
                            latitude, longitude, external_ref, archived_at)
values (@name, @kind, @address1, @address2, @city, @state, @postal_code, @country,
        @latitude, @longitude, @external_ref, case when @archived::boolean then now() end)
returning *;

-- PropertyUpdate replaces a property's data. An archived property that stays archived keeps
-- its time.
-- name: PropertyUpdate :one
update app.properties
   set name = @name, kind = @kind, address1 = @address1,
       address2 = @address2, city = @city, state = @state, postal_code = @postal_code, country = @country,
       latitude = @latitude, longitude = @longitude, external_ref = @external_ref,
       archived_at = case when @archived::boolean then coalesce(archived_at, now()) end
 where id = @id
returning *;

-- name: PropertyDelete :one
select app.delete_property(@id);
