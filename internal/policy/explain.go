package policy

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/localpg"
	"rowhouse/internal/migrate"
	"rowhouse/internal/seal"
	"rowhouse/policies"
)

// Size is how many landlords share the books, and how many rows of most tables
// each of them has.
type Size struct{ Landlords, Rows int }

// ExplainOptions say what Explain measures.
type ExplainOptions struct {
	Size
	// Table and Persona choose what to ask; empty means all. The schema app and
	// "rowhouse_" need not be said.
	Table, Persona string
	// BinDir is where the Postgres binaries are; see localpg.Options.
	BinDir string
	// Progress receives a line for what takes long.
	Progress io.Writer
}

// Costs are what reading costs each persona.
type Costs struct {
	Server    string `json:"server"` // version of Postgres
	Landlords int    `json:"landlords"`
	Rows      int    `json:"rowsEach"`
	Costs     []Cost `json:"costs"`
}

// Explain makes books in a Postgres of its own, in a temporary directory, asks
// them as each persona, and removes everything. It has no way to a live database.
func Explain(ctx context.Context, o ExplainOptions) (costs Costs, err error) {
	if o.Landlords < 2 || o.Rows < 20 {
		return Costs{}, errors.New("explain: want at least 2 landlords with 20 rows")
	}
	dir, err := os.MkdirTemp("", "rowhouse-explain-")
	if err != nil {
		return Costs{}, fmt.Errorf("explain: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// a server that root starts runs as another user, and lies elsewhere if that one
	// cannot enter: out of reach when the start is broken off
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the data in it stays closed
		return Costs{}, fmt.Errorf("explain: %w", err)
	}
	server, err := localpg.Start(ctx, localpg.Options{
		Dir: dir, BinDir: o.BinDir, Throwaway: true, Log: o.Progress,
		// nothing is to happen on its own while time is taken
		Settings: map[string]string{"autovacuum": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1d"},
	})
	if err != nil {
		return Costs{}, fmt.Errorf("explain: %w", err)
	}
	defer func() { err = errors.Join(err, server.Remove()) }()

	keys, err := newKeyring()
	if err != nil {
		return Costs{}, err
	}
	url := server.URL("postgres")
	if err := migrate.Up(ctx, url, migrate.Options{Keys: keys, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return Costs{}, fmt.Errorf("explain: %w", err)
	}
	fmt.Fprintf(o.Progress, "filling the books of %d landlords, %d rows of most tables each\n", o.Landlords, o.Rows)
	if err := fill(ctx, url, o.Size); err != nil {
		return Costs{}, err
	}
	costs = Costs{Server: server.Version(), Landlords: o.Landlords, Rows: o.Rows}
	costs.Costs, err = measure(ctx, url, keys, o.Table, o.Persona)
	return costs, err
}

// newKeyring makes a key that lives as long as the books.
func newKeyring() (seal.Keyring, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return seal.ParseKeyring("explain:" + base64.StdEncoding.EncodeToString(secret))
}

// fill fills the freshly migrated, empty database at url, as superuser.
func fill(ctx context.Context, url string, size Size) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, setting := range []struct {
		name  string
		value int
	}{{"rowhouse.landlords", size.Landlords}, {"rowhouse.rows", size.Rows}} {
		if _, err := conn.Exec(ctx, "select set_config($1, $2, false)", setting.name, strconv.Itoa(setting.value)); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	if _, err := conn.PgConn().Exec(ctx, policies.Explain("fill")).ReadAll(); err != nil {
		return fmt.Errorf("policies/explain/fill.sql: %w", err)
	}
	for _, sql := range []string{"vacuum analyze", "checkpoint"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// question is one that the books are asked; see policies/explain/queries.sql.
type question struct {
	Table, Persona, Name, SQL        string
	Sample                           *string
	Scoped                           bool
	UserID                           uuid.UUID
	InviteHash, Email, SupportAccess string
}

// lead is the column that an index begins with; see policies/explain/leads.sql.
type lead struct {
	Index, First string
	Whose        bool
}

// measure asks the books at url, as superuser who becomes each persona.
func measure(ctx context.Context, url string, keys seal.Keyring, table, persona string) ([]Cost, error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, policies.Explain("settings")); err != nil {
		return nil, fmt.Errorf("policies/explain/settings.sql: %w", err)
	}
	questions, err := ask[question](ctx, conn, "queries", table, persona)
	if err != nil {
		return nil, err
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("explain: no persona %q that may read a table %q", persona, table)
	}
	found, err := ask[lead](ctx, conn, "leads")
	if err != nil {
		return nil, err
	}
	leads := map[string]lead{}
	for _, l := range found {
		leads[l.Index] = l
	}
	costs := make([]Cost, 0, len(questions))
	for _, q := range questions {
		plan, err := q.explain(ctx, conn, keys)
		if err != nil {
			return nil, fmt.Errorf("explain %s of %s as %s: %w", q.Name, q.Table, q.Persona, err)
		}
		cost, err := newCost(q, plan, leads)
		if err != nil {
			return nil, err
		}
		costs = append(costs, cost)
	}
	return costs, nil
}

// explain returns what EXPLAIN says of q, in JSON, the second time: whoever comes
// first fills caches.
func (q question) explain(ctx context.Context, conn *pgx.Conn, keys seal.Keyring) (plan []byte, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		sealed := keys.Sign(q.Persona, q.UserID, time.Now().Add(time.Minute), conn.PgConn().PID())
		if _, err := tx.Exec(ctx, policies.Explain("act"),
			q.Persona, q.UserID.String(), sealed, q.InviteHash, q.Email, q.SupportAccess); err != nil {
			return fmt.Errorf("policies/explain/act.sql: %w", err)
		}
		var args []any
		if q.Sample != nil {
			id := uuid.NewString() // of nothing, if the persona sees nothing
			if err := tx.QueryRow(ctx, *q.Sample).Scan(&id); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("find an id: %w", err)
			}
			args = append(args, id)
		}
		for range 2 {
			if err := tx.QueryRow(ctx, "explain (analyze, buffers, format json) "+q.SQL, args...).Scan(&plan); err != nil {
				return err
			}
		}
		return nil
	})
	return plan, err
}

func ask[T any](ctx context.Context, conn *pgx.Conn, name string, args ...any) ([]T, error) {
	found, err := conn.Query(ctx, policies.Explain(name), args...)
	if err != nil {
		return nil, fmt.Errorf("policies/explain/%s.sql: %w", name, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("policies/explain/%s.sql: %w", name, err)
	}
	return all, nil
}
