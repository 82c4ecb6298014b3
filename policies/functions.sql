-- The functions that defaults, policies and triggers call, and the few through
-- which a row is deleted. Applied before migrations and with every policy apply;
-- their bodies look tables up only when they run.
--
-- Definer functions pin search_path to pg_catalog, pg_temp. With '' the caller's
-- temporary schema would still be searched first for types and tables, and a
-- temporary domain called uuid would run its CHECK as the function's owner.

set local role rowhouse_owner;

-- current_user_id is who the caller is: the id in app.user_id, if app.user_seal
-- proves that our server put it there for this persona and not long ago.
-- Anything missing, odd, forged or stale is NULL, never an error, so that a
-- policy comparing with it finds nothing.
--
-- The seal is "<key id>.<expiry>.<pid>.<mac>", where mac is HMAC-SHA-256 in hex
-- over "rowhouse-seal-1|<persona>|<user id>|<expiry>|<pid>", expiry in seconds
-- of Unix time and pid this backend's, or 0 for keys that are not bound to it.
--
-- STABLE and not IMMUTABLE: a folded result would serve one caller's rows to the
-- next one on the connection. PARALLEL RESTRICTED: a parallel worker has a pid
-- of its own. The persona comes from the setting "role", because inside a
-- definer function current_user is the definer.
create or replace function app.current_user_id() returns uuid
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    user_id text := current_setting('app.user_id', true);
    part    text[] := string_to_array(current_setting('app.user_seal', true), '.');
    now_s   bigint := extract(epoch from clock_timestamp())::bigint;
    key     record;
begin
    -- Lengths and translate() instead of patterns: this runs with every statement,
    -- and one regular expression over the seal costs ten times all of the rest.
    if user_id is null or cardinality(part) is distinct from 4
       or length(part[2]) <> 10 or translate(part[2], '0123456789', '') <> ''
       or length(part[4]) <> 64 or translate(part[4], '0123456789abcdef', '') <> '' then
        return null;
    end if;
    -- a server whose clock runs wild must not make seals that outlive it
    if part[2]::bigint < now_s or part[2]::bigint > now_s + 300 then
        return null;
    end if;
    select k.inner_pad, k.outer_pad, k.binds_pid into key
      from app_private.seal_keys k
     where k.id = part[1];
    if not found or part[3] <> (case when key.binds_pid then pg_backend_pid()::text else '0' end) then
        return null;
    end if;
    -- compared as hashes of the macs, so that how far they agree cannot be timed
    if sha256(sha256(key.outer_pad || sha256(key.inner_pad || convert_to(
               concat_ws('|', 'rowhouse-seal-1', current_setting('role'), user_id, part[2], part[3]), 'UTF8'))))
       is distinct from sha256(decode(part[4], 'hex')) then
        return null;
    end if;
    return user_id::uuid; -- the seal proves that our server wrote it, as a uuid
end
$$;

-- guard_owned_row keeps what must not change and counts versions, whatever the
-- grants say: the owner is the wall between landlords.
create or replace function app.guard_owned_row() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.owner_user_id is distinct from old.owner_user_id
       or new.id is distinct from old.id
       or new.created_by is distinct from old.created_by
       or new.created_at is distinct from old.created_at then
        raise exception 'owner_user_id, id, created_by and created_at never change'
            using errcode = 'integrity_constraint_violation', table = tg_table_name, schema = tg_table_schema;
    end if;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    return new;
end
$$;

-- guard_user does the same for a profile, which belongs to itself.
create or replace function app.guard_user() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.id is distinct from old.id or new.created_at is distinct from old.created_at then
        raise exception 'id and created_at never change'
            using errcode = 'integrity_constraint_violation', table = tg_table_name, schema = tg_table_schema;
    end if;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    return new;
end
$$;

-- Deleting goes through functions of rowhouse_remover, who may do nothing else
-- and is bound by policies of its own. A DELETE grant to a persona would bring
-- LOCK TABLE with it, and so the power to stop every other landlord.
grant usage, create on schema app to rowhouse_remover;
set local role rowhouse_remover;

