package auth

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Identity is the caller as a verified token describes them. It carries no
// rights: those are decided by the database.
type Identity struct {
	UserID    uuid.UUID // the token's sub
	Email     string    // as the identity provider knows it; not proof of ownership; may be empty
	SessionID string    // the provider's session; empty if the token names none
	AAL       string    // authenticator assurance level, "aal1" or "aal2"
	ExpiresAt time.Time // when the token ends
}

// SecondFactor is the AAL of who has proven a second factor in this session.
const SecondFactor = "aal2"

type contextKey struct{}

// With returns a context that carries id.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From returns the identity that ctx carries, if any.
func From(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(Identity)
	return id, ok
}

type tokenKey struct{}

// WithToken returns a context that carries the caller's own access token, for
// what is asked of the identity provider's other services in their name.
func WithToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// Token returns the access token that ctx carries, if any.
func Token(ctx context.Context) (string, bool) {
	token, ok := ctx.Value(tokenKey{}).(string)
	return token, ok
}
