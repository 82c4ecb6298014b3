-- Books on which the cost of policies is measured: as many landlords, and as many
-- rows a table of each, as the settings rowhouse.landlords and rowhouse.rows say.
-- For a superuser of a scratch database that was just migrated, never for another:
-- no trigger runs and no foreign key is checked.
--
-- What a landlord has lies scattered over a table, as it does after years: rows are
-- inserted one a landlord at a time. A person rents from two landlords.
set search_path = pg_catalog, pg_temp;
set session_replication_role = replica;
set client_min_messages = warning;
set maintenance_work_mem = '256MB';

-- ids that can be told from what they are of
create function pg_temp.id(kind text, landlord bigint, k bigint default 0) returns uuid
    language sql immutable as $$ select md5(kind || '-' || landlord::text || '-' || k::text)::uuid $$;

create temporary table sizes as
    select current_setting('rowhouse.landlords')::int as landlords, current_setting('rowhouse.rows')::int as rows;

-- a line for each row of each landlord: the k-th of the n-th, and who rents the k-th unit
create temporary table book as
    select n, k, pg_temp.id('landlord', n) as owner, pg_temp.id('unit', n, k) as unit, pg_temp.id('ticket', n, k) as ticket,
           pg_temp.id('person', (n + 1) / 2, k) as person,
           -- a tenth of the tenants report all tickets; they are among those who have a login
           pg_temp.id('tenant', n, 2 * (1 + (k - 1) % greatest(rows / 20, 1))) as reporter,
           now() - k * interval '1 day' - n * interval '1 second' as at
      from sizes, generate_series(1, rows) k, generate_series(1, landlords) n
     order by k, n;

-- indexes in one go at the end take a third of the time
update pg_index set indisready = false, indisvalid = false
 where indrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r');

insert into app.users (id, email, full_name)
select owner, 'landlord-' || n || '@example.com', 'Landlord ' || n from book where k = 1
union all
select distinct person, 'person-' || (n + 1) / 2 || '-' || k || '@example.com', 'Person ' || k from book where k % 2 = 0;

insert into app.landlord_cards (owner_user_id, name) select owner, 'Landlord ' || n from book where k = 1;
insert into app.ticket_counters (owner_user_id, last_number) select owner, rows from book, sizes where k = 1;

insert into app.idempotency_keys (owner_user_id, key, operation, request_hash, answer, created_at)
select owner, 'key-' || k, 'createUnit', sha256('x'), '{}', at from book
union all
select distinct person, 'key-0', 'createPortalTicket', sha256('x'), '{}', now() from book where k % 2 = 0;

insert into app.properties (owner_user_id, id, name, city, created_by, created_at)
select owner, pg_temp.id('property', n, k), 'House ' || k, 'Utrecht', owner, at from book where k % 10 = 1;

insert into app.units (owner_user_id, id, property_id, name, status, city, created_by, created_at)
select owner, unit, pg_temp.id('property', n, k - (k - 1) % 10), 'Flat ' || k,
       case when k % 4 = 0 then 'VACANT' else 'OCCUPIED' end, 'Utrecht', owner, at
  from book;

-- who rents may own as well
insert into app.properties (owner_user_id, id, name, created_by)
select distinct person, pg_temp.id('own property', 0, (n + 1) / 2), 'Own house', person from book where k = 2;

insert into app.units (owner_user_id, id, property_id, name, created_by)
select distinct person, pg_temp.id('own unit', 0, (n + 1) / 2), pg_temp.id('own property', 0, (n + 1) / 2), 'Own flat', person
  from book where k = 2;

insert into app.tenants (owner_user_id, id, user_id, first_name, last_name, email, unit_id, created_by, created_at)
select owner, pg_temp.id('tenant', n, k), case when k % 2 = 0 then person end, 'Jo', 'Renter ' || k,
       'renter-' || k || '@example.com', unit, owner, at
  from book;

insert into app.tenancies (owner_user_id, id, unit_id, tenant_id, start_date, end_date, created_by, created_at)
select owner, pg_temp.id('tenancy', n, k), unit, pg_temp.id('tenant', n, k), at::date,
       case when k % 3 = 0 then current_date end, owner, at
  from book;

-- every other one is open, the rest were claimed by people who rent already
insert into app.tenant_invites (owner_user_id, id, tenant_id, unit_id, email, token_hash, expires_at, claimed_at,
                                claimed_by_user_id, created_by, created_at)
select owner, pg_temp.id('invite', n, k), pg_temp.id('tenant', n, k), unit, 'renter-' || k || '@example.com',
       sha256(convert_to('token-' || n || '-' || k, 'UTF8')), now() + interval '14 days',
       case when k % 4 = 1 then at end, case when k % 4 = 1 then pg_temp.id('person', (n + 1) / 2, k + 1) end, owner, at
  from book
 where k % 2 = 1;

insert into app.contractors (owner_user_id, id, name, trade, created_by, created_at)
select owner, pg_temp.id('contractor', n, k), 'Contractor ' || k, (array['PLUMBING', 'ELECTRICAL', 'GENERAL'])[1 + k % 3], owner, at
  from book;

insert into app.tickets (owner_user_id, id, number, unit_id, tenant_id, title, status, due_at, created_by, created_at)
select owner, ticket, k, unit, reporter, 'The tap drips',
       (array['NEW', 'OPEN', 'IN_PROGRESS', 'CLOSED', 'CLOSED', 'CLOSED'])[1 + k % 6], at + interval '7 days', owner, at
  from book;

