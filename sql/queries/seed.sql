-- Demo data of one landlord, by sets. Running it again adds nothing.

-- name: SeedProperties :exec
insert into app.properties (name, kind, address1, city, postal_code, country)
select 'House ' || n, 'apartment_building', n || ' Canal Street', 'Utrecht', '3511 AB', 'NL'
  from generate_series(1, @properties::integer) n
on conflict do nothing;

-- name: SeedUnits :exec
insert into app.units (property_id, name, kind, status, address1, city, postal_code, country, bedrooms, area_m2)
select p.id, 'Flat ' || n, 'apartment', case when n % 4 = 0 then 'VACANT' else 'OCCUPIED' end,
       p.address1, p.city, p.postal_code, p.country, (1 + n % 3)::smallint, 40 + n % 50
  from app.properties p cross join generate_series(1, @units::integer) n
on conflict do nothing;
