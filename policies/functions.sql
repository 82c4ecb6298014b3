-- The functions that defaults, policies and triggers call, and that need no other's
-- rights. Like those of functions_*.sql they are applied before migrations and with
-- every policy apply; their bodies look tables up only when they run.
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
    -- This runs with every statement, and for each row that is inserted: no pattern looks
    -- at the seal's form, which its mac vouches for.
    if user_id is null or cardinality(part) is distinct from 4 then
        return null;
    end if;
    select k.inner_pad, k.outer_pad, k.binds_pid into key
      from app_private.seal_keys k
     where k.id = part[1];
    if not found or part[3] <> (case when key.binds_pid then pg_backend_pid()::text else '0' end) then
        return null;
    end if;
    -- compared as hashes of the macs, so that how far they agree cannot be timed
    if sha256(convert_to(encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to(
               concat_ws('|', 'rowhouse-seal-1', current_setting('role'), user_id, part[2], part[3]), 'UTF8'))), 'hex'), 'UTF8'))
       is distinct from sha256(convert_to(part[4], 'UTF8')) then
        return null;
    end if;
    -- a server whose clock runs wild must not make seals that outlive it
    if part[2]::bigint < now_s or part[2]::bigint > now_s + 300 then
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

-- guard_user does the same for a profile, which belongs to itself. That the provider
-- was heard of again is no change of it. Setting up goes forward only. What asks for a
-- second factor is changed with one alone: without it a stolen session could take the
-- lock off, and somebody who has none lock themselves out. app.user_aal is how the
-- server says that the caller has signed in. SQLSTATE RH403 is a refusal for want of
-- the second factor.
create or replace function app.guard_user() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.id is distinct from old.id or new.created_at is distinct from old.created_at then
        raise exception 'id and created_at never change'
            using errcode = 'integrity_constraint_violation', table = tg_table_name, schema = tg_table_schema;
    end if;
    if new.provider_seen_at is distinct from old.provider_seen_at then
        old.provider_seen_at := new.provider_seen_at;
        if new is not distinct from old then
            return new;
        end if;
    end if;
    if new.require_aal2 is distinct from old.require_aal2
       and current_setting('app.user_aal', true) is distinct from 'aal2' then
        raise exception 'a second factor is needed' using errcode = 'RH403';
    end if;
    new.onboarding_step := greatest(new.onboarding_step, old.onboarding_step);
    new.onboarding_completed := new.onboarding_step = 6;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    return new;
end
$$;

-- demand_second_factor refuses the transaction if the caller wants a second factor for
-- what it is about to do and has signed in without one. It reads the caller's profile as
-- the caller: who has none to read is refused nothing, and can do nothing either.
create or replace function app.demand_second_factor() returns void
    language plpgsql stable parallel restricted
    set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('app.user_aal', true) is distinct from 'aal2'
       and exists (select from app.users u where u.id = (select app.current_user_id()) and u.require_aal2) then
        raise exception 'a second factor is needed' using errcode = 'RH403';
    end if;
end
$$;

-- guard_account_deletion keeps the order in which a landlord leaves: nothing is removed
-- before it was exported and the time to think it over has passed, nothing is cancelled
-- once removal has begun, and what has ended stays so.
create or replace function app.guard_account_deletion() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.state is distinct from old.state and new.state <> all (case old.state
            when 'REQUESTED' then '{EXPORTED,CANCELLED,FAILED}'
            when 'EXPORTED' then case when old.remove_after <= now() then '{REMOVING,CANCELLED,FAILED}' else '{CANCELLED,FAILED}' end
            when 'REMOVING' then '{DONE,FAILED}'
            else '{}' end::text[]) then
        raise exception 'A deletion that is % can''t become %.', old.state, new.state using errcode = 'RH409';
    end if;
    return new;
end
$$;

-- guard_export keeps what has ended so: an export is made once, and goes in its time.
create or replace function app.guard_export() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.state is distinct from old.state and new.state <> all (case old.state
            when 'REQUESTED' then '{DONE,FAILED}'
            when 'DONE' then '{EXPIRED}'
            else '{}' end::text[]) then
        raise exception 'An export that is % can''t become %.', old.state, new.state using errcode = 'RH409';
    end if;
    return new;
end
$$;

-- invite_hash is the SHA-256 of the invite token that the caller holds, or NULL.
-- It needs no seal: who can name it holds the token.
create or replace function app.invite_hash() returns bytea
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select case when length(h) = 64 and translate(h, '0123456789abcdef', '') = '' then decode(h, 'hex') end
      from (select current_setting('app.invite_hash', true)) s (h)
$$;

-- guard_invite_mail keeps an invite and its mail together: another sending begins
-- anew, and without one no mail comes to be waiting.
create or replace function app.guard_invite_mail() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.mail_id is distinct from old.mail_id then
        new.mail_state := 'QUEUED';
        new.send_count := old.send_count + 1;
        new.sent_at := null;
        new.last_error := null;
    elsif new.mail_state = 'QUEUED' and old.mail_state is distinct from 'QUEUED' then
        raise exception 'a mail is sent again under another id'
            using errcode = 'integrity_constraint_violation', table = tg_table_name, schema = tg_table_schema;
    end if;
    return new;
end
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
