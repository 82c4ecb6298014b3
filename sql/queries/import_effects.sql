-- What an import does to units, tenants and the rest, a chunk of a file at a time. What
-- is asked about or changed comes as a JSON array of objects; place is where in it an
-- answer belongs.

-- name: ImportPropertiesFind :many
select i.place::integer as place, p.id, p.archived
  from unnest(@names::text[]) with ordinality as i (name, place)
  join app.properties p on lower(p.name) = lower(i.name);

-- name: ImportPropertiesInsert :many
insert into app.properties (name)
select distinct on (lower(i.name)) i.name from unnest(@names::text[]) with ordinality as i (name, place) order by lower(i.name), i.place
on conflict (owner_user_id, lower(name)) do nothing
returning id, version, name;

-- ImportUnitsFind finds units by id, or by name: in a property, in none, or anywhere. It
-- locks them, for what was compared must be what is changed. Beside their columns it says
-- whether they are let today.
-- name: ImportUnitsFind :many
select (i.item ->> 'place')::integer as place, u.id, u.version, u.archived,
       (to_jsonb(u) || jsonb_build_object('let', exists (select from app.tenancies y
            where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
              and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))))::jsonb as content
  from jsonb_array_elements(@sent::jsonb) as i (item)
  join app.units u on u.id = (i.item ->> 'id')::uuid
   for no key update of u;

-- name: ImportUnitsFindByName :many
select (i.item ->> 'place')::integer as place, u.id, u.version, u.archived,
       (to_jsonb(u) || jsonb_build_object('let', exists (select from app.tenancies y
            where y.owner_user_id = u.owner_user_id and y.unit_id = u.id and y.cancelled_at is null
              and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))))::jsonb as content
  from jsonb_array_elements(@sent::jsonb) as i (item)
  join app.units u on lower(u.name) = lower(i.item ->> 'name')
                  and ((i.item ->> 'anywhere')::boolean or u.property_id is not distinct from (i.item ->> 'property_id')::uuid)
   for no key update of u;

-- name: ImportUnitsInsert :many
insert into app.units (property_id, name, kind, status, address1, address2, city, state, postal_code, country, bedrooms, bathrooms,
                       area_m2, external_ref)
select i.property_id, i.name, coalesce(i.kind, 'apartment'), coalesce(i.status, 'VACANT'), i.address1, i.address2, i.city, i.state,
       i.postal_code, i.country, i.bedrooms, i.bathrooms, i.area_m2, i.external_ref
  from jsonb_to_recordset(@sent::jsonb) as i (property_id uuid, name text, kind text, status text, address1 text, address2 text,
                                              city text, state text, postal_code text, country text, bedrooms smallint,
                                              bathrooms numeric, area_m2 numeric, external_ref text)
on conflict (owner_user_id, coalesce(property_id, '00000000-0000-0000-0000-000000000000'), lower(name)) do nothing
returning id, version, name, property_id;

-- name: ImportUnitsUpdate :many
update app.units u
   set kind = i.kind, status = i.status, address1 = i.address1, address2 = i.address2, city = i.city, state = i.state,
       postal_code = i.postal_code, country = i.country, bedrooms = i.bedrooms, bathrooms = i.bathrooms, area_m2 = i.area_m2,
       external_ref = i.external_ref
  from jsonb_to_recordset(@sent::jsonb) as i (id uuid, kind text, status text, address1 text, address2 text, city text, state text,
                                              postal_code text, country text, bedrooms smallint, bathrooms numeric, area_m2 numeric,
                                              external_ref text)
 where u.id = i.id
returning u.id, u.version;

-- name: ImportTenantsFind :many
select (i.item ->> 'place')::integer as place, t.id, t.version, t.archived, to_jsonb(t)::jsonb as content
  from jsonb_array_elements(@sent::jsonb) as i (item)
  join app.tenants t on lower(t.email) = lower(i.item ->> 'email') and t.email is not null
   for no key update of t;

