select table_name, read, copied, unchanged, reported
  from (
    select 1 as step, 'users' as table_name, count(*) as read, count(*) filter (where problem is null and not known) as copied,
           count(*) filter (where problem is null and known) as unchanged, count(problem) as reported from app_private.legacy_users
    union all
    select 2, 'units', count(*), count(*) filter (where problem is null and not known),
           count(*) filter (where problem is null and known), count(problem) from app_private.legacy_units
    union all
    select 3, 'tenants', count(*), count(*) filter (where problem is null and not known),
           count(*) filter (where problem is null and known), count(problem) from app_private.legacy_tenants
    union all
    select 4, 'tenancies', count(*), count(*) filter (where problem is null and not known),
           count(*) filter (where problem is null and known), count(problem) from app_private.legacy_tenancies
    union all
    select 5, 'tenant_invites', count(*), count(*) filter (where problem is null and not known),
           count(*) filter (where problem is null and known), count(problem) from app_private.legacy_tenant_invites
    union all
    select 6, 'tickets', count(*), count(*) filter (where problem is null and not known),
           count(*) filter (where problem is null and known), count(problem) from app_private.legacy_tickets
  ) counted
 order by step
