package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rowhouse/internal/migrate"
)

// Why Apply refuses a plan.
var (
	ErrStale  = errors.New("the plan that was agreed is not what would be done: the database or this build has changed since; nothing was changed")
	ErrWidens = errors.New("somebody may get more than they have, which has to be allowed; nothing was changed")
)

// ApplyOptions say what Apply may do.
type ApplyOptions struct {
	// Agreed is the plan that was looked at, or nil for whatever there is to do.
	Agreed *Plan
	// AllowWidening lets the plan give somebody more than they have.
	AllowWidening bool
}

// Apply makes the state of the database at url that of this build, in one
// transaction: either all of the plan is done and nothing is left to mend but
// what is Unmended, or nothing is. It locks the tables whose rules differ, and no
// other, and gives up when one is in use by a long transaction.
//
// It returns the plan also when it refuses it. What the login may not do is a
// *migrate.MissingRights.
func Apply(ctx context.Context, url string, o ApplyOptions) (plan Plan, err error) {
	desired, err := Desired()
	if err != nil {
		return Plan{}, err
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return Plan{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := migrate.TakeTurn(ctx, conn); err != nil {
		return Plan{}, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := settle(ctx, tx); err != nil {
			return err
		}
		live, err := read(ctx, tx)
		if err != nil {
			return err
		}
		plan = Compare(desired, live)
		if o.Agreed != nil && o.Agreed.Hash != plan.Hash {
			return ErrStale
		}
		if !o.AllowWidening && len(plan.Widening()) > 0 {
			return ErrWidens
		}
		if err := run(ctx, tx, plan.steps); err != nil {
			return err
		}
		if live, err = read(ctx, tx); err != nil {
			return err
		}
		if left := Compare(desired, live); len(left.Changes) > 0 {
			return fmt.Errorf("the plan would not suffice, so nothing was changed; left would be: %s", left.Changes[0].Sentences[0])
		}
		return nil
	})
	return plan, err
}

// run runs every step, in order. Steps that the login lacks the right for do not
// keep the others from being tried: a DBA should hear of all at once.
func run(ctx context.Context, tx pgx.Tx, steps []step) error {
	var refused []step
	for _, s := range steps {
		err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
			for _, sql := range s.statements {
				if _, err := savepoint.Exec(ctx, sql); err != nil {
					return fmt.Errorf("%s: %w", sql, err)
				}
			}
			return nil
		})
		pg, _ := errors.AsType[*pgconn.PgError](err)
		switch {
		case err == nil:
		case pg == nil:
			return err
		case pg.Code == "55P03":
			return fmt.Errorf("a table is in use by a long transaction; nothing was changed, try again: %w", err)
		case pg.Code == "42P01" || pg.Code == "42703" || pg.Code == "3F000":
			return fmt.Errorf("the database lacks something of this build's; nothing was changed, run rowhouse migrate: %w", err)
		case slices.Contains([]string{"42501", "0LP01"}, pg.Code), len(refused) > 0:
			refused = append(refused, s)
		default:
			return err
		}
	}
	if len(refused) > 0 {
		return &migrate.MissingRights{Login: tx.Conn().Config().User, SQL: script(flatten(refused))}
	}
	return nil
}
