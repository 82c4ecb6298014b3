-- A user's id is the identity provider's and can be nothing but a uuid. The role is
-- not copied: here rights come from rows.
create unlogged table app_private.legacy_users as
with cleaned as materialized (
    select r.line, r.id, r.created_at as created_text,
           case when r.id ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then r.id::uuid end as row_id,
           app_private.legacy_text(r.email) as email,
           app_private.legacy_text(r.name) as name,
           app_private.legacy_text(r.phone) as phone,
           app_private.legacy_time(r.created_at) as created_at
      from app_private.legacy_raw_users r
), numbered as (
    select c.*, row_number() over (partition by coalesce(c.row_id::text, c.id) order by c.line) as nth from cleaned c
)
select n.*, u.id is not null as known,
       row_number() over (order by n.row_id, n.line) as place,
       case when n.nth > 1 then array['duplicate_id', 'another row has this id']
            when u.id is not null then null
            else coalesce(
                case when n.row_id is null then array['id_not_uuid', 'nobody can sign in with this id'] end,
                app_private.legacy_too_long('email', n.email, 320),
                app_private.legacy_too_long('name', n.name, 200),
                app_private.legacy_too_long('phone', n.phone, 50),
                app_private.legacy_no_time('created_at', n.created_text, n.created_at))
       end as problem
  from numbered n
  left join app.users u on u.id = n.row_id
 order by place
