-- Tells Rowhouse when a user of this project comes, changes or goes, so that a new
-- e-mail address and a removal follow at once. `rowhouse auth reconcile` finds what
-- got lost: pg_net asks once, and a crash of the server forgets what it had yet to ask.
--
-- Where to, and the secret that comes along, are in the vault: whoever may read the
-- catalog can read the arguments of a trigger.

do $$
begin
    -- The dashboard may have created it, in whatever schema it uses for that.
    if to_regnamespace('net') is null then
        create extension pg_net;
    end if;
end
$$;

create schema if not exists rowhouse_hooks;
revoke all on schema rowhouse_hooks from public;

-- It runs as its owner, who may read the vault, on behalf of the Auth server, which
-- may not.
create or replace function rowhouse_hooks.user_changed() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    as $$
declare
    -- The row has the hash of the password and codes by mail beside it.
    told constant text[] := array['id', 'aud', 'role', 'email', 'email_confirmed_at', 'phone', 'phone_confirmed_at',
        'is_anonymous', 'is_sso_user', 'banned_until', 'created_at', 'updated_at', 'deleted_at'];
    new_user jsonb;
    old_user jsonb;
    url text;
    secret text;
begin
    if tg_op <> 'DELETE' then
        select jsonb_object_agg(c.key, c.value) into new_user from jsonb_each(to_jsonb(new)) c where c.key = any (told);
    end if;
    if tg_op <> 'INSERT' then
        select jsonb_object_agg(c.key, c.value) into old_user from jsonb_each(to_jsonb(old)) c where c.key = any (told);
    end if;
    -- Every sign-in updates the row, and a sign-up does six times. It is asked here
    -- and not in the triggers' own conditions, which would bind the columns: the Auth
    -- server's next migration could then not alter them.
    if new_user - 'updated_at' = old_user - 'updated_at' then
        return null;
    end if;
    url := (select s.decrypted_secret from vault.decrypted_secrets s where s.name = 'rowhouse_user_changed_url');
    secret := (select s.decrypted_secret from vault.decrypted_secrets s where s.name = 'rowhouse_user_changed_secret');
    if url is null or secret is null then
        raise warning 'rowhouse_user_changed_url or rowhouse_user_changed_secret is not in the vault: Rowhouse hears of no user';
        return null;
    end if;
    -- the form of Supabase's own database webhooks
    perform net.http_post(
        url := url,
        body := jsonb_build_object('type', tg_op, 'schema', tg_table_schema, 'table', tg_table_name,
            'record', new_user, 'old_record', old_user),
        headers := jsonb_build_object('Content-Type', 'application/json', 'Authorization', 'Bearer ' || secret),
        timeout_milliseconds := 5000);
    return null;
exception when others then
    -- Nobody is kept from signing up because Rowhouse cannot be told of it.
    raise warning 'Rowhouse is not told of a changed user: %', sqlerrm;
    return null;
end
$$;

revoke all on function rowhouse_hooks.user_changed() from public;

create or replace trigger rowhouse_user_changed
    after insert or update or delete on auth.users
    for each row execute function rowhouse_hooks.user_changed();
