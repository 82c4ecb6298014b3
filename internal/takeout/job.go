package takeout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/jobs"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
)

const (
	// Kept is how long an export can be fetched.
	Kept = 7 * 24 * time.Hour
	// Busy is how long to leave an export that somebody else is at work at.
	Busy = time.Minute

	// Attempt bounds one attempt of a job, and turn what of it is spent at work: what
	// takes longer goes on in the next turn, and counts as no failure.
	Attempt = 4 * time.Minute
	turn    = 3 * time.Minute
	// sessionless is how long a job leaves alone what only the landlord's own session can
	// do: files in a bucket that opens to nobody else.
	sessionless = time.Hour
)

// Kind is its kind of job.
func (t *Takeout) Kind() jobs.Kind {
	return jobs.Kind{
		Name: "export", Timeout: Attempt, PerLandlord: 1, Work: InTurns(t.Run),
		GaveUp: func(ctx context.Context, job jobs.Job, _ error) error { return t.Fail(ctx, job.ID) },
	}
}

// InTurns is the work of a job that goes on where it was: run says how long to wait
// before there is more to do, 0 if there is nothing left. The job's kind allows an
// Attempt.
func InTurns(run func(ctx context.Context, id uuid.UUID) (wait time.Duration, err error)) func(context.Context, jobs.Job) error {
	return func(ctx context.Context, job jobs.Job) error {
		inTurn, cancel := context.WithTimeout(ctx, turn)
		defer cancel()
		wait, err := run(inTurn, job.ID)
		switch {
		case err == nil && wait > 0:
			return jobs.Later(wait)
		case errors.Is(err, storage.ErrNoSession):
			return jobs.Later(sessionless)
		case err != nil && inTurn.Err() != nil && ctx.Err() == nil:
			return jobs.Later(time.Second)
		}
		return err
	}
}

// Run goes on with an export of the caller's, as far as it goes: makes it, and once its
// time has come removes what was made. It returns how long to wait before there is more
// to do, 0 if there is nothing left, and the errors of db and of the store. After an
// error or the end of ctx, Run may be called again.
func (t *Takeout) Run(ctx context.Context, id uuid.UUID) (wait time.Duration, err error) {
	e, err := t.step(ctx, func(tx *db.Tx) (query.Export, error) { return query.New().ExportClaim(ctx, tx, id) })
	switch {
	case err != nil && errs.KindOf(err) == errs.NotFound:
		return t.unclaimed(ctx, id)
	case err != nil:
		return 0, fmt.Errorf("claim an export: %w", err)
	}
	defer func() { err = errors.Join(err, t.release(ctx, id)) }()
	if e.State == "REQUESTED" {
		if e, err = t.export(ctx, e); err != nil {
			return 0, err
		}
	}
	if e.State != "DONE" {
		return 0, nil
	}
	if wait := time.Until(*e.ExpiresAt); wait > 0 {
		return wait, nil
	}
	if err := t.forget(ctx, e.OwnerUserID, e.ID, len(e.PartBytes)); err != nil {
		return 0, err
	}
	return 0, t.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().ExportExpired(ctx, tx, id) })
}

// export keeps the parts that are still missing.
func (t *Takeout) export(ctx context.Context, e query.Export) (query.Export, error) {
	for {
		part, err := t.Next(ctx, len(e.PartBytes), e.ExportedThrough)
		if err != nil {
			return e, err
		}
		if part == nil || part.Through != nil && !e.WithFiles {
			return t.step(ctx, func(tx *db.Tx) (query.Export, error) {
				return query.New().ExportDone(ctx, tx, query.ExportDoneParams{ID: e.ID, KeptSeconds: Kept.Seconds()})
			})
		}
		key := Key(e.OwnerUserID, e.ID, len(e.PartBytes)+1)
		rows, size, err := t.Keep(ctx, key, part)
		if err != nil {
			return e, err
		}
		now, err := t.step(ctx, func(tx *db.Tx) (query.Export, error) {
			return query.New().ExportPart(ctx, tx, query.ExportPartParams{ID: e.ID, Size: size, ExportedThrough: part.Through, Rows: rows})
		})
		if err != nil {
			if errs.KindOf(err) == errs.NotFound { // the landlord has gone meanwhile
				err = errors.Join(err, t.files.Delete(context.WithoutCancel(ctx), key))
			}
			return e, err
		}
		e = now
	}
}

// step runs one statement that returns the export as it is then.
func (t *Takeout) step(ctx context.Context, do func(tx *db.Tx) (query.Export, error)) (e query.Export, err error) {
	err = t.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		e, err = do(tx)
		return err
	})
	return e, err
}

// unclaimed is the wait for what somebody else works at.
func (t *Takeout) unclaimed(ctx context.Context, id uuid.UUID) (time.Duration, error) {
	_, err := t.step(ctx, func(tx *db.Tx) (query.Export, error) { return query.New().Export(ctx, tx, id) })
	switch {
	case err == nil:
		return Busy, nil
	case errs.KindOf(err) == errs.NotFound:
		return 0, nil // the landlord has gone, and it with them
	}
	return 0, err
}

func (t *Takeout) release(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return t.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().ExportRelease(ctx, tx, id) })
}

// forget removes the parts of an export, and what an attempt may have left of the next.
func (t *Takeout) forget(ctx context.Context, owner, id uuid.UUID, parts int) error {
	for _, key := range Keys(owner, id, parts) {
		if err := t.files.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Fail says on an export that it was given up, and removes what there is of it.
func (t *Takeout) Fail(ctx context.Context, id uuid.UUID) error {
	e, err := t.step(ctx, func(tx *db.Tx) (query.Export, error) { return query.New().Export(ctx, tx, id) })
	if err != nil && errs.KindOf(err) == errs.NotFound {
		return nil
	}
	if err != nil || e.State != "REQUESTED" {
		return err
	}
	if err := t.forget(ctx, e.OwnerUserID, e.ID, len(e.PartBytes)); err != nil && !errors.Is(err, storage.ErrNoSession) {
		return err
	}
	return t.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().ExportFailed(ctx, tx, id) })
}

// Clear removes from the store what all exports of the caller's have there: they leave.
func (t *Takeout) Clear(ctx context.Context) error {
	var kept []query.ExportsKeptRow
	if err := t.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		kept, err = query.New().ExportsKept(ctx, tx)
		return err
	}); err != nil {
		return err
	}
	for _, e := range kept {
		if err := t.forget(ctx, e.OwnerUserID, e.ID, int(e.Parts)); err != nil {
			return err
		}
	}
	return nil
}