-- ImportTenantsFindByName finds who has no address in the file: by name and, if the file
-- says where they live, there, as a tenant's unit or a tenancy has it.
-- name: ImportTenantsFindByName :many
select (i.item ->> 'place')::integer as place, t.id, t.version, t.archived, to_jsonb(t)::jsonb as content
  from jsonb_array_elements(@sent::jsonb) as i (item)
  join app.tenants t on lower(t.last_name) = lower(i.item ->> 'last_name') and lower(t.first_name) = lower(i.item ->> 'first_name')
                    and ((i.item ->> 'unit_id')::uuid is null or t.unit_id = (i.item ->> 'unit_id')::uuid
                         or exists (select from app.tenancies y
                                     where y.owner_user_id = t.owner_user_id and y.tenant_id = t.id
                                       and y.unit_id = (i.item ->> 'unit_id')::uuid and y.cancelled_at is null
                                       and (y.end_date is null or y.end_date >= current_date)))
 order by t.created_at, t.id
   for no key update of t;

-- name: ImportTenantsInsert :many
insert into app.tenants (first_name, last_name, email, phone, unit_id, notes, external_ref)
select i.first_name, i.last_name, i.email, i.phone, i.unit_id, i.notes, i.external_ref
  from jsonb_to_recordset(@sent::jsonb) as i (first_name text, last_name text, email text, phone text, unit_id uuid, notes text,
                                              external_ref text)
on conflict (owner_user_id, lower(email)) where email is not null do nothing
returning id, version, email;

-- name: ImportTenantsUpdate :many
update app.tenants t
   set first_name = i.first_name, last_name = i.last_name, email = i.email, phone = i.phone, unit_id = i.unit_id, notes = i.notes,
       external_ref = i.external_ref
  from jsonb_to_recordset(@sent::jsonb) as i (id uuid, first_name text, last_name text, email text, phone text, unit_id uuid,
                                              notes text, external_ref text)
 where t.id = i.id
returning t.id, t.version;

-- ImportTenanciesFind finds the tenancy that a row means: the one from that day, or, if
-- the row names none, one that has not ended.
-- name: ImportTenanciesFind :many
select (i.item ->> 'place')::integer as place, y.id, y.version, y.end_date
  from jsonb_array_elements(@sent::jsonb) as i (item)
  join app.tenancies y on y.unit_id = (i.item ->> 'unit_id')::uuid and y.tenant_id = (i.item ->> 'tenant_id')::uuid
 where y.start_date = (i.item ->> 'start_date')::date
    or (i.item ->> 'start_date') is null and y.cancelled_at is null and (y.end_date is null or y.end_date >= current_date)
   for no key update of y;

-- ImportTenanciesOverlap finds who moves in where somebody else lives then, by a tenancy
-- that is older than the file: who shares a home often stands in one file.
-- name: ImportTenanciesOverlap :many
select (i.item ->> 'place')::integer as place
  from jsonb_array_elements(@sent::jsonb) as i (item)
 where exists (select from app.tenancies y
                where y.unit_id = (i.item ->> 'unit_id')::uuid and y.tenant_id <> (i.item ->> 'tenant_id')::uuid
                  and y.cancelled_at is null and y.created_at < @before::timestamptz
                  and y.start_date <= coalesce((i.item ->> 'end_date')::date, 'infinity')
                  and coalesce(y.end_date, 'infinity') >= coalesce((i.item ->> 'start_date')::date, current_date));

-- name: ImportTenanciesInsert :many
insert into app.tenancies (unit_id, tenant_id, start_date, end_date)
select i.unit_id, i.tenant_id, coalesce(i.start_date, current_date), i.end_date
  from jsonb_to_recordset(@sent::jsonb) as i (unit_id uuid, tenant_id uuid, start_date date, end_date date)
on conflict (owner_user_id, unit_id, tenant_id, start_date) do nothing
returning id, version, unit_id, tenant_id;

-- name: ImportTenanciesUpdate :many
update app.tenancies y
   set end_date = i.end_date
  from jsonb_to_recordset(@sent::jsonb) as i (id uuid, end_date date)
 where y.id = i.id
returning y.id, y.version;

