-- What lets support read a landlord's books, if the landlord has agreed. Owned by
-- rowhouse_clerk, like the other look-ups about the caller.

set local role rowhouse_owner;
grant usage, create on schema app to rowhouse_clerk;
set local role rowhouse_clerk;

-- is_operator reports whether the caller works for Rowhouse and acts as support. By
-- itself that opens no landlord's data.
create or replace function app.is_operator() returns boolean
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return current_setting('role') = 'rowhouse_support'
           and exists (select from app.users u where u.id = (select app.current_user_id()) and u.is_admin);
end
$$;

-- supported_landlord_id is the landlord whose grant the caller's request is written
-- down under, if the grant is live and covers one of the areas, or NULL. app.support_access
-- names the entry, which must be the caller's own, of the last minute, and committed: an
-- entry of this transaction could still be rolled back together with all traces.
create or replace function app.supported_landlord_id(of_areas text[]) returns uuid
    language plpgsql stable parallel restricted security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not app.is_operator() then
        return null;
    end if;
    return (
        select g.owner_user_id
          from app.support_accesses a
          join app.support_grants g on g.owner_user_id = a.owner_user_id and g.id = a.grant_id
         where a.agent_user_id = (select app.current_user_id())
           and a.at > clock_timestamp() - interval '1 minute'
           and a.id::text = (select current_setting('app.support_access', true))
           and a.transaction_id is distinct from (select pg_current_xact_id_if_assigned())
           and g.areas && of_areas and g.revoked_at is null and g.expires_at > clock_timestamp());
end
$$;

-- record_support_access says whose books a request is about, and who makes it. For a
-- grant that is not live there is no landlord, and the policy refuses the row.
create or replace function app.record_support_access() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('role') <> 'rowhouse_support' then
        return new; -- nobody else may insert, but whoever restores a copy
    end if;
    new.owner_user_id := (select g.owner_user_id from app.support_grants g where g.id = new.grant_id);
    new.agent_user_id := app.current_user_id();
    new.agent_email := (select u.email from app.users u where u.id = (select app.current_user_id()));
    new.request_id := nullif(left(current_setting('app.request_id', true), 64), '');
    new.at := clock_timestamp();
    new.transaction_id := pg_current_xact_id();
    return new;
end
$$;

set local role rowhouse_owner;
revoke create on schema app from rowhouse_clerk;

-- for the trigger of a migration; policy apply takes it away again
set local role rowhouse_clerk;
grant execute on function app.record_support_access() to rowhouse_owner;
set local role rowhouse_owner;
