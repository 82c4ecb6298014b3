-- A tenant's owner is its unit's. Without a unit, the units of its tickets and
-- tenancies tell, if they all tell the same.
create unlogged table app_private.legacy_tenants as
with cleaned as materialized (
    select r.line, r.id, r.unit_id, r.user_id, r.created_at as created_text,
           app_private.legacy_uuid('tenants', r.id) as row_id,
           app_private.legacy_text(r.first_name) as first_name,
           app_private.legacy_text(r.last_name) as last_name,
           app_private.legacy_text(r.email) as email,
           app_private.legacy_text(r.phone) as phone,
           app_private.legacy_time(r.created_at) as created_at
      from app_private.legacy_raw_tenants r
), numbered as (
    select c.*, row_number() over (partition by c.row_id order by c.line) as nth from cleaned c
), evidence as (
    select e.tenant_id, array_agg(distinct u.owner_user_id) as owners
      from (select tenant_id, unit_id from app_private.legacy_raw_tickets
            union all
            select tenant_id, unit_id from app_private.legacy_raw_tenancies) e
      join app_private.legacy_units u on u.id = e.unit_id and u.nth = 1
     where u.owner_user_id is not null
     group by e.tenant_id
), owned as (
    select n.*, u.row_id as unit_row_id, u.problem is not null as unit_broken,
           l.row_id as user_row_id, l.id is not null as user_found, l.problem is not null as user_broken,
           e.owners as evidence,
           case when n.unit_id is not null then u.owner_user_id
                when cardinality(e.owners) = 1 then e.owners[1] end as owner_user_id
      from numbered n
      left join app_private.legacy_units u on u.id = n.unit_id and u.nth = 1
      left join app_private.legacy_users l on l.id = n.user_id and l.nth = 1
      left join evidence e on e.tenant_id = n.id
), compared as (
    select o.*, k.owners, coalesce(o.owner_user_id = any (k.owners), false) as known, w.problem is not null as owner_broken
      from owned o
      left join app_private.legacy_users w on w.row_id = o.owner_user_id and w.nth = 1
      left join (select id, array_agg(owner_user_id) as owners from app.tenants group by id) k on k.id = o.row_id
), checked as materialized (
    select c.*,
           case when c.nth > 1 then array['duplicate_id', 'another row has this id']
                when c.known then null
                else coalesce(
                    app_private.legacy_missing('id', c.id),
                    case when c.unit_id is not null and c.unit_row_id is null then array['unit_missing', 'unit_id names no unit'] end,
                    case when c.unit_broken then array['unit_not_copied', 'its unit is reported too'] end,
                    case when c.unit_id is null and c.evidence is null
                         then array['no_owner', 'no unit, and no ticket or tenancy of a unit'] end,
                    case when c.owner_user_id is null
                         then array['several_owners', 'its tickets and tenancies are of ' || cardinality(c.evidence) || ' landlords'] end,
                    case when c.owner_broken then array['owner_not_copied', 'its owner is reported too'] end,
                    case when c.owners is not null then array['owner_changed', 'copied before, for another landlord'] end,
                    case when c.user_id is not null and not c.user_found then array['user_missing', 'user_id names no user'] end,
                    case when c.user_broken then array['user_not_copied', 'its login is reported too'] end,
                    app_private.legacy_missing('first_name', c.first_name),
                    app_private.legacy_missing('last_name', c.last_name),
                    app_private.legacy_too_long('first_name', c.first_name, 100),
                    app_private.legacy_too_long('last_name', c.last_name, 100),
                    app_private.legacy_no_email('email', c.email),
                    app_private.legacy_too_long('phone', c.phone, 50),
                    app_private.legacy_no_time('created_at', c.created_text, c.created_at))
           end as problem
      from compared c
)
select row_number() over (order by c.owner_user_id, c.line) as place, c.line, c.id, c.row_id, c.nth, c.owner_user_id, c.unit_row_id, c.user_row_id, c.first_name, c.last_name, c.email, c.phone,
       c.created_at, c.known,
       case when c.problem is not null or c.known then c.problem
            when c.email is not null
             and (m.id is not null
                  or row_number() over (partition by c.owner_user_id, lower(c.email), c.problem is null and not c.known
                                        order by c.created_at, c.id) > 1)
            then array['duplicate_email', 'its landlord has another tenant with this e-mail address']
            when c.user_row_id is not null
             and (g.id is not null
                  or row_number() over (partition by c.owner_user_id, c.user_row_id, c.problem is null and not c.known
                                        order by c.created_at, c.id) > 1)
            then array['duplicate_login', 'its landlord has another tenant with this login']
       end as problem
  from checked c
  left join app.tenants m on m.owner_user_id = c.owner_user_id and lower(m.email) = lower(c.email)
  left join app.tenants g on g.owner_user_id = c.owner_user_id and g.user_id = c.user_row_id
 order by place
