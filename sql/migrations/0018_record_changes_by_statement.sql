-- +goose Up
-- The audit trail is written once for each statement instead of once for each row:
-- a statement of thousands of rows spent three quarters of its time there.
--
-- Locks: each trigger waits for whoever uses its table, for a moment and all in one
-- transaction: no change goes unrecorded.

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['properties', 'units', 'tenants', 'tenancies', 'tenant_invites', 'contractors', 'tickets',
                             'ticket_comments', 'attachments'] loop
        execute format('drop trigger record_change on app.%I', t);
        execute format('create trigger record_insert after insert on app.%I referencing new table as new_rows
                        for each statement execute function app.record_changes()', t);
        execute format('create trigger record_update after update on app.%I referencing old table as old_rows new table as new_rows
                        for each statement execute function app.record_changes()', t);
        execute format('create trigger record_delete after delete on app.%I referencing old table as old_rows
                        for each statement execute function app.record_changes()', t);
    end loop;
end
$$;
-- +goose StatementEnd
