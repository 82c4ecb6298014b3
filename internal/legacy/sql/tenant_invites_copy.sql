insert into app.tenant_invites (owner_user_id, id, tenant_id, unit_id, email, token_hash, landlord_name, unit_label,
                                expires_at, sent_at, claimed_at, claimed_by_user_id, revoked_at, created_by, created_at, mail_state)
select i.owner_user_id, i.row_id, i.tenant_row_id, i.unit_row_id, i.email, i.token_hash, coalesce(o.company_name, o.full_name), u.name,
       i.expires_at, i.created_at, i.claimed_at, i.claimed_by, case when i.superseded then now() end,
       i.owner_user_id, coalesce(i.created_at, now()), null
  from app_private.legacy_tenant_invites i
  join app.users o on o.id = i.owner_user_id
  left join app.units u on u.owner_user_id = i.owner_user_id and u.id = i.unit_row_id
 where i.place > $1 and i.place <= $2 and i.problem is null and not i.known
 order by i.place
