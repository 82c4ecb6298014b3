package imports

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/internal/requestid"
)

// Start makes an import ready for Run.
func (im *Importer) Start(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	if _, err := lock(ctx, tx, id, Checked); err != nil {
		return err
	}
	return query.New().ImportBatchState(ctx, tx, query.ImportBatchStateParams{ID: id, State: Running})
}

// Cancel stops an import before its next chunk, or before its first.
func (im *Importer) Cancel(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	batch, err := lock(ctx, tx, id, Uploaded, Checked, Running, Cancelled)
	if err != nil || batch.State == Cancelled {
		return err
	}
	if batch.State == Running {
		return query.New().ImportBatchAskCancel(ctx, tx, id)
	}
	return giveUp(ctx, tx, id)
}

func giveUp(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	if err := query.New().ImportRowsGiveUp(ctx, tx, id); err != nil {
		return err
	}
	return finish(ctx, tx, id, Cancelled)
}

func finish(ctx context.Context, tx *db.Tx, id uuid.UUID, state string) error {
	return query.New().ImportBatchCount(ctx, tx, query.ImportBatchCountParams{ID: id, State: &state, Undoing: state == Undone})
}

// Undo makes Run take back what an import did.
func (im *Importer) Undo(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	batch, err := lock(ctx, tx, id, Completed, Partial, Cancelled)
	if err != nil {
		return err
	}
	if batch.RowsPurgedAt != nil {
		return purged(errs.Conflict)
	}
	if batch.FinishedAt != nil && time.Since(*batch.FinishedAt) > undoDays*24*time.Hour {
		return errs.New(errs.Conflict, "not_possible_now", "An import can be undone for %d days.", undoDays)
	}
	return query.New().ImportBatchState(ctx, tx, query.ImportBatchStateParams{ID: id, State: Undoing})
}

// Run works on an import that was started, or that is to be undone, until there is
// nothing left to do, chunk by chunk, each in a transaction of its own. Killed at any
// time and called again it goes on where it was: what came of a row is committed with
// the row. An import in another state it leaves alone. It fails with what a later call
// may get past; a row that can't be taken is marked as such and fails nothing.
func (im *Importer) Run(ctx context.Context, id uuid.UUID) error {
	_, err := im.run(ctx, id, time.Time{})
	return err
}

// Work is Run for the import that a job of the queue is for, until a time after which
// no chunk begins: done is false if there is more to do then.
func (im *Importer) Work(ctx context.Context, job uuid.UUID, until time.Time) (done bool, err error) {
	id, ok, err := im.ofJob(ctx, job)
	if err != nil || !ok {
		return true, err
	}
	return im.run(ctx, id, until)
}

func (im *Importer) ofJob(ctx context.Context, job uuid.UUID) (id uuid.UUID, ok bool, err error) {
	var ids []uuid.UUID
	err = im.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		ids, err = query.New().ImportOfJob(ctx, tx, job)
		return err
	})
	if err != nil || len(ids) == 0 { // forgotten, or started anew with another job
		return uuid.Nil, false, err
	}
	return ids[0], true, nil
}

// GiveUp stops an import whose job has failed for the last time. What was done stays,
// and can be undone; what was being undone can be undone again.
func (im *Importer) GiveUp(ctx context.Context, job uuid.UUID) error {
	id, ok, err := im.ofJob(ctx, job)
	if err != nil || !ok {
		return err
	}
	return im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		batch, err := query.New().ImportBatchLock(ctx, tx, id)
		if err != nil || batch.State != Running && batch.State != Undoing {
			return err
		}
		if batch.State == Undoing {
			return finish(ctx, tx, id, Partial)
		}
		return giveUp(ctx, tx, id)
	})
}

// fewRows are so few that what takes too long with them is not their number.
const fewRows = 50

