// Package dbtest gives each test a database of its own, on a real Postgres.
//
// The first test of a process builds a template; every test then gets a copy.
// Tests connect as rowhouse_api, as production does: a grant that is missing in
// production is missing here.
package dbtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/migrate"
	"rowhouse/internal/seal"
)

// Passwords of the logins in every test database.
const apiPassword, workerPassword, migratorPassword = "api", "worker", "migrator"

// MutationRefused is the exit code of a test process whose ROWHOUSE_TEST_MUTATION
// does not run.
const MutationRefused = 3

// Keys seal identities in every test database. The second is the coming key of a
// rotation: the databases accept it already.
const (
	KeysText   = "now:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMzI=,next:bmV4dC10ZXN0LW5leHQtdGVzdC1uZXh0LXRlc3QtMzI="
	RotateText = "next:bmV4dC10ZXN0LW5leHQtdGVzdC1uZXh0LXRlc3QtMzI="
)

// InviteKeysText are the keys that tests make invites' tokens with.
const InviteKeysText = "now:aW52aXRlLWludml0ZS1pbnZpdGUtaW52aXRlLWludml0ZQ=="

// InviteKeys are those of InviteKeysText.
func InviteKeys(t testing.TB) invitetoken.Keyring {
	t.Helper()
	ring, err := invitetoken.ParseKeyring(InviteKeysText)
	require.NoError(t, err)
	return ring
}

// Keyring parses text or fails the test.
func Keyring(t testing.TB, text string) seal.Keyring {
	t.Helper()
	ring, err := seal.ParseKeyring(text)
	require.NoError(t, err)
	return ring
}

// Database is a migrated, empty database that lives as long as its test.
type Database struct {
	*db.DB // as rowhouse_api
	Admin  *pgxpool.Pool

	server *Server
	name   string
}

var template struct {
	sync.Mutex
	of map[*Server]string
}

var serial atomic.Int64

// New returns a database for t alone, on the server that the process shares.
func New(t testing.TB) *Database {
	t.Helper()
	server, err := sharedServer()
	require.NoError(t, err)
	return NewOn(t, server)
}

// NewOn returns a database for t alone, on server.
func NewOn(t testing.TB, server *Server) *Database {
	t.Helper()
	d := Clone(t, server)
	d.DB = d.Open(t, db.Config{})
	return d
}

// Clone returns a database whose DB is not open yet.
func Clone(t testing.TB, server *Server) *Database {
	t.Helper()
	d := create(t, server, templateOn(t, server))
	d.Admin = pool(t, server.URL(d.name))
	// a copy of a database does not bring the rights on the database itself
	conn, err := d.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	require.NoError(t, migrate.Cluster(t.Context(), conn.Conn(), slog.New(slog.DiscardHandler)))
	mutate(t, conn.Conn())
	return d
}

// mutate plants the fault of ROWHOUSE_TEST_MUTATION. One that cannot be planted
// ends the process with MutationRefused: a failing test would say it was noticed.
func mutate(t testing.TB, conn *pgx.Conn) {
	t.Helper()
	file := os.Getenv(mutationVariable)
	if file == "" {
		return
	}
	sql, err := os.ReadFile(file)
	if err == nil {
		_, err = conn.PgConn().Exec(t.Context(), string(sql)).ReadAll()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "dbtest: %s: %v\n", mutationVariable, err)
		os.Exit(MutationRefused)
	}
}

// Empty returns a database without anything of ours in it, and without a DB.
func Empty(t testing.TB) *Database {
	t.Helper()
	server, err := sharedServer()
	require.NoError(t, err)
	d := create(t, server, "template0")
	d.Admin = pool(t, server.URL(d.name))
	return d
}

// Open returns a further DB on the database; URL and Keys are filled in if empty.
func (d *Database) Open(t testing.TB, c db.Config) *db.DB {
	t.Helper()
	if c.URL == "" {
		c.URL = d.URL("rowhouse_api")
	}
	if len(c.Keys.Keys()) == 0 {
		c.Keys = Keyring(t, KeysText)
	}
	if c.MaxConns == 0 {
		c.MaxConns = 4
	}
	opened, err := db.Open(context.WithoutCancel(t.Context()), c)
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	return opened
}

// URL is the database's address for one of our logins, or for "postgres", the
// superuser.
func (d *Database) URL(login string) string {
	if login == "postgres" {
		return d.server.URL(d.name)
	}
	u, err := url.Parse(d.server.URL(d.name))
	if err != nil {
		panic(err) // we made it
	}
	u.User = url.UserPassword(login, map[string]string{
		"rowhouse_api": apiPassword, "rowhouse_worker": workerPassword, "rowhouse_migrator": migratorPassword,
	}[login])
	return u.String()
}

// Name is the database's name.
func (d *Database) Name() string { return d.name }

