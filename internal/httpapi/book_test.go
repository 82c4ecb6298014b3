package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// How much there is in a book, for each of its landlords and in all.
const (
	bookLandlords  = 1000
	bookProperties = 4
	bookUnits      = 20 // as many tenants and contractors, twice as many tenancies
	bookTickets    = 200
	bookAudit      = 100
)

// book is a database that many landlords have worked in, with the API on it.
type book struct {
	*service
	opened   *db.DB
	heard    listener
	landlord client // one of them, no larger than the others
	tenant   client // who rents from two of them, the landlord is one
	agent    client // of support
}

// bookToken is the token of an open invite of the book's landlord.
const bookToken = "the token of an invite"

// newBook fills a database by sets, without triggers, which would take minutes.
func newBook(t testing.TB) *book {
	t.Helper()
	b := &book{}
	d := dbtest.New(t)
	b.opened = d.Open(t, db.Config{MaxConns: 1, Configure: b.heard.listen})
	b.service = serveOn(t, d, b.opened)
	b.landlord, b.tenant = b.newLandlord(t), b.newPerson(t, "kim@example.com")
	tx, err := b.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	fill := func(sql string, args ...any) {
		t.Helper()
		_, err := tx.Exec(t.Context(), sql, args...)
		require.NoError(t, err, sql)
	}
	fill(`set local session_replication_role = replica`)
	fill(`create temporary table landlords on commit drop as
		select case when n = 1 then $1::uuid else gen_random_uuid() end as id, n as landlord from generate_series(1, $2::integer) n`, b.landlord.id, bookLandlords)
	// what stands next to each other: of each kind the nth of a landlord
	fill(fmt.Sprintf(`create temporary table places on commit drop as
		select l.id as owner, l.landlord, n, gen_random_uuid() as property, gen_random_uuid() as unit, gen_random_uuid() as tenant,
		       gen_random_uuid() as contractor, case when n > 10 then null when n = 1 and l.landlord <= 2 then '%s'::uuid else gen_random_uuid() end as login
		  from landlords l, generate_series(1, %d) n order by owner`, b.tenant.id, bookUnits))
	fill(`insert into app.users (id, email, full_name, onboarding_step) select id, 'ann' || landlord || '@example.com', 'Ann ' || landlord, 6 from landlords on conflict do nothing`)
	fill(`insert into app.users (id) select distinct login from places where login is not null on conflict do nothing`)
	fill(`insert into app.landlord_cards (owner_user_id, name) select id, 'Ann ' || landlord from landlords on conflict do nothing`)
	fill(`insert into app.properties (owner_user_id, id, name, created_by, created_at)
		select owner, property, 'House ' || n, owner, now() - random() * interval '300 days' from places where n <= $1`, bookProperties)
	fill(`insert into app.units (owner_user_id, id, property_id, name, status, created_by, created_at)
		select p.owner, p.unit, h.property, 'Flat ' || p.n, (array['VACANT', 'OCCUPIED', 'OCCUPIED', 'OCCUPIED'])[1 + p.n % 4], p.owner, now() - random() * interval '300 days'
		  from places p join places h on h.owner = p.owner and h.n = 1 + p.n % $1`, bookProperties)
	fill(`insert into app.account_deletions (owner_user_id, state, remove_after, export_keys, created_by)
		select owner, 'DONE', now(), array[owner || '/export'], owner from places where n <= 3`)
	fill(`insert into app.sample_rows (owner_user_id, table_name, row_id) select owner, 'units', unit from places where n <= 3`)
	fill(`insert into app.tenants (owner_user_id, id, user_id, first_name, last_name, email, unit_id, created_by, created_at)
		select owner, tenant, login, 'Jo ' || n, 'Doe ' || n, 'jo' || n || '@example.com', unit, owner, now() - random() * interval '300 days' from places`)
	fill(`insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, end_date, created_by)
		select owner, unit, tenant, current_date - 700 + 400 * round + n, case when round = 0 then current_date - 400 when n % 5 = 0 then current_date + 60 end, owner
		  from places, generate_series(0, 1) round`)
	fill(`insert into app.tenant_invites (owner_user_id, tenant_id, unit_id, email, token_hash, expires_at, claimed_at, claimed_by_user_id, created_by, created_at)
		select owner, tenant, unit, 'jo' || n || '@example.com', case when n = 20 and landlord = 1 then sha256($1) else sha256(tenant::text::bytea) end,
		       now() + n * interval '1 hour' - interval '14 hours', case when login is not null then now() end, login, owner, now() - random() * interval '300 days'
		  from places`, []byte(bookToken))
	fill(`insert into app.import_batches (owner_user_id, id, kind, file_name, file_sha256, encoding, delimiter, header, mapping, row_count, created_by, created_at)
		select owner, unit, 'units', 'units.csv', sha256(n::text::bytea), 'UTF-8', ',', '{unit}', '{unit}', 10, owner, now() - random() * interval '300 days' from places`)
	fill(`insert into app.import_rows (owner_user_id, batch_id, n, line, cells, action, code, message)
		select owner, unit, row, row + 1, '["Flat"]', (array['CREATE', 'ERROR', 'SKIP'])[1 + row % 3], 'too_long', 'This is too long.' from places, generate_series(1, 10) row`)
	fill(`insert into app.contractors (owner_user_id, id, name, trade, external_place_id, created_by, created_at)
		select owner, contractor, 'Pipes ' || n, (array['PLUMBING', 'HVAC', 'PEST', 'CLEANING'])[1 + n % 4], case when n % 3 = 0 then 'openstreetmap:node/' || n end,
		       owner, now() - random() * interval '300 days' from places`)
	fill(fmt.Sprintf(`insert into app.tickets (owner_user_id, number, unit_id, tenant_id, contractor_id, title, category, status, priority, due_at, created_by, created_at)
		select p.owner, p.n + m * %[1]d, p.unit, case when m > 0 then p.tenant end, case when m %% 2 = 0 then p.contractor end, 'Drip ' || m, 'PLUMBING',
		       (array['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CANCELLED', 'RESOLVED', 'NEW', 'OPEN', 'ON_HOLD'])[1 + (m + p.n) %% 10],
		       (array['NORMAL', 'NORMAL', 'LOW', 'HIGH', 'EMERGENCY'])[1 + (m + p.n) %% 5],
		       now() - random() * interval '30 days' + interval '10 days', p.owner, now() - random() * interval '300 days'
		  from places p, generate_series(0, %[2]d) m`, bookUnits, bookTickets/bookUnits-1))
	fill(`insert into app.ticket_counters (owner_user_id, last_number) select id, $1 from landlords`, bookTickets)
	fill(`insert into app.ticket_events (owner_user_id, ticket_id, tenant_id, type, to_value, actor_kind, created_at)
		select owner_user_id, id, tenant_id, 'created', 'NEW', 'landlord', created_at from app.tickets`)
	fill(`insert into app.ticket_comments (owner_user_id, ticket_id, tenant_id, kind, body, created_by, created_at)
		select t.owner_user_id, t.id, t.tenant_id, kind, 'Soon', t.owner_user_id, t.created_at + interval '1 hour'
		  from app.tickets t, unnest('{shared,internal}'::text[]) kind where t.number % 5 = 1`)
	fill(`insert into app.attachments (owner_user_id, ticket_id, tenant_id, storage_key, file_name, media_type, size_bytes, sha256, created_by, created_at)
		select owner_user_id, id, tenant_id, owner_user_id || '/' || id, 'x.pdf', 'application/pdf', 1, sha256('x'), owner_user_id, created_at
		  from app.tickets where number % 10 = 1`)
	fill(`insert into app.contractor_search_results (owner_user_id, ticket_id, provider, provider_place_id, name, trade, expires_at)
		select t.owner_user_id, t.id, 'openstreetmap', 'node/' || n, 'Vonk', 'PLUMBING', now() + interval '1 day'
		  from app.tickets t, generate_series(1, 5) n where t.number % 10 = 1`)
	fill(`insert into app.support_grants (owner_user_id, id, areas, reason, expires_at, revoked_at, created_by, created_at)
		select owner, unit, '{tickets}', 'A look', at + interval '1 hour', at, owner, at
		  from places, lateral (select now() - n * interval '1 day' as at) a`)
	fill(`insert into app.support_accesses (owner_user_id, grant_id, agent_user_id, operation, at)
		select p.owner, p.unit, gen_random_uuid(), 'listSupportedTickets', now() - random() * interval '300 days' from places p, generate_series(1, 5)`)
	fill(`insert into app.audit_log (owner_user_id, actor_kind, action, table_name, row_id, at)
		select l.id, 'landlord', 'update', 'units', gen_random_uuid(), now() - n * interval '1 hour' from landlords l, generate_series(1, $1::integer) n`, bookAudit)
	require.NoError(t, tx.Commit(t.Context()))
	b.agent = b.newOperator(t)
	b.Exec(t, `analyze`)
	return b
}

