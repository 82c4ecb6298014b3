// Package legacy moves the books of the old system into Rowhouse, and gives every
// tenant an owner.
//
// The old system (Next.js and Prisma, tables and columns in snake_case) kept users,
// units, tenants, tenancies, tenant_invites and tickets of all landlords without a
// wall between them. A tenant had no owner and an e-mail address that was unique
// over all. Here a tenant belongs to the landlord of its unit; without a unit, to
// the landlord of the units of its tickets and tenancies, if that is one. Rows that
// this leaves open, and rows that do not fit, are reported and not copied: every row
// that was read is copied, unchanged or reported.
//
// # Whoever runs it
//
// It is a DBA's tool, run with the right to migrate, and writes as rowhouse_owner.
// That role is bound by the policies like everybody (force row level security), so
// one transaction lifts "force" from the tables that it fills, as a migration does
// for a backfill, and puts it back before it commits. That opens no wall to anybody
// else: policies go on to bind every role but the owner, nobody but migrations is
// the owner, ALTER TABLE is not visible to others before the commit, and what is
// committed is checked to have every wall up. Reading the old database, by far the
// slowest part over a network, comes before. After that the tables are locked until the
// commit: requests that need them fail with 503 meanwhile, so choose a quiet hour.
//
// # What becomes of a row
//
// Ids that are uuids are kept; of any other a uuid is made, the same in every run. A
// row that is there already is unchanged and is never overwritten, so a second run
// changes nothing, and a run after mending the old database brings what was
// reported. (A row that its landlord has deleted in between comes back.) Users keep
// their ids, which are the identity provider's, and not their roles: rights come
// from rows. Raw invite tokens are replaced by their hashes. The audit trail has
// each row, by "system" with the request id "migrate-legacy".
package legacy

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"rowhouse/internal/migrate"
)

// batch is how many rows one INSERT looks at, in the order of their landlords: keys
// and indexes begin with the landlord, so one batch stays within a few pages of each.
// Between two the progress is told.
const batch = 20_000

// Options is what Migrate needs.
type Options struct {
	From     string    // the old database's URL
	To       string    // ours, as a login that may migrate
	DryRun   bool      // do everything, then take it back
	Report   io.Writer // gets a CSV line for each row that is not copied
	Progress io.Writer // gets a line a second
	Logger   *slog.Logger
}

// Count says what became of one table's rows. Read is the sum of the others.
type Count struct {
	Table                             string
	Read, Copied, Unchanged, Reported int64
}

// errTakeBack ends a dry run's transaction.
var errTakeBack = errors.New("dry run")

// Migrate copies the old database, all of it or, after an error, nothing.
func Migrate(ctx context.Context, o Options) ([]Count, error) {
	from, err := openSource(ctx, o.From)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.close(ctx) }() // it was only read
	var counts []Count
	err = migrate.AsOwner(ctx, o.To, func(tx pgx.Tx) error {
		r := run{Options: o, from: from, tx: tx, told: time.Now()}
		if counts, err = r.all(ctx); err != nil {
			return err
		}
		if o.DryRun {
			return errTakeBack
		}
		return nil
	})
	if err != nil && !errors.Is(err, errTakeBack) {
		return nil, fmt.Errorf("migrate the old system: %w", err)
	}
	return counts, nil
}

type run struct {
	Options
	from *source
	tx   pgx.Tx
	told time.Time // when progress was told last
}

