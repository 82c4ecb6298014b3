package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// AuditPageWithCount is AuditPage and AuditCount in one round trip. The count ignores
// where a walk has come to, and so is the same on every page.
func (q *Queries) AuditPageWithCount(ctx context.Context, db Batcher, arg AuditPageParams) (entries []AuditEntry, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(auditCount, arg.TableName, arg.RowID, arg.ActorKind, arg.Action, arg.FromAt, arg.ToAt).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	queueRows(b, &entries, auditPage, arg.TableName, arg.RowID, arg.ActorKind, arg.Action, arg.FromAt, arg.ToAt,
		arg.AfterAt, arg.AfterID, arg.RowOffset, arg.RowLimit)
	err = db.RunBatch(ctx, b)
	return entries, total, err
}

// UserSelfWithRoles is UserSelf and UserRoles in one round trip.
func (q *Queries) UserSelfWithRoles(ctx context.Context, db Batcher) (user User, roles []string, err error) {
	return userWithRoles(ctx, db, userSelf)
}

// UserForUpdateWithRoles is UserForUpdate and UserRoles in one round trip.
func (q *Queries) UserForUpdateWithRoles(ctx context.Context, db Batcher) (user User, roles []string, err error) {
	return userWithRoles(ctx, db, userForUpdate)
}

func userWithRoles(ctx context.Context, db Batcher, sql string) (user User, roles []string, err error) {
	b := &pgx.Batch{}
	queueRow(b, &user, sql)
	b.Queue(userRoles).QueryRow(func(row pgx.Row) error { return row.Scan(&roles) })
	err = db.RunBatch(ctx, b)
	return user, roles, err
}

// Dashboard is everything that the dashboard shows.
type Dashboard struct {
	Units           DashboardUnitsRow
	Tenants         DashboardTenantsRow
	Tickets         DashboardTicketsRow
	NewTickets      []DashboardNewTicketsRow
	WaitingTickets  []DashboardWaitingTicketsRow
	Invites         []DashboardInvitesRow
	EndingTenancies []DashboardEndingTenanciesRow
	Activity        []DashboardActivityRow
}

// Dashboard runs the Dashboard… queries in one round trip.
func (q *Queries) Dashboard(ctx context.Context, db Batcher) (d Dashboard, err error) {
	b := &pgx.Batch{}
	queueRow(b, &d.Units, dashboardUnits)
	queueRow(b, &d.Tenants, dashboardTenants)
	queueRow(b, &d.Tickets, dashboardTickets)
	queueRows(b, &d.NewTickets, dashboardNewTickets)
	queueRows(b, &d.WaitingTickets, dashboardWaitingTickets)
	queueRows(b, &d.Invites, dashboardInvites)
	queueRows(b, &d.EndingTenancies, dashboardEndingTenancies)
	queueRows(b, &d.Activity, dashboardActivity)
	err = db.RunBatch(ctx, b)
	return d, err
}

// Found is what a search has found.
type Found struct {
	Units       []SearchUnitsRow
	Tenants     []SearchTenantsRow
	Tickets     []SearchTicketsRow
	Contractors []SearchContractorsRow
}

// Search runs the Search… queries in one round trip.
func (q *Queries) Search(ctx context.Context, db Batcher, text string) (f Found, err error) {
	b := &pgx.Batch{}
	queueRows(b, &f.Units, searchUnits, text)
	queueRows(b, &f.Tenants, searchTenants, text)
	queueRows(b, &f.Tickets, searchTickets, text)
	queueRows(b, &f.Contractors, searchContractors, text)
	err = db.RunBatch(ctx, b)
	return f, err
}

// queueRow reads the one row of a query, whose columns are R's fields in order.
func queueRow[R any](b *pgx.Batch, to *R, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[R])
		return err
	})
}

// queueRows reads all rows of a query, whose columns are R's fields in order.
func queueRows[R any](b *pgx.Batch, to *[]R, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectRows(rows, pgx.RowToStructByPos[R])
		return err
	})
}
