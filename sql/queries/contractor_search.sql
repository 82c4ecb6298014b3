-- The policies add owner_user_id = the caller to every statement here.

-- ContractorSearchTicket is what a search has to know of a ticket: the category,
-- and where the unit stands, or else the property that it stands in. fresh names
-- the providers whose last answer still holds; one that was given for another
-- category does not.
-- name: ContractorSearchTicket :one
select t.id, t.category,
       coalesce(u.postal_code, p.postal_code, '')::text as postal_code,
       coalesce(u.city, p.city, '')::text as city,
       coalesce(u.country, p.country, '')::text as country,
       p.latitude, p.longitude,
       array(select r.provider
               from app.contractor_search_results r
              where r.owner_user_id = t.owner_user_id and r.ticket_id = t.id and r.expires_at > @now::timestamptz
              group by r.provider
             having bool_and(r.trade in (t.category, 'GENERAL')))::text[] as fresh
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where t.id = @ticket_id;

-- ContractorSearchResults are what was found for a ticket's category, and with it
-- the contractor of the landlord's book that each one is, if any. First the book,
-- ranked as in ContractorsForWork, then the nearest of the others. What a provider
-- of @unanswered has found earlier is shown beyond its time: old is better than
-- nothing. What a later answer no longer held (see ContractorSearchKeep) is not.
-- The CTE is materialized, so that the book is looked up by the ids in it: below a
-- policy no index is used with what a function computes of other rows.
-- name: ContractorSearchResults :many
with r as materialized (
    select f.*,
           case when f.provider = 'book' and f.provider_place_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                then f.provider_place_id::uuid end as book_id,
           case when f.provider <> 'book' then f.provider || ':' || f.provider_place_id end as external_place_id
      from app.contractor_search_results f
     where f.ticket_id = @ticket_id
       and (f.expires_at > @now::timestamptz
            or (f.provider = any(@unanswered::text[]) and f.expires_at > f.fetched_at))
)
select r.id, r.provider, r.name, r.trade, r.phone, r.website, r.address, r.distance_m, r.rating, r.rating_count,
       r.fetched_at, r.expires_at, c.id as contractor_id
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
  join r on r.owner_user_id = t.owner_user_id and r.ticket_id = t.id and r.trade in (t.category, 'GENERAL')
  left join app.contractors saved on saved.owner_user_id = r.owner_user_id and saved.external_place_id = r.external_place_id
  left join app.contractors c on c.owner_user_id = r.owner_user_id and c.id = coalesce(r.book_id, saved.id)
 where t.id = @ticket_id
   and not (r.provider = 'book' and coalesce(c.archived, false))
 order by r.provider <> 'book',
          r.provider = 'book' and coalesce(lower(replace(c.postal_code, ' ', '')) = lower(replace(coalesce(u.postal_code, p.postal_code), ' ', '')), false) desc,
          r.provider = 'book' and coalesce(lower(trim(c.city)) = lower(trim(coalesce(u.city, p.city))), false) desc,
          r.distance_m nulls last, r.rating desc nulls last, lower(r.name), r.id
 limit @row_limit::bigint;

-- ContractorsForWork ranks a landlord's own contractors for a trade in a place.
-- name: ContractorsForWork :many
select c.*
  from app.contractors c
 where not c.archived and c.trade = any(array[@trade::text, 'GENERAL'])
 order by coalesce(lower(replace(c.postal_code, ' ', '')) = lower(replace(@postal_code::text, ' ', '')), false) desc,
          coalesce(lower(trim(c.city)) = lower(trim(@city::text)), false) desc,
          c.rating desc nulls last, lower(c.name), c.id
 limit @row_limit::bigint;

-- ContractorSearchKeep keeps what the providers of @asked have answered for a
-- ticket. A result that was known keeps its id; one that is no longer in the answer
-- is withdrawn: it expires when it was fetched. Without a value, a text is empty, a
-- distance negative and a rating 0.
-- name: ContractorSearchKeep :exec
with found as (
    select unnest(@providers::text[]) as provider, unnest(@place_ids::text[]) as place_id,
           unnest(@names::text[]) as name, unnest(@trades::text[]) as trade, unnest(@phones::text[]) as phone,
           unnest(@websites::text[]) as website, unnest(@addresses::text[]) as address,
           unnest(@distances_m::integer[]) as distance_m, unnest(@ratings::integer[]) as rating,
           unnest(@expire_at::timestamptz[]) as expires_at
), withdrawn as (
    update app.contractor_search_results r
       set expires_at = r.fetched_at, updated_at = now()
     where r.ticket_id = @ticket_id and r.provider = any(@asked::text[]) and r.expires_at > r.fetched_at
       and not exists (select from found f where f.provider = r.provider and f.place_id = r.provider_place_id)
)
insert into app.contractor_search_results as r (ticket_id, provider, provider_place_id, name, trade, phone, website, address,
                                                distance_m, rating, fetched_at, expires_at)
select @ticket_id, f.provider, f.place_id, f.name, f.trade, nullif(f.phone, ''), nullif(f.website, ''), nullif(f.address, ''),
       case when f.distance_m >= 0 then f.distance_m end, nullif(f.rating, 0), @now::timestamptz, f.expires_at
  from found f
 order by f.provider, f.place_id -- two searches at once lock their rows in the same order
on conflict (owner_user_id, ticket_id, provider, provider_place_id) do update
   set name = excluded.name, trade = excluded.trade, phone = excluded.phone, website = excluded.website,
       address = excluded.address, distance_m = excluded.distance_m, rating = excluded.rating,
       fetched_at = excluded.fetched_at, expires_at = excluded.expires_at, updated_at = now();

-- ContractorSearchSave adds a result to the landlord's book, unless its place is in
-- there already.
-- name: ContractorSearchSave :exec
insert into app.contractors (name, trade, phone, website, address1, source, external_place_id)
select r.name, r.trade, nullif(r.phone, ''), nullif(r.website, ''), nullif(left(r.address, 200), ''), 'SEARCH',
       r.provider || ':' || r.provider_place_id
  from app.contractor_search_results r
 where r.ticket_id = @ticket_id and r.id = @id and r.provider <> 'book'
on conflict (owner_user_id, external_place_id) where external_place_id is not null do nothing;

-- ContractorSearchSaved is the contractor of the book that a result is. It is a
-- statement after ContractorSearchSave and not part of it: of two savers at once the
-- second sees in a new snapshot what the first one has made.
-- name: ContractorSearchSaved :one
select c.*
  from app.contractor_search_results r
  left join app.contractors saved on saved.owner_user_id = r.owner_user_id
       and saved.external_place_id = r.provider || ':' || r.provider_place_id
  join app.contractors c on c.owner_user_id = r.owner_user_id
       and c.id = case when r.provider <> 'book' then saved.id
                       when r.provider_place_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then r.provider_place_id::uuid end
 where r.ticket_id = @ticket_id and r.id = @id;
