// Package contractorsearch finds contractors for the work that a ticket asks for.
//
// A provider learns the trade and the place, and nothing of the people concerned:
// Query has no room for more.
package contractorsearch

import (
	"context"
	"time"
)

// Limit is how many contractors a provider returns at most.
const Limit = 50

// Query is what a provider is asked.
type Query struct {
	Trade string // a ticket's category
	Place Place
}

// Place is where the work is to be done, as far as it is known. Empty and nil mean
// unknown; the coordinates are known together or not at all.
type Place struct {
	PostalCode, City string
	Country          string // two letters of ISO 3166-1
	Latitude         *float64
	Longitude        *float64
}

// Contractor is one that a provider has found. What is empty, a nil distance or a
// rating of 0 is unknown.
type Contractor struct {
	PlaceID   string // the provider's own id of it
	Name      string
	Trade     string
	Phone     string
	Website   string // http or https
	Address   string
	DistanceM *int32 // from the place
	Rating    int16  // 1 to 5
}

// Provider finds contractors. There is the landlord's own book and, if configured,
// one outside.
type Provider interface {
	// Name is what results are kept under; it never changes.
	Name() string
	// TTL is how long an answer holds.
	TTL() time.Duration
	// Contractors returns up to Limit contractors, the best first, no PlaceID twice.
	// It must be called outside of any transaction: it may wait for a network. A
	// *Notice says that the search goes on without this provider; any other error
	// ends it.
	Contractors(ctx context.Context, q Query) ([]Contractor, error)
}

// Notice is why a provider has no answer.
type Notice struct {
	Code   string // stable and snake_case, for programs
	Detail string // a sentence for a person
	Err    error  // the cause, for logs only; nil if nothing went wrong
}

func (n *Notice) Error() string {
	if n.Err == nil {
		return n.Detail
	}
	return n.Detail + ": " + n.Err.Error()
}

func (n *Notice) Unwrap() error { return n.Err }
