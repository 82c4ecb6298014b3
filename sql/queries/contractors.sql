-- ContractorsCount and ContractorsPage share their filters. The search for @q
-- reads all of the caller's contractors, as UnitsCount says.
-- name: ContractorsCount :one
select count(*)
  from app.contractors c
 where (sqlc.narg('trade')::text is null or c.trade = sqlc.narg('trade'))
   and (sqlc.narg('archived')::boolean is null or c.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', c.name, c.email, c.phone, c.address1, c.address2, c.city, c.postal_code, c.license_no)),
                  lower(@q)) > 0);

-- ContractorsPage returns one page, by the indexes that UnitsPage uses for units.
-- name: ContractorsPage :many
select c.*
  from app.contractors c
 where (sqlc.narg('trade')::text is null or c.trade = sqlc.narg('trade'))
   and (sqlc.narg('archived')::boolean is null or c.archived = sqlc.narg('archived'))
   and (@q::text = ''
        or strpos(lower(concat_ws(' ', c.name, c.email, c.phone, c.address1, c.address2, c.city, c.postal_code, c.license_no)),
                  lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or c.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'name' then lower(c.name) end,
          case when @sort = '-name' then lower(c.name) end desc,
          case when @sort = 'createdAt' then c.created_at end,
          case when @sort = '-createdAt' then c.created_at end desc,
          case when @sort = '-createdAt' or @sort = '-name' then c.id end desc,
          c.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: Contractor :one
select * from app.contractors where id = @id;

-- ContractorForUpdate locks a contractor for the rest of the transaction.
-- name: ContractorForUpdate :one
select * from app.contractors where id = @id for no key update;

-- name: ContractorCreate :one
insert into app.contractors (name, trade, phone, email, website, address1, address2, city, state, postal_code, country,
                             rating, license_no, insured_until, notes, archived_at)
values (@name, @trade, @phone, @email, @website, @address1, @address2, @city, @state, @postal_code, @country,
        @rating, @license_no, @insured_until, @notes, case when @archived::boolean then now() end)
returning *;

-- ContractorUpdate replaces a contractor's data. An archived contractor who stays
-- archived keeps their time.
-- name: ContractorUpdate :one
update app.contractors
   set name = @name, trade = @trade, phone = @phone, email = @email, website = @website, address1 = @address1,
       address2 = @address2, city = @city, state = @state, postal_code = @postal_code, country = @country,
       rating = @rating, license_no = @license_no, insured_until = @insured_until, notes = @notes,
       archived_at = case when @archived::boolean then coalesce(archived_at, now()) end
 where id = @id
returning *;

-- ContractorDelete deletes a contractor who is archived.
-- name: ContractorDelete :one
select app.delete_contractor(@id);
