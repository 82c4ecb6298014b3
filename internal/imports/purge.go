package imports

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/jobs"
	"rowhouse/internal/query"
)

const (
	// keptDays is how long the rows of an import are kept once it has ended, or since it
	// was last touched. They say of people what a file said of them, longer than anybody
	// has a use for: undoing ends before.
	keptDays = 90
	// busyWait is how long to leave alone an import that is running or being undone.
	busyWait = 24 * time.Hour
	// troubleWait is how long after a failure a purge is tried again.
	troubleWait = time.Hour
)

// purged refuses what needs the rows of an import that are gone.
func purged(kind errs.Kind) error {
	return errs.New(kind, "rows_purged", "The rows of an import are kept for %d days, and these are gone. Send the file again.", keptDays)
}

// Readable is nil while an import has the rows that it came with, and refuses as
// errs.Gone afterwards.
func Readable(batch query.ImportBatch) error {
	if batch.RowsPurgedAt != nil {
		return purged(errs.Gone)
	}
	return nil
}

// PurgeKind is the job that deletes the rows of an import in time. It is queued in the
// transaction that makes the import and sleeps until it is time, so that what has to go
// goes whether or not anybody signs in again. It is not given up: each failure is
// logged, and it is tried again in an hour.
func (im *Importer) PurgeKind() jobs.Kind {
	return jobs.Kind{
		Name: "import_purge", Timeout: timeout, PerLandlord: 1,
		Work: func(ctx context.Context, job jobs.Job) error {
			left, err := im.Purge(ctx, job.ID)
			switch {
			case err != nil:
				slog.ErrorContext(ctx, "the rows of an import could not be deleted in time", "import", job.ID, "error", err)
				return jobs.Later(troubleWait)
			case left > 0:
				return jobs.Later(left)
			}
			return nil
		},
	}
}

// Purge deletes the rows of an import of the caller's if they have been kept long enough,
// and says so on the import. Otherwise it returns how long to wait before asking again; 0
// if there is nothing left to do. One that has never run is cancelled: nothing can come of
// it any more.
func (im *Importer) Purge(ctx context.Context, id uuid.UUID) (left time.Duration, err error) {
	err = im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		left = 0
		batch, err := query.New().ImportBatchLock(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) { // deleted, or gone with its landlord
			return nil
		}
		if err != nil || batch.RowsPurgedAt != nil {
			return err
		}
		if left = keptFor(batch, time.Now()); left > 0 {
			return nil
		}
		if batch.State == Uploaded || batch.State == Checked {
			if err := giveUp(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := query.New().ImportRowsForget(ctx, tx, id); err != nil {
			return err
		}
		return query.New().ImportBatchForgotten(ctx, tx, id)
	})
	return left, err
}

// keptFor is how much longer the rows of an import are kept.
func keptFor(batch query.ImportBatch, now time.Time) time.Duration {
	last := batch.UpdatedAt
	switch {
	case batch.State == Running || batch.State == Undoing:
		return busyWait
	case batch.UndoneAt != nil:
		last = *batch.UndoneAt
	case batch.FinishedAt != nil:
		last = *batch.FinishedAt
	}
	return last.Add(keptDays * 24 * time.Hour).Sub(now)
}
