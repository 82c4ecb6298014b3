-- The tables that are read and written past their policies.
lock table app.users, app.units, app.tenants, app.tenancies, app.tenant_invites, app.tickets,
           app.ticket_counters, app.ticket_events in access exclusive mode
