package db

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rowhouse/sql/session"
)

// Tx is a transaction on behalf of a caller. It opens with its first statement,
// in the same network round trip, and offers no way to its connection.
type Tx struct {
	conn      *pgx.Conn
	access    Access
	settings  []any
	demanding bool // asks for the second factor first
	open      bool // BEGIN was sent
	begun     bool // and answered
}

// Exec runs a statement.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if tx.open {
		return tx.conn.Exec(ctx, sql, args...)
	}
	br, err := tx.begin(ctx, &pgx.Batch{QueuedQueries: []*pgx.QueuedQuery{{SQL: sql, Arguments: args}}})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := br.Exec()
	return tag, errors.Join(err, br.Close())
}

// Query runs a query. Its rows must be read or closed before the next statement.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if tx.open {
		return tx.conn.Query(ctx, sql, args...)
	}
	br, err := tx.begin(ctx, &pgx.Batch{QueuedQueries: []*pgx.QueuedQuery{{SQL: sql, Arguments: args}}})
	if err != nil {
		return nil, err
	}
	rows, err := br.Query()
	if err != nil {
		return nil, errors.Join(err, br.Close())
	}
	return &firstRows{Rows: rows, batch: br}, nil
}

// QueryRow runs a query that returns at most one row; Scan must be called.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if tx.open {
		return tx.conn.QueryRow(ctx, sql, args...)
	}
	br, err := tx.begin(ctx, &pgx.Batch{QueuedQueries: []*pgx.QueuedQuery{{SQL: sql, Arguments: args}}})
	if err != nil {
		return failedRow{err}
	}
	return firstRow{row: br.QueryRow(), batch: br}
}

// RunBatch runs several statements in one round trip, each with the function
// that reads its result, and returns the first error.
func (tx *Tx) RunBatch(ctx context.Context, b *pgx.Batch) error {
	if tx.open {
		return tx.conn.SendBatch(ctx, b).Close()
	}
	br, err := tx.begin(ctx, b)
	if err != nil {
		return err
	}
	return br.Close()
}

// begin sends BEGIN, the caller's identity and the first statements together.
func (tx *Tx) begin(ctx context.Context, first *pgx.Batch) (pgx.BatchResults, error) {
	begin := "begin isolation level read committed read write"
	if tx.access == ReadOnly {
		begin = "begin isolation level read committed read only"
	}
	opening := []*pgx.QueuedQuery{{SQL: begin}, {SQL: session.Settings, Arguments: tx.settings}}
	if tx.demanding {
		opening = append(opening, &pgx.QueuedQuery{SQL: session.DemandSecondFactor})
	}
	br := tx.conn.SendBatch(ctx, &pgx.Batch{QueuedQueries: slices.Concat(opening, first.QueuedQueries)})
	tx.open = true
	for range opening {
		if _, err := br.Exec(); err != nil {
			_ = br.Close() // reports the same error again
			return nil, err
		}
		tx.begun = true
	}
	return br, nil
}

// commit ends the transaction and cleans the connection in one message.
func (tx *Tx) commit(ctx context.Context) error {
	if !tx.open {
		return nil
	}
	results := tx.conn.PgConn().Exec(ctx, "commit;\n"+session.Reset)
	var tag pgconn.CommandTag
	if results.NextResult() {
		tag, _ = results.ResultReader().Close() // its error is the results' own
	}
	if err := results.Close(); err != nil {
		return err
	}
	if tag.String() != "COMMIT" {
		return pgx.ErrTxCommitRollback // a statement had failed, and fn did not say so
	}
	return nil
}

// rollback undoes the transaction and cleans the connection, also when ctx is
// done. If it cannot, it closes the connection: nothing of the caller may stay.
func (tx *Tx) rollback(ctx context.Context) {
	if !tx.open {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := tx.conn.PgConn().Exec(ctx, "rollback;\n"+session.Reset).Close(); err != nil {
		_ = tx.conn.Close(ctx) // broken already; there is nobody to tell
	}
}

// firstRows are the rows of a transaction's first query. Reading them to the end
// or closing them ends the batch that they came in.
type firstRows struct {
	pgx.Rows
	batch  pgx.BatchResults
	closed bool
	err    error
}

func (r *firstRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *firstRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	r.err = r.batch.Close()
}

func (r *firstRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

type firstRow struct {
	row   pgx.Row
	batch pgx.BatchResults
}

func (r firstRow) Scan(dest ...any) error {
	err := r.row.Scan(dest...)
	if closeErr := r.batch.Close(); err == nil {
		err = closeErr
	}
	return err
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
