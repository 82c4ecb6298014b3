package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// SupportGrantsPageWithCount is UnitsPageWithCount for a landlord's support grants.
func (q *Queries) SupportGrantsPageWithCount(ctx context.Context, db Batcher, arg SupportGrantsPageParams) (grants []SupportGrant, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(supportGrantsCount, arg.State).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(supportGrantsPage, arg.State, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		grants, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SupportGrant])
		return err
	})
	err = db.RunBatch(ctx, b)
	return grants, total, err
}

// SupportAccessesPageWithCount is UnitsPageWithCount for what support has read of a
// landlord's.
func (q *Queries) SupportAccessesPageWithCount(ctx context.Context, db Batcher, arg SupportAccessesPageParams) (accesses []SupportAccessesPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(supportAccessesCount, arg.GrantID).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(supportAccessesPage, arg.GrantID, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		accesses, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SupportAccessesPageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return accesses, total, err
}

// LiveSupportGrantsPageWithCount is UnitsPageWithCount for what support may use.
func (q *Queries) LiveSupportGrantsPageWithCount(ctx context.Context, db Batcher, arg LiveSupportGrantsPageParams) (grants []LiveSupportGrantsPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(liveSupportGrantsCount).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(liveSupportGrantsPage, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		grants, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LiveSupportGrantsPageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return grants, total, err
}
