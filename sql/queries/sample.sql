-- Sample data: a house, who lives in it, and what is wrong there.

-- SampleCreate makes it, and returns how many rows that were: none if there is some
-- already, or if the landlord has a property of that name. Two at once make one, for the
-- second waits for the name. Nobody's mail goes to the domain sample.example.
-- name: SampleCreate :one
with house as (
    insert into app.properties (name, kind, address1, city, country)
    select 'Sample House', 'apartment_building', '1 Sample Street', 'Sampleton', (select u.country from app.users u)
     where not exists (select from app.sample_rows)
    on conflict do nothing
    returning id
), flats as (
    insert into app.units (property_id, name, kind, status, address1, city, bedrooms, area_m2)
    select h.id, f.name, 'apartment', f.status, '1 Sample Street', 'Sampleton', f.bedrooms, f.area
      from house h cross join (values ('Sample Flat 1', 'OCCUPIED', 2, 64), ('Sample Flat 2', 'OCCUPIED', 1, 41),
                                      ('Sample Flat 3', 'VACANT', 3, 87)) as f (name, status, bedrooms, area)
    returning id, name
), people as (
    insert into app.tenants (first_name, last_name, email, unit_id)
    select p.first_name, 'Sample', p.email, f.id
      from flats f join (values ('Sample Flat 1', 'Ada', 'ada@sample.example'), ('Sample Flat 2', 'Ben', 'ben@sample.example'))
                        as p (flat, first_name, email) on p.flat = f.name
    on conflict do nothing
    returning id, first_name, unit_id
), lets as (
    insert into app.tenancies (unit_id, tenant_id, start_date)
    select p.unit_id, p.id, current_date - 300 from people p
    returning id
), plumber as (
    insert into app.contractors (name, trade, phone)
    select 'Sample Plumbing', 'PLUMBING', '+31 00 000 0000' from house
    returning id
), work as (
    insert into app.tickets (unit_id, tenant_id, title, description, category, priority, status, contractor_id)
    select f.id, p.id, w.title, w.description, w.category, w.priority, w.status, case when w.category = 'PLUMBING' then (select id from plumber) end
      from (values ('Sample Flat 1', 'The kitchen tap drips', 'Since Monday, and more each day.', 'PLUMBING', 'NORMAL', 'IN_PROGRESS'),
                   ('Sample Flat 2', 'No heating', 'The radiators stay cold.', 'HVAC', 'HIGH', 'NEW'),
                   ('Sample Flat 3', 'Paint before the next tenant moves in', 'All rooms, white.', 'OTHER', 'LOW', 'ON_HOLD'))
           as w (flat, title, description, category, priority, status)
      join flats f on f.name = w.flat
      left join people p on p.unit_id = f.id
    returning id
), made as (
    insert into app.sample_rows (table_name, row_id)
    select 'properties', id from house union all select 'units', id from flats union all select 'tenants', id from people
    union all select 'tenancies', id from lets union all select 'contractors', id from plumber union all select 'tickets', id from work
    returning row_id
)
select count(*) as rows from made;

-- name: SampleThere :one
select exists (select from app.sample_rows)::boolean as there;

-- SampleFiles are the places of the files of sample tickets.
-- name: SampleFiles :many
select a.storage_key
  from app.attachments a
  join app.sample_rows s on s.owner_user_id = a.owner_user_id and s.table_name = 'tickets' and s.row_id = a.ticket_id;

-- name: SampleDelete :one
select app.delete_sample_rows()::bigint[] as counts;
