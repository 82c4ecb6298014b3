-- Numbers go on from the landlord's last, in the order in which the tickets were
-- opened. A word for a status or priority that is not listed is reported.
create unlogged table app_private.legacy_tickets as
with statuses (word, status) as (values
    ('NEW', 'NEW'), ('PENDING', 'NEW'), ('SUBMITTED', 'NEW'), ('REPORTED', 'NEW'),
    ('OPEN', 'OPEN'), ('ACKNOWLEDGED', 'OPEN'), ('ASSIGNED', 'OPEN'), ('REOPENED', 'OPEN'),
    ('IN_PROGRESS', 'IN_PROGRESS'), ('INPROGRESS', 'IN_PROGRESS'), ('SCHEDULED', 'IN_PROGRESS'),
    ('ON_HOLD', 'ON_HOLD'), ('WAITING', 'ON_HOLD'), ('WAITING_TENANT', 'ON_HOLD'), ('WAITING_CONTRACTOR', 'ON_HOLD'),
    ('BLOCKED', 'ON_HOLD'),
    ('RESOLVED', 'RESOLVED'), ('COMPLETED', 'RESOLVED'), ('DONE', 'RESOLVED'), ('FIXED', 'RESOLVED'),
    ('CLOSED', 'CLOSED'),
    ('CANCELLED', 'CANCELLED'), ('CANCELED', 'CANCELLED'), ('REJECTED', 'CANCELLED')
), priorities (word, priority) as (values
    ('LOW', 'LOW'), ('NORMAL', 'NORMAL'), ('MEDIUM', 'NORMAL'), ('HIGH', 'HIGH'),
    ('EMERGENCY', 'EMERGENCY'), ('URGENT', 'EMERGENCY'), ('CRITICAL', 'EMERGENCY')
), cleaned as materialized (
    select r.line, r.id, r.unit_id, r.tenant_id, r.created_at as created_text, r.updated_at as updated_text,
           app_private.legacy_uuid('tickets', r.id) as row_id,
           app_private.legacy_text(r.title) as title,
           app_private.legacy_text(r.description) as description,
           coalesce(translate(upper(app_private.legacy_text(r.status)), '- ', '__'), 'NEW') as status_word,
           coalesce(upper(app_private.legacy_text(r.priority)), 'NORMAL') as priority_word,
           app_private.legacy_time(r.created_at) as created_at,
           app_private.legacy_time(r.updated_at) as updated_at
      from app_private.legacy_raw_tickets r
), numbered as (
    select c.*, row_number() over (partition by c.row_id order by c.line) as nth from cleaned c
), owned as (
    select n.*, s.status, p.priority,
           u.row_id as unit_row_id, u.owner_user_id, u.problem is not null as unit_broken,
           t.row_id as tenant_row_id, t.owner_user_id as tenant_owner_id, t.problem is not null as tenant_broken,
           k.owners, coalesce(u.owner_user_id = any (k.owners), false) as known
      from numbered n
      left join statuses s on s.word = n.status_word
      left join priorities p on p.word = n.priority_word
      left join app_private.legacy_units u on u.id = n.unit_id and u.nth = 1
      left join app_private.legacy_tenants t on t.id = n.tenant_id and t.nth = 1
      left join (select id, array_agg(owner_user_id) as owners from app.tickets group by id) k on k.id = n.row_id
), checked as materialized (
    select o.*,
           case when o.nth > 1 then array['duplicate_id', 'another row has this id']
                when o.known then null
                else coalesce(
                    app_private.legacy_missing('id', o.id),
                    case when o.unit_id is null then array['no_unit', 'unit_id is empty'] end,
                    case when o.unit_row_id is null then array['unit_missing', 'unit_id names no unit'] end,
                    case when o.unit_broken then array['unit_not_copied', 'its unit is reported too'] end,
                    case when o.tenant_id is not null and o.tenant_row_id is null
                         then array['tenant_missing', 'tenant_id names no tenant'] end,
                    case when o.tenant_broken then array['tenant_not_copied', 'its tenant is reported too'] end,
                    case when o.tenant_owner_id <> o.owner_user_id
                         then array['different_owners', 'its unit and its tenant are of different landlords'] end,
                    case when o.owners is not null then array['owner_changed', 'copied before, for another landlord'] end,
                    app_private.legacy_missing('title', o.title),
                    app_private.legacy_too_long('title', o.title, 200),
                    app_private.legacy_too_long('description', o.description, 10000),
                    case when o.status is null then array['unknown_status', 'status is none that we know'] end,
                    case when o.priority is null then array['unknown_priority', 'priority is none that we know'] end,
                    app_private.legacy_no_time('created_at', o.created_text, o.created_at),
                    app_private.legacy_no_time('updated_at', o.updated_text, o.updated_at))
           end as problem
      from owned o
)
select row_number() over (order by c.owner_user_id, c.line) as place, c.line, c.id, c.row_id, c.nth, c.owner_user_id, c.unit_row_id, c.tenant_row_id, c.title, c.description, c.status, c.priority,
       coalesce(c.created_at, now()) as created_at, coalesce(c.updated_at, c.created_at, now()) as updated_at, c.known, c.problem,
       coalesce(n.last_number, 0)
       + row_number() over (partition by c.owner_user_id, c.problem is null and not c.known
                            order by c.created_at, c.id) as number
  from checked c
  left join app.ticket_counters n on n.owner_user_id = c.owner_user_id
 order by place
