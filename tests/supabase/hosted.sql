-- What a hosted project has, as far as our SQL touches it. The owner of a project,
-- there called postgres, is no superuser, and schema auth is not theirs: they may
-- put a trigger on its tables and read the vault.
do $$
begin
    create role project_owner login nosuperuser password 'project_owner';
exception when duplicate_object or unique_violation then
    null; -- another test is on the same server
end
$$;

do $$
begin
    execute format('grant create on database %I to project_owner', current_database());
end
$$;

grant usage on schema auth to project_owner;
grant select, trigger on auth.users to project_owner;

create schema vault;
create table vault.secrets (
    id     uuid primary key default gen_random_uuid(),
    name   text unique,
    secret text not null
);
create view vault.decrypted_secrets as
    select id, name, 'encrypted' as secret, secret as decrypted_secret from vault.secrets;
create function vault.create_secret(new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null)
    returns uuid language sql security definer
    as 'insert into vault.secrets (name, secret) values (new_name, new_secret) returning id';
create function vault.update_secret(secret_id uuid, new_secret text default null, new_name text default null, new_description text default null, new_key_id uuid default null)
    returns void language sql security definer
    as 'update vault.secrets set secret = new_secret where id = secret_id';
revoke execute on all functions in schema vault from public;
grant usage on schema vault to project_owner;
grant select, delete on vault.secrets, vault.decrypted_secrets to project_owner;
grant execute on all functions in schema vault to project_owner;

-- pg_net, which keeps a request in a table until the transaction is committed and
-- its worker takes it from there
create schema net;
create table net.requests (
    id                   bigint generated always as identity primary key,
    url                  text,
    body                 jsonb,
    headers              jsonb,
    timeout_milliseconds int
);
create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}',
    headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds int default 5000)
    returns bigint language sql security definer
    as 'insert into net.requests (url, body, headers, timeout_milliseconds) values ($1, $2, $4, $5) returning id';
revoke execute on function net.http_post from public;
grant usage on schema net to project_owner;
grant execute on function net.http_post to project_owner;
