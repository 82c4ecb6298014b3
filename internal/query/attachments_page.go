package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// AttachmentsPageWithCount is UnitsPageWithCount for a ticket's attachments. It fails
// with pgx.ErrNoRows when there is no such ticket.
func (q *Queries) AttachmentsPageWithCount(ctx context.Context, db Batcher, arg AttachmentsPageParams) (attachments []Attachment, total int64, err error) {
	var totals []int64
	b := &pgx.Batch{}
	b.Queue(attachmentsCount, arg.Visibility, arg.TicketID).Query(func(rows pgx.Rows) (err error) {
		totals, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	b.Queue(attachmentsPage, arg.TicketID, arg.Visibility, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		attachments, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Attachment])
		return err
	})
	total, err = only(&totals, db.RunBatch(ctx, b))
	return attachments, total, err
}

// PortalAttachmentsPageWithCount is AttachmentsPageWithCount for the ticket's tenant.
func (q *Queries) PortalAttachmentsPageWithCount(ctx context.Context, db Batcher, arg PortalAttachmentsPageParams) (attachments []Attachment, total int64, err error) {
	var totals []int64
	b := &pgx.Batch{}
	b.Queue(portalAttachmentsCount, arg.TicketID).Query(func(rows pgx.Rows) (err error) {
		totals, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	b.Queue(portalAttachmentsPage, arg.TicketID, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		attachments, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Attachment])
		return err
	})
	total, err = only(&totals, db.RunBatch(ctx, b))
	return attachments, total, err
}
