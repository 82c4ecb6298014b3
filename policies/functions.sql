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

set local role rowhouse_owner;
revoke create on schema app from rowhouse_remover;
