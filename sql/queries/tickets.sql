-- The policies add owner_user_id = the caller to every statement here. A ticket is
-- shown with the names of what it refers to, and with where it may go next.

-- TicketsCount and TicketsPage share their filters. The search for @q reads all of
-- the caller's tickets: no index finds a part of a word below a policy.
-- name: TicketsCount :one
select count(*)
  from app.tickets t
 where (sqlc.narg('statuses')::text[] is null or t.status = any (sqlc.narg('statuses')))
   and (sqlc.narg('priority')::text is null or t.priority = sqlc.narg('priority'))
   and (sqlc.narg('category')::text is null or t.category = sqlc.narg('category'))
   and (sqlc.narg('unit_id')::uuid is null or t.unit_id = sqlc.narg('unit_id'))
   and (sqlc.narg('tenant_id')::uuid is null or t.tenant_id = sqlc.narg('tenant_id'))
   and (sqlc.narg('contractor_id')::uuid is null or t.contractor_id = sqlc.narg('contractor_id'))
   and (sqlc.narg('overdue')::boolean is null
        or (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now()) = sqlc.narg('overdue'))
   and (sqlc.narg('archived')::boolean is null or t.archived = sqlc.narg('archived'))
   and (@q::text = '' or strpos(lower(concat_ws(' ', t.title, t.description)), lower(@q)) > 0
        or t.number::text = ltrim(@q, '#'));

-- TicketsPage returns one page. Sorted by createdAt it reads tickets_created_idx, by
-- number tickets_number_key, and walked by id the primary key. Materialized, so that
-- names are looked up for the page and not for every ticket.
-- name: TicketsPage :many
with t as materialized (
    select t.*
      from app.tickets t
     where (sqlc.narg('statuses')::text[] is null or t.status = any (sqlc.narg('statuses')))
       and (sqlc.narg('priority')::text is null or t.priority = sqlc.narg('priority'))
       and (sqlc.narg('category')::text is null or t.category = sqlc.narg('category'))
       and (sqlc.narg('unit_id')::uuid is null or t.unit_id = sqlc.narg('unit_id'))
       and (sqlc.narg('tenant_id')::uuid is null or t.tenant_id = sqlc.narg('tenant_id'))
       and (sqlc.narg('contractor_id')::uuid is null or t.contractor_id = sqlc.narg('contractor_id'))
       and (sqlc.narg('overdue')::boolean is null
            or (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now()) = sqlc.narg('overdue'))
       and (sqlc.narg('archived')::boolean is null or t.archived = sqlc.narg('archived'))
       and (@q::text = '' or strpos(lower(concat_ws(' ', t.title, t.description)), lower(@q)) > 0
            or t.number::text = ltrim(@q, '#'))
       and (sqlc.narg('after_id')::uuid is null or t.id > sqlc.narg('after_id'))
     order by case when @sort::text = 'createdAt' then t.created_at end,
              case when @sort = '-createdAt' then t.created_at end desc,
              case when @sort = 'dueAt' then t.due_at end,
              case when @sort = '-dueAt' then t.due_at end desc,
              case when @sort = 'number' then t.number end,
              case when @sort = '-number' then t.number end desc,
              case when @sort = 'priority' then array_position('{EMERGENCY,HIGH,NORMAL,LOW}'::text[], t.priority) end,
              case when @sort in ('-createdAt', '-dueAt', '-number') then t.id end desc,
              t.id
     limit @row_limit::bigint offset @row_offset::bigint
)
select t.*, u.name as unit_name, n.first_name as tenant_first_name, n.last_name as tenant_last_name,
       k.name as contractor_name,
       (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now())::boolean as overdue,
       app.next_ticket_statuses(t.status, coalesce(t.closed_at, t.resolved_at))::text[] as allowed_statuses,
       said.created_at as last_comment_at
  from t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.tenants n on n.owner_user_id = t.owner_user_id and n.id = t.tenant_id
  left join app.contractors k on k.owner_user_id = t.owner_user_id and k.id = t.contractor_id
  left join app.ticket_comments said on said.owner_user_id = t.owner_user_id
        and said.id = (select c.id from app.ticket_comments c
                        where c.owner_user_id = t.owner_user_id and c.ticket_id = t.id
                        order by c.created_at desc, c.id desc limit 1)
 order by case when @sort::text = 'createdAt' then t.created_at end,
          case when @sort = '-createdAt' then t.created_at end desc,
          case when @sort = 'dueAt' then t.due_at end,
          case when @sort = '-dueAt' then t.due_at end desc,
          case when @sort = 'number' then t.number end,
          case when @sort = '-number' then t.number end desc,
          case when @sort = 'priority' then array_position('{EMERGENCY,HIGH,NORMAL,LOW}'::text[], t.priority) end,
          case when @sort in ('-createdAt', '-dueAt', '-number') then t.id end desc,
          t.id;