func (r *run) all(ctx context.Context) ([]Count, error) {
	for _, sql := range []string{
		"set local statement_timeout = 0", "set local idle_in_transaction_session_timeout = 0",
		"set local timezone = 'UTC'", "set local datestyle = 'ISO, YMD'",
		"set local work_mem = '128MB'", "set local jit = off",
		"select set_config('app.request_id', 'migrate-legacy', true)",
		statement("stage"),
	} {
		if err := r.exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	read := make(map[string]int64, len(tables))
	for _, t := range tables {
		n, err := r.stage(ctx, t)
		if err != nil {
			return nil, err
		}
		read[t.name] = n
	}
	if err := r.lock(ctx); err != nil {
		return nil, err
	}
	if err := r.exec(ctx, statement("lift")); err != nil {
		return nil, err
	}
	// all of it is resolved before any of it is written, so that what is known is
	// what was there before
	for _, t := range tables {
		r.tell("%s: checking %d rows", t.name, read[t.name])
		if err := r.exec(ctx, statement(t.name+"_resolve")); err != nil {
			return nil, err
		}
		for _, sql := range []string{"create index on app_private.legacy_%s (place)", "analyze app_private.legacy_%s"} {
			if err := r.exec(ctx, fmt.Sprintf(sql, t.name)); err != nil {
				return nil, err
			}
		}
	}
	counts, err := r.counts(ctx, read)
	if err != nil {
		return nil, err
	}
	// The checks of references and the triggers plan their look-ups while the tables
	// are still empty, when reading all of one looks cheapest, and keep the plan.
	for _, sql := range []string{"set local enable_seqscan = off", "set local random_page_cost = 1.1"} {
		if err := r.exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	for _, count := range counts {
		if err := r.copy(ctx, count); err != nil {
			return nil, err
		}
	}
	if err := r.report(ctx); err != nil {
		return nil, err
	}
	return counts, r.exec(ctx, statement("restore"))
}

// stage streams one of the old tables into its staging table and returns how many
// rows it has.
func (r *run) stage(ctx context.Context, t table) (int64, error) {
	columns, unknown, err := r.from.columns(ctx, t)
	if err != nil {
		return 0, err
	}
	if len(unknown) > 0 {
		r.Logger.WarnContext(ctx, "columns of the old database that are not copied", "table", t.name, "columns", unknown)
	}
	// whichever side fails, the pipe tells the other
	reader, writer := io.Pipe()
	var group errgroup.Group
	group.Go(func() error {
		err := r.from.writeTo(ctx, writer, t, columns)
		_ = writer.CloseWithError(err) // it never fails
		return err
	})
	lines := &lineCounter{from: reader, told: func(n int64) { r.tell("%s: read %d rows", t.name, n) }}
	tag, err := r.tx.Conn().PgConn().CopyFrom(ctx, lines,
		fmt.Sprintf("copy app_private.legacy_raw_%s (%s) from stdin", t.name, strings.Join(columns, ", ")))
	_ = reader.CloseWithError(err) // it never fails
	if readErr := group.Wait(); readErr != nil {
		return 0, readErr
	}
	if err != nil {
		return 0, fmt.Errorf("stage %s: %w", t.name, err)
	}
	return tag.RowsAffected(), r.exec(ctx, "analyze app_private.legacy_raw_"+t.name)
}

// lock takes the tables. Each try gives up before requests behind it would.
func (r *run) lock(ctx context.Context) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, r.tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, statement("lock"))
			return err
		})
		busy, ok := errors.AsType[*pgconn.PgError](err)
		switch {
		case err == nil:
			return nil
		case !ok || busy.Code != "55P03": // lock_not_available
			return fmt.Errorf("lock the tables: %w", err)
		case try == 10:
			return fmt.Errorf("a table is in use by a long transaction; nothing was changed, try again: %w", err)
		}
		r.tell("waiting for a table that is in use")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (r *run) counts(ctx context.Context, read map[string]int64) ([]Count, error) {
	rows, err := r.tx.Query(ctx, statement("counts"))
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Count])
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	for _, c := range counts {
		if c.Read != read[c.Table] || c.Read != c.Copied+c.Unchanged+c.Reported {
			return nil, fmt.Errorf("%s: %d rows were read, but %d are accounted for: %+v", c.Table, read[c.Table], c.Read, c)
		}
	}
	return counts, nil
}

// copy inserts what is new of one table, a batch at a time.
func (r *run) copy(ctx context.Context, count Count) error {
	if count.Copied == 0 {
		return nil
	}
	var copied int64
	for place := int64(0); place < count.Read; place += batch {
		tag, err := r.tx.Exec(ctx, statement(count.Table+"_copy"), place, place+batch)
		if err != nil {
			return fmt.Errorf("copy %s: %w", count.Table, err)
		}
		copied += tag.RowsAffected()
		r.tell("%s: copied %d of %d rows", count.Table, copied, count.Copied)
	}
	if copied != count.Copied {
		return fmt.Errorf("copy %s: %d rows were to be copied and %d were", count.Table, count.Copied, copied)
	}
	return nil
}

// report writes what is not copied. It does so before the commit: a report that
// cannot be written leaves nothing copied.
func (r *run) report(ctx context.Context) error {
	w := csv.NewWriter(r.Report)
	if err := w.Write([]string{"table", "id", "reason", "detail"}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	rows, err := r.tx.Query(ctx, statement("report"))
	if err != nil {
		return fmt.Errorf("read what is to be reported: %w", err)
	}
	record := make([]string, 4)
	if _, err := pgx.ForEachRow(rows, []any{&record[0], &record[1], &record[2], &record[3]}, func() error {
		return w.Write(record)
	}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *run) exec(ctx context.Context, sql string) error {
	if _, err := r.tx.Exec(ctx, sql); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
		return fmt.Errorf("%s: %w", first, err)
	}
	return nil
}

// tell says how far the work is, once a second at most.
func (r *run) tell(format string, args ...any) {
	if time.Since(r.told) < time.Second {
		return
	}
	r.told = time.Now()
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

// lineCounter tells how many lines were read through it.
type lineCounter struct {
	from io.Reader
	n    int64
	told func(int64)
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(bytes.Count(p[:n], []byte{'\n'}))
	c.told(c.n)
	return n, err
}