insert into app.ticket_comments (owner_user_id, id, ticket_id, tenant_id, kind, body, created_by, created_at)
select owner, pg_temp.id('comment', n, k), ticket, reporter, case when k % 3 = 0 then 'internal' else 'shared' end,
       'Somebody comes on Monday', owner, at
  from book;

insert into app.ticket_events (owner_user_id, id, ticket_id, tenant_id, type, to_value, actor_user_id, actor_kind, created_at)
select owner, pg_temp.id('event', n, k), ticket, reporter, 'created', 'NEW', owner, 'landlord', at from book;

insert into app.attachments (owner_user_id, id, ticket_id, tenant_id, storage_key, file_name, media_type, size_bytes, sha256,
                             visibility, created_by, created_at)
select owner, pg_temp.id('attachment', n, k), ticket, reporter, owner || '/' || k, 'tap.jpg', 'image/jpeg', 3, sha256('x'),
       case when k % 3 = 0 then 'internal' else 'shared' end, owner, at
  from book;

insert into app.contractor_search_results (owner_user_id, id, ticket_id, provider, provider_place_id, name, trade, expires_at)
select owner, pg_temp.id('result', n, k), ticket, 'book', 'place-' || k, 'Found ' || k, 'PLUMBING', now() + interval '1 day'
  from book;

insert into app.audit_log (owner_user_id, id, at, actor_user_id, actor_kind, action, table_name, row_id)
select owner, pg_temp.id('audit', n, k), at, owner, 'landlord', 'insert', 'units', unit from book;

insert into app.account_deletions (owner_user_id, state, remove_after, created_by, created_at) select owner, 'CANCELLED', at, owner, at from book;
insert into app.sample_rows (owner_user_id, table_name, row_id) select owner, 'units', unit from book;

insert into app.import_batches (owner_user_id, id, kind, file_name, file_sha256, encoding, delimiter, header, mapping, state, row_count,
                                created_by, created_at)
select owner, pg_temp.id('import', n, k), 'units', 'units.csv', sha256(convert_to(k::text, 'UTF8')), 'UTF-8', ',', '{unit}', '{unit}',
       'COMPLETED', 10, owner, at
  from book
 where k % 10 = 1;

insert into app.import_rows (owner_user_id, id, batch_id, n, line, cells, action, unit_id, done_at)
select owner, pg_temp.id('import row', n, k), pg_temp.id('import', n, k - (k - 1) % 10), 1 + (k - 1) % 10, 2 + (k - 1) % 10,
       jsonb_build_array('Flat ' || k), 'CREATE', unit, at
  from book;

-- Who asks. A role that is not here asks as the landlord. The person rents from the
-- landlord, reported tickets, and holds the token of an invite that they claimed.
create schema explain;
create table explain.callers as
    select role, case role when 'rowhouse_landlord' then owner else pg_temp.id('person', (n + 1) / 2, 2) end as user_id,
           encode(sha256(convert_to('token-' || n || '-1', 'UTF8')), 'hex') as invite_hash,
           'renter-1@example.com' as email, '' as support_access
      from book, sizes, unnest(array['rowhouse_landlord', 'rowhouse_tenant', 'rowhouse_user', 'rowhouse_clerk']) role
     where k = 1 and n = (landlords + 1) / 2;

-- Support, where it exists: twenty people, who look at what one grant of each
-- landlord's opens; the others are over.
do $$
begin
    if to_regclass('app.support_grants') is null then
        return;
    end if;
    insert into app.users (id, email, is_admin)
    select pg_temp.id('agent', a), 'agent-' || a || '@example.com', true from generate_series(1, 20) a;

    insert into app.support_grants (owner_user_id, id, areas, reason, expires_at, created_by, created_at)
    select owner, pg_temp.id('grant', n, k), '{properties,tenants,tickets,contractors}', 'A question',
           case k when 1 then now() + interval '1 day' else at + interval '1 day' end, owner, case k when 1 then now() else at end
      from book;

    -- an access opens rows for a minute; that of the caller is a day ahead, to last
    insert into app.support_accesses (owner_user_id, id, grant_id, agent_user_id, operation, at)
    select b.owner, pg_temp.id('access', b.n, b.k), pg_temp.id('grant', b.n, b.k), pg_temp.id('agent', 1 + (b.n + b.k) % 20),
           'listUnits', b.at
      from book b
    union all
    select c.user_id, pg_temp.id('access', 0), g.id, pg_temp.id('agent', 1), 'listUnits', now() + interval '1 day'
      from explain.callers c
      join app.support_grants g on g.owner_user_id = c.user_id and g.expires_at > now()
     where c.role = 'rowhouse_landlord';

    insert into explain.callers
    select 'rowhouse_support', pg_temp.id('agent', 1), '', '', pg_temp.id('access', 0)::text;
end
$$;

do $$
declare
    filled record;
begin
    for filled in
        select c.oid, c.oid::regclass as relation from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind = 'r'
    loop
        update pg_index set indisready = true, indisvalid = true where indrelid = filled.oid;
        execute format('reindex table %s', filled.relation);
    end loop;
end
$$;
drop table book;
drop table sizes;
drop function pg_temp.id(text, bigint, bigint);
reset session_replication_role;