// Connect opens a bare connection as one of our logins.
func (d *Database) Connect(t testing.TB, login string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.URL(login))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Exec runs sql past every policy. Use it to arrange a test, never to assert.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := d.Admin.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Landlord is a landlord with a row in every table, and a tenant who has a login.
type Landlord struct {
	auth.Identity
	PropertyID     uuid.UUID
	UnitID         uuid.UUID
	Tenant         Person // lives in the unit since yesterday, and reported the ticket
	TenantID       uuid.UUID
	ContractorID   uuid.UUID
	TicketID       uuid.UUID
	SupportGrantID uuid.UUID // taken back, so that it opens nothing
	ImportID       uuid.UUID // of a file with one unit, checked and not run
	ExportID       uuid.UUID // of everything, made; the file itself is in no store
	InviteToken    string    // of an open invite to a further tenant, who has no login yet
}

// Person is somebody with a login who is no landlord.
type Person struct{ auth.Identity }

// Context returns a context in which the person is the caller.
func (p Person) Context(t testing.TB) context.Context { return auth.With(t.Context(), p.Identity) }

// Context returns a context in which the landlord is the caller.
func (l Landlord) Context(t testing.TB) context.Context { return auth.With(t.Context(), l.Identity) }

// Person inserts somebody with a login and nothing else.
func (d *Database) Person(t testing.TB, name string) Person {
	t.Helper()
	p := Person{auth.Identity{UserID: uuid.New(), Email: name + "@example.com"}}
	d.Exec(t, `insert into app.users (id, email, full_name) values ($1, $2, $3)`, p.UserID, p.Email, name)
	return p
}

// Operator inserts somebody who works for Rowhouse, and whom no landlord lets look.
func (d *Database) Operator(t testing.TB, name string) Person {
	t.Helper()
	p := d.Person(t, name)
	d.Exec(t, `update app.users set is_admin = true where id = $1`, p.UserID)
	return p
}

// SupportGrant inserts a landlord's live consent to support's reading areas.
func (d *Database) SupportGrant(t testing.TB, l Landlord, areas ...string) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), `insert into app.support_grants (owner_user_id, areas, reason, expires_at, created_by)
		values ($1, $2, 'a look at what is wrong', now() + interval '1 hour', $1) returning id`, l.UserID, areas).Scan(&id))
	return id
}

