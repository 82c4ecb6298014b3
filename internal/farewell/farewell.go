// Package farewell lets a landlord leave: it exports all that they have, waits as long
// as they may change their mind, and removes it.
//
// Everything is done as that landlord, through internal/db: who leaves cannot take
// anybody else's along. The row of app.account_deletions says how far it has come. Each
// step can be taken again: the process may end at any moment, and Run goes on where the
// last one has written that it was.
//
// # What stays
//
// The row itself, which has no name in it; what others have written about the person in
// their own books (their landlords, if they rent); ids of theirs as the makers of others'
// rows; and the export, for ExportKept. Who is somebody's tenant keeps the profile, without
// what a landlord says there. The account at the identity provider is not ours to remove:
// that needs an administrator's key of the provider, which no process of ours holds.
package farewell

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
)

const (
	// ExportKept is how long an export can be fetched once the landlord has gone.
	ExportKept = 30 * 24 * time.Hour
	// chunk is how many rows are read, or removed, in one transaction.
	chunk = 500
	// filesAtOnce is how many files are removed between two notes of how far it is.
	filesAtOnce = 50
)

// Config is what New needs.
type Config struct {
	DB    *db.DB
	Files storage.Store
	Now   func() time.Time // nil for the real clock
}

// Farewell works at deletions. It is safe for concurrent use, in any number of processes.
type Farewell struct {
	db    *db.DB
	files storage.Store
	now   func() time.Time
}

// New returns a Farewell.
func New(c Config) *Farewell {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Farewell{db: c.DB, files: c.Files, now: c.Now}
}

// Busy is how long to leave a deletion that somebody else is at work at.
const Busy = time.Minute

// Run goes on with a deletion of the caller's, as far as it goes. It returns how long to
// wait before there is more to do, 0 if there is nothing left, and the errors of db and
// of the store. After an error or the end of ctx, Run may be called again.
func (f *Farewell) Run(ctx context.Context, id uuid.UUID) (wait time.Duration, err error) {
	d, err := f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) { return query.New().AccountDeletionClaim(ctx, tx, id) })
	switch {
	case err != nil && errs.KindOf(err) == errs.NotFound:
		return f.unclaimed(ctx, id)
	case err != nil:
		return 0, fmt.Errorf("claim a deletion: %w", err)
	}
	defer func() { err = errors.Join(err, f.release(context.WithoutCancel(ctx), id)) }()
	for {
		switch d.State {
		case "REQUESTED":
			d, err = f.export(ctx, d)
		case "EXPORTED":
			if wait = d.RemoveAfter.Sub(f.now()); wait > 0 {
				return wait, nil
			}
			d, err = f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) {
				return query.New().AccountDeletionRemoving(ctx, tx, id)
			})
		case "REMOVING":
			d, err = f.remove(ctx, d)
		default:
			return f.forget(ctx, d)
		}
		if err != nil {
			return 0, f.cancelled(ctx, id, err)
		}
	}
}

// step runs one statement that returns the deletion as it is then.
func (f *Farewell) step(ctx context.Context, do func(tx *db.Tx) (query.AccountDeletion, error)) (d query.AccountDeletion, err error) {
	err = f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		d, err = do(tx)
		return err
	})
	return d, err
}

// unclaimed is the wait for what somebody else works at.
func (f *Farewell) unclaimed(ctx context.Context, id uuid.UUID) (time.Duration, error) {
	_, err := f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) { return query.New().AccountDeletion(ctx, tx, id) })
	switch {
	case err == nil:
		return Busy, nil
	case errs.KindOf(err) == errs.NotFound:
		return 0, nil // there never was one
	}
	return 0, err
}

func (f *Farewell) release(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().AccountDeletionRelease(ctx, tx, id) })
}

