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
	// Invited says that they signed up to claim an invite. It is taken for a profile that
	// is made, and keeps them from being asked to set up a landlord's books.
	Invited bool
	// AsOf is when this was so. The zero time is for what may be old, such as a token: it
	// makes a profile where there is none, and changes nothing.
	AsOf time.Time
}

// Standing is how somebody stands with us before they do anything. It grants nothing.
type Standing struct {
	Onboarded bool // has said who they are, as landlords do
	Renting   bool // has not, and is here as somebody's tenant alone
}

// Keep makes the profile of a, or brings it to what a says. It may be called any
// number of times, in any order and at once. The errors are those of db.AsUser.
func Keep(ctx context.Context, d *db.DB, a Account) (Standing, error) {
	params := query.UserKeepParams{Email: line(a.Email, 320), FullName: line(a.Name, 200), SignedUpAs: "OWNER"}
	if a.Invited {
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
	var row query.UserKeepRow
	err := d.AsUser(as(ctx, a.ID), db.ReadWrite, func(tx *db.Tx) (err error) {
		row, err = query.New().UserKeep(ctx, tx, params)
		return err
	})
	return Standing{Onboarded: row.Onboarded, Renting: row.Renting}, err
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
