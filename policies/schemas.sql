-- Who may look inside the schemas, and who may call what. Nobody else, PUBLIC
-- and Supabase's roles included, may do either.
--
--   app           landlords' tables. The logins need USAGE to prepare a
--                 statement before they become a persona; it gives them no row.
--   app_private   seal keys and the migrations' journal: rowhouse_owner only.

grant usage on schema app to rowhouse_landlord, rowhouse_tenant, rowhouse_user, rowhouse_remover,
    rowhouse_api, rowhouse_worker;

grant execute on function app.current_user_id()
    to rowhouse_landlord, rowhouse_tenant, rowhouse_user, rowhouse_remover;
