insert into app.tenancies (owner_user_id, id, unit_id, tenant_id, start_date, end_date, created_by, created_at)
select owner_user_id, row_id, unit_row_id, tenant_row_id, start_day, end_day, owner_user_id, coalesce(created, now())
  from app_private.legacy_tenancies
 where place > $1 and place <= $2 and problem is null and not known
 order by place
