-- +goose Up
-- Who runs Rowhouse itself, and what tells every process that somebody's roles have
-- changed. Being an admin opens no landlord's data, and nobody has the right to write it:
-- a DBA does.
--
-- Locks: the new column has a constant default and rewrites nothing; each trigger
-- waits for writers of its table.

alter table app.users add column is_admin boolean not null default false;

create trigger tell_role_change after update on app.users
    for each row when (old.is_admin is distinct from new.is_admin)
    execute function app.tell_role_change('id');

-- Whose login a tenant is.
create trigger tell_role_gain after insert on app.tenants
    for each row when (new.user_id is not null)
    execute function app.tell_role_change('user_id');
create trigger tell_role_change after update on app.tenants
    for each row when (old.user_id is distinct from new.user_id)
    execute function app.tell_role_change('user_id');
create trigger tell_role_loss after delete on app.tenants
    for each row when (old.user_id is not null)
    execute function app.tell_role_change('user_id');

-- Who becomes a landlord or ceases to be one.
-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['properties', 'units', 'tenants'] loop
        execute format('create trigger tell_owner_gain after insert on app.%I referencing new table as changed
                        for each statement execute function app.tell_owner_change()', t);
        execute format('create trigger tell_owner_loss after delete on app.%I referencing old table as changed
                        for each statement execute function app.tell_owner_change()', t);
    end loop;
end
$$;
-- +goose StatementEnd
