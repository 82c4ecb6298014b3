-- Lists that are written to a spreadsheet with what they refer to by name: a person
-- reads names, and an import finds its rows again by them. Filters and orders are those
-- of UnitsPage, TenantsPage and TenanciesPage. The other lists show names already, and
-- are written as their pages are read. Rows are sent as they are found: a landlord's
-- whole list is in nobody's memory.

-- name: UnitsExport :many
select u.id, u.property_id, u.name, p.name as property_name, u.kind,
       (case when u.status = 'VACANT'
              and exists (select from app.tenancies y
                           where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                             and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
             then 'OCCUPIED' else u.status end)::text as status,
       u.address1, u.address2, u.city, u.state, u.postal_code, u.country, u.bedrooms, u.bathrooms, u.area_m2, u.external_ref,
       u.archived_at, u.created_at, u.updated_at
  from app.units u
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when u.status = 'VACANT'
                                       and exists (select from app.tenancies y
                                                    where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
                                                      and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))
                                      then 'OCCUPIED' else u.status end)
   and (sqlc.narg('kind')::text is null or u.kind = sqlc.narg('kind'))
   and (sqlc.narg('property_id')::uuid is null or u.property_id = sqlc.narg('property_id'))
   and (sqlc.narg('archived')::boolean is null or u.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', u.name, u.address1, u.address2, u.city, u.postal_code, u.external_ref)),
                  lower(@q)) > 0)
 order by case when @sort::text = 'name' then lower(u.name) end,
          case when @sort = '-name' then lower(u.name) end desc,
          case when @sort = 'createdAt' then u.created_at end,
          case when @sort = '-createdAt' then u.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then u.id end desc,
          u.id;

-- TenantsExport has of each tenant's tenancies the one that runs, or else the one that
-- begins next. Where it is says where they live; without one the tenant's own unit does.
-- name: TenantsExport :many
select t.id, t.first_name, t.last_name, t.email, t.phone, u.id as unit_id, u.name as unit_name, p.name as property_name,
       y.start_date, y.end_date, t.external_ref, t.notes,
       case when t.user_id is not null then 'CLAIMED'
            when i.expires_at > now() then 'INVITED'
            when i.expires_at is not null then 'EXPIRED'
            else 'NOT_INVITED' end::text as portal_status,
       t.archived_at, t.created_at, t.updated_at
  from app.tenants t
  left join app.tenant_invites i
         on i.owner_user_id = t.owner_user_id and i.tenant_id = t.id and i.claimed_at is null and i.revoked_at is null
  left join app.tenancies y
         on y.owner_user_id = t.owner_user_id
        and y.id = (select c.id
                      from app.tenancies c
                     where c.owner_user_id = t.owner_user_id and c.tenant_id = t.id and c.cancelled_at is null
                       and (c.end_date is null or c.end_date >= current_date)
                     order by greatest(c.start_date, current_date), c.is_primary desc, c.start_date desc, c.id
                     limit 1)
  left join app.units u on u.owner_user_id = t.owner_user_id and u.id = coalesce(y.unit_id, t.unit_id)
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where (sqlc.narg('unit_id')::uuid is null or t.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('archived')::boolean is null or t.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', t.first_name, t.last_name, t.email, t.phone, t.external_ref)), lower(@q)) > 0)
 order by case when @sort::text = 'name' then lower(t.last_name) end,
          case when @sort = 'name' then lower(t.first_name) end,
          case when @sort = '-name' then lower(t.last_name) end desc,
          case when @sort = '-name' then lower(t.first_name) end desc,
          case when @sort = 'createdAt' then t.created_at end,
          case when @sort = '-createdAt' then t.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then t.id end desc,
          t.id;

-- name: TenanciesExport :many
select y.id, u.name as unit_name, p.name as property_name, t.first_name, t.last_name, t.email, y.start_date, y.end_date,
       case when y.cancelled_at is not null then 'CANCELLED'
            when y.end_date < current_date then 'ENDED'
            when y.start_date > current_date then 'UPCOMING'
            when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
            else 'ACTIVE' end::text as status,
       y.is_primary, y.notice_given_on, y.move_out_reason, y.cancelled_at, y.unit_id, y.tenant_id, y.created_at, y.updated_at
  from app.tenancies y
  join app.units u on u.owner_user_id = y.owner_user_id and u.id = y.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
  join app.tenants t on t.owner_user_id = y.owner_user_id and t.id = y.tenant_id
 where (sqlc.narg('unit_id')::uuid is null or y.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('tenant_id')::uuid is null or y.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when y.cancelled_at is not null then 'CANCELLED'
                                      when y.end_date < current_date then 'ENDED'
                                      when y.start_date > current_date then 'UPCOMING'
                                      when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
                                      else 'ACTIVE' end)
 order by case when @sort::text = 'startDate' then y.start_date end,
          case when @sort = '-startDate' then y.start_date end desc,
          case when @sort = 'endDate' then y.end_date end,
          case when @sort = '-startDate' then y.id end desc,
          y.id;
