insert into app.units (owner_user_id, id, name, address1, city, state, postal_code, created_by, created_at)
select owner_user_id, row_id, name, address, city, state, postal_code, owner_user_id, coalesce(created_at, now())
  from app_private.legacy_units
 where place > $1 and place <= $2 and problem is null and not known
 order by place
