package auth

import (
	"errors"
	"time"

	"rowhouse/internal/errs"
)

// The reasons for refusing a token's outer form.
var (
	ErrEmpty     = errors.New("token is empty")
	ErrTooLong   = errors.New("token is too long")
	ErrCharacter = errors.New("token has a character outside base64url")
	ErrParts     = errors.New("token does not have exactly three parts")
	ErrEncoding  = errors.New("part of the token is not canonical base64url")
	ErrJSON      = errors.New("header or payload is not one JSON object")
	ErrDuplicate = errors.New("header or payload names a member twice")
)

// The reasons for refusing a token's header or its signature.
var (
	ErrCritical    = errors.New("header demands an extension")
	ErrEmbeddedKey = errors.New("header brings or points to a key of its own")
	ErrType        = errors.New("typ is not JWT")
	ErrAlg         = errors.New("alg is not accepted, or not the one of the key")
	ErrKeyID       = errors.New("kid is missing or not plausible")
	ErrUnknownKey  = errors.New("kid names no current key")
	ErrSignature   = errors.New("signature does not match")
)

// The reasons for refusing a token's claims. A claim of the wrong JSON type is
// refused for the same reason as one with the wrong value.
var (
	ErrIssuer    = errors.New("iss is not the configured issuer")
	ErrAudience  = errors.New("aud is not the configured audience alone")
	ErrRole      = errors.New("role is not that of a signed-in user")
	ErrAnonymous = errors.New("is_anonymous is not false")
	ErrSubject   = errors.New("sub is not a canonical UUID")
	ErrEmail     = errors.New("email is not a plausible text")
	ErrSession   = errors.New("session_id is not a canonical UUID")
	ErrAAL       = errors.New("aal is not a known level")
	ErrExpiry    = errors.New("exp is missing or not a time")
	ErrExpired   = errors.New("token has expired")
	ErrNotBefore = errors.New("nbf is not a time, or not reached yet")
)

// ErrKeysUnavailable says that a token could be neither accepted nor refused
// because the identity provider's keys could not be read.
var ErrKeysUnavailable = errors.New("signing keys are not available")

// The reasons for refusing an Authorization header.
var (
	ErrNoToken       = errors.New("there is no Authorization header")
	ErrAuthorization = errors.New("the Authorization header is not exactly one bearer token")
)

// retryAfter is short because the key set is retried in the background at
// least every longestRetry.
const retryAfter = 5 * time.Second

// refusal is what the caller learns about reason: whether to refresh the token,
// to sign in or to wait, and nothing that would help to forge a better one.
func refusal(reason error) error {
	switch {
	case errors.Is(reason, ErrKeysUnavailable):
		e := errs.New(errs.Unavailable, "auth_unavailable", "The sign-in cannot be checked at the moment. Try again shortly.").Because(reason)
		e.RetryAfter = retryAfter
		return e
	case errors.Is(reason, ErrExpired):
		return errs.New(errs.Unauthenticated, "token_expired", "The access token has expired. Refresh it or sign in again.").Because(reason)
	}
	return errs.New(errs.Unauthenticated, "invalid_token", "The access token is not valid. Sign in again.").Because(reason)
}
