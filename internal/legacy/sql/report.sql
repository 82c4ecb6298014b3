select table_name, coalesce(id, '') as id, problem[1] as reason, problem[2] as detail
  from (
    select 1 as step, 'users' as table_name, line, id, problem from app_private.legacy_users
    union all select 2, 'units', line, id, problem from app_private.legacy_units
    union all select 3, 'tenants', line, id, problem from app_private.legacy_tenants
    union all select 4, 'tenancies', line, id, problem from app_private.legacy_tenancies
    union all select 5, 'tenant_invites', line, id, problem from app_private.legacy_tenant_invites
    union all select 6, 'tickets', line, id, problem from app_private.legacy_tickets
  ) reported
 where problem is not null
 order by step, line
