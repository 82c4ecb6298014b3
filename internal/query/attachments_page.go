package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// AttachmentsPageWithCount is UnitsPageWithCount for a ticket's attachments. It fails
// with pgx.ErrNoRows when there is no such ticket.
func (q *Queries) AttachmentsPageWithCount(ctx context.Context, db Batcher, arg AttachmentsPageParams) (attachments []Attachment, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(attachmentsCount, arg.Visibility, arg.TicketID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(attachmentsPage, arg.TicketID, arg.Visibility, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		attachments, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Attachment])
		return err
	})
	err = db.RunBatch(ctx, b)
	return attachments, total, err
}
