-- What the dashboard shows, run as one batch. Archived rows are left out, as they
-- are of lists. The policies add owner_user_id = the caller to every statement here.

-- DashboardUnits counts as occupied what UnitsPage shows so.
-- name: DashboardUnits :one
select count(*) as total,
       count(*) filter (where u.status = 'VACANT' and y.unit_id is null) as vacant,
       count(*) filter (where u.status = 'OCCUPIED' or u.status = 'VACANT' and y.unit_id is not null) as occupied,
       count(*) filter (where u.status = 'NOTICE') as notice,
       count(*) filter (where u.status = 'OFF_MARKET') as off_market
  from app.units u
  left join (select distinct t.owner_user_id, t.unit_id
               from app.tenancies t
              where t.cancelled_at is null and t.start_date <= current_date and (t.end_date is null or t.end_date >= current_date)) y
    on y.owner_user_id = u.owner_user_id and y.unit_id = u.id
 where not u.archived;

-- DashboardTenants counts as invited who holds an invite that is neither claimed nor
-- revoked, past its day or not.
-- name: DashboardTenants :one
select count(*) as total,
       count(*) filter (where t.user_id is not null) as claimed,
       count(*) filter (where t.user_id is null and i.id is not null) as invited,
       count(*) filter (where t.user_id is null and i.id is null) as not_invited
  from app.tenants t
  left join app.tenant_invites i
    on i.owner_user_id = t.owner_user_id and i.tenant_id = t.id and i.claimed_at is null and i.revoked_at is null
 where not t.archived;

-- name: DashboardTickets :one
select count(*) as open,
       count(*) filter (where t.priority = 'EMERGENCY') as emergency,
       count(*) filter (where t.priority = 'HIGH') as high,
       count(*) filter (where t.priority = 'NORMAL') as normal,
       count(*) filter (where t.priority = 'LOW') as low,
       count(*) filter (where t.due_at < now()) as overdue
  from app.tickets t
 where t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and not t.archived;

-- DashboardNewTickets are the newest that nobody has looked at.
-- name: DashboardNewTickets :many
select t.id, t.number, t.title, t.priority, t.status, t.unit_id, u.name as unit_name, t.due_at, t.created_at
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
 where t.status = 'NEW' and not t.archived
 order by t.created_at desc, t.id
 limit 5;

-- DashboardWaitingTickets are those on hold, the longest waiting first.
-- name: DashboardWaitingTickets :many
select t.id, t.number, t.title, t.priority, t.status, t.unit_id, u.name as unit_name, t.due_at, t.created_at
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
 where t.status = 'ON_HOLD' and not t.archived
 order by t.created_at, t.id
 limit 5;

-- DashboardInvites are open ones that have expired or will within three days.
-- name: DashboardInvites :many
select i.id, i.tenant_id, concat_ws(' ', t.first_name, t.last_name)::text as tenant_name, i.email, i.expires_at,
       (i.expires_at <= now())::boolean as expired
  from app.tenant_invites i
  join app.tenants t on t.owner_user_id = i.owner_user_id and t.id = i.tenant_id
 where i.claimed_at is null and i.revoked_at is null and i.expires_at < now() + interval '3 days' and not t.archived
 order by i.expires_at, i.id
 limit 5;

-- DashboardEndingTenancies end today or within ninety days.
-- name: DashboardEndingTenancies :many
select y.id, y.tenant_id, concat_ws(' ', t.first_name, t.last_name)::text as tenant_name, y.unit_id, u.name as unit_name, y.end_date
  from app.tenancies y
  join app.tenants t on t.owner_user_id = y.owner_user_id and t.id = y.tenant_id
  join app.units u on u.owner_user_id = y.owner_user_id and u.id = y.unit_id
 where y.cancelled_at is null and y.end_date between current_date and current_date + 90
 order by y.end_date, y.id
 limit 5;

-- name: DashboardActivity :many
select a.id, a.at, a.actor_kind, a.action, a.table_name, a.row_id
  from app.audit_log a
 order by a.at desc, a.id
 limit 5;
