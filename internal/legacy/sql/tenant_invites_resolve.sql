-- A tenant has one open invite: the newest, and the others are copied as revoked.
-- Here only the hash of a token is kept, so that links already mailed keep working.
create unlogged table app_private.legacy_tenant_invites as
with cleaned as materialized (
    select r.line, r.id, r.tenant_id, r.expires_at as expires_text, r.claimed_at as claimed_text, r.created_at as created_text,
           app_private.legacy_uuid('tenant_invites', r.id) as row_id,
           lower(app_private.legacy_text(r.email)) as email,
           sha256(convert_to(r.token, 'UTF8')) as token_hash, char_length(r.token) as token_length,
           app_private.legacy_time(r.expires_at) as expires_at,
           app_private.legacy_time(r.claimed_at) as claimed_at,
           app_private.legacy_time(r.created_at) as created_at
      from app_private.legacy_raw_tenant_invites r
), numbered as (
    select c.*, row_number() over (partition by c.row_id order by c.line) as nth,
           row_number() over (partition by c.token_hash order by c.created_at, c.id) as nth_token
      from cleaned c
), owned as (
    select n.line, n.id, n.row_id, n.nth, n.nth_token, n.tenant_id, n.token_hash, n.token_length,
           n.expires_text, n.claimed_text, n.created_text, n.expires_at, n.claimed_at, n.created_at,
           coalesce(n.email, lower(t.email)) as email,
           t.row_id as tenant_row_id, t.owner_user_id, t.unit_row_id, t.problem is not null as tenant_broken,
           case when n.claimed_at is not null then t.user_row_id end as claimed_by,
           k.owners, coalesce(t.owner_user_id = any (k.owners), false) as known
      from numbered n
      left join app_private.legacy_tenants t on t.id = n.tenant_id and t.nth = 1
      left join (select id, array_agg(owner_user_id) as owners from app.tenant_invites group by id) k on k.id = n.row_id
), checked as materialized (
    select o.*,
           case when o.nth > 1 then array['duplicate_id', 'another row has this id']
                when o.known then null
                else coalesce(
                    app_private.legacy_missing('id', o.id),
                    app_private.legacy_missing('tenant_id', o.tenant_id),
                    case when o.tenant_row_id is null then array['tenant_missing', 'tenant_id names no tenant'] end,
                    case when o.tenant_broken then array['tenant_not_copied', 'its tenant is reported too'] end,
                    case when o.owners is not null then array['owner_changed', 'copied before, for another landlord'] end,
                    app_private.legacy_missing('email', o.email),
                    app_private.legacy_no_email('email', o.email),
                    case when o.token_length is null then array['missing_value', 'token is empty'] end,
                    case when o.token_length < 16 then array['weak_token', 'token has fewer than 16 characters'] end,
                    case when o.nth_token > 1 then array['duplicate_token', 'another invite has this token'] end,
                    app_private.legacy_missing('expires_at', o.expires_text),
                    app_private.legacy_no_time('expires_at', o.expires_text, o.expires_at),
                    app_private.legacy_no_time('claimed_at', o.claimed_text, o.claimed_at),
                    app_private.legacy_no_time('created_at', o.created_text, o.created_at),
                    case when o.claimed_at is not null and o.claimed_by is null
                         then array['claimed_by_nobody', 'claimed, but its tenant has no login'] end)
           end as problem
      from owned o
)
select row_number() over (order by c.owner_user_id, c.line) as place, c.line, c.id, c.row_id, c.nth, c.owner_user_id, c.tenant_row_id, c.unit_row_id, c.email, c.token_hash,
       c.expires_at, c.claimed_at, c.claimed_by, c.created_at, c.known, c.problem,
       c.claimed_at is null
       and (i.id is not null
            or row_number() over (partition by c.owner_user_id, c.tenant_row_id,
                                               c.claimed_at is null and c.problem is null and not c.known
                                  order by c.created_at desc nulls last, c.id) > 1) as superseded
  from checked c
  left join app.tenant_invites i on i.owner_user_id = c.owner_user_id and i.tenant_id = c.tenant_row_id
                                and i.claimed_at is null and i.revoked_at is null
 order by place
