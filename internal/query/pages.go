package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Batcher runs several statements in one round trip.
type Batcher interface {
	RunBatch(ctx context.Context, b *pgx.Batch) error
}

// UnitsPageWithCount is UnitsPage and UnitsCount in one round trip. The count
// ignores after_id, and so is the same on every page.
func (q *Queries) UnitsPageWithCount(ctx context.Context, db Batcher, arg UnitsPageParams) (units []Unit, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(unitsCount, arg.Status, arg.Kind, arg.PropertyID, arg.Archived, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(unitsPage, arg.Status, arg.Kind, arg.PropertyID, arg.Archived, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		units, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Unit])
		return err
	})
	err = db.RunBatch(ctx, b)
	return units, total, err
}

// PropertiesPageWithCount is UnitsPageWithCount for properties.
func (q *Queries) PropertiesPageWithCount(ctx context.Context, db Batcher, arg PropertiesPageParams) (properties []Property, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(propertiesCount, arg.Kind, arg.Archived, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(propertiesPage, arg.Kind, arg.Archived, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		properties, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Property])
		return err
	})
	err = db.RunBatch(ctx, b)
	return properties, total, err
}
