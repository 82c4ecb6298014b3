-- What tenants send. The policies add owner_user_id = their landlords and
-- tenant_id = themselves, in the books of all landlords.

-- PortalHomesCount and PortalHomesPage share their filters.
-- name: PortalHomesCount :one
select count(*)
  from app.tenancies y
  join app.units u on u.owner_user_id = y.owner_user_id and u.id = y.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where y.cancelled_at is null
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', u.name, u.address1, u.address2, u.city, u.postal_code,
                                  p.name, p.address1, p.address2, p.city, p.postal_code)), lower(@q)) > 0);

-- PortalHomesPage reads tenancies_tenant_idx, and the landlord's card, unit and
-- property by their primary keys.
-- name: PortalHomesPage :many
select y.id, y.start_date, y.end_date,
       (case when y.end_date < current_date then 'ENDED' when y.start_date > current_date then 'UPCOMING'
             when y.notice_given_on is not null then 'NOTICE_GIVEN' else 'ACTIVE' end)::text as status,
       u.name as unit_name, u.kind as unit_kind, u.address1, u.address2, u.city, u.state, u.postal_code, u.country,
       p.name as property_name, p.address1 as property_address1, p.address2 as property_address2, p.city as property_city,
       p.state as property_state, p.postal_code as property_postal_code, p.country as property_country,
       c.name as landlord_name, c.company_name, c.email, c.phone
  from app.tenancies y
  join app.units u on u.owner_user_id = y.owner_user_id and u.id = y.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
  left join app.landlord_cards c on c.owner_user_id = y.owner_user_id
 where y.cancelled_at is null
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', u.name, u.address1, u.address2, u.city, u.postal_code,
                                  p.name, p.address1, p.address2, p.city, p.postal_code)), lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or y.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'startDate' then y.start_date end,
          case when @sort = '-startDate' then y.start_date end desc,
          case when @sort = '-startDate' then y.id end desc,
          y.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- PortalTicketsCount and PortalTicketsPage share their filters.
-- name: PortalTicketsCount :one
select count(*)
  from app.tickets t
 where (sqlc.narg('status')::text is null or t.status = sqlc.narg('status'))
   and (sqlc.narg('tenancy_id')::uuid is null
        or exists (select from app.tenancies y
                    where y.id = sqlc.narg('tenancy_id') and y.owner_user_id = t.owner_user_id
                      and y.tenant_id = t.tenant_id and y.unit_id = t.unit_id))
   and (@q::text = '' or strpos(lower(concat_ws(' ', t.number, t.title, t.description)), lower(@q)) > 0);

-- PortalTicketsPage reads tickets_tenant_idx. A ticket's home is the tenancy that
-- had begun when the ticket was opened, or the latest there is.
-- name: PortalTicketsPage :many
select t.id, t.number, h.id as tenancy_id,
       u.name as unit_name, coalesce(c.company_name, c.name) as landlord_name,
       t.title, t.description, t.category, t.status, t.entry_permission, t.entry_notes, t.scheduled_at,
       t.resolved_at, t.closed_at, t.version, t.created_at, t.updated_at
  from app.tickets t
  left join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.landlord_cards c on c.owner_user_id = t.owner_user_id
  left join app.tenancies h on h.owner_user_id = t.owner_user_id and h.id = (
       select y.id from app.tenancies y
        where y.owner_user_id = t.owner_user_id and y.tenant_id = t.tenant_id and y.unit_id = t.unit_id and y.cancelled_at is null
        order by y.start_date <= t.created_at::date desc, y.start_date desc
        limit 1)
 where (sqlc.narg('status')::text is null or t.status = sqlc.narg('status'))
   and (sqlc.narg('tenancy_id')::uuid is null
        or exists (select from app.tenancies y
                    where y.id = sqlc.narg('tenancy_id') and y.owner_user_id = t.owner_user_id
                      and y.tenant_id = t.tenant_id and y.unit_id = t.unit_id))
   and (@q::text = '' or strpos(lower(concat_ws(' ', t.number, t.title, t.description)), lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or t.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then t.created_at end,
          case when @sort = '-createdAt' then t.created_at end desc,
          case when @sort = '-createdAt' then t.id end desc,
          t.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: PortalTicket :one
select t.id, t.number, h.id as tenancy_id,
       u.name as unit_name, coalesce(c.company_name, c.name) as landlord_name,
       t.title, t.description, t.category, t.status, t.entry_permission, t.entry_notes, t.scheduled_at,
       t.resolved_at, t.closed_at, t.version, t.created_at, t.updated_at
  from app.tickets t
  left join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.landlord_cards c on c.owner_user_id = t.owner_user_id
  left join app.tenancies h on h.owner_user_id = t.owner_user_id and h.id = (
       select y.id from app.tenancies y
        where y.owner_user_id = t.owner_user_id and y.tenant_id = t.tenant_id and y.unit_id = t.unit_id and y.cancelled_at is null
        order by y.start_date <= t.created_at::date desc, y.start_date desc
        limit 1)
 where t.id = @id;

-- PortalComments are the newest comments on a ticket, oldest first.
-- name: PortalComments :many
select n.id, n.author, n.body, n.edited_at, n.version, n.created_at
  from (select m.id, m.author, m.body, m.edited_at, m.version, m.created_at
          from app.ticket_comments m
         where m.ticket_id = @ticket_id
         order by m.created_at desc, m.id desc
         limit @row_limit::bigint) n
 order by n.created_at, n.id;

-- PortalEvents are the newest changes of a ticket's status, oldest first.
-- name: PortalEvents :many
select n.from_value, n.to_value, n.actor_kind, n.created_at
  from (select e.id, e.from_value, e.to_value, e.actor_kind, e.created_at
          from app.ticket_events e
         where e.ticket_id = @ticket_id
         order by e.created_at desc, e.id desc
         limit @row_limit::bigint) n
 order by n.created_at, n.id;

-- PortalTicketCreate opens a ticket about a home of the caller. The policy refuses
-- one where they do not live today.
-- name: PortalTicketCreate :one
insert into app.tickets (unit_id, tenant_id, title, description, category, entry_permission, entry_notes)
select y.unit_id, y.tenant_id, @title::text, sqlc.narg('description')::text, @category::text, @entry_permission::boolean, sqlc.narg('entry_notes')::text
  from app.tenancies y
 where y.id = @tenancy_id
returning id;

-- PortalTicketForUpdate locks a ticket for the rest of the transaction.
-- name: PortalTicketForUpdate :one
select t.status, t.version from app.tickets t where t.id = @id for no key update;

-- name: PortalTicketMove :exec
update app.tickets set status = @status where id = @id;

-- name: PortalCommentCreate :one
insert into app.ticket_comments (ticket_id, body) values (@ticket_id, @body)
returning id, author, body, edited_at, version, created_at;
