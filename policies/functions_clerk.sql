-- What nobody may write themselves is written by triggers of rowhouse_clerk:
-- numbers, events, cards and the audit trail. And what several policies need to
-- know of the caller it looks up, under policies of its own, so that they need not
-- refer to one another's tables.

set local role rowhouse_owner;
grant usage, create on schema app to rowhouse_clerk;
set local role rowhouse_clerk;

-- my_tenant_ids are the entries about the caller in the books of all landlords.
create or replace function app.my_tenant_ids() returns uuid[]
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(select t.id from app.tenants t where t.user_id = (select app.current_user_id()));
end
$$;

-- my_landlord_ids are the landlords of the caller.
create or replace function app.my_landlord_ids() returns uuid[]
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(select t.owner_user_id from app.tenants t where t.user_id = (select app.current_user_id()));
end
$$;

-- my_unit_ids are the units that the caller lives in, did or will.
create or replace function app.my_unit_ids() returns uuid[]
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(select y.unit_id from app.tenancies y
                  where y.tenant_id = any ((select app.my_tenant_ids())::uuid[]) and y.cancelled_at is null);
end
$$;

-- my_property_ids are the properties that my_unit_ids stand in.
create or replace function app.my_property_ids() returns uuid[]
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return array(select u.property_id from app.units u
                  where u.id = any ((select app.my_unit_ids())::uuid[]) and u.property_id is not null);
end
$$;

-- claimed_tenant_id is the tenant of the invite whose token the caller holds and
-- has claimed.
create or replace function app.claimed_tenant_id() returns uuid
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (select i.tenant_id from app.tenant_invites i
             where i.token_hash = (select app.invite_hash()) and i.claimed_by_user_id = (select app.current_user_id()));
end
$$;

-- number_ticket counts within one landlord. The counter's row makes two tickets
-- of one landlord wait for each other and no one else; a rollback leaves no gap.
create or replace function app.number_ticket() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.ticket_counters as c (owner_user_id, last_number) values (new.owner_user_id, 1)
    on conflict (owner_user_id) do update set last_number = c.last_number + 1
    returning last_number into new.number;
    return new;
end
$$;

-- keep_landlord_card copies what tenants may know of a landlord. Where nothing of that
-- has changed, nothing is written: the time of the last sign-in is not for tenants.
create or replace function app.keep_landlord_card() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.landlord_cards as c (owner_user_id, name, company_name, email, phone)
    values (new.id, new.full_name, new.company_name, new.email, new.phone)
    on conflict (owner_user_id) do update
       set name = excluded.name, company_name = excluded.company_name, email = excluded.email,
           phone = excluded.phone, updated_at = now()
     where (c.name, c.company_name, c.email, c.phone)
           is distinct from (excluded.name, excluded.company_name, excluded.email, excluded.phone);
    return null;
end
$$;

-- take_turn has a landlord's transactions that call it come after one another, each
-- until its end: what is counted against a limit then is not counted by two at once.
-- Everybody has a card, and no persona may lock one by itself.
create or replace function app.take_turn() returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform from app.landlord_cards c where c.owner_user_id = (select app.current_user_id()) for no key update;
end
$$;

