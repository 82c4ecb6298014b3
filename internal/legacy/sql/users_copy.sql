insert into app.users (id, email, full_name, phone, created_at)
select row_id, email, name, phone, coalesce(created_at, now())
  from app_private.legacy_users
 where place > $1 and place <= $2 and problem is null and not known
 order by place