// fillPeople gives c n tenants, each with a unit, a tenancy of it and an invite,
// and n contractors.
func (s *service) fillPeople(t testing.TB, c client, n int) {
	t.Helper()
	c.as(t).get("/me").ok(http.StatusOK) // makes the profile that the rows refer to
	s.Exec(t, `with u as (
			insert into app.units (owner_user_id, name, created_by) select $1, 'Home ' || n, $1 from generate_series(1, $2::integer) n returning id
		), t as (
			insert into app.tenants (owner_user_id, first_name, last_name, email, unit_id, created_by, created_at)
			select $1, 'Jo ' || md5(id::text), 'Jansen', id || '@example.com', id, $1, now() - random() * interval '300 days' from u
			returning id, unit_id
		), y as (
			insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, created_by)
			select $1, unit_id, id, current_date - 1, $1 from t
		), i as (
			insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by)
			select $1, id, 'jo@example.com', sha256(id::text::bytea), now() + interval '1 day', $1 from t
		)
		insert into app.contractors (owner_user_id, name, trade, created_by, created_at)
		select $1, 'Pipes ' || md5(id::text), (array['PLUMBING', 'HVAC', 'PEST', 'OTHER'])[1 + ascii(right(id::text, 1)) % 4], $1,
		       now() - random() * interval '300 days' from u`, c.id, n)
}
