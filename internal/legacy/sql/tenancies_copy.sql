insert into app.tenancies (owner_user_id, id, unit_id, tenant_id, start_date, end_date, created_by, created_at)
select owner_user_id, row_id, unit_row_id, tenant_row_id, start_day, end_day, owner_user_id, coalesce(created, now())
  from app_private.legacy_tenancies
 where line > $1 and line <= $2 and problem is null and not known
 order by line
