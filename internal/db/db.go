// Package db opens transactions on behalf of a caller, and is the only way to
// the database for code that serves one.
//
// The caller's identity travels with the transaction, and the policies alone
// decide what it sees and changes. Code inside a transaction needs no ownership
// check and could not do without one by mistake: outside these functions the
// server's login has no right to any table.
package db

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"rowhouse/internal/auth"
	"rowhouse/internal/errs"
	"rowhouse/internal/requestid"
	"rowhouse/internal/seal"
)

// Access says whether a transaction may write.
type Access int

// The kinds of access. A read-only transaction is refused every write by the
// server itself.
const (
	ReadWrite Access = iota
	ReadOnly
)

// planning is the setting plan_cache_mode for a transaction. Lists are planned for
// their parameters each time: a plan for any parameters can follow neither a list's
// filter nor its order to an index, and Postgres would settle for it after five runs,
// for it looks no dearer. Writes keep the plans that their triggers' functions have:
// planning those anew makes an insert take more than twice as long.
func (a Access) planning() string {
	if a == ReadOnly {
		return "force_custom_plan"
	}
	return "auto"
}

const (
	landlord = "rowhouse_landlord"
	tenant   = "rowhouse_tenant"
	user     = "rowhouse_user"
	support  = "rowhouse_support"

	// maxAttempts bounds how often a transaction is run that the server rolled
	// back for the sake of another.
	maxAttempts = 3
	// sealTTL outlives every request and stays under the five minutes that
	// app.current_user_id accepts.
	sealTTL = time.Minute
	// endTimeout is how long ending a transaction may take when the request that
	// opened it is over.
	endTimeout = 3 * time.Second
)

// Config is what Open needs. URL and Keys are required.
type Config struct {
	URL  string // of a login role that may become the personas and nothing else
	Keys seal.Keyring

	// Pooler says that a transaction pooler stands between: seals are then not
	// bound to a backend and statements not prepared by name.
	Pooler bool
	// MaxConns bounds the pool; 0 leaves pgxpool's default.
	MaxConns int32
	// AcquireTimeout is how long a request waits for a connection before it is
	// told to come back; 0 means 2 s.
	AcquireTimeout time.Duration
	// Configure may change the pool's settings last, for tests that count or cut
	// connections; usually nil.
	Configure func(*pgxpool.Config)
}

// DB opens transactions. Its pool is reachable from nowhere else.
type DB struct {
	pool           *pgxpool.Pool
	keys           seal.Keyring
	pooler         bool
	acquireTimeout time.Duration
}