// cancelled returns nil if err came of the landlord's having changed their mind.
func (f *Farewell) cancelled(ctx context.Context, id uuid.UUID, err error) error {
	d, lookErr := f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) { return query.New().AccountDeletion(ctx, tx, id) })
	if lookErr == nil && d.State == "CANCELLED" {
		_, err := f.forget(ctx, d)
		return err
	}
	return err
}

// forget removes the export of a deletion that has ended: at once of one that came to
// nothing, in its time of one that is done.
func (f *Farewell) forget(ctx context.Context, d query.AccountDeletion) (wait time.Duration, err error) {
	if d.State == "DONE" && d.EndedAt != nil {
		if wait := d.EndedAt.Add(ExportKept).Sub(f.now()); wait > 0 && len(d.ExportKeys) > 0 {
			return wait, nil
		}
	}
	if len(d.ExportKeys) == 0 {
		return 0, nil
	}
	for _, key := range d.ExportKeys {
		if err := f.files.Delete(ctx, key); err != nil {
			return 0, err
		}
	}
	return 0, f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().AccountDeletionForgetExport(ctx, tx, d.ID) })
}

// Fail says on a deletion that it was given up. What was removed by then is gone; the
// landlord asks anew for the rest.
func (f *Farewell) Fail(ctx context.Context, id uuid.UUID) error {
	return f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().AccountDeletionFailed(ctx, tx, id) })
}

// remove removes everything: files before the rows that name them, then the rows, and
// the profile last.
func (f *Farewell) remove(ctx context.Context, d query.AccountDeletion) (query.AccountDeletion, error) {
	if err := f.removeFiles(ctx, d.ID); err != nil {
		return d, err
	}
	for {
		var removed int32
		if err := f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
			if removed, err = query.New().AccountRowsRemove(ctx, tx, chunk); err != nil || removed == 0 {
				return err
			}
			return query.New().AccountDeletionRemoved(ctx, tx, query.AccountDeletionRemovedParams{ID: d.ID, Rows: int64(removed)})
		}); err != nil {
			return d, fmt.Errorf("remove rows: %w", err)
		}
		if removed == 0 {
			return f.finish(ctx, d.ID)
		}
	}
}

func (f *Farewell) removeFiles(ctx context.Context, id uuid.UUID) error {
	for {
		var files []query.AccountFilesRow
		if err := f.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
			files, err = query.New().AccountFiles(ctx, tx, query.AccountFilesParams{AtMost: filesAtOnce})
			return err
		}); err != nil {
			return fmt.Errorf("look for files: %w", err)
		}
		if len(files) == 0 {
			return nil
		}
		ids := make([]uuid.UUID, len(files))
		for i, file := range files {
			if err := f.files.Delete(ctx, file.StorageKey); err != nil {
				return err
			}
			ids[i] = file.ID
		}
		if err := f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
			n, err := query.New().AccountFilesRemove(ctx, tx, ids)
			if err != nil {
				return err
			}
			return query.New().AccountDeletionRemoved(ctx, tx, query.AccountDeletionRemovedParams{ID: id, Rows: n, Files: n})
		}); err != nil {
			return fmt.Errorf("remove the rows of files: %w", err)
		}
	}
}

// finish removes the profile and says that all is done, in one transaction.
func (f *Farewell) finish(ctx context.Context, id uuid.UUID) (query.AccountDeletion, error) {
	var d query.AccountDeletion
	err := f.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		removed, err := query.New().AccountProfileRemove(ctx, tx)
		if err != nil {
			return err
		}
		if err := query.New().AccountDeletionDone(ctx, tx, query.AccountDeletionDoneParams{ID: id, ProfileKept: !removed}); err != nil {
			return err
		}
		d, err = query.New().AccountDeletion(ctx, tx, id)
		return err
	})
	if err == nil && d.ProfileKept {
		err = f.db.AsUser(ctx, db.ReadWrite, func(tx *db.Tx) error { return query.New().AccountProfileStrip(ctx, tx) })
	}
	return d, err
}