-- record_ticket_event writes a ticket's timeline.
create or replace function app.record_ticket_event() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.ticket_events (owner_user_id, ticket_id, tenant_id, type, from_value, to_value, actor_user_id, actor_kind)
    select new.owner_user_id, new.id, new.tenant_id, e.type, e.from_value, e.to_value, app.current_user_id(),
           case current_setting('role') when 'rowhouse_landlord' then 'landlord' when 'rowhouse_tenant' then 'tenant' else 'system' end
      from (values
               ('created', null, new.status, tg_op = 'INSERT'),
               ('status', old.status, new.status, tg_op = 'UPDATE' and new.status is distinct from old.status),
               ('priority', old.priority, new.priority, tg_op = 'UPDATE' and new.priority is distinct from old.priority),
               ('contractor', old.contractor_id::text, new.contractor_id::text,
                tg_op = 'UPDATE' and new.contractor_id is distinct from old.contractor_id),
               ('unit', old.unit_id::text, new.unit_id::text, tg_op = 'UPDATE' and new.unit_id is distinct from old.unit_id),
               ('due', to_char(old.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                to_char(new.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), tg_op = 'UPDATE' and new.due_at is distinct from old.due_at)
           ) as e (type, from_value, to_value, happened)
     where e.happened;
    return null;
end
$$;

-- record_changes writes the audit trail, for all rows of a statement at once: of an
-- update only what changed, and of a secret only that it is there. An update's old
-- and new rows are grouped and not joined: a plan that was made for one row would
-- go on to compare each with each.
create or replace function app.record_changes() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    actor      uuid := app.current_user_id();
    -- the worker acts for a landlord, who has not done it themselves
    actor_kind text := case when session_user = 'rowhouse_worker' then 'system'
                            when current_setting('role') = 'rowhouse_landlord' then 'landlord'
                            when current_setting('role') = 'rowhouse_tenant' then 'tenant'
                            when current_setting('role') = 'rowhouse_user' then 'user' else 'system' end;
    request_id text := nullif(left(current_setting('app.request_id', true), 64), '');
    -- what app.masked does, looked up once: called for each row, it takes a good part of the time
    mask       jsonb := (case when exists (select from pg_attribute a where a.attrelid = tg_relid and a.attname = 'token_hash')
                             then '{"token_hash": "***"}' else '{}' end)::jsonb;
begin
    if tg_op = 'INSERT' then
        insert into app.audit_log (owner_user_id, actor_user_id, actor_kind, request_id, action, table_name, row_id, after)
        select n.owner_user_id, actor, actor_kind, request_id, 'insert', tg_table_name, n.id, to_jsonb(n) || mask
          from new_rows n;
    elsif tg_op = 'DELETE' then
        insert into app.audit_log (owner_user_id, actor_user_id, actor_kind, request_id, action, table_name, row_id, before)
        select o.owner_user_id, actor, actor_kind, request_id, 'delete', tg_table_name, o.id, to_jsonb(o) || mask
          from old_rows o;
    else
        insert into app.audit_log (owner_user_id, actor_user_id, actor_kind, request_id, action, table_name, row_id, before, after)
        select c.owner_user_id, actor, actor_kind, request_id, 'update', tg_table_name, c.id, app.masked(d.before), app.masked(d.after)
          from (
              select r.owner_user_id, r.id, (array_agg(r.content) filter (where r.is_old))[1] as before,
                     (array_agg(r.content) filter (where not r.is_old))[1] as after
                from (
                    select o.owner_user_id, o.id, true, to_jsonb(o) from old_rows o
                    union all
                    select n.owner_user_id, n.id, false, to_jsonb(n) from new_rows n
                ) as r (owner_user_id, id, is_old, content)
               group by r.owner_user_id, r.id
          ) c
          cross join lateral (
              select jsonb_object_agg(k.key, c.before -> k.key) as before, jsonb_object_agg(k.key, c.after -> k.key) as after
                from jsonb_object_keys(coalesce(c.after, c.before)) as k (key)
               where c.before -> k.key is distinct from c.after -> k.key and k.key not in ('version', 'updated_at', 'mail_id', 'mail_key')
          ) d
         where d.after is not null;
    end if;
    return null;
end
$$;

-- record_change did so for each row. It is here for the triggers of migration 0015,
-- until 0018 puts record_changes in their place.
create or replace function app.record_change() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    either  jsonb := coalesce(new_row, old_row);
begin
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, new_row -> o.key)
          into old_row, new_row
          from jsonb_each(old_row) o
         where o.value is distinct from new_row -> o.key and o.key not in ('version', 'updated_at');
        if new_row is null then
            return null;
        end if;
    end if;
    insert into app.audit_log (owner_user_id, actor_user_id, actor_kind, request_id, action, table_name, row_id, before, after)
    values ((either ->> 'owner_user_id')::uuid, app.current_user_id(),
            case current_setting('role') when 'rowhouse_landlord' then 'landlord' when 'rowhouse_tenant' then 'tenant'
                                         when 'rowhouse_user' then 'user' else 'system' end,
            nullif(left(current_setting('app.request_id', true), 64), ''), lower(tg_op), tg_table_name,
            (either ->> 'id')::uuid, app.masked(old_row), app.masked(new_row));
    return null;
end
$$;

-- masked hides the values of secrets in a row.
create or replace function app.masked(row_data jsonb) returns jsonb
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select case when row_data ? 'token_hash' then row_data || '{"token_hash": "***"}' else row_data end
$$;

-- my_roles are what the caller is: OWNER of something, TENANT of somebody, ADMIN of
-- Rowhouse itself. Shown to them, and no right follows from it.
create or replace function app.my_roles() returns text[]
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    me uuid := app.current_user_id();
begin
    return array(
        select held.role
          from (values
                   (1, 'OWNER', exists (select from app.units u where u.owner_user_id = me)
                             or exists (select from app.properties p where p.owner_user_id = me)
                             or exists (select from app.tenants t where t.owner_user_id = me)),
                   (2, 'TENANT', exists (select from app.tenants t where t.user_id = me)),
                   (3, 'ADMIN', exists (select from app.users u where u.id = me and u.is_admin))
               ) as held (place, role, holds)
         where held.holds
         order by held.place);
end
$$;

-- tell_role_change tells every process whose roles may have changed: those whom the
-- column that is its argument named, and those whom it names. A notification says who
-- and not what; Postgres sends it at commit, each name once.
create or replace function app.tell_role_change() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('rowhouse_roles', named.id)
       from (values (to_jsonb(old) ->> tg_argv[0]), (to_jsonb(new) ->> tg_argv[0])) as named (id)
      where named.id is not null;
    return null;
end
$$;

-- tell_owner_change tells who has come to own their first row, which makes them a
-- landlord, and who has lost one. Of further rows nobody is told: while a
-- notification is committed no other can be. A loss is always told, because two
-- transactions that delete the last rows do not see each other.
create or replace function app.tell_owner_change() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('rowhouse_roles', o.owner_user_id::text)
       from (select c.owner_user_id, count(*) as rows from changed c group by c.owner_user_id) as o
      where tg_op = 'DELETE'
         -- they own these and no others, as far as can be seen
         or (select count(*)
               from (select 1 from app.units u where u.owner_user_id = o.owner_user_id
                     union all
                     select 1 from app.properties p where p.owner_user_id = o.owner_user_id
                     union all
                     select 1 from app.tenants t where t.owner_user_id = o.owner_user_id
                     limit o.rows + 1) as owned) <= o.rows;
    return null;
end
$$;

set local role rowhouse_owner;
revoke create on schema app from rowhouse_clerk;

-- Created here for the triggers of migrations; policy apply takes them away again.
set local role rowhouse_clerk;
grant execute on function app.number_ticket(), app.keep_landlord_card(), app.record_ticket_event(), app.record_change(), app.record_changes(),
                          app.tell_role_change(), app.tell_owner_change()
    to rowhouse_owner;
set local role rowhouse_owner;
