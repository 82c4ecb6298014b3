-- TicketTimelineCount has no row for a ticket that the caller does not have.
-- name: TicketTimelineCount :one
select ((select count(*) from app.ticket_events e where e.ticket_id = t.id)
        + (select count(*) from app.ticket_comments c where c.ticket_id = t.id))::bigint as entries
  from app.tickets t
 where t.id = @ticket_id;

-- TicketTimelinePage merges what happened to a ticket with what was said about it.
-- name: TicketTimelinePage :many
select l.*
  from (select e.id, e.type, e.from_value, e.to_value, e.actor_kind as actor,
               null::text as comment_kind, null::text as body, null::timestamptz as edited_at, e.created_at
          from app.ticket_events e
         where e.ticket_id = @ticket_id
         union all
        select c.id, 'comment', null, null, c.author, c.kind, c.body, c.edited_at, c.created_at
          from app.ticket_comments c
         where c.ticket_id = @ticket_id) l
 order by case when @sort::text = '-createdAt' then l.created_at end desc,
          case when @sort = '-createdAt' then l.id end desc,
          l.created_at, l.id
 limit @row_limit::bigint offset @row_offset::bigint;