-- ImportInvites invites those tenants who have an address and no login, and whom nobody
-- has invited before. A trigger queues the mails.
-- name: ImportInvites :many
insert into app.tenant_invites as i (tenant_id, unit_id, email, mail_id, mail_key, token_hash, landlord_name, unit_label, expires_at)
select t.id, t.unit_id, lower(t.email), s.mail_id, s.mail_key, decode(s.token_hash, 'hex'),
       (select coalesce(c.company_name, c.name, c.email) from app.landlord_cards c where c.owner_user_id = t.owner_user_id),
       (select concat_ws(', ', u.name, p.name)
          from app.units u left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
         where u.owner_user_id = t.owner_user_id and u.id = t.unit_id),
       now() + interval '14 days'
  from jsonb_to_recordset(@sent::jsonb) as s (tenant_id uuid, mail_id uuid, mail_key text, token_hash text)
  join app.tenants t on t.id = s.tenant_id and t.email is not null and t.user_id is null
 where not exists (select from app.tenant_invites e where e.owner_user_id = t.owner_user_id and e.tenant_id = t.id)
on conflict (owner_user_id, tenant_id) where claimed_at is null and revoked_at is null do nothing
returning i.id, i.tenant_id;

-- ImportInvitesOpen finds who has an invite that is open.
-- name: ImportInvitesOpen :many
select i.tenant_id from app.tenant_invites i
 where i.tenant_id = any (@tenants::uuid[]) and i.claimed_at is null and i.revoked_at is null;

-- ImportInvitesLock keeps invites from being claimed while what they invite to is undone.
-- Before their tenants: whoever claims one comes the same way.
-- name: ImportInvitesLock :exec
select i.id from app.tenant_invites i where i.id = any (@ids::uuid[]) for no key update;

-- ImportInvitesRevoke makes those that nobody has claimed void.
-- name: ImportInvitesRevoke :exec
update app.tenant_invites i set revoked_at = now()
 where i.id = any (@ids::uuid[]) and i.claimed_at is null and i.revoked_at is null;

-- ImportUnitsState, ImportTenantsState … are how rows that an import made or changed are
-- now, and whether others refer to them; invites that the import has sent do not count
-- until somebody claims one.
-- name: ImportUnitsState :many
select u.id, u.version,
       (exists (select from app.tenancies y where y.unit_id = u.id) or exists (select from app.tenants t where t.unit_id = u.id)
        or exists (select from app.tickets k where k.unit_id = u.id) or exists (select from app.tenant_invites i where i.unit_id = u.id))::boolean as in_use
  from app.units u
 where u.id = any (@ids::uuid[])
   for update of u;

-- name: ImportTenantsState :many
select t.id, t.version,
       (t.user_id is not null or exists (select from app.tenancies y where y.tenant_id = t.id)
        or exists (select from app.tickets k where k.tenant_id = t.id)
        or exists (select from app.tenant_invites i
                    where i.tenant_id = t.id and (i.claimed_at is not null or i.id <> all (@invites::uuid[]))))::boolean as in_use
  from app.tenants t
 where t.id = any (@ids::uuid[])
   for update of t;

-- name: ImportTenanciesState :many
select y.id, y.version, false as in_use
  from app.tenancies y
 where y.id = any (@ids::uuid[])
   for update of y;

-- name: ImportPropertiesState :many
select p.id, p.version, exists (select from app.units u where u.property_id = p.id)::boolean as in_use
  from app.properties p
 where p.id = any (@ids::uuid[])
   for update of p;

-- What an import made is deleted as a landlord deletes it: archived or cancelled first,
-- where that is asked for.
-- name: ImportTenanciesCancel :exec
update app.tenancies set cancelled_at = now() where id = any (@ids::uuid[]);

-- name: ImportTenanciesDelete :one
select app.delete_imported(@ids::uuid[], '{}', '{}', '{}');

-- name: ImportTenantsArchive :exec
update app.tenants set archived_at = now() where id = any (@ids::uuid[]);

-- name: ImportTenantsDelete :one
select app.delete_imported('{}', @ids::uuid[], '{}', '{}');

-- name: ImportUnitsDelete :one
select app.delete_imported('{}', '{}', @ids::uuid[], '{}');

-- name: ImportPropertiesDelete :one
select app.delete_imported('{}', '{}', '{}', @ids::uuid[]);

-- ImportUnitNames are the landlord's units, for a template to fill in.
-- name: ImportUnitNames :many
select u.name, p.name as property_name
  from app.units u
  left join app.properties p on p.owner_user_id = u.owner_user_id and p.id = u.property_id
 where not u.archived
 order by lower(u.name), u.id
 limit 10000;
