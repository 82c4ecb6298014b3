package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// TicketsPageWithCount is UnitsPageWithCount for tickets.
func (q *Queries) TicketsPageWithCount(ctx context.Context, db Batcher, arg TicketsPageParams) (tickets []TicketRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(ticketsCount, arg.Statuses, arg.Priority, arg.Category, arg.UnitID, arg.TenantID, arg.ContractorID,
		arg.Overdue, arg.Archived, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(ticketsPage, arg.Sort, arg.Statuses, arg.Priority, arg.Category, arg.UnitID, arg.TenantID, arg.ContractorID,
		arg.Overdue, arg.Archived, arg.Q,
		arg.AfterID, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		tickets, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TicketRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return tickets, total, err
}

// TicketCommentsPageWithCount is UnitsPageWithCount for a ticket's comments. It
// returns pgx.ErrNoRows for a ticket that the caller does not have.
func (q *Queries) TicketCommentsPageWithCount(ctx context.Context, db Batcher, arg TicketCommentsPageParams) (comments []TicketComment, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(ticketCommentsCount, arg.Kind, arg.Q, arg.TicketID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(ticketCommentsPage, arg.TicketID, arg.Kind, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		comments, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TicketComment])
		return err
	})
	err = db.RunBatch(ctx, b)
	return comments, total, err
}

// TicketTimelinePageWithCount is TicketCommentsPageWithCount for a ticket's
// timeline.
func (q *Queries) TicketTimelinePageWithCount(ctx context.Context, db Batcher, arg TicketTimelinePageParams) (entries []TicketTimelinePageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(ticketTimelineCount, arg.TicketID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(ticketTimelinePage, arg.TicketID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		entries, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TicketTimelinePageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return entries, total, err
}
