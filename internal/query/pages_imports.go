package query

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ImportShown is ImportBatch, ImportSamples and ImportEarlier in one round trip.
func (q *Queries) ImportShown(ctx context.Context, db Batcher, id uuid.UUID) (batch ImportBatch, samples [][]byte, earlier []uuid.UUID, err error) {
	b := &pgx.Batch{}
	queueImportBatch(b, id, &batch)
	b.Queue(importSamples, id).Query(func(rows pgx.Rows) (err error) {
		samples, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
		return err
	})
	b.Queue(importEarlier, id).Query(func(rows pgx.Rows) (err error) {
		earlier, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	err = db.RunBatch(ctx, b)
	return batch, samples, earlier, err
}

func queueImportBatch(b *pgx.Batch, id uuid.UUID, into *ImportBatch) {
	b.Queue(importBatch, id).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ImportBatch])
		return err
	})
}

// ImportRowShown is ImportBatch and ImportRow in one round trip.
func (q *Queries) ImportRowShown(ctx context.Context, db Batcher, arg ImportRowParams) (batch ImportBatch, row ImportRow, err error) {
	b := &pgx.Batch{}
	queueImportBatch(b, arg.BatchID, &batch)
	b.Queue(importRow, arg.BatchID, arg.N).Query(func(rows pgx.Rows) (err error) {
		row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ImportRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return batch, row, err
}

// ImportsOpenInTurn is TakeTurn and ImportsOpen in one round trip: a second statement sees
// what was committed while the first waited.
func (q *Queries) ImportsOpenInTurn(ctx context.Context, db Batcher) (open int64, err error) {
	b := &pgx.Batch{}
	b.Queue(takeTurn)
	b.Queue(importsOpen).QueryRow(func(row pgx.Row) error { return row.Scan(&open) })
	err = db.RunBatch(ctx, b)
	return open, err
}

// ImportBatchesPageWithCount is UnitsPageWithCount for a landlord's imports.
func (q *Queries) ImportBatchesPageWithCount(ctx context.Context, db Batcher, arg ImportBatchesPageParams) (batches []ImportBatch, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(importBatchesCount, arg.Kind, arg.State).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(importBatchesPage, arg.Kind, arg.State, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		batches, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ImportBatch])
		return err
	})
	err = db.RunBatch(ctx, b)
	return batches, total, err
}

// ImportRowsPageWithCount is UnitsPageWithCount for the rows of an import; without the
// import it fails with pgx.ErrNoRows.
func (q *Queries) ImportRowsPageWithCount(ctx context.Context, db Batcher, arg ImportRowsPageParams) (batch ImportBatch, rows []ImportRow, total int64, err error) {
	b := &pgx.Batch{}
	queueImportBatch(b, arg.BatchID, &batch)
	b.Queue(importRowsCount, arg.BatchID, arg.Action, arg.Code).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(importRowsPage, arg.BatchID, arg.Action, arg.Code, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, pgx.RowToStructByPos[ImportRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return batch, rows, total, err
}