-- delete_unit deletes the caller's unit and says whether it did.
create or replace function app.delete_unit(unit_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.units u where u.id = unit_id;
    return found;
end
$$;

-- delete_property is delete_unit for properties.
create or replace function app.delete_property(property_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.properties p where p.id = property_id;
    return found;
end
$$;

-- forget_idempotency_keys deletes the caller's keys that are past their day, a
-- bounded number a call. Called with every keyed create, so that what a landlord
-- leaves behind stays bounded too.
create or replace function app.forget_idempotency_keys() returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.idempotency_keys k
     where k.owner_user_id = (select app.current_user_id())
       and k.key = any (array(
               select o.key from app.idempotency_keys o
                where o.owner_user_id = (select app.current_user_id())
                  and o.created_at < now() - interval '24 hours'
                limit 100));
end
$$;

-- delete_tenant, delete_tenancy … delete one row of the caller's that was archived
-- (or cancelled) before, and say whether they did.
create or replace function app.delete_tenant(tenant_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tenants t where t.id = tenant_id and t.archived_at is not null;
    return found;
end
$$;

create or replace function app.delete_tenancy(tenancy_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tenancies y where y.id = tenancy_id and y.cancelled_at is not null;
    return found;
end
$$;

create or replace function app.delete_contractor(contractor_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.contractors c where c.id = contractor_id and c.archived_at is not null;
    return found;
end
$$;

create or replace function app.delete_ticket(ticket_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tickets t where t.id = ticket_id and t.archived_at is not null;
    return found;
end
$$;

-- delete_comment deletes what the caller said themselves.
create or replace function app.delete_comment(comment_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.ticket_comments c where c.id = comment_id and c.created_by = (select app.current_user_id());
    return found;
end
$$;

create or replace function app.delete_attachment(attachment_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.attachments a where a.id = attachment_id;
    return found;
end
$$;

-- forget_search_results empties what was found for a ticket.
create or replace function app.forget_search_results(of_ticket uuid) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.contractor_search_results r where r.ticket_id = of_ticket;
end
$$;

set local role rowhouse_owner;
revoke create on schema app from rowhouse_remover;

-- invite_hash is the SHA-256 of the invite token that the caller holds, or NULL.
-- It needs no seal: who can name it holds the token.
create or replace function app.invite_hash() returns bytea
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select case when length(h) = 64 and translate(h, '0123456789abcdef', '') = '' then decode(h, 'hex') end
      from (select current_setting('app.invite_hash', true)) s (h)
$$;

-- next_ticket_statuses is where the caller may take a ticket from where it is: the
-- one table of transitions. A tenant may give up what nobody has looked at, and
-- reopen what is not mended after all. done_at is when the ticket was resolved or
-- closed: it can be reopened within 30 days of that.
create or replace function app.next_ticket_statuses(status text, done_at timestamptz) returns text[]
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select array_remove(
        case when current_setting('role') = 'rowhouse_tenant' then
            case status
                when 'NEW'         then '{CANCELLED}'
                when 'RESOLVED'    then '{OPEN}'
                else '{}'
            end
        else
            case status
                when 'NEW'         then '{OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CANCELLED}'
                when 'OPEN'        then '{IN_PROGRESS,ON_HOLD,RESOLVED,CANCELLED}'
                when 'IN_PROGRESS' then '{OPEN,ON_HOLD,RESOLVED,CANCELLED}'
                when 'ON_HOLD'     then '{OPEN,IN_PROGRESS,RESOLVED,CANCELLED}'
                when 'RESOLVED'    then '{CLOSED,OPEN}'
                when 'CLOSED'      then '{OPEN}'
                else '{}'
            end
        end::text[],
        case when done_at < now() - interval '30 days' then 'OPEN' end)
$$;

-- guard_ticket keeps a ticket's life in order, whoever writes: where it may go
-- from where it is, when it is due, and that a tenant's ticket belongs to the
-- landlord of that tenant. It runs as the caller and sees what the caller sees.
-- SQLSTATE RH409 is a refusal whose message is meant for people.
create or replace function app.guard_ticket() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    done_at timestamptz;
begin
    if tg_op = 'INSERT' then
        if current_setting('role') = 'rowhouse_tenant' then
            new.owner_user_id := (select t.owner_user_id from app.tenants t where t.id = new.tenant_id);
            new.source := 'TENANT_PORTAL';
        end if;
        if new.due_at is null then
            new.due_at := now() + app.time_to_due(new.priority);
        end if;
        return new;
    end if;

    -- a date that came from the priority goes with it; one that was chosen stays
    if new.due_at is null
       or (new.priority <> old.priority and new.due_at = old.due_at
           and old.due_at = old.created_at + app.time_to_due(old.priority)) then
        new.due_at := old.created_at + app.time_to_due(new.priority);
    end if;
    if new.status = old.status then
        return new;
    end if;
    done_at := coalesce(old.closed_at, old.resolved_at);
    if new.status <> all (app.next_ticket_statuses(old.status, done_at)) then
        if new.status = any (app.next_ticket_statuses(old.status, now())) then
            raise exception 'A ticket can be reopened within 30 days. Open a new one.' using errcode = 'RH409';
        end if;
        raise exception 'A ticket that is % can''t become %.', old.status, new.status using errcode = 'RH409';
    end if;
    if old.status in ('RESOLVED', 'CLOSED') and new.status = 'OPEN' then
        new.reopened_count := old.reopened_count + 1;
        new.resolved_at := null;
        new.closed_at := null;
    elsif new.status = 'RESOLVED' then
        new.resolved_at := now();
    elsif new.status in ('CLOSED', 'CANCELLED') then
        new.closed_at := now();
    end if;
    return new;
end
$$;

-- time_to_due is how soon a ticket of a priority should be done.
create or replace function app.time_to_due(priority text) returns interval
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select case priority when 'EMERGENCY' then interval '4 hours' when 'HIGH' then interval '2 days'
                         when 'NORMAL' then interval '7 days' else interval '14 days' end
$$;

-- guard_comment ties a tenant's comment to the landlord of the ticket, says who
-- wrote it, and refuses what tenants would read on a ticket that is done.
create or replace function app.guard_comment() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    of_ticket record;
begin
    if tg_op = 'UPDATE' then
        if new.body is distinct from old.body then
            new.edited_at := now();
        end if;
        return new;
    end if;
    select t.owner_user_id, t.tenant_id, t.status into of_ticket from app.tickets t where t.id = new.ticket_id;
    new.tenant_id := of_ticket.tenant_id;
    if current_setting('role') = 'rowhouse_tenant' then
        new.owner_user_id := of_ticket.owner_user_id;
        new.author := 'tenant';
        new.kind := 'shared';
    end if;
    if new.kind = 'shared' and of_ticket.status in ('CLOSED', 'CANCELLED') then
        raise exception 'This ticket is %. Reopen it to say more.', lower(of_ticket.status) using errcode = 'RH409';
    end if;
    return new;
end
$$;

-- guard_attachment ties a file to the tenant of the ticket, and a tenant's file to
-- the ticket's landlord.
create or replace function app.guard_attachment() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    of_ticket record;
begin
    select t.owner_user_id, t.tenant_id into of_ticket from app.tickets t where t.id = new.ticket_id;
    new.tenant_id := of_ticket.tenant_id;
    if current_setting('role') = 'rowhouse_tenant' then
        new.owner_user_id := of_ticket.owner_user_id;
        new.visibility := 'shared';
    end if;
    return new;
end
$$;

-- What nobody may write themselves is written by triggers of rowhouse_clerk:
-- numbers, events, cards and the audit trail. And what several policies need to
-- know of the caller it looks up, under policies of its own, so that they need not
-- refer to one another's tables.
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

-- keep_landlord_card copies what tenants may know of a landlord.
create or replace function app.keep_landlord_card() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.landlord_cards as c (owner_user_id, name, company_name, email, phone)
    values (new.id, new.full_name, new.company_name, new.email, new.phone)
    on conflict (owner_user_id) do update
       set name = excluded.name, company_name = excluded.company_name, email = excluded.email,
           phone = excluded.phone, updated_at = now();
    return null;
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
    actor_kind text := case current_setting('role') when 'rowhouse_landlord' then 'landlord' when 'rowhouse_tenant' then 'tenant'
                                                    when 'rowhouse_user' then 'user' else 'system' end;
    request_id text := nullif(left(current_setting('app.request_id', true), 64), '');
    -- what app.masked does, looked up once: called for each row, it takes a good part of the time
    mask       jsonb := case when exists (select from pg_attribute a where a.attrelid = tg_relid and a.attname = 'token_hash')
                             then '{"token_hash": "***"}' else '{}' end;
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
               where c.before -> k.key is distinct from c.after -> k.key and k.key not in ('version', 'updated_at')
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
