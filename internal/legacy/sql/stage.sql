-- Where the old system's rows arrive, as text, and what reads that text. All of
-- it is dropped again before the transaction ends: nobody else ever sees it. The
-- functions pin no search_path, because Postgres inlines only those that do not.

-- legacy_uuid keeps an id that is a uuid, and makes one out of any other, the same
-- one in every run.
create function app_private.legacy_uuid(kind text, id text) returns uuid language sql stable
    return case when id ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then id::uuid
                else encode(substr(sha256(convert_to('rowhouse legacy ' || kind || ' ' || id, 'UTF8')), 1, 16), 'hex')::uuid end;

-- legacy_text is a value without space around it; nothing is NULL.
create function app_private.legacy_text(value text) returns text language sql immutable
    return nullif(btrim(value, E' \t\r\n'), '');

-- legacy_time is a point in time, or NULL if the text is none. Without a zone it is
-- in UTC, as Prisma writes it.
create function app_private.legacy_time(value text) returns timestamptz
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$' then
        return value::timestamptz;
    end if;
    return null;
exception when data_exception then
    return null;
end
$$;

-- What may be wrong with one value: a reason and its detail, or NULL. The detail
-- never holds the value. They are STABLE because || of a number is: calls of an
-- immutable function of that would not be inlined, and cost ten times as much.
create function app_private.legacy_missing(name text, value text) returns text[] language sql stable
    return case when value is null then array['missing_value', name || ' is empty'] end;

create function app_private.legacy_too_long(name text, value text, most integer) returns text[] language sql stable
    return case when char_length(value) > most
                then array['too_long', name || ' has ' || char_length(value) || ' characters; at most ' || most || ' fit'] end;

-- read is what legacy_time has made of the value
create function app_private.legacy_no_time(name text, value text, read timestamptz) returns text[] language sql stable
    return case when value is not null and read is null
                then array['invalid_date', name || ' is not a date'] end;

create function app_private.legacy_no_email(name text, value text) returns text[] language sql stable
    return case when char_length(value) > 320
                then array['too_long', name || ' has ' || char_length(value) || ' characters; at most 320 fit']
                when value !~ '^[^@[:space:]]+@[^@[:space:]]+$' then array['invalid_email', name || ' is not an e-mail address'] end;

create unlogged table app_private.legacy_raw_users (
    line bigint generated always as identity,
    id text, email text, name text, phone text, created_at text
);
create unlogged table app_private.legacy_raw_units (
    line bigint generated always as identity,
    id text, owner_id text, name text, address text, city text, state text, postal_code text, created_at text
);
create unlogged table app_private.legacy_raw_tenants (
    line bigint generated always as identity,
    id text, first_name text, last_name text, email text, phone text, unit_id text, user_id text, created_at text
);
create unlogged table app_private.legacy_raw_tenancies (
    line bigint generated always as identity,
    id text, unit_id text, tenant_id text, start_date text, end_date text, created_at text
);
create unlogged table app_private.legacy_raw_tenant_invites (
    line bigint generated always as identity,
    id text, tenant_id text, email text, token text, claimed_at text, expires_at text, created_at text
);
create unlogged table app_private.legacy_raw_tickets (
    line bigint generated always as identity,
    id text, unit_id text, tenant_id text, title text, description text, status text, priority text,
    created_at text, updated_at text
);
