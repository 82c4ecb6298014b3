-- The policies add owner_user_id = the caller to every statement here.

-- TicketCommentsCount has no row for a ticket that the caller does not have.
-- name: TicketCommentsCount :one
select (select count(*) from app.ticket_comments c
         where c.ticket_id = t.id
           and (sqlc.narg('kind')::text is null or c.kind = sqlc.narg('kind'))
           and (@q::text = '' or strpos(lower(c.body), lower(@q)) > 0))
  from app.tickets t
 where t.id = @ticket_id;

-- TicketCommentsPage reads ticket_comments_ticket_idx, in its order when sorted by
-- createdAt.
-- name: TicketCommentsPage :many
select c.*
  from app.ticket_comments c
 where c.ticket_id = @ticket_id
   and (sqlc.narg('kind')::text is null or c.kind = sqlc.narg('kind'))
   and (@q::text = '' or strpos(lower(c.body), lower(@q)) > 0)
   and (sqlc.narg('after_id')::uuid is null or c.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then c.created_at end,
          case when @sort = '-createdAt' then c.created_at end desc,
          case when @sort = '-createdAt' then c.id end desc,
          c.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: TicketComment :one
select * from app.ticket_comments where id = @id;

-- TicketCommentForUpdate locks a comment for the rest of the transaction. It finds
-- none that somebody else wrote: the policy for changes lets nobody at those.
-- name: TicketCommentForUpdate :one
select * from app.ticket_comments where id = @id for no key update;

-- name: TicketCommentCreate :one
insert into app.ticket_comments (ticket_id, kind, body) values (@ticket_id, @kind, @body)
returning *;

-- name: TicketCommentUpdate :one
update app.ticket_comments set body = @body where id = @id
returning *;

-- name: TicketCommentDelete :one
select app.delete_comment(@id);