func (im *Importer) run(ctx context.Context, id uuid.UUID, until time.Time) (done bool, err error) {
	if requestid.From(ctx) == "" {
		ctx = requestid.With(ctx, "import-"+id.String()) // by which the trail is found
	}
	var first map[string]int32
	after := int32(0) // the last row of those that this call has run
	for size := int64(chunkRows); until.IsZero() || time.Now().Before(until); {
		var rows int
		last, done := after, false
		err := im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
			rows, last, done = 0, after, false
			batch, err := lock(ctx, tx, id, Uploaded, Checked, Running, Undoing, Completed, Partial, Cancelled, Undone)
			if err != nil {
				return err
			}
			if batch.State == Running && first == nil {
				if first, err = firsts(ctx, tx, id); err != nil {
					return err
				}
			}
			rows, last, done, err = im.step(ctx, tx, batch, first, after, size)
			return err
		})
		switch {
		case err == nil && done:
			return true, nil
		case err == nil:
			size, after = min(2*size, chunkRows), last
		case ctx.Err() != nil, rows == 0, errs.KindOf(err) == errs.Unavailable && rows <= fewRows:
			return false, err
		case errs.KindOf(err) == errs.Unavailable: // it may have been the work of so many
			size = max(int64(rows)/4, fewRows)
		case rows > 1: // some row of them
			size = max(size/8, 1)
		default:
			slog.ErrorContext(ctx, "a row of an import could not be taken", "import", id, "error", err)
			if err := im.refuse(ctx, id); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// step does the next rows of an import after a row, and says how many it found, and
// which is the last of them.
func (im *Importer) step(ctx context.Context, tx *db.Tx, batch query.ImportBatch, first map[string]int32, after int32, size int64) (rows int, last int32, done bool, err error) {
	switch batch.State {
	case Undoing:
		rows, done, err = im.undo(ctx, tx, batch, size)
		return rows, after, done, err
	case Running:
	default:
		return 0, after, true, nil
	}
	if batch.CancelAskedAt != nil {
		return 0, after, true, giveUp(ctx, tx, batch.ID)
	}
	next, err := query.New().ImportRowsToRun(ctx, tx, query.ImportRowsToRunParams{BatchID: batch.ID, After: after, RowLimit: size})
	if err != nil {
		return 0, after, false, err
	}
	if len(next) == 0 {
		if err := query.New().ImportRowsSettle(ctx, tx, batch.ID); err != nil {
			return 0, after, false, err
		}
		return 0, after, true, finish(ctx, tx, batch.ID, Completed)
	}
	rows, last = len(next), next[len(next)-1].N
	if err := query.New().ImportTurn(ctx, tx); err != nil {
		return rows, last, false, err
	}
	if _, err := im.take(ctx, tx, batch, first, next); err != nil {
		return rows, last, false, err
	}
	return rows, last, false, query.New().ImportBatchAdvance(ctx, tx, query.ImportBatchAdvanceParams{ID: batch.ID, Rows: int64(rows)})
}

// refuse marks the next row as one that can't be taken, or can't be undone.
func (im *Importer) refuse(ctx context.Context, id uuid.UUID) error {
	return im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		batch, err := lock(ctx, tx, id, Running, Undoing)
		if err != nil {
			return err
		}
		if batch.State == Undoing {
			last, err := query.New().ImportRowsToUndo(ctx, tx, query.ImportRowsToUndoParams{BatchID: id, RowLimit: 1})
			if err != nil || len(last) == 0 {
				return err
			}
			return query.New().ImportRowsUndone(ctx, tx, query.ImportRowsUndoneParams{
				BatchID: id, Sent: encode([]any{map[string]any{"n": last[0].N, "undone": keptInUse}}),
			})
		}
		next, err := query.New().ImportRowsToRun(ctx, tx, query.ImportRowsToRunParams{BatchID: id, RowLimit: 1})
		if err != nil || len(next) == 0 {
			return err
		}
		r := &row{n: next[0].N}
		r.fail(CodeRefused, "", "This row could not be taken.")
		return query.New().ImportRowsResult(ctx, tx, query.ImportRowsResultParams{BatchID: id, Sent: encode([]any{r.record()}), Done: true})
	})
}

// take takes rows into the books and writes what came of them.
func (im *Importer) take(ctx context.Context, tx *db.Tx, batch query.ImportBatch, firsts map[string]int32, rows []query.ImportRowsToRunRow) ([]map[string]any, error) {
	c, err := im.newChunk(tx, batch, firsts, rows)
	if err != nil {
		return nil, err
	}
	if err := c.apply(ctx); err != nil {
		return nil, err
	}
	records := make([]map[string]any, len(c.rows))
	for i, r := range c.rows {
		records[i] = r.record()
	}
	return records, query.New().ImportRowsResult(ctx, tx, query.ImportRowsResultParams{BatchID: batch.ID, Sent: encode(records), Done: true})
}
