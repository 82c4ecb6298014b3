package imports

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// What came of a row that was to be undone.
const (
	reversed   = "REVERSED"
	keptEdited = "EDITED" // somebody has changed since what it made or changed
	keptInUse  = "IN_USE" // something else refers to what it made
)

// undone is a row on its way back.
type undone struct {
	n       int32
	changes []change
	invite  *uuid.UUID // that was opened for it
	outcome string
}

// state is how something that an import made or changed is now.
type state struct {
	ID      uuid.UUID
	Version int32
	InUse   bool
}

// undo takes back the last rows that did something. Whatever they refer to was made by
// an earlier row or by them.
func (im *Importer) undo(ctx context.Context, tx *db.Tx, batch query.ImportBatch, size int64) (count int, done bool, err error) {
	last, err := query.New().ImportRowsToUndo(ctx, tx, query.ImportRowsToUndoParams{BatchID: batch.ID, RowLimit: size})
	if err != nil {
		return 0, false, err
	}
	if len(last) == 0 {
		return 0, true, finish(ctx, tx, batch.ID, Undone)
	}
	rows := make([]*undone, len(last))
	invites := []uuid.UUID{}
	for i, stored := range last {
		rows[i] = &undone{n: stored.N, invite: stored.InviteID, outcome: reversed}
		if stored.InviteID != nil {
			invites = append(invites, *stored.InviteID)
		}
		if stored.Changes == nil {
			continue // an invite alone
		}
		if err := json.Unmarshal(stored.Changes, &rows[i].changes); err != nil {
			return 0, false, fmt.Errorf("read changes of row %d: %w", stored.N, err)
		}
	}
	q := query.New()
	if err := q.ImportInvitesLock(ctx, tx, invites); err != nil {
		return len(rows), false, err
	}
	for _, t := range []struct {
		name    string
		state   func(context.Context, query.DBTX, []uuid.UUID) ([]state, error)
		restore func(context.Context, query.DBTX, []byte) error
		remove  func(context.Context, query.DBTX, []uuid.UUID) (int64, error)
	}{
		{"tenancies", func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) ([]state, error) {
			return states(q.ImportTenanciesState(ctx, tx, ids))
		}, func(ctx context.Context, tx query.DBTX, items []byte) error {
			_, err := q.ImportTenanciesUpdate(ctx, tx, items)
			return err
		}, func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) (int64, error) {
			if err := q.ImportTenanciesCancel(ctx, tx, ids); err != nil {
				return 0, err
			}
			return q.ImportTenanciesDelete(ctx, tx, ids)
		}},
		{"tenants", func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) ([]state, error) {
			return states(q.ImportTenantsState(ctx, tx, query.ImportTenantsStateParams{Ids: ids, Invites: invites}))
		}, func(ctx context.Context, tx query.DBTX, items []byte) error {
			_, err := q.ImportTenantsUpdate(ctx, tx, items)
			return err
		}, func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) (int64, error) {
			if err := q.ImportTenantsArchive(ctx, tx, ids); err != nil {
				return 0, err
			}
			return q.ImportTenantsDelete(ctx, tx, ids)
		}},
		{"units", func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) ([]state, error) {
			return states(q.ImportUnitsState(ctx, tx, ids))
		}, func(ctx context.Context, tx query.DBTX, items []byte) error {
			_, err := q.ImportUnitsUpdate(ctx, tx, items)
			return err
		}, q.ImportUnitsDelete},
		{"properties", func(ctx context.Context, tx query.DBTX, ids []uuid.UUID) ([]state, error) {
			return states(q.ImportPropertiesState(ctx, tx, ids))
		}, nil, q.ImportPropertiesDelete},
	} {
		restore, remove, err := decide(rows, t.name, func(ids []uuid.UUID) ([]state, error) { return t.state(ctx, tx, ids) })
		if err != nil {
			return len(rows), false, err
		}
		if restore != nil {
			if err := t.restore(ctx, tx, encode(restore)); err != nil {
				return len(rows), false, err
			}
		}
		if remove != nil {
			removed, err := t.remove(ctx, tx, remove)
			if err != nil {
				return len(rows), false, err
			}
			if removed != int64(len(remove)) {
				return len(rows), false, fmt.Errorf("undo import: %d of %d %s were deleted", removed, len(remove), t.name)
			}
		}
	}
	items := make([]map[string]any, len(rows))
	void := []uuid.UUID{}
	for i, r := range rows {
		items[i] = map[string]any{"n": r.n, "undone": r.outcome}
		if r.invite != nil && r.outcome == reversed {
			void = append(void, *r.invite)
		}
	}
	if err := q.ImportInvitesRevoke(ctx, tx, void); err != nil {
		return len(rows), false, err
	}
	if err := q.ImportRowsUndone(ctx, tx, query.ImportRowsUndoneParams{BatchID: batch.ID, Sent: encode(items)}); err != nil {
		return len(rows), false, err
	}
	return len(rows), false, q.ImportBatchCount(ctx, tx, query.ImportBatchCountParams{ID: batch.ID, Undoing: true})
}

// decide says what to put back and what to delete in a table. What is gone already
// needs neither.
func decide(rows []*undone, table string, look func([]uuid.UUID) ([]state, error)) (restore []map[string]any, remove []uuid.UUID, err error) {
	type did struct {
		row    *undone
		change change
	}
	of := map[uuid.UUID]did{}
	var ids []uuid.UUID
	for _, r := range rows {
		for _, c := range r.changes {
			if c.Table == table {
				of[c.ID] = did{r, c}
				ids = append(ids, c.ID)
			}
		}
	}
	if ids == nil {
		return nil, nil, nil
	}
	now, err := look(ids)
	for _, s := range now {
		d := of[s.ID]
		switch {
		case s.Version != d.change.Version:
			d.row.outcome = keptEdited
		case d.change.Before != nil:
			restore = append(restore, d.change.Before)
		case s.InUse:
			if d.row.outcome == reversed {
				d.row.outcome = keptInUse
			}
		default:
			remove = append(remove, s.ID)
		}
	}
	return restore, remove, err
}

func states[R query.ImportUnitsStateRow | query.ImportTenantsStateRow | query.ImportTenanciesStateRow | query.ImportPropertiesStateRow](rows []R, err error) ([]state, error) {
	all := make([]state, len(rows))
	for i, row := range rows {
		all[i] = state(row)
	}
	return all, err
}