-- name: Ticket :one
select t.*, u.name as unit_name, n.first_name as tenant_first_name, n.last_name as tenant_last_name,
       k.name as contractor_name,
       (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now())::boolean as overdue,
       app.next_ticket_statuses(t.status, coalesce(t.closed_at, t.resolved_at))::text[] as allowed_statuses,
       said.created_at as last_comment_at
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.tenants n on n.owner_user_id = t.owner_user_id and n.id = t.tenant_id
  left join app.contractors k on k.owner_user_id = t.owner_user_id and k.id = t.contractor_id
  left join app.ticket_comments said on said.owner_user_id = t.owner_user_id
        and said.id = (select c.id from app.ticket_comments c
                        where c.owner_user_id = t.owner_user_id and c.ticket_id = t.id
                        order by c.created_at desc, c.id desc limit 1)
 where t.id = @id;

-- TicketForUpdate locks a ticket for the rest of the transaction.
-- name: TicketForUpdate :one
select t.*, u.name as unit_name, n.first_name as tenant_first_name, n.last_name as tenant_last_name,
       k.name as contractor_name,
       (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now())::boolean as overdue,
       app.next_ticket_statuses(t.status, coalesce(t.closed_at, t.resolved_at))::text[] as allowed_statuses,
       said.created_at as last_comment_at
  from app.tickets t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.tenants n on n.owner_user_id = t.owner_user_id and n.id = t.tenant_id
  left join app.contractors k on k.owner_user_id = t.owner_user_id and k.id = t.contractor_id
  left join app.ticket_comments said on said.owner_user_id = t.owner_user_id
        and said.id = (select c.id from app.ticket_comments c
                        where c.owner_user_id = t.owner_user_id and c.ticket_id = t.id
                        order by c.created_at desc, c.id desc limit 1)
 where t.id = @id
   for no key update of t;

-- name: TicketCreate :one
with t as (
    insert into app.tickets (unit_id, tenant_id, title, description, category, priority, contractor_id, due_at,
                             entry_permission, entry_notes, scheduled_at, cost_minor, currency)
    values (@unit_id, @tenant_id, @title, @description, @category, @priority, @contractor_id, @due_at,
            @entry_permission, @entry_notes, @scheduled_at, @cost_minor, @currency)
    returning *
)
select t.*, u.name as unit_name, n.first_name as tenant_first_name, n.last_name as tenant_last_name,
       k.name as contractor_name,
       (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now())::boolean as overdue,
       app.next_ticket_statuses(t.status, coalesce(t.closed_at, t.resolved_at))::text[] as allowed_statuses,
       said.created_at as last_comment_at
  from t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.tenants n on n.owner_user_id = t.owner_user_id and n.id = t.tenant_id
  left join app.contractors k on k.owner_user_id = t.owner_user_id and k.id = t.contractor_id
  left join app.ticket_comments said on said.owner_user_id = t.owner_user_id
        and said.id = (select c.id from app.ticket_comments c
                        where c.owner_user_id = t.owner_user_id and c.ticket_id = t.id
                        order by c.created_at desc, c.id desc limit 1);

-- TicketUpdate replaces a ticket's data. Whether the status may change so is for
-- the trigger to say, and a due_at that is null comes from the priority. An archived
-- ticket that stays archived keeps its time.
-- name: TicketUpdate :one
with t as (
    update app.tickets w
       set unit_id = @unit_id, title = @title, description = @description, category = @category, priority = @priority,
           status = @status, status_reason = @status_reason, contractor_id = @contractor_id, due_at = @due_at,
           entry_permission = @entry_permission, entry_notes = @entry_notes, scheduled_at = @scheduled_at,
           cost_minor = @cost_minor, currency = @currency,
           archived_at = case when @archived::boolean then coalesce(w.archived_at, now()) end
     where w.id = @id
    returning *
)
select t.*, u.name as unit_name, n.first_name as tenant_first_name, n.last_name as tenant_last_name,
       k.name as contractor_name,
       (t.status in ('NEW', 'OPEN', 'IN_PROGRESS', 'ON_HOLD') and t.due_at < now())::boolean as overdue,
       app.next_ticket_statuses(t.status, coalesce(t.closed_at, t.resolved_at))::text[] as allowed_statuses,
       said.created_at as last_comment_at
  from t
  join app.units u on u.owner_user_id = t.owner_user_id and u.id = t.unit_id
  left join app.tenants n on n.owner_user_id = t.owner_user_id and n.id = t.tenant_id
  left join app.contractors k on k.owner_user_id = t.owner_user_id and k.id = t.contractor_id
  left join app.ticket_comments said on said.owner_user_id = t.owner_user_id
        and said.id = (select c.id from app.ticket_comments c
                        where c.owner_user_id = t.owner_user_id and c.ticket_id = t.id
                        order by c.created_at desc, c.id desc limit 1);

-- name: TicketDelete :one
select app.delete_ticket(@id);
