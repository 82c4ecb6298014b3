// Package accounts keeps a profile for everybody who can sign in, as the identity
// provider knows them.
//
// Four tell of somebody: the provider's hooks, its database's webhook, the first
// request that comes with their token, and Reconcile. Each may be missed, come twice,
// or come late, so all do the same thing: they say what they know and as of when, and
// the database takes it unless it knows something later. Every profile is written as
// the person it belongs to; nothing here could write another's.
package accounts

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// Account is what the provider says of somebody.
type Account struct {
	ID    uuid.UUID
	Email string // may be empty
	// Name is what they call themselves. They may write what they like: it is taken for
	// a profile that has none, and left out if it is no line of text.
	Name string
	// Renting says that they have signed up as somebody's tenant: as a landlord they are
	// then not asked to set up books.
	Renting bool
	// AsOf is when this was so. The zero time is for what may be old, such as a token: it
	// makes a profile where there is none, and changes nothing.
	AsOf time.Time
}

// Keep makes the profile of a, or brings it to what a says. It may be called any
// number of times, in any order and at once. The errors are those of db.AsUser.
func Keep(ctx context.Context, d *db.DB, a Account) error {
	params := query.UserKeepParams{Email: line(a.Email, 320), FullName: line(a.Name, 200), SignedUpAs: "OWNER"}
	if a.Renting {
		params.SignedUpAs = "TENANT"
	}
	if !a.AsOf.IsZero() {
		// from a clock that is ahead it would shut out what comes after
		seen := a.AsOf
		if now := time.Now(); seen.After(now) {
			seen = now
		}
		params.SeenAt = &seen
	}
	return d.AsUser(as(ctx, a.ID), db.ReadWrite, func(tx *db.Tx) error {
		return query.New().UserKeep(ctx, tx, params)
	})
}

// Standing is how somebody stands before they do anything.
type Standing struct {
	Onboarded bool // they have said who they are
	Renting   bool // they have not, and are here as somebody's tenant alone
}

// Enter makes the profile of somebody who has come with a token, if there is none, and
// says how they stand. What the token says may be old: it changes no profile.
func Enter(ctx context.Context, d *db.DB, id uuid.UUID, email string) (Standing, error) {
	var row query.UserEnterRow
	err := d.AsUser(as(ctx, id), db.ReadWrite, func(tx *db.Tx) (err error) {
		row, err = query.New().UserEnter(ctx, tx, line(email, 320))
		return err
	})
	return Standing(row), err
}

// Gone says that the provider has removed somebody. Their profile and all that they
// own stays: it is other people's too. Who has no profile gets none.
func Gone(ctx context.Context, d *db.DB, id uuid.UUID, at time.Time) error {
	return d.AsUser(as(ctx, id), db.ReadWrite, func(tx *db.Tx) error {
		return query.New().UserGone(ctx, tx, at)
	})
}

// as makes id the caller. Whoever tells us of them has proven to be the provider.
func as(ctx context.Context, id uuid.UUID) context.Context {
	return auth.With(ctx, auth.Identity{UserID: id})
}

// line is s without the spaces around it, or nil if it is not one line of 1 to length
// characters.
func line(s string, length int) *string {
	s = strings.TrimSpace(s)
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > length || strings.ContainsFunc(s, unicode.IsControl) {
		return nil
	}
	return &s
}
