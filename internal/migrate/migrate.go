// Package migrate brings a database to the schema, the policies and the roles of
// this build.
//
// It runs as whoever the operator has: a superuser, a hosted Postgres's
// administrator, or rowhouse_migrator. What that login may not do is printed as
// the SQL that a DBA has to run.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"rowhouse/internal/query"
	"rowhouse/internal/seal"
	"rowhouse/policies"
	"rowhouse/sql/migrations"
)

// lockKey names the advisory lock under which one migration runs at a time.
const lockKey int64 = 0x726f77686f757365

// Options is what Up needs besides a URL.
type Options struct {
	// Keys become the only seal keys that the database accepts.
	Keys seal.Keyring
	// Pooler says that seals are not bound to a backend; see db.Config.
	Pooler bool
	// Passwords of logins to set, by role name; a login without one keeps what it
	// has. Only a SCRAM verifier travels.
	Passwords map[string]string
	Logger    *slog.Logger
}

// MissingRights says what the login that migrates may not do itself.
type MissingRights struct {
	Login string
	SQL   []string // what a DBA has to run, in order
}

func (e *MissingRights) Error() string {
	return fmt.Sprintf("%s lacks the right to prepare the database; a DBA has to run:\n\n%s;\n",
		e.Login, strings.Join(e.SQL, ";\n"))
}

// Up prepares the cluster, runs pending migrations as rowhouse_owner, applies the
// policies and registers the seal keys. It may run on every start, and by several
// processes at once: they take turns.
//
// A missing right is a *MissingRights. Hardening that the installation does not
// allow is logged as a warning with its SQL.
func Up(ctx context.Context, url string, o Options) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	if err := TakeTurn(ctx, conn); err != nil {
		return err
	}
	if err := Cluster(ctx, conn, o.Logger); err != nil {
		return err
	}
	if err := inOwnersTx(ctx, conn, func(tx pgx.Tx) error {
		return applyAll(ctx, tx, policies.Functions())
	}); err != nil {
		return err
	}
	if err := migrateSchema(ctx, url); err != nil {
		return err
	}
	if err := migrateQueue(ctx, url, o.Logger); err != nil {
		return err
	}
	if err := applyPolicies(ctx, conn); err != nil {
		return err
	}
	if err := registerSealKeys(ctx, conn, o.Keys, o.Pooler); err != nil {
		return err
	}
	return setPasswords(ctx, conn, o.Passwords)
}

// AsOwner runs fn as rowhouse_owner in one transaction, while no migration runs.
// The policies bind that role too, until fn lifts "force" from a table.
func AsOwner(ctx context.Context, url string, fn func(pgx.Tx) error) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	if err := TakeTurn(ctx, conn); err != nil {
		return err
	}
	return inOwnersTx(ctx, conn, fn)
}

// TakeTurn waits until nobody else migrates or changes policies, and keeps others
// waiting until conn is closed.
func TakeTurn(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", lockKey); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	return nil
}

// applyPolicies applies the policies, grants and functions of this build in one
// transaction, and takes away whatever else there is. It changes no data; while it
// waits for a table longer than its lock timeout it gives up and has changed
// nothing.
func applyPolicies(ctx context.Context, conn *pgx.Conn) error {
	return inOwnersTx(ctx, conn, func(tx pgx.Tx) error {
		return applyAll(ctx, tx, policies.Ordered())
	})
}

func applyAll(ctx context.Context, tx pgx.Tx, files []policies.File) error {
	for _, file := range files {
		if err := apply(ctx, tx, file); err != nil {
			return err
		}
	}
	return nil
}

// Cluster puts right what policies/cluster.sql reports missing.
func Cluster(ctx context.Context, conn *pgx.Conn, logger *slog.Logger) error {
	type remedy struct {
		Step     int32
		Required bool
		Remedy   string
	}
	tried := map[string]bool{}
	for {
		rows, err := conn.Query(ctx, policies.Cluster())
		if err != nil {
			return fmt.Errorf("policies/cluster.sql: %w", err)
		}
		missing, err := pgx.CollectRows(rows, pgx.RowToStructByPos[remedy])
		if err != nil {
			return fmt.Errorf("policies/cluster.sql: %w", err)
		}
		progress := false
		for _, m := range missing {
			if tried[m.Remedy] {
				continue
			}
			tried[m.Remedy], progress = true, true
			// 42501 is what this loop is about; 42704 is a role that the step before
			// was not allowed to make
			if _, err := conn.Exec(ctx, m.Remedy); err != nil && !hasCode(err, "42501", "42704", "0LP01") {
				return fmt.Errorf("%s: %w", m.Remedy, err)
			}
		}
		if progress {
			continue
		}
		var required, optional []string
		for _, m := range missing {
			if m.Required {
				required = append(required, m.Remedy)
			} else {
				optional = append(optional, m.Remedy)
			}
		}
		if len(optional) > 0 {
			logger.WarnContext(ctx, "the database is less hardened than it could be: this login may not run the statements",
				"sql", strings.Join(optional, "; "))
		}
		if len(required) > 0 {
			return &MissingRights{Login: conn.Config().User, SQL: required}
		}
		return nil
	}
}

