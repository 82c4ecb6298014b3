-- TenantsCount and TenantsPage share their filters. The search for @q reads all
-- of the caller's tenants, as UnitsCount says.
-- name: TenantsCount :one
select count(*)
  from app.tenants t
 where (sqlc.narg('unit_id')::uuid is null or t.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('archived')::boolean is null or t.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', t.first_name, t.last_name, t.email, t.phone, t.external_ref)), lower(@q)) > 0);

-- TenantsPage returns one page, each tenant with what Tenant says of them. Sorted
-- by name, which is the last name and then the first, it reads tenants_name_idx,
-- by createdAt tenants_created_idx, and walked by id the primary key. The page is
-- chosen first: joining before it would look up every tenant's invite and tenancy.
-- name: TenantsPage :many
select sqlc.embed(t),
       case when t.user_id is not null then 'CLAIMED'
            when i.expires_at > now() then 'INVITED'
            when i.expires_at is not null then 'EXPIRED'
            else 'NOT_INVITED' end::text as portal_status,
       y.id as tenancy_id, y.unit_id as tenancy_unit_id, y.start_date, y.end_date
  from app.tenants t
  left join app.tenant_invites i
         on i.tenant_id = t.id and i.claimed_at is null and i.revoked_at is null
  left join app.tenancies y
         on y.tenant_id = t.id
        and y.id = (select c.id
                      from app.tenancies c
                     where c.tenant_id = t.id and c.cancelled_at is null
                       and c.start_date <= current_date and (c.end_date is null or c.end_date >= current_date)
                     order by c.is_primary desc, c.start_date desc, c.id
                     limit 1)
 where t.id = any (array(
         select p.id
           from app.tenants p
         where (sqlc.narg('unit_id')::uuid is null or p.unit_id = sqlc.narg('unit_id'))
           and (sqlc.narg('archived')::boolean is null or p.archived = sqlc.narg('archived'))
           and (@q::text = ''
                or strpos(lower(concat_ws(' ', p.first_name, p.last_name, p.email, p.phone, p.external_ref)), lower(@q)) > 0)
           and (sqlc.narg('after_id')::uuid is null or p.id > sqlc.narg('after_id'))
         order by case when @sort::text = 'name' then lower(p.last_name) end,
                  case when @sort = 'name' then lower(p.first_name) end,
                  case when @sort = '-name' then lower(p.last_name) end desc,
                  case when @sort = '-name' then lower(p.first_name) end desc,
                  case when @sort = 'createdAt' then p.created_at end,
                  case when @sort = '-createdAt' then p.created_at end desc,
                  case when @sort = '-createdAt' or @sort = '-name' then p.id end desc,
                  p.id
         limit @row_limit::bigint offset @row_offset::bigint))
 order by case when @sort::text = 'name' then lower(t.last_name) end,
          case when @sort = 'name' then lower(t.first_name) end,
          case when @sort = '-name' then lower(t.last_name) end desc,
          case when @sort = '-name' then lower(t.first_name) end desc,
          case when @sort = 'createdAt' then t.created_at end,
          case when @sort = '-createdAt' then t.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then t.id end desc,
          t.id;

-- Tenant returns a tenant, how far they are on the way to a login, and the
-- tenancy that they have today, if any.
-- name: Tenant :one
select sqlc.embed(t),
       case when t.user_id is not null then 'CLAIMED'
            when i.expires_at > now() then 'INVITED'
            when i.expires_at is not null then 'EXPIRED'
            else 'NOT_INVITED' end::text as portal_status,
       y.id as tenancy_id, y.unit_id as tenancy_unit_id, y.start_date, y.end_date
  from app.tenants t
  left join app.tenant_invites i
         on i.tenant_id = t.id and i.claimed_at is null and i.revoked_at is null
  left join app.tenancies y
         on y.tenant_id = t.id
        and y.id = (select c.id
                      from app.tenancies c
                     where c.tenant_id = t.id and c.cancelled_at is null
                       and c.start_date <= current_date and (c.end_date is null or c.end_date >= current_date)
                     order by c.is_primary desc, c.start_date desc, c.id
                     limit 1)
 where t.id = @id;

-- TenantForUpdate locks a tenant for the rest of the transaction.
-- name: TenantForUpdate :one
select * from app.tenants where id = @id for no key update;

-- name: TenantCreate :one
insert into app.tenants (first_name, last_name, email, phone, unit_id, notes, external_ref, archived_at)
values (@first_name, @last_name, @email, @phone, @unit_id, @notes, @external_ref, case when @archived::boolean then now() end)
returning *;

-- TenantUpdate replaces a tenant's data. An archived tenant who stays archived
-- keeps their time.
-- name: TenantUpdate :one
update app.tenants
   set first_name = @first_name, last_name = @last_name, email = @email, phone = @phone, unit_id = @unit_id,
       notes = @notes, external_ref = @external_ref,
       archived_at = case when @archived::boolean then coalesce(archived_at, now()) end
 where id = @id
returning id;

-- TenantDelete deletes a tenant who is archived.
-- name: TenantDelete :one
select app.delete_tenant(@id);
