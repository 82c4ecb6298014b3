-- Who may look inside the schemas, and who may call what. Nobody else, PUBLIC
-- and Supabase's roles included, may do either.
--
--   app           landlords' tables. The logins need USAGE to prepare a
--                 statement before they become a persona; it gives them no row.
--   river         the job queue: river_job.sql
--   app_private   seal keys and the migrations' journal: rowhouse_owner only.

grant usage on schema app to rowhouse_landlord, rowhouse_tenant, rowhouse_user, rowhouse_support,
    rowhouse_remover, rowhouse_clerk, rowhouse_enqueuer, rowhouse_api, rowhouse_worker;

grant execute on function app.current_user_id(), app.invite_hash(), app.time_to_due(text),
                          app.next_ticket_statuses(text, timestamptz)
    to rowhouse_landlord, rowhouse_tenant, rowhouse_user, rowhouse_support, rowhouse_remover, rowhouse_clerk;

grant execute on function app.current_user_id() to rowhouse_enqueuer;

set local role rowhouse_clerk;
grant execute on function app.my_tenant_ids(), app.my_landlord_ids(), app.my_unit_ids(), app.my_property_ids(),
                          app.claimed_tenant_id(), app.is_operator(), app.supported_landlord_id(text[])
    to rowhouse_landlord, rowhouse_tenant, rowhouse_user, rowhouse_support, rowhouse_remover;
grant execute on function app.my_roles() to rowhouse_user;
grant execute on function app.take_turn() to rowhouse_landlord;
set local role rowhouse_owner;
grant execute on function app.demand_second_factor() to rowhouse_landlord, rowhouse_user;
