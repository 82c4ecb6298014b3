-- AttachmentTicket says whose a ticket is, and which login its tenant has: they are
-- who may have its files.
-- name: AttachmentTicket :one
select t.owner_user_id, r.user_id as tenant_user_id
  from app.tickets t
  left join app.tenants r on r.owner_user_id = t.owner_user_id and r.id = t.tenant_id
 where t.id = @id;

-- PortalAttachmentTicket is AttachmentTicket for the ticket's tenant.
-- name: PortalAttachmentTicket :one
select owner_user_id from app.tickets where id = @id;

-- AttachmentsCount fails without a row when there is no such ticket.
-- name: AttachmentsCount :one
select (select count(*)
          from app.attachments a
         where a.ticket_id = t.id
           and (sqlc.narg('visibility')::text is null or a.visibility = sqlc.narg('visibility')))
  from app.tickets t
 where t.id = @ticket_id;

-- AttachmentsPage reads attachments_ticket_idx.
-- name: AttachmentsPage :many
select a.*
  from app.attachments a
 where a.ticket_id = @ticket_id
   and (sqlc.narg('visibility')::text is null or a.visibility = sqlc.narg('visibility'))
   and (sqlc.narg('after_id')::uuid is null or a.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then a.created_at end,
          case when @sort = '-createdAt' then a.created_at end desc,
          case when @sort = '-createdAt' then a.id end desc,
          a.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- PortalAttachmentsCount and PortalAttachmentsPage are the same for the ticket's
-- tenant: the policy leaves out what is not shared.
-- name: PortalAttachmentsCount :one
select (select count(*) from app.attachments a where a.owner_user_id = t.owner_user_id and a.ticket_id = t.id)
  from app.tickets t
 where t.id = @ticket_id;

-- PortalAttachmentsPage reads attachments_ticket_idx.
-- name: PortalAttachmentsPage :many
select a.*
  from app.attachments a
 where a.ticket_id = @ticket_id
   and (sqlc.narg('after_id')::uuid is null or a.id > sqlc.narg('after_id'))
 order by case when @sort::text = 'createdAt' then a.created_at end,
          case when @sort = '-createdAt' then a.created_at end desc,
          case when @sort = '-createdAt' then a.id end desc,
          a.id
 limit @row_limit::bigint offset @row_offset::bigint;

-- name: Attachment :one
select * from app.attachments where id = @id;

-- AttachmentKeys are the places of a ticket's files.
-- name: AttachmentKeys :many
select storage_key from app.attachments where ticket_id = @ticket_id;

-- name: AttachmentCreate :one
insert into app.attachments (ticket_id, storage_key, file_name, media_type, size_bytes, sha256, visibility)
values (@ticket_id, @storage_key, @file_name, @media_type, @size_bytes, @sha256, @visibility)
returning *;

-- PortalAttachmentCreate adds a tenant's file; triggers fill in whose it is.
-- name: PortalAttachmentCreate :one
insert into app.attachments (ticket_id, storage_key, file_name, media_type, size_bytes, sha256)
values (@ticket_id, @storage_key, @file_name, @media_type, @size_bytes, @sha256)
returning *;

-- name: AttachmentDelete :one
select app.delete_attachment(@id);