func migrateSchema(ctx context.Context, url string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return errors.New("database URL: not a valid Postgres URL")
	}
	cfg.RuntimeParams["role"] = "rowhouse_owner"
	cfg.RuntimeParams["search_path"] = "pg_catalog, pg_temp"
	cfg.RuntimeParams["lock_timeout"] = "5s"
	// The owner is under the policies too (force row level security). Left on, a
	// backfill would quietly change no rows and a new foreign key quietly check
	// none. Off, Postgres refuses both until the migration lifts "force".
	cfg.RuntimeParams["row_security"] = "off"
	sqlDB := stdlib.OpenDB(*cfg)
	defer sqlDB.Close()
	store, err := database.NewStore(database.DialectPostgres, "app_private.goose_db_version")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	provider, err := goose.NewProvider("", sqlDB, migrations.FS, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// migrateQueue brings the job queue's tables to what its library wants.
func migrateQueue(ctx context.Context, url string, logger *slog.Logger) error {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return errors.New("database URL: not a valid Postgres URL")
	}
	cfg.MaxConns = 1
	cfg.ConnConfig.RuntimeParams["role"] = "rowhouse_owner"
	cfg.ConnConfig.RuntimeParams["search_path"] = "pg_catalog, pg_temp"
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = "5s"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open pool: %w", err)
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: "river", Logger: quiet(logger)})
	if err != nil {
		return fmt.Errorf("read the queue's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	return nil
}

// quiet is logger without what goes as it should.
func quiet(logger *slog.Logger) *slog.Logger {
	return slog.New(warnings{logger.Handler()})
}

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func registerSealKeys(ctx context.Context, conn *pgx.Conn, ring seal.Keyring, pooler bool) error {
	return inOwnersTx(ctx, conn, func(tx pgx.Tx) error {
		q, ids := query.New(), make([]string, 0, len(ring.Keys()))
		for _, key := range ring.Keys() {
			inner, outer := key.Pads()
			if err := q.SealKeyPut(ctx, tx, query.SealKeyPutParams{
				ID: key.ID, InnerPad: inner, OuterPad: outer, BindsPid: !pooler,
			}); err != nil {
				return fmt.Errorf("register seal key %s: %w", key.ID, err)
			}
			ids = append(ids, key.ID)
		}
		if err := q.SealKeysForgetOthers(ctx, tx, ids); err != nil {
			return fmt.Errorf("forget old seal keys: %w", err)
		}
		return nil
	})
}

func setPasswords(ctx context.Context, conn *pgx.Conn, passwords map[string]string) error {
	for role, password := range passwords {
		verifier, err := scramVerifier(password)
		if err != nil {
			return fmt.Errorf("password of %s: %w", role, err)
		}
		// a utility statement takes no parameters; a verifier holds no quote
		sql := fmt.Sprintf("alter role %s password '%s'", pgx.Identifier{role}.Sanitize(), verifier)
		if _, err := conn.Exec(ctx, sql); hasCode(err, "42501") {
			return &MissingRights{Login: conn.Config().User, SQL: []string{sql}}
		} else if err != nil {
			return fmt.Errorf("set password of %s: %w", role, err)
		}
	}
	return nil
}

// inOwnersTx runs fn as rowhouse_owner, giving up on a lock that is held longer
// than a request may run into its own lock timeout behind it.
func inOwnersTx(ctx context.Context, conn *pgx.Conn, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"set local role rowhouse_owner",
			"set local lock_timeout = '1500ms'",
			"set local search_path = pg_catalog, pg_temp",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return fn(tx)
	})
}

func apply(ctx context.Context, tx pgx.Tx, file policies.File) error {
	if _, err := tx.Exec(ctx, file.SQL); err != nil {
		if hasCode(err, "55P03") {
			return fmt.Errorf("policies/%s: a table is in use by a long transaction; nothing was changed, try again: %w", file.Name, err)
		}
		return fmt.Errorf("policies/%s: %w", file.Name, err)
	}
	return nil
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("database URL: not a valid Postgres URL") // the cause would quote the password
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to migrate: %w", err)
	}
	return conn, nil
}

func closeQuietly(ctx context.Context, conn *pgx.Conn) {
	_ = conn.Close(context.WithoutCancel(ctx)) // whatever it did is done; the server cleans up
}

func hasCode(err error, codes ...string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(codes, pg.Code)
}
