-- Undoes lift.sql and stage.sql.
alter table app.tickets enable trigger record_ticket_event;
alter table app.tickets enable trigger number_ticket;

alter table app.users force row level security;
alter table app.units force row level security;
alter table app.tenants force row level security;
alter table app.tenancies force row level security;
alter table app.tenant_invites force row level security;
alter table app.tickets force row level security;
alter table app.ticket_counters force row level security;
alter table app.ticket_events force row level security;

drop table app_private.legacy_raw_users, app_private.legacy_raw_units, app_private.legacy_raw_tenants,
           app_private.legacy_raw_tenancies, app_private.legacy_raw_tenant_invites, app_private.legacy_raw_tickets,
           app_private.legacy_users, app_private.legacy_units, app_private.legacy_tenants,
           app_private.legacy_tenancies, app_private.legacy_tenant_invites, app_private.legacy_tickets;
drop function app_private.legacy_uuid(text, text), app_private.legacy_text(text), app_private.legacy_no_time(text, text, timestamptz),
              app_private.legacy_time(text), app_private.legacy_missing(text, text),
              app_private.legacy_too_long(text, text, integer), app_private.legacy_no_email(text, text);

-- Nothing is committed while a wall is down.
do $$
begin
    if exists (select from pg_class where relnamespace = 'app'::regnamespace and relkind in ('r', 'p')
                                      and not (relrowsecurity and relforcerowsecurity)) then
        raise exception 'a table of app is without forced row security';
    end if;
    if exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid
                where c.relnamespace = 'app'::regnamespace and t.tgenabled = 'D') then
        raise exception 'a trigger of app is disabled';
    end if;
end
$$;
