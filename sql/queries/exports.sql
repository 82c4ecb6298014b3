-- What a landlord takes with them as spreadsheets: each row as texts, in the order of
-- its columns, a part of the table at a time along the primary key. Names of columns
-- are internal/httpapi's.

-- name: ExportUnits :many
select u.id, array_replace(array[u.name, p.name, u.kind, u.status, u.address1, u.address2, u.city, u.state, u.postal_code, u.country,
                                 u.bedrooms::text, u.bathrooms::text, u.area_m2::text, u.external_ref, u.id::text,
                                 u.archived_at::text, u.created_at::text], null, '')::text[] as cells
  from app.units u
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where u.id > @after
 order by u.id
 limit @row_limit::bigint;

-- name: ExportProperties :many
select p.id, array_replace(array[p.name, p.kind, p.address1, p.address2, p.city, p.state, p.postal_code, p.country, p.latitude::text,
                                 p.longitude::text, p.external_ref, p.id::text, p.archived_at::text, p.created_at::text], null, '')::text[] as cells
  from app.properties p
 where p.id > @after
 order by p.id
 limit @row_limit::bigint;

-- name: ExportTenants :many
select t.id, array_replace(array[t.first_name, t.last_name, t.email, t.phone, u.name, p.name, t.external_ref, t.notes, t.id::text,
                                 t.archived_at::text, t.created_at::text], null, '')::text[] as cells
  from app.tenants t
  left join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where t.id > @after
 order by t.id
 limit @row_limit::bigint;

-- name: ExportTenancies :many
select y.id, array_replace(array[t.first_name, t.last_name, t.email, u.name, p.name, y.start_date::text, y.end_date::text,
                                 y.notice_given_on::text, y.move_out_reason, y.id::text, y.cancelled_at::text, y.created_at::text], null, '')::text[] as cells
  from app.tenancies y
  join app.tenants t on t.owner_user_id = y.owner_user_id and t.id = y.tenant_id
  join app.units u on u.owner_user_id = y.owner_user_id and u.id = y.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where y.id > @after
 order by y.id
 limit @row_limit::bigint;

-- name: ExportTenantInvites :many
select i.id, array_replace(array[t.first_name, t.last_name, i.email, i.unit_label,
                                 case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED'
                                      when i.expires_at <= now() then 'EXPIRED' else 'PENDING' end,
                                 i.mail_state, i.send_count::text, i.sent_at::text, i.last_error, i.expires_at::text, i.claimed_at::text,
                                 i.id::text, i.created_at::text], null, '')::text[] as cells
  from app.tenant_invites i
  join app.tenants t on t.owner_user_id = i.owner_user_id and t.id = i.tenant_id
 where i.id > @after
 order by i.id
 limit @row_limit::bigint;

-- name: ExportContractors :many
select c.id, array_replace(array[c.name, c.trade, c.phone, c.email, c.website, c.address1, c.address2, c.city, c.state, c.postal_code,
                                 c.country, c.rating::text, c.license_no, c.insured_until::text, c.notes, c.id::text, c.archived_at::text,
                                 c.created_at::text], null, '')::text[] as cells
  from app.contractors c
 where c.id > @after
 order by c.id
 limit @row_limit::bigint;

-- name: ExportTickets :many
select k.id, array_replace(array[k.number::text, k.title, k.description, k.status, k.priority, k.category, u.name, p.name, t.first_name,
                                 t.last_name, c.name, k.due_at::text, k.scheduled_at::text, k.resolved_at::text, k.closed_at::text,
                                 k.cost_minor::text, k.currency, k.id::text, k.created_at::text], null, '')::text[] as cells
  from app.tickets k
  join app.units u on u.owner_user_id = k.owner_user_id and u.id = k.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
  left join app.tenants t on t.owner_user_id = k.owner_user_id and t.id = k.tenant_id
  left join app.contractors c on c.owner_user_id = k.owner_user_id and c.id = k.contractor_id
 where k.id > @after
 order by k.id
 limit @row_limit::bigint;
