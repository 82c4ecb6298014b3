-- TenanciesCount and TenanciesPage share their filters. A tenancy's status follows
-- from its dates and today; its last day is still part of it.
-- name: TenanciesCount :one
select count(*)
  from app.tenancies y
 where (sqlc.narg('unit_id')::uuid is null or y.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('tenant_id')::uuid is null or y.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when y.cancelled_at is not null then 'CANCELLED'
                                      when y.end_date < current_date then 'ENDED'
                                      when y.start_date > current_date then 'UPCOMING'
                                      when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
                                      else 'ACTIVE' end);

-- TenanciesPage returns one page, each tenancy with what Tenancy says of it.
-- Sorted by startDate it reads tenancies_dates_idx, for one unit tenancies_unit_idx,
-- for one tenant tenancies_tenant_idx, and walked by id the primary key.
-- name: TenanciesPage :many
select sqlc.embed(y),
       case when y.cancelled_at is not null then 'CANCELLED'
            when y.end_date < current_date then 'ENDED'
            when y.start_date > current_date then 'UPCOMING'
            when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
            else 'ACTIVE' end::text as status,
       (y.cancelled_at is null
        and exists (select from app.tenancies o
                     where o.unit_id = y.unit_id and o.id <> y.id and o.cancelled_at is null
                       and o.start_date <= coalesce(y.end_date, 'infinity')
                       and coalesce(o.end_date, 'infinity') >= y.start_date))::boolean as overlaps
  from app.tenancies y
 where (sqlc.narg('unit_id')::uuid is null or y.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('tenant_id')::uuid is null or y.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('status')::text is null
        or sqlc.narg('status') = case when y.cancelled_at is not null then 'CANCELLED'
                                      when y.end_date < current_date then 'ENDED'
                                      when y.start_date > current_date then 'UPCOMING'
                                      when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
                                      else 'ACTIVE' end)
   and (sqlc.narg('after_id')::uuid is null or y.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'startDate' then y.start_date end,
          case when @sort = '-startDate' then y.start_date end desc,
          case when @sort = 'endDate' then y.end_date end,
          case when @sort = '-startDate' then y.id end desc,
          y.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- Tenancy returns a tenancy, its status, and whether another tenancy of the same
-- unit has some of its days.
-- name: Tenancy :one
select sqlc.embed(y),
       case when y.cancelled_at is not null then 'CANCELLED'
            when y.end_date < current_date then 'ENDED'
            when y.start_date > current_date then 'UPCOMING'
            when y.notice_given_on <= current_date then 'NOTICE_GIVEN'
            else 'ACTIVE' end::text as status,
       (y.cancelled_at is null
        and exists (select from app.tenancies o
                     where o.unit_id = y.unit_id and o.id <> y.id and o.cancelled_at is null
                       and o.start_date <= coalesce(y.end_date, 'infinity')
                       and coalesce(o.end_date, 'infinity') >= y.start_date))::boolean as overlaps
  from app.tenancies y
 where y.id = @id;

-- TenancyForUpdate locks a tenancy for the rest of the transaction.
-- name: TenancyForUpdate :one
select * from app.tenancies where id = @id for no key update;

-- name: TenancyCreate :one
insert into app.tenancies (unit_id, tenant_id, start_date, end_date, is_primary, notice_given_on, move_out_reason)
values (@unit_id, @tenant_id, @start_date, @end_date, @is_primary, @notice_given_on, @move_out_reason)
returning id;

-- TenancyUpdate replaces what may change of a tenancy; who lives where may not. A
-- cancelled tenancy that stays cancelled keeps its time.
-- name: TenancyUpdate :one
update app.tenancies
   set start_date = @start_date, end_date = @end_date, is_primary = @is_primary, notice_given_on = @notice_given_on,
       move_out_reason = @move_out_reason,
       cancelled_at = case when @cancelled::boolean then coalesce(cancelled_at, now()) end
 where id = @id
returning id;

-- TenancyDelete deletes a tenancy that is cancelled.
-- name: TenancyDelete :one
select app.delete_tenancy(@id);
