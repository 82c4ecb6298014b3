package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ContractorSearchTicketWithResults is ContractorSearchTicket and
// ContractorSearchResults in one round trip.
func (q *Queries) ContractorSearchTicketWithResults(ctx context.Context, db Batcher, arg ContractorSearchResultsParams) (ticket ContractorSearchTicketRow, results []ContractorSearchResultsRow, err error) {
	b := &pgx.Batch{}
	b.Queue(contractorSearchTicket, arg.Now, arg.TicketID).Query(func(rows pgx.Rows) (err error) {
		ticket, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ContractorSearchTicketRow])
		return err
	})
	b.Queue(contractorSearchResults, arg.TicketID, arg.RowLimit, arg.Now, arg.Unanswered).Query(func(rows pgx.Rows) (err error) {
		results, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ContractorSearchResultsRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return ticket, results, err
}

// ContractorSearchKeepAndRead is ContractorSearchKeep and then
// ContractorSearchResults in one round trip.
func (q *Queries) ContractorSearchKeepAndRead(ctx context.Context, db Batcher, keep ContractorSearchKeepParams, read ContractorSearchResultsParams) (results []ContractorSearchResultsRow, err error) {
	b := &pgx.Batch{}
	b.Queue(contractorSearchKeep, keep.TicketID, keep.Now, keep.Providers, keep.PlaceIds, keep.Names, keep.Trades,
		keep.Phones, keep.Websites, keep.Addresses, keep.DistancesM, keep.Ratings, keep.ExpireAt, keep.Asked)
	b.Queue(contractorSearchResults, read.TicketID, read.RowLimit, read.Now, read.Unanswered).Query(func(rows pgx.Rows) (err error) {
		results, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ContractorSearchResultsRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return results, err
}
