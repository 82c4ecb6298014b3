package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// answered is a database that has answered already: it lets the generated
// functions read the rows of a batch.
type answered struct {
	DBTX
	rows pgx.Rows
}

func (a answered) Query(context.Context, string, ...any) (pgx.Rows, error) { return a.rows, nil }

// TenantsPageWithCount is UnitsPageWithCount for tenants.
func (q *Queries) TenantsPageWithCount(ctx context.Context, db Batcher, arg TenantsPageParams) (tenants []TenantsPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(tenantsCount, arg.UnitID, arg.Archived, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(tenantsPage, arg.UnitID, arg.Archived, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		tenants, err = q.TenantsPage(ctx, answered{rows: rows}, arg)
		return err
	})
	err = db.RunBatch(ctx, b)
	return tenants, total, err
}

// TenanciesPageWithCount is UnitsPageWithCount for tenancies.
func (q *Queries) TenanciesPageWithCount(ctx context.Context, db Batcher, arg TenanciesPageParams) (tenancies []TenanciesPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(tenanciesCount, arg.UnitID, arg.TenantID, arg.Status).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(tenanciesPage, arg.UnitID, arg.TenantID, arg.Status,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		tenancies, err = q.TenanciesPage(ctx, answered{rows: rows}, arg)
		return err
	})
	err = db.RunBatch(ctx, b)
	return tenancies, total, err
}

// ContractorsPageWithCount is UnitsPageWithCount for contractors.
func (q *Queries) ContractorsPageWithCount(ctx context.Context, db Batcher, arg ContractorsPageParams) (contractors []Contractor, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(contractorsCount, arg.Trade, arg.Archived, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(contractorsPage, arg.Trade, arg.Archived, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		contractors, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Contractor])
		return err
	})
	err = db.RunBatch(ctx, b)
	return contractors, total, err
}
