create unlogged table app_private.legacy_units as
with cleaned as materialized (
    select r.line, r.id, r.owner_id, r.created_at as created_text,
           app_private.legacy_uuid('units', r.id) as row_id,
           app_private.legacy_text(r.name) as name,
           app_private.legacy_text(r.address) as address,
           app_private.legacy_text(r.city) as city,
           app_private.legacy_text(r.state) as state,
           app_private.legacy_text(r.postal_code) as postal_code,
           app_private.legacy_time(r.created_at) as created_at
      from app_private.legacy_raw_units r
), numbered as (
    select c.*, row_number() over (partition by c.row_id order by c.line) as nth from cleaned c
), owned as (
    select n.*, o.row_id as owner_user_id, o.id is not null as owner_found, o.problem is not null as owner_broken,
           k.owners, coalesce(o.row_id = any (k.owners), false) as known
      from numbered n
      left join app_private.legacy_users o on o.id = n.owner_id and o.nth = 1
      left join (select id, array_agg(owner_user_id) as owners from app.units group by id) k on k.id = n.row_id
), checked as materialized (
    select o.*,
           case when o.nth > 1 then array['duplicate_id', 'another row has this id']
                when o.known then null
                else coalesce(
                    app_private.legacy_missing('id', o.id),
                    case when o.owner_id is null then array['no_owner', 'owner_id is empty'] end,
                    case when not o.owner_found then array['owner_missing', 'owner_id names no user'] end,
                    case when o.owner_broken then array['owner_not_copied', 'its owner is reported too'] end,
                    case when o.owners is not null then array['owner_changed', 'copied before, for another landlord'] end,
                    app_private.legacy_missing('name', o.name),
                    app_private.legacy_too_long('name', o.name, 200),
                    app_private.legacy_too_long('address', o.address, 200),
                    app_private.legacy_too_long('city', o.city, 100),
                    app_private.legacy_too_long('state', o.state, 100),
                    app_private.legacy_too_long('postal_code', o.postal_code, 20),
                    app_private.legacy_no_time('created_at', o.created_text, o.created_at))
           end as problem
      from owned o
)
select row_number() over (order by c.owner_user_id, c.line) as place, c.line, c.id, c.row_id, c.nth, c.owner_user_id, c.name, c.address, c.city, c.state, c.postal_code, c.created_at, c.known,
       case when c.problem is not null or c.known then c.problem
            when t.id is not null
              or row_number() over (partition by c.owner_user_id, lower(c.name), c.problem is null and not c.known
                                    order by c.created_at, c.id) > 1
            then array['duplicate_name', 'its landlord has another unit of this name']
       end as problem
  from checked c
  left join app.units t on t.owner_user_id = c.owner_user_id and t.property_id is null and lower(t.name) = lower(c.name)
 order by place
