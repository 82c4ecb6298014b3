-- Functions without one of their checks. Each text must stand exactly once in the
-- function, or the mutation is null and the generator fails.
with
changes (family, signature, name, old, new) as (
    values
    ('seal check skipped', 'app.current_user_id()', 'any text is a mac', 'is distinct from sha256(convert_to(part[4], ''UTF8''))', 'is null'),
    ('seal check skipped', 'app.current_user_id()', 'expired', 'part[2]::bigint < now_s or', ''),
    ('seal check skipped', 'app.current_user_id()', 'far in the future', 'or part[2]::bigint > now_s + 300', ''),
    ('seal check skipped', 'app.current_user_id()', 'time of the transaction', 'clock_timestamp()', 'now()'),
    ('seal check skipped', 'app.current_user_id()', 'of another backend', 'part[3] <> (case when key.binds_pid then pg_backend_pid()::text else ''0'' end)', 'false'),
    ('seal check skipped', 'app.current_user_id()', 'of no backend', 'part[3] <> (', 'part[3] <> ''0'' and part[3] <> ('),
    ('seal check skipped', 'app.current_user_id()', 'of any key', 'where k.id = part[1]', 'order by k.id desc'),
    ('seal check skipped', 'app.current_user_id()', 'whose it is', 'user_id is null or', ''),
    ('seal check skipped', 'app.current_user_id()', 'number of parts', 'or cardinality(part) is distinct from 4', ''),
    ('seal check skipped', 'app.current_user_id()', 'no seal at all', 'return null;
    end if;
    select k.inner_pad', 'return user_id::uuid;
    end if;
    select k.inner_pad'),
    ('guard skipped', 'app.guard_owned_row()', 'owner', 'new.owner_user_id is distinct from old.owner_user_id', 'false'),
    ('guard skipped', 'app.guard_owned_row()', 'id', 'new.id is distinct from old.id', 'false'),
    ('guard skipped', 'app.guard_owned_row()', 'creator', 'new.created_by is distinct from old.created_by', 'false'),
    ('guard skipped', 'app.guard_owned_row()', 'creation', 'new.created_at is distinct from old.created_at', 'false'),
    ('guard skipped', 'app.guard_owned_row()', 'version', 'new.version := old.version + 1;', ''),
    ('guard skipped', 'app.guard_owned_row()', 'time of change', 'new.updated_at := clock_timestamp();', ''),
    ('guard skipped', 'app.guard_user()', 'id', 'new.id is distinct from old.id', 'false'),
    ('guard skipped', 'app.guard_user()', 'creation', 'new.created_at is distinct from old.created_at', 'false'),
    ('guard skipped', 'app.guard_user()', 'version', 'new.version := old.version + 1;', ''),
    ('guard skipped', 'app.guard_user()', 'time of change', 'new.updated_at := clock_timestamp();', ''),
    ('guard skipped', 'app.guard_ticket()', 'landlord of a tenant''s ticket', 'new.owner_user_id := (select t.owner_user_id from app.tenants t where t.id = new.tenant_id);', ''),
    ('guard skipped', 'app.guard_ticket()', 'transitions', 'new.status <> all (app.next_ticket_statuses(old.status, done_at))', 'false'),
    ('guard skipped', 'app.guard_comment()', 'landlord of a tenant''s comment', 'new.owner_user_id := of_ticket.owner_user_id;', ''),
    ('guard skipped', 'app.guard_comment()', 'tenant of the ticket', 'new.tenant_id := of_ticket.tenant_id;', ''),
    ('guard skipped', 'app.guard_comment()', 'author', 'new.author := ''tenant'';', ''),
    ('guard skipped', 'app.guard_comment()', 'ticket that is done', 'of_ticket.status in (''CLOSED'', ''CANCELLED'')', 'false'),
    ('guard skipped', 'app.guard_attachment()', 'landlord of a tenant''s file', 'new.owner_user_id := of_ticket.owner_user_id;', ''),
    ('guard skipped', 'app.guard_attachment()', 'tenant of the ticket', 'new.tenant_id := of_ticket.tenant_id;', ''),
    ('guard skipped', 'app.next_ticket_statuses(text,timestamp with time zone)', 'tenants move tickets as landlords do', 'current_setting(''role'') = ''rowhouse_tenant''', 'false'),
    ('look-up widened', 'app.my_tenant_ids()', 'of anybody', 'where t.user_id = (select app.current_user_id())', ''),
    ('look-up widened', 'app.my_landlord_ids()', 'of anybody', 'where t.user_id = (select app.current_user_id())', ''),
    ('look-up widened', 'app.my_unit_ids()', 'of anybody', 'y.tenant_id = any ((select app.my_tenant_ids())::uuid[])', 'true'),
    ('look-up widened', 'app.my_unit_ids()', 'of cancelled tenancies', 'and y.cancelled_at is null', ''),
    ('look-up widened', 'app.my_property_ids()', 'of anybody', 'u.id = any ((select app.my_unit_ids())::uuid[])', 'true'),
    ('look-up widened', 'app.claimed_tenant_id()', 'without token', 'i.token_hash = (select app.invite_hash())', 'true'),
    ('look-up widened', 'app.claimed_tenant_id()', 'not claimed', 'and i.claimed_by_user_id = (select app.current_user_id())', ''),
    ('look-up widened', 'app.masked(jsonb)', 'secrets in the trail', 'row_data || ''{"token_hash": "***"}''', 'row_data'),
    ('removal widened', 'app.delete_tenant(uuid)', 'not archived', 'and t.archived_at is not null;', ';'),
    ('removal widened', 'app.delete_tenant(uuid)', 'invites of who was not archived', 'and exists (select from app.tenants t where t.id = $1 and t.archived_at is not null)', ''),
    ('removal widened', 'app.delete_tenancy(uuid)', 'not cancelled', 'and y.cancelled_at is not null', ''),
    ('removal widened', 'app.delete_contractor(uuid)', 'not archived', 'and c.archived_at is not null', ''),
    ('removal widened', 'app.delete_ticket(uuid)', 'not archived', 'and t.archived_at is not null', ''),
    ('removal widened', 'app.delete_comment(uuid)', 'another''s words', 'and c.created_by = (select app.current_user_id())', ''),
    ('removal widened', 'app.forget_idempotency_keys()', 'of today', 'and o.created_at < now() - interval ''24 hours''', '')
),
-- the seal of any persona: the mac is looked for among those of all roles
persona (signature, steps) as (
    values ('app.current_user_id()', array[
        ['if sha256(convert_to(encode(sha256(key.outer_pad', 'if not exists (select from pg_roles persona where sha256(convert_to(encode(sha256(key.outer_pad'],
        ['current_setting(''role''), user_id', 'persona.rolname, user_id'],
        ['is distinct from sha256(convert_to(part[4], ''UTF8''))', '= sha256(convert_to(part[4], ''UTF8'')))']])
),
sources as (
    select p.oid::regprocedure::text as signature, pg_get_functiondef(p.oid) as def from pg_proc p
     where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace)
)
select family, null as relation, c.signature || ' ' || c.name as name, null as undo,
       case when length(def) - length(replace(def, old, '')) = length(old) then replace(def, old, new) end as mutation
  from changes c left join sources s using (signature)
union all
select 'seal check skipped', null, signature || ' of another persona', null,
       case when (select bool_and(length(def) - length(replace(def, steps[n][1], '')) = length(steps[n][1])) from generate_series(1, 3) n)
            then replace(replace(replace(def, steps[1][1], steps[1][2]), steps[2][1], steps[2][2]), steps[3][1], steps[3][2]) end
  from persona join sources using (signature)
