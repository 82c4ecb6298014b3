package query

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// answered is a database that has answered already: it lets the generated
// functions read the rows of a batch.
type answered struct {
	DBTX
	rows pgx.Rows
}

func (a answered) Query(context.Context, string, ...any) (pgx.Rows, error) { return a.rows, nil }

// answeredRow is answered for one row.
type answeredRow struct {
	DBTX
	row pgx.Row
}

func (a answeredRow) QueryRow(context.Context, string, ...any) pgx.Row { return a.row }

// TenantChanged is TenantUpdate, and then Tenant, in one round trip.
func (q *Queries) TenantChanged(ctx context.Context, db Batcher, arg TenantUpdateParams) (changed TenantRow, err error) {
	var updated []uuid.UUID
	b := &pgx.Batch{}
	b.Queue(tenantUpdate, arg.FirstName, arg.LastName, arg.Email, arg.Phone, arg.UnitID, arg.Notes, arg.ExternalRef,
		arg.Archived, arg.ID).Query(func(rows pgx.Rows) (err error) {
		updated, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	b.Queue(tenant, arg.ID).QueryRow(func(row pgx.Row) (err error) {
		changed, err = q.Tenant(ctx, answeredRow{row: row}, arg.ID)
		return err
	})
	_, err = only(&updated, db.RunBatch(ctx, b))
	return changed, err
}

// TenancyChanged is TenancyUpdate, and then Tenancy, in one round trip.
func (q *Queries) TenancyChanged(ctx context.Context, db Batcher, arg TenancyUpdateParams) (changed TenancyRow, err error) {
	var updated []uuid.UUID
	b := &pgx.Batch{}
	b.Queue(tenancyUpdate, arg.StartDate, arg.EndDate, arg.IsPrimary, arg.NoticeGivenOn, arg.MoveOutReason,
		arg.Cancelled, arg.ID).Query(func(rows pgx.Rows) (err error) {
		updated, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	b.Queue(tenancy, arg.ID).QueryRow(func(row pgx.Row) (err error) {
		changed, err = q.Tenancy(ctx, answeredRow{row: row}, arg.ID)
		return err
	})
	_, err = only(&updated, db.RunBatch(ctx, b))
	return changed, err
}

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
