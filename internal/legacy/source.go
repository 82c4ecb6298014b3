package legacy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// source is the old database as it was at one moment.
type source struct {
	conn   *pgx.Conn
	schema string
}

// openSource connects to the old database, read only. It takes the addresses that
// Prisma takes: schema= names the schema, and what is meant for Prisma's own pool
// is left out.
func openSource(ctx context.Context, url string) (*source, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("old database: not a valid Postgres URL") // the cause would quote the password
	}
	s := &source{schema: "public"}
	if schema := cfg.RuntimeParams["schema"]; schema != "" {
		s.schema = schema
	}
	for _, name := range []string{"schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "statement_cache_size"} {
		delete(cfg.RuntimeParams, name)
	}
	if s.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("connect to the old database: %w", err)
	}
	for _, sql := range []string{
		"begin transaction isolation level repeatable read, read only",
		"set local timezone = 'UTC'", "set local datestyle = 'ISO, YMD'", "set local statement_timeout = 0",
		"set local idle_in_transaction_session_timeout = 0",
		// policies of the old database must not hide rows from us: then reading fails
		"set local row_security = off",
	} {
		if _, err := s.conn.Exec(ctx, sql); err != nil {
			return nil, errors.Join(fmt.Errorf("old database: %s: %w", sql, err), s.close(ctx))
		}
	}
	return s, nil
}

func (s *source) close(ctx context.Context) error {
	return s.conn.Close(context.WithoutCancel(ctx))
}

// columns returns which columns of t to read, and which it has that are not
// copied.
func (s *source) columns(ctx context.Context, t table) (read, unknown []string, err error) {
	rows, err := s.conn.Query(ctx, statement("source_columns"), s.schema, t.name)
	if err != nil {
		return nil, nil, fmt.Errorf("old table %s: %w", t.name, err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, nil, fmt.Errorf("old table %s: %w", t.name, err)
	}
	if len(there) == 0 {
		return nil, nil, fmt.Errorf("the old database has no table %s.%s", s.schema, t.name)
	}
	for _, name := range t.required {
		if !slices.Contains(there, name) {
			return nil, nil, fmt.Errorf("the old table %s.%s has no column %s", s.schema, t.name, name)
		}
	}
	for _, name := range there {
		if slices.Contains(t.required, name) || slices.Contains(t.optional, name) {
			read = append(read, name)
		} else if !slices.Contains(t.ignored, name) {
			unknown = append(unknown, name)
		}
	}
	return read, unknown, nil
}

// writeTo streams columns of t as text, in COPY's format: one line a row.
func (s *source) writeTo(ctx context.Context, w io.Writer, t table, columns []string) error {
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = pgx.Identifier{name}.Sanitize() + "::text"
	}
	// COPY takes no parameters; every name is quoted
	sql := fmt.Sprintf("copy (select %s from %s) to stdout", strings.Join(list, ", "), pgx.Identifier{s.schema, t.name}.Sanitize())
	if _, err := s.conn.PgConn().CopyTo(ctx, w, sql); err != nil {
		return fmt.Errorf("read the old table %s: %w", t.name, err)
	}
	return nil
}