// Open prepares a pool without connecting: a server whose database is away
// starts, and recovers when it is back.
func Open(ctx context.Context, c Config) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("database URL: not a valid Postgres URL") // the cause would quote the password
	}
	if len(c.Keys.Keys()) == 0 {
		return nil, errors.New("database: no seal key")
	}
	if c.MaxConns > 0 {
		cfg.MaxConns = c.MaxConns
	}
	cfg.ConnConfig.ConnectTimeout = 3 * time.Second
	// A request that goes away cancels its statement and leaves the connection to
	// the next. By default pgx would give the connection up.
	cfg.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	// Asking an idle connection whether it lives would cost a round trip; see staleError.
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	if c.Pooler {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if c.Configure != nil {
		c.Configure(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	db := &DB{pool: pool, keys: c.Keys, pooler: c.Pooler, acquireTimeout: c.AcquireTimeout}
	if db.acquireTimeout == 0 {
		db.acquireTimeout = 2 * time.Second
	}
	return db, nil
}

// Close waits for open transactions and closes every connection.
func (db *DB) Close() { db.pool.Close() }

// AsLandlord runs fn in a transaction in which Postgres knows the caller as a
// landlord, and commits if fn returns nil.
//
// Inside fn, rows of other landlords do not exist and writing one is refused,
// whatever the statement says.
//
// BEGIN, the identity and fn's first statement travel together, and so do COMMIT
// and the cleaning of the connection: a transaction of one statement, or of one
// batch, takes two round trips.
//
// fn may run up to three times: when the server has rolled it back for the sake of
// another transaction (a deadlock or a serialization failure), and when the
// connection turns out to be dead before the transaction has begun. It must have
// no effect but through tx and on variables that it sets anew each time. Nothing
// is run again when the outcome is unknown. fn must not keep tx or use it from
// another goroutine, and must not wait for anything but the database: others are
// waiting for its connection.
//
// It fails with an *errs.Error: Unauthenticated if ctx carries no identity,
// NotFound if fn returns pgx.ErrNoRows, Forbidden if a policy or another
// landlord's key refused a row, Unavailable if the database is away or busy.
// Other errors are ours.
func (db *DB) AsLandlord(ctx context.Context, access Access, fn func(tx *Tx) error) error {
	return db.signedIn(ctx, landlord, access, fn)
}

// AsTenant is AsLandlord for a person as the tenant that landlords know: they have
// what is about themselves, in the books of all of their landlords.
func (db *DB) AsTenant(ctx context.Context, access Access, fn func(tx *Tx) error) error {
	return db.signedIn(ctx, tenant, access, fn)
}

// AsUser is AsLandlord for somebody who is signed in, and no more: they have
// their own profile.
func (db *DB) AsUser(ctx context.Context, access Access, fn func(tx *Tx) error) error {
	return db.signedIn(ctx, user, access, fn)
}

// Invitee is somebody who holds the token of an invite.
type Invitee struct {
	TokenHash [32]byte // SHA-256 of the token
	// Email is the caller's address if it was proven to be theirs, or empty. Only
	// with the invite's own address can it be claimed.
	Email string
}

// AsInvitee runs fn like AsUser, for the caller or for nobody, who sees the invite
// whose token they hold.
func (db *DB) AsInvitee(ctx context.Context, access Access, invitee Invitee, fn func(tx *Tx) error) error {
	id, _ := auth.From(ctx) // the zero user is nobody
	return db.as(ctx, caller{
		persona: user, id: id.UserID,
		inviteHash: hex.EncodeToString(invitee.TokenHash[:]), email: strings.ToLower(invitee.Email),
	}, access, fn)
}

// AsSupport is AsLandlord for somebody who works for Rowhouse. They see which
// landlords let support look, and may write down that they do. Of a landlord's rows
// they see what the entry in support_accesses with the id logged is about, if it is
// theirs, committed and of the last minute; with uuid.Nil, none.
func (db *DB) AsSupport(ctx context.Context, access Access, logged uuid.UUID, fn func(tx *Tx) error) error {
	id, ok := auth.From(ctx)
	if !ok {
		return unauthenticated
	}
	c := caller{persona: support, id: id.UserID}
	if logged != uuid.Nil {
		c.supportAccess = logged.String()
	}
	return db.as(ctx, c, access, fn)
}

type demandKey struct{}

// DemandSecondFactor returns a context whose transactions are refused, with the code
// mfa_required, to callers who want a second factor for what they will do and have
// signed in without one. The database is asked each time, in the message with which the
// transaction begins: what a landlord has set holds everywhere at once.
func DemandSecondFactor(ctx context.Context) context.Context {
	return context.WithValue(ctx, demandKey{}, true)
}

// demanding reports whether the database has to be asked: not for who has come with the
// second factor.
func demanding(ctx context.Context) bool {
	id, _ := auth.From(ctx)
	return id.AAL != auth.SecondFactor && ctx.Value(demandKey{}) != nil
}

var unauthenticated = errs.New(errs.Unauthenticated, "unauthenticated", "Sign in to continue.")

func (db *DB) signedIn(ctx context.Context, persona string, access Access, fn func(tx *Tx) error) error {
	id, ok := auth.From(ctx)
	if !ok {
		return unauthenticated
	}
	return db.as(ctx, caller{persona: persona, id: id.UserID}, access, fn)
}

// caller is what a transaction says of whom it acts for.
type caller struct {
	persona       string
	id            uuid.UUID // zero for nobody
	inviteHash    string    // hex
	email         string    // proven
	supportAccess string    // the id of an entry in support_accesses
}

// settings are the parameters of session.Settings.
func (c caller) settings(ctx context.Context, keys seal.Keyring, pid uint32, access Access) []any {
	var id, sealed string
	if c.id != uuid.Nil {
		id, sealed = c.id.String(), keys.Sign(c.persona, c.id, time.Now().Add(sealTTL), pid)
	}
	var aal string
	if caller, ok := auth.From(ctx); ok {
		aal = caller.AAL
	}
	return []any{c.persona, id, sealed, requestid.From(ctx), c.inviteHash, c.email, c.supportAccess, access.planning(), aal}
}

func (db *DB) as(ctx context.Context, c caller, access Access, fn func(tx *Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, c, access, fn)
		if err == nil {
			return nil
		}
		if _, dead := errors.AsType[*staleError](err); dead {
			db.pool.Reset() // where one idle connection has died, others have too
		} else if !rolledBackForAnother(err) {
			return translate(err)
		}
		if attempt == maxAttempts {
			return translate(err)
		}
		select {
		case <-ctx.Done():
			return translate(ctx.Err())
		case <-time.After(time.Duration(attempt*(5+rand.IntN(20))) * time.Millisecond): //nolint:gosec // spreads waiters, guards nothing
		}
	}
}

func (db *DB) once(ctx context.Context, c caller, access Access, fn func(tx *Tx) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // closes it instead when it is broken or inside a transaction

	pid := conn.Conn().PgConn().PID()
	if db.pooler {
		pid = 0
	}
	tx := &Tx{conn: conn.Conn(), access: access, settings: c.settings(ctx, db.keys, pid, access), demanding: demanding(ctx)}

	committed := false
	defer func() { // also when fn panics
		if !committed {
			tx.rollback(ctx)
		}
	}()
	if err := fn(tx); err != nil {
		err = lost(ctx, conn, err)
		if tx.open && !tx.begun && conn.Conn().IsClosed() && ctx.Err() == nil {
			return &staleError{err}
		}
		return err
	}
	if err := tx.commit(ctx); err != nil {
		err = fmt.Errorf("commit: %w", err)
		if access == ReadWrite && conn.Conn().IsClosed() {
			return unknown.Because(err)
		}
		return lost(ctx, conn, err)
	}
	committed = true
	return nil
}

func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, db.acquireTimeout)
	defer cancel()
	conn, err := db.pool.Acquire(wait)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, busy.Because(fmt.Errorf("acquire connection: %w", err))
	default:
		return nil, away.Because(fmt.Errorf("acquire connection: %w", err))
	}
}

// staleError says that a connection was dead when a transaction wanted to begin on
// it: the server has restarted, or something between has forgotten it.
type staleError struct{ error }

func (e *staleError) Unwrap() error { return e.error }

// lost marks err as the database's absence when the connection broke under it.
func lost(ctx context.Context, conn *pgxpool.Conn, err error) error {
	if _, ours := errors.AsType[*errs.Error](err); ours || ctx.Err() != nil || !conn.Conn().IsClosed() {
		return err
	}
	return away.Because(err)
}
