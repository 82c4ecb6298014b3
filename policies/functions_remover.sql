-- The functions through which rows are deleted.
--
-- Deleting goes through functions of rowhouse_remover, who may do nothing else
-- and is bound by policies of its own. A DELETE grant to a persona would bring
-- LOCK TABLE with it, and so the power to stop every other landlord.

set local role rowhouse_owner;
grant usage, create on schema app to rowhouse_remover;
set local role rowhouse_remover;

-- delete_unit deletes the caller's unit and says whether it did.
create or replace function app.delete_unit(unit_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.units u where u.id = unit_id;
    return found;
end
$$;

-- delete_property is delete_unit for properties.
create or replace function app.delete_property(property_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.properties p where p.id = property_id;
    return found;
end
$$;

-- forget_idempotency_keys deletes the caller's keys that are past their day, a
-- bounded number a call. Called with every keyed create, so that what a landlord
-- leaves behind stays bounded too.
create or replace function app.forget_idempotency_keys() returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.idempotency_keys k
     where k.owner_user_id = (select app.current_user_id())
       and k.key = any (array(
               select o.key from app.idempotency_keys o
                where o.owner_user_id = (select app.current_user_id())
                  and o.created_at < now() - interval '24 hours'
                limit 100));
end
$$;

-- delete_tenant, delete_tenancy … delete one row of the caller's that was archived
-- (or cancelled) before, and say whether they did. With a tenant go their invites,
-- which nobody deletes by themselves: what has become of them is in the audit trail.
create or replace function app.delete_tenant(tenant_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tenant_invites i
     where i.owner_user_id = (select app.current_user_id()) and i.tenant_id = $1
       and exists (select from app.tenants t where t.id = $1 and t.archived_at is not null);
    delete from app.tenants t where t.id = $1 and t.archived_at is not null;
    return found;
end
$$;

create or replace function app.delete_tenancy(tenancy_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tenancies y where y.id = tenancy_id and y.cancelled_at is not null;
    return found;
end
$$;

create or replace function app.delete_contractor(contractor_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.contractors c where c.id = contractor_id and c.archived_at is not null;
    return found;
end
$$;

create or replace function app.delete_ticket(ticket_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.tickets t where t.id = ticket_id and t.archived_at is not null;
    return found;
end
$$;

-- delete_comment deletes what the caller said themselves.
create or replace function app.delete_comment(comment_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.ticket_comments c where c.id = comment_id and c.created_by = (select app.current_user_id());
    return found;
end
$$;

create or replace function app.delete_attachment(attachment_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.attachments a where a.id = attachment_id;
    return found;
end
$$;

-- delete_export forgets an export. What was made of it is the server's to remove.
create or replace function app.delete_export(export_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.exports e where e.id = export_id;
    return found;
end
$$;

-- delete_import forgets an import that nothing is done with, and its file: what came of
-- it stays.
create or replace function app.delete_import(import_id uuid) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from app.import_batches b where b.id = import_id and b.state not in ('RUNNING', 'UNDOING')) then
        return false;
    end if;
    delete from app.import_rows r where r.batch_id = import_id;
    delete from app.import_batches b where b.id = import_id;
    return found;
end
$$;

-- forget_import_rows forgets the file of an import that nothing is done with. The import
-- itself stays, with what its rows have come to.
create or replace function app.forget_import_rows(of_import uuid) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.import_rows r
     where r.batch_id = of_import
       and exists (select from app.import_batches b where b.id = of_import and b.state not in ('RUNNING', 'UNDOING'));
end
$$;

-- delete_imported deletes many rows of the caller's as delete_tenancy, delete_tenant,
-- delete_unit and delete_property delete one, and says how many: one by one, what
-- triggers do for each statement takes most of the time.
create or replace function app.delete_imported(tenancies uuid[], tenants uuid[], units uuid[], properties uuid[]) returns bigint
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    deleted bigint;
    total   bigint := 0;
begin
    if cardinality(tenancies) > 0 then
        delete from app.tenancies y where y.id = any (tenancies) and y.cancelled_at is not null;
        get diagnostics deleted = row_count;
        total := total + deleted;
    end if;
    if cardinality(tenants) > 0 then
        delete from app.tenant_invites i
         where i.owner_user_id = (select app.current_user_id()) and i.tenant_id = any (tenants)
           and exists (select from app.tenants t where t.owner_user_id = i.owner_user_id and t.id = i.tenant_id and t.archived_at is not null);
        delete from app.tenants t where t.id = any (tenants) and t.archived_at is not null;
        get diagnostics deleted = row_count;
        total := total + deleted;
    end if;
    if cardinality(units) > 0 then
        delete from app.units u where u.id = any (units);
        get diagnostics deleted = row_count;
        total := total + deleted;
    end if;
    if cardinality(properties) > 0 then
        delete from app.properties p where p.id = any (properties);
        get diagnostics deleted = row_count;
        total := total + deleted;
    end if;
    return total;
end
$$;

-- forget_search_results empties what was found for a ticket.
create or replace function app.forget_search_results(of_ticket uuid) returns void
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.contractor_search_results r where r.ticket_id = of_ticket;
end
$$;

-- delete_sample_rows takes the caller's sample data away, and returns how many rows went
-- and how many stay: what the caller's own rows refer to. A ticket goes with what was said
-- and filed about it, and a tenant with invites that nobody has claimed; who has become
-- somebody's login stays. What stays is sample data no longer.
create or replace function app.delete_sample_rows() returns bigint[]
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    me       uuid := app.current_user_id();
    sample   uuid[] := array(select s.row_id from app.sample_rows s where s.owner_user_id = me);
    removed  bigint := 0;
    n        bigint;
    kept     bigint;
begin
    delete from app.tickets t where t.owner_user_id = me and t.id = any (sample);
    get diagnostics n = row_count;
    removed := removed + n;
    delete from app.tenancies y where y.owner_user_id = me and y.id = any (sample);
    get diagnostics n = row_count;
    removed := removed + n;
    delete from app.tenant_invites i
     where i.owner_user_id = me and i.tenant_id = any (sample)
       and not exists (select from app.tenants t where t.owner_user_id = me and t.id = i.tenant_id and t.user_id is not null)
       and not exists (select from app.tickets t where t.owner_user_id = me and t.tenant_id = i.tenant_id)
       and not exists (select from app.tenancies y where y.owner_user_id = me and y.tenant_id = i.tenant_id);
    delete from app.tenants t
     where t.owner_user_id = me and t.id = any (sample) and t.user_id is null
       and not exists (select from app.tenant_invites i where i.owner_user_id = me and i.tenant_id = t.id)
       and not exists (select from app.tickets k where k.owner_user_id = me and k.tenant_id = t.id)
       and not exists (select from app.tenancies y where y.owner_user_id = me and y.tenant_id = t.id);
    get diagnostics n = row_count;
    removed := removed + n;
    delete from app.units u
     where u.owner_user_id = me and u.id = any (sample)
       and not exists (select from app.tickets t where t.owner_user_id = me and t.unit_id = u.id)
       and not exists (select from app.tenancies y where y.owner_user_id = me and y.unit_id = u.id)
       and not exists (select from app.tenants t where t.owner_user_id = me and t.unit_id = u.id)
       and not exists (select from app.tenant_invites i where i.owner_user_id = me and i.unit_id = u.id);
    get diagnostics n = row_count;
    removed := removed + n;
    delete from app.properties p
     where p.owner_user_id = me and p.id = any (sample)
       and not exists (select from app.units u where u.owner_user_id = me and u.property_id = p.id);
    get diagnostics n = row_count;
    removed := removed + n;
    delete from app.contractors c
     where c.owner_user_id = me and c.id = any (sample)
       and not exists (select from app.tickets t where t.owner_user_id = me and t.contractor_id = c.id);
    get diagnostics n = row_count;
    removed := removed + n;
    kept := (select count(*) from app.tenants t where t.owner_user_id = me and t.id = any (sample))
          + (select count(*) from app.units u where u.owner_user_id = me and u.id = any (sample))
          + (select count(*) from app.properties p where p.owner_user_id = me and p.id = any (sample))
          + (select count(*) from app.contractors c where c.owner_user_id = me and c.id = any (sample));
    delete from app.sample_rows s where s.owner_user_id = me;
    return array[removed, kept];
end
$$;

-- remove_account_rows removes up to at_most rows of a landlord who leaves, of the first
-- kind of which there are any, and returns how many those were: none when all are gone.
-- The rest of what nobody deletes (events, the trail, consents) goes here and nowhere
-- else; the policies let it go only while a deletion of the caller's is REMOVING. A new
-- landlord's table has to be named.
create or replace function app.remove_account_rows(at_most integer) returns integer
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    me      uuid := app.current_user_id();
    kind    record;
    removed integer;
begin
    if not exists (select from app.account_deletions d where d.owner_user_id = me and d.state = 'REMOVING') then
        raise exception 'No removal of this account has begun.' using errcode = 'RH409';
    end if;
    -- children first, so that no cascade goes further than at_most
    for kind in
        select k.name, k.key
          from (values ('contractor_search_results', 'id'), ('attachments', 'id'), ('ticket_comments', 'id'), ('ticket_events', 'id'),
                       ('tickets', 'id'), ('tenancies', 'id'), ('tenant_invites', 'id'), ('tenants', 'id'), ('units', 'id'),
                       ('properties', 'id'), ('import_rows', 'id'), ('import_batches', 'id'), ('contractors', 'id'),
                       ('ticket_counters', 'owner_user_id'), ('sample_rows', 'row_id'), ('idempotency_keys', 'key'),
                       ('support_accesses', 'id'), ('support_grants', 'id'), ('exports', 'id'), ('audit_log', 'id'))
               as k (name, key)
    loop
        execute format('delete from app.%1$I where owner_user_id = $1 and %2$I = any (array(
                            select k.%2$I from app.%1$I k where k.owner_user_id = $1 limit $2))', kind.name, kind.key)
          using me, at_most;
        get diagnostics removed = row_count;
        if removed > 0 then
            return removed;
        end if;
    end loop;
    return 0;
end
$$;

-- remove_profile removes the profile of a landlord who leaves and has nothing left, and
-- says whether it did: whom another landlord knows as their tenant's login keeps it.
create or replace function app.remove_profile() returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from app.landlord_cards c where c.owner_user_id = (select app.current_user_id());
    delete from app.users u where u.id = (select app.current_user_id());
    return found;
exception when foreign_key_violation then
    return false;
end
$$;

set local role rowhouse_owner;
revoke create on schema app from rowhouse_remover;
