insert into app.tenants (owner_user_id, id, user_id, first_name, last_name, email, phone, unit_id, created_by, created_at)
select owner_user_id, row_id, user_row_id, first_name, last_name, email, phone, unit_row_id, owner_user_id, coalesce(created_at, now())
  from app_private.legacy_tenants
 where place > $1 and place <= $2 and problem is null and not known
 order by place
