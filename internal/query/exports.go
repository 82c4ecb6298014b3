package query

import (
	"context"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"
)

// UnitsRows are all rows of UnitsExport, each as it comes.
func (q *Queries) UnitsRows(ctx context.Context, db DBTX, arg UnitsExportParams) iter.Seq2[UnitsExportRow, error] {
	return stream[UnitsExportRow](ctx, db, unitsExport, arg.Status, arg.Kind, arg.PropertyID, arg.Archived, arg.Q, arg.Sort)
}

// TenantsRows are all rows of TenantsExport, each as it comes.
func (q *Queries) TenantsRows(ctx context.Context, db DBTX, arg TenantsExportParams) iter.Seq2[TenantsExportRow, error] {
	return stream[TenantsExportRow](ctx, db, tenantsExport, arg.UnitID, arg.Archived, arg.Q, arg.Sort)
}

// TenanciesRows are all rows of TenanciesExport, each as it comes.
func (q *Queries) TenanciesRows(ctx context.Context, db DBTX, arg TenanciesExportParams) iter.Seq2[TenanciesExportRow, error] {
	return stream[TenanciesExportRow](ctx, db, tenanciesExport, arg.UnitID, arg.TenantID, arg.Status, arg.Sort)
}

// PropertiesRows are the rows of all pages of PropertiesPage, each as it comes.
func (q *Queries) PropertiesRows(ctx context.Context, db DBTX, arg PropertiesPageParams) iter.Seq2[Property, error] {
	return stream[Property](ctx, db, propertiesPage, arg.Kind, arg.Archived, arg.Q, nil, arg.Sort, 0, noLimit)
}

// ContractorsRows are the rows of all pages of ContractorsPage, each as it comes.
func (q *Queries) ContractorsRows(ctx context.Context, db DBTX, arg ContractorsPageParams) iter.Seq2[Contractor, error] {
	return stream[Contractor](ctx, db, contractorsPage, arg.Trade, arg.Archived, arg.Q, nil, arg.Sort, 0, noLimit)
}

// TenantInvitesRows are the rows of all pages of TenantInvitesPage, each as it comes.
func (q *Queries) TenantInvitesRows(ctx context.Context, db DBTX, arg TenantInvitesPageParams) iter.Seq2[TenantInvitesPageRow, error] {
	return stream[TenantInvitesPageRow](ctx, db, tenantInvitesPage, arg.State, arg.TenantID, arg.Email, arg.Q, nil, arg.Sort, 0, noLimit)
}

// TicketsRows are the rows of all pages of TicketsPage, each as it comes.
func (q *Queries) TicketsRows(ctx context.Context, db DBTX, arg TicketsPageParams) iter.Seq2[TicketRow, error] {
	return stream[TicketRow](ctx, db, ticketsPage, arg.Sort, arg.Statuses, arg.Priority, arg.Category, arg.UnitID, arg.TenantID,
		arg.ContractorID, arg.Overdue, arg.Archived, arg.Q, nil, 0, noLimit)
}

// AuditRows are the rows of all pages of AuditPage, each as it comes.
func (q *Queries) AuditRows(ctx context.Context, db DBTX, arg AuditPageParams) iter.Seq2[AuditEntry, error] {
	return stream[AuditEntry](ctx, db, auditPage, arg.TableName, arg.RowID, arg.ActorKind, arg.Action, arg.FromAt, arg.ToAt,
		nil, nil, 0, noLimit)
}

// noLimit is a page that ends where the list does.
const noLimit = int64(math.MaxInt64)

// stream runs a query, whose columns are R's fields in order, and yields its rows as
// they come; one of them is in memory at a time. It ends with the first error. It is
// done before db runs another statement.
func stream[R any](ctx context.Context, db DBTX, sql string, args ...any) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		rows, err := db.Query(ctx, sql, args...)
		if err != nil {
			yield(none, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			row, err := pgx.RowToStructByPos[R](rows)
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, err)
		}
	}
}
