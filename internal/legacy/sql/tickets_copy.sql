with copied as (
    insert into app.tickets (owner_user_id, id, number, unit_id, tenant_id, source, title, description, priority, status,
                             due_at, resolved_at, closed_at, created_by, created_at)
    select owner_user_id, row_id, number, unit_row_id, tenant_row_id, 'IMPORT', title, description, priority, status,
           created_at + app.time_to_due(priority),
           case when status = 'RESOLVED' then updated_at end,
           case when status in ('CLOSED', 'CANCELLED') then updated_at end,
           owner_user_id, created_at
      from app_private.legacy_tickets
     where place > $1 and place <= $2 and problem is null and not known
     order by place
    returning owner_user_id, id, number, tenant_id, status, created_at
), counted as (
    insert into app.ticket_counters as c (owner_user_id, last_number)
    select owner_user_id, max(number) from copied group by owner_user_id
    on conflict (owner_user_id) do update set last_number = greatest(c.last_number, excluded.last_number)
)
insert into app.ticket_events (owner_user_id, ticket_id, tenant_id, type, to_value, actor_kind, created_at)
select owner_user_id, id, tenant_id, 'created', status, 'system', created_at from copied