// Landlord inserts a landlord called name, whose every text holds that name.
func (d *Database) Landlord(t testing.TB, name string) Landlord {
	t.Helper()
	l := Landlord{
		Identity:   auth.Identity{UserID: uuid.New(), Email: name + "@example.com"},
		PropertyID: uuid.New(), UnitID: uuid.New(), TenantID: uuid.New(), ContractorID: uuid.New(), TicketID: uuid.New(),
		SupportGrantID: uuid.New(), ImportID: uuid.New(), ExportID: uuid.New(),
		Tenant:      d.Person(t, name+"-tenant"),
		InviteToken: name + "-token",
	}
	hash := sha256.Sum256([]byte(l.InviteToken))
	invitee := uuid.New()
	for _, insert := range []struct {
		sql  string
		args []any
	}{
		{`insert into app.users (id, email, full_name, onboarding_step, onboarding_completed) values ($1, $2, $3, 6, true)`, []any{l.UserID, l.Email, name}},
		{`insert into app.properties (owner_user_id, id, name, city, created_by) values ($1, $2, $3, $3, $1)`, []any{l.UserID, l.PropertyID, name + " house"}},
		{`insert into app.units (owner_user_id, id, property_id, name, city, created_by) values ($1, $2, $3, $4, $4, $1)`, []any{l.UserID, l.UnitID, l.PropertyID, name + " flat"}},
		{`insert into app.idempotency_keys (owner_user_id, key, operation, request_hash, answer) values ($1, $2, 'createUnit', sha256('x'), $2)`, []any{l.UserID, name + "-key"}},
		{`insert into app.contractors (owner_user_id, id, name, created_by) values ($1, $2, $3, $1)`, []any{l.UserID, l.ContractorID, name + " plumber"}},
		{
			`insert into app.tenants (owner_user_id, id, user_id, first_name, last_name, email, unit_id, notes, created_by) values ($1, $2, $3, $4, $4, $5, $6, $7, $1)`,
			[]any{l.UserID, l.TenantID, l.Tenant.UserID, name + " renter", l.Tenant.Email, l.UnitID, name + " notes"},
		},
		{`insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, created_by) values ($1, $2, $3, current_date - 1, $1)`, []any{l.UserID, l.UnitID, l.TenantID}},
		{
			`insert into app.tenants (owner_user_id, id, first_name, last_name, email, created_by) values ($1, $2, $3, $3, $4, $1)`,
			[]any{l.UserID, invitee, name + " invitee", name + "-invitee@example.com"},
		},
		{`insert into app.tenant_invites (owner_user_id, tenant_id, unit_id, email, token_hash, landlord_name, unit_label, expires_at, created_by)
			values ($1, $2, $3, $4, $5, $6, $6, now() + interval '14 days', $1)`, []any{l.UserID, invitee, l.UnitID, name + "-invitee@example.com", hash[:], name + " invites"}},
		{
			`insert into app.tickets (owner_user_id, id, unit_id, tenant_id, title, created_by) values ($1, $2, $3, $4, $5, $6)`,
			[]any{l.UserID, l.TicketID, l.UnitID, l.TenantID, name + " drips", l.Tenant.UserID},
		},
		{
			`insert into app.ticket_comments (owner_user_id, ticket_id, kind, body, created_by) values ($1, $2, 'shared', $3, $1), ($1, $2, 'internal', $4, $1)`,
			[]any{l.UserID, l.TicketID, name + " says", name + " whispers"},
		},
		{`insert into app.attachments (owner_user_id, ticket_id, storage_key, file_name, media_type, size_bytes, sha256, created_by)
			values ($1, $2, $3, $4, 'image/jpeg', 3, sha256('x'), $1)`, []any{l.UserID, l.TicketID, l.UserID.String() + "/" + name, name + ".jpg"}},
		{`insert into app.contractor_search_results (owner_user_id, ticket_id, provider, provider_place_id, name, trade, expires_at)
			values ($1, $2, 'book', $3, $4, 'OTHER', now() + interval '1 day')`, []any{l.UserID, l.TicketID, name + "-place", name + " found"}},
		{`insert into app.account_deletions (owner_user_id, state, remove_after, export_keys, exported_at, ended_at, created_by)
			values ($1, 'CANCELLED', now(), array[$2], now(), now(), $1)`, []any{l.UserID, l.UserID.String() + "/" + name + "-export"}}, // kept after all
		{`insert into app.sample_rows (owner_user_id, table_name, row_id) values ($1, 'units', gen_random_uuid())`, []any{l.UserID}}, // deleted meanwhile
		{
			`insert into app.support_grants (owner_user_id, id, areas, reason, landlord_name, expires_at, revoked_at, created_by)
			values ($1, $2, '{properties,tenants,tickets,contractors}', $3, $3, now() + interval '1 day', now(), $1)`,
			[]any{l.UserID, l.SupportGrantID, name + " consents"},
		},
		{`insert into app.support_accesses (owner_user_id, grant_id, agent_user_id, agent_email, operation)
			values ($1, $2, gen_random_uuid(), $3, 'listSupportedUnits')`, []any{l.UserID, l.SupportGrantID, name + " agent"}},
		{
			`insert into app.import_batches (owner_user_id, id, kind, file_name, file_sha256, encoding, delimiter, header, mapping, state,
			                                 row_count, created, created_by)
			values ($1, $2, 'units', $3, sha256(convert_to($3, 'UTF8')), 'UTF-8', ',', array[$4], '{unit}', 'CHECKED', 1, 1, $1)`,
			[]any{l.UserID, l.ImportID, name + ".csv", name + " heading"},
		},
		{
			`insert into app.import_rows (owner_user_id, batch_id, n, line, cells, fields, same_as, action)
			values ($1, $2, 1, 2, jsonb_build_array($3::text), jsonb_build_object('unit', $3::text), $3, 'CREATE')`,
			[]any{l.UserID, l.ImportID, name + " attic"},
		},
		{
			`insert into app.exports (owner_user_id, id, note, state, part_bytes, rows_exported, finished_at, expires_at, created_by)
			values ($1, $2, $3, 'DONE', '{3}', 1, now(), now() + interval '1 day', $1)`, []any{l.UserID, l.ExportID, name + " takes all"},
		},
	} {
		d.Exec(t, insert.sql, insert.args...)
	}
	return l
}

func create(t testing.TB, server *Server, source string) *Database {
	t.Helper()
	d := &Database{server: server, name: fmt.Sprintf("test_%d_%d", os.Getpid(), serial.Add(1))}
	admin(t, server, fmt.Sprintf("create database %s template %s", d.name, source))
	t.Cleanup(func() { admin(t, server, fmt.Sprintf("drop database if exists %s with (force)", d.name)) })
	return d
}

func templateOn(t testing.TB, server *Server) string {
	t.Helper()
	template.Lock()
	defer template.Unlock()
	if name, ok := template.of[server]; ok {
		return name
	}
	const name = "rowhouse_template"
	if _, ready := server.engine.(running); ready {
		return name
	}
	// as on Supabase, where they exist before us
	admin(t, server, "create role anon nologin", "create role authenticated nologin",
		"create role service_role nologin bypassrls", "create database "+name)
	require.NoError(t, migrate.Up(t.Context(), server.URL(name), migrate.Options{
		Keys:   Keyring(t, KeysText),
		Logger: slog.New(slog.DiscardHandler),
		Passwords: map[string]string{
			"rowhouse_api": apiPassword, "rowhouse_worker": workerPassword, "rowhouse_migrator": migratorPassword,
		},
	}))
	if template.of == nil {
		template.of = map[*Server]string{}
	}
	template.of[server] = name
	return name
}

func pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = 4
	p, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), cfg)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// admin runs statements as superuser, each by itself: some can't run in a
// transaction.
func admin(t testing.TB, server *Server, statements ...string) {
	t.Helper()
	ctx := context.Background() // also runs in cleanup, when t.Context is done
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(ctx)
	for _, statement := range statements {
		_, err = conn.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}
}
