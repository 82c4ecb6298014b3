create unlogged table app_private.legacy_tenancies as
with cleaned as materialized (
    select r.*, app_private.legacy_uuid('tenancies', r.id) as row_id,
           app_private.legacy_time(r.start_date)::date as start_day,
           app_private.legacy_time(r.end_date)::date as end_day,
           app_private.legacy_time(r.created_at) as created
      from app_private.legacy_raw_tenancies r
), numbered as (
    select c.*, row_number() over (partition by c.row_id order by c.line) as nth from cleaned c
), owned as (
    select n.*, u.row_id as unit_row_id, u.owner_user_id, u.problem is not null as unit_broken,
           t.row_id as tenant_row_id, t.owner_user_id as tenant_owner_id, t.problem is not null as tenant_broken,
           k.owners, coalesce(u.owner_user_id = any (k.owners), false) as known
      from numbered n
      left join app_private.legacy_units u on u.id = n.unit_id and u.nth = 1
      left join app_private.legacy_tenants t on t.id = n.tenant_id and t.nth = 1
      left join (select id, array_agg(owner_user_id) as owners from app.tenancies group by id) k on k.id = n.row_id
), checked as materialized (
    select o.*,
           case when o.nth > 1 then array['duplicate_id', 'another row has this id']
                when o.known then null
                else coalesce(
                    app_private.legacy_missing('id', o.id),
                    case when o.unit_id is null then array['no_unit', 'unit_id is empty'] end,
                    case when o.unit_row_id is null then array['unit_missing', 'unit_id names no unit'] end,
                    case when o.unit_broken then array['unit_not_copied', 'its unit is reported too'] end,
                    app_private.legacy_missing('tenant_id', o.tenant_id),
                    case when o.tenant_row_id is null then array['tenant_missing', 'tenant_id names no tenant'] end,
                    case when o.tenant_broken then array['tenant_not_copied', 'its tenant is reported too'] end,
                    case when o.tenant_owner_id <> o.owner_user_id
                         then array['different_owners', 'its unit and its tenant are of different landlords'] end,
                    case when o.owners is not null then array['owner_changed', 'copied before, for another landlord'] end,
                    app_private.legacy_missing('start_date', o.start_date),
                    app_private.legacy_no_time('start_date', o.start_date, o.start_day),
                    app_private.legacy_no_time('end_date', o.end_date, o.end_day),
                    app_private.legacy_no_time('created_at', o.created_at, o.created),
                    case when o.end_day < o.start_day then array['end_before_start', 'end_date is before start_date'] end)
           end as problem
      from owned o
)
select row_number() over (order by c.owner_user_id, c.line) as place, c.line, c.id, c.row_id, c.nth, c.owner_user_id, c.unit_row_id, c.tenant_row_id, c.start_day, c.end_day, c.created, c.known,
       case when c.problem is not null or c.known then c.problem
            when y.id is not null
              or row_number() over (partition by c.owner_user_id, c.unit_row_id, c.tenant_row_id, c.start_day,
                                                 c.problem is null and not c.known order by c.created, c.id) > 1
            then array['duplicate_tenancy', 'another has the same unit, tenant and start']
       end as problem
  from checked c
  left join app.tenancies y on y.owner_user_id = c.owner_user_id and y.unit_id = c.unit_row_id
                           and y.tenant_id = c.tenant_row_id and y.start_date = c.start_day
 order by place
