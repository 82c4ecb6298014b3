-- What the search finds, run as one batch: at most five of a kind, and first those
-- that begin with what was asked for. Each reads all of the caller's rows of its kind:
-- no index finds a part of a word below a policy, and a landlord's own rows are few.
-- strpos takes % and _ for what they are. Archived rows are left out, as they are of
-- lists.

-- name: SearchUnits :many
select u.id, u.name as label,
       concat_ws(', ', p.name, coalesce(u.address1, p.address1), coalesce(u.postal_code, p.postal_code), coalesce(u.city, p.city))::text as detail
  from app.units u
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where not u.archived
   and strpos(lower(concat_ws(' ', u.name, p.name, coalesce(u.address1, p.address1), u.address2, coalesce(u.postal_code, p.postal_code),
                              coalesce(u.city, p.city), u.external_ref)), lower(@q::text)) > 0
 order by starts_with(lower(u.name), lower(@q)) desc, lower(u.name), u.id
 limit 5;

-- name: SearchTenants :many
select t.id, concat_ws(' ', t.first_name, t.last_name)::text as label, concat_ws(', ', t.email, t.phone)::text as detail
  from app.tenants t
 where not t.archived
   and strpos(lower(concat_ws(' ', t.first_name, t.last_name, t.email, t.phone, t.external_ref)), lower(@q::text)) > 0
 order by starts_with(lower(t.last_name), lower(@q)) or starts_with(lower(t.first_name), lower(@q)) desc,
          lower(t.last_name), lower(t.first_name), t.id
 limit 5;

-- SearchTickets finds a ticket by its number too, written #12.
-- name: SearchTickets :many
select t.id, concat('#', t.number, ' ', t.title)::text as label, concat_ws(', ', t.status, u.name)::text as detail
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
 where not t.archived
   and strpos(lower(concat_ws(' ', '#' || t.number, t.title, t.description)), lower(@q::text)) > 0
 order by @q = '#' || t.number or starts_with(lower(t.title), lower(@q)) desc, t.created_at desc, t.id
 limit 5;

-- name: SearchContractors :many
select c.id, c.name as label, concat_ws(', ', c.trade, c.phone, c.city)::text as detail
  from app.contractors c
 where not c.archived
   and strpos(lower(concat_ws(' ', c.name, c.trade, c.email, c.phone, c.city)), lower(@q::text)) > 0
 order by starts_with(lower(c.name), lower(@q)) desc, lower(c.name), c.id
 limit 5;
