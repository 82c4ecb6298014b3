-- but for the hash of the token, which opens the invite
select t.id, row_to_json(t)::text
  from (select i.owner_user_id, i.id, i.tenant_id, i.unit_id, i.email, i.landlord_name, i.unit_label, i.expires_at, i.send_count, i.sent_at,
               i.last_error, i.mail_id, i.mail_state, i.claimed_at, i.claimed_by_user_id, i.revoked_at, i.version, i.created_by, i.created_at,
               i.updated_at
          from app.tenant_invites i) t
 where t.id > $1 order by t.id limit $2
