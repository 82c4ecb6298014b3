-- The password travels in a transaction-local setting, because neither DO nor
-- CREATE ROLE takes parameters; %L quotes it.
do $$
declare
    clause constant text := pg_catalog.format(
        'supabase_auth_admin login noinherit nosuperuser nocreatedb nocreaterole password %L',
        pg_catalog.current_setting('localauth.password'));
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'supabase_auth_admin') then
        execute 'alter role ' || clause;
    else
        execute 'create role ' || clause;
    end if;
end
$$;
