package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ExportsPageWithCount is UnitsPageWithCount for a landlord's exports.
func (q *Queries) ExportsPageWithCount(ctx context.Context, db Batcher, arg ExportsPageParams) (exports []Export, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(exportsCount).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	queueRows(b, &exports, exportsPage, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit)
	err = db.RunBatch(ctx, b)
	return exports, total, err
}
