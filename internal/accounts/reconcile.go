package accounts

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

//go:embed sql/provider_users.sql
var providerUsers string

const (
	// page is how many of the provider's users are in memory at a time.
	page = 500
	// workers bounds the connections to our database.
	workers = 4
)

// Counts is what Reconcile found.
type Counts struct {
	Read   int64 // users of the provider
	Alike  int64 // whose profiles say what the provider says
	Made   int64 // had no profile
	Mended int64 // had one with another address, or one that was marked as gone
	Gone   int64 // removed at the provider, and not marked so
	Passed int64 // anonymous, or of another audience: they cannot sign in here
	Failed int64 // could not be compared or mended; the log says why
}

// Reconcile compares all users of the provider, read from auth.users over provider,
// with their profiles, and mends those, or with dryRun only counts. It compares and
// mends each as that user: no login of ours may read all profiles.
//
// So it does not find the profiles of users whom the provider has removed for good
// while its webhook was not heard; nobody can sign in as one of them.
//
// One that fails is counted and does not keep it from the others. The error is that
// of reading the provider's, or that ctx has ended.
func Reconcile(ctx context.Context, d *db.DB, provider *pgx.Conn, dryRun bool) (Counts, error) {
	var c counter
	for after := uuid.Nil; ; {
		users, err := read(ctx, provider, after)
		if err != nil {
			return c.counts(), err
		}
		if len(users) == 0 {
			return c.counts(), nil
		}
		after = users[len(users)-1].ID
		var group errgroup.Group
		group.SetLimit(workers)
		for _, u := range users {
			group.Go(func() error {
				c.count(ctx, d, u, dryRun)
				return nil
			})
		}
		_ = group.Wait() // none fails
		if err := ctx.Err(); err != nil {
			return c.counts(), fmt.Errorf("stopped: %w", err)
		}
	}
}

// user is one of the provider's.
type user struct {
	Account
	deletedAt *time.Time
	ours      bool // somebody who can sign in here
}

func read(ctx context.Context, provider *pgx.Conn, after uuid.UUID) ([]user, error) {
	rows, err := provider.Query(ctx, providerUsers, after, page)
	if err != nil {
		return nil, fmt.Errorf("read the provider's users: %w", err)
	}
	users, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u user, err error) {
		err = row.Scan(&u.ID, &u.Email, &u.Name, &u.deletedAt, &u.AsOf, &u.ours)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the provider's users: %w", err)
	}
	return users, nil
}

type counter struct{ read, alike, made, mended, gone, passed, failed atomic.Int64 }

func (c *counter) counts() Counts {
	return Counts{
		Read: c.read.Load(), Alike: c.alike.Load(), Made: c.made.Load(), Mended: c.mended.Load(),
		Gone: c.gone.Load(), Passed: c.passed.Load(), Failed: c.failed.Load(),
	}
}

// count compares u with their profile, and mends that.
func (c *counter) count(ctx context.Context, d *db.DB, u user, dryRun bool) {
	c.read.Add(1)
	if !u.ours {
		c.passed.Add(1)
		return
	}
	found, mend, err := c.compare(ctx, d, u)
	if err == nil && mend != nil && !dryRun {
		err = mend()
	}
	if err != nil {
		if ctx.Err() == nil {
			slog.WarnContext(as(ctx, u.ID), "a profile could not be reconciled", "error", err)
		}
		found = &c.failed
	}
	found.Add(1)
}

// compare returns what u counts as, and what mends their profile, if anything does.
func (c *counter) compare(ctx context.Context, d *db.DB, u user) (found *atomic.Int64, mend func() error, err error) {
	var profile query.User
	err = d.AsUser(as(ctx, u.ID), db.ReadOnly, func(tx *db.Tx) (err error) {
		profile, err = query.New().UserSelf(ctx, tx)
		return err
	})
	missing := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !missing {
		return nil, nil, err
	}
	keep := func() error {
		_, err := Keep(ctx, d, u.Account)
		return err
	}
	switch email := line(u.Email, 320); {
	case u.deletedAt != nil && (missing || profile.ProviderDeletedAt != nil):
		return &c.alike, nil, nil
	case u.deletedAt != nil:
		return &c.gone, func() error { return Gone(ctx, d, u.ID, *u.deletedAt) }, nil
	case missing:
		return &c.made, keep, nil
	case profile.ProviderDeletedAt != nil || !same(profile.Email, email):
		return &c.mended, keep, nil
	}
	return &c.alike, nil, nil
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
