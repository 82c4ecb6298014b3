package auth

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

const (
	maxEmailLen = 320          // 64 + @ + 255, the longest address SMTP allows
	maxInstant  = 253402300799 // the end of the year 9999, as far as RFC 3339 goes
)

// claims holds the members of the payload that decide anything here. There is
// no field for user_metadata, which users write themselves, and none for iat:
// a clock that runs ahead at the provider is no reason to lock people out.
type claims struct {
	Issuer    jsontext.Value `json:"iss"`
	Audience  jsontext.Value `json:"aud"`
	Role      jsontext.Value `json:"role"`
	Anonymous jsontext.Value `json:"is_anonymous"`
	Subject   jsontext.Value `json:"sub"`
	Email     jsontext.Value `json:"email"`
	Session   jsontext.Value `json:"session_id"`
	AAL       jsontext.Value `json:"aal"`
	Expires   jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
}

// identity checks the payload of a token whose signature has been verified.
// Time comes last, so that "expired" is said only of a token that was good.
func (v *Verifier) identity(payload []byte) (Identity, error) {
	var c claims
	if err := decode(payload, &c); err != nil {
		return Identity{}, err
	}
	if iss, ok := text(c.Issuer); !ok || iss != v.issuer {
		return Identity{}, ErrIssuer
	}
	if !isAudience(c.Audience, v.audience) {
		return Identity{}, ErrAudience
	}
	// The keys for anon and service_role are tokens of the same issuer.
	if role, ok := text(c.Role); !ok || role != "authenticated" {
		return Identity{}, ErrRole
	}
	// Anonymous users have the role of ordinary ones; only this claim tells.
	if len(c.Anonymous) > 0 && c.Anonymous.Kind() != 'f' {
		return Identity{}, ErrAnonymous
	}
	id, err := c.person()
	if err != nil {
		return Identity{}, err
	}
	id.ExpiresAt, err = c.lifetime(v.now(), v.skew)
	return id, err
}

// person reads who the token is about.
func (c *claims) person() (Identity, error) {
	sub, _ := text(c.Subject)
	user, ok := canonicalUUID(sub)
	if !ok || user == uuid.Nil {
		return Identity{}, ErrSubject
	}
	id := Identity{UserID: user, AAL: "aal1"}
	if len(c.Email) > 0 {
		if id.Email, ok = text(c.Email); !ok || len(id.Email) > maxEmailLen || strings.ContainsFunc(id.Email, unicode.IsControl) {
			return Identity{}, ErrEmail
		}
	}
	if len(c.Session) > 0 {
		id.SessionID, _ = text(c.Session)
		if _, ok := canonicalUUID(id.SessionID); !ok {
			return Identity{}, ErrSession
		}
	}
	if len(c.AAL) > 0 {
		if id.AAL, _ = text(c.AAL); id.AAL != "aal1" && id.AAL != SecondFactor {
			return Identity{}, ErrAAL
		}
	}
	return id, nil
}

// lifetime returns the end of the token if now, give or take skew, is within it.
func (c *claims) lifetime(now time.Time, skew time.Duration) (time.Time, error) {
	exp, ok := instant(c.Expires)
	if !ok {
		return time.Time{}, ErrExpiry
	}
	if !now.Before(exp.Add(skew)) {
		return time.Time{}, ErrExpired
	}
	if len(c.NotBefore) > 0 {
		if nbf, ok := instant(c.NotBefore); !ok || nbf.After(now.Add(skew)) {
			return time.Time{}, ErrNotBefore
		}
	}
	return exp, nil
}

// isAudience reports whether aud is want alone. With a token hook configured,
// Supabase Auth writes the first token after each start with aud as an array of
// one; a token for several audiences is not one of ours.
func isAudience(aud jsontext.Value, want string) bool {
	if aud.Kind() == '[' {
		var list []jsontext.Value
		if err := json.Unmarshal(aud, &list); err != nil || len(list) != 1 {
			return false
		}
		aud = list[0]
	}
	got, ok := text(aud)
	return ok && got == want
}

// canonicalUUID parses s if it is in the one form that Postgres prints; other
// spellings would let one person pass for several in caches and logs.
func canonicalUUID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && id.String() == s
}

// instant reads a NumericDate (RFC 7519), dropping fractions of a second.
func instant(v jsontext.Value) (time.Time, bool) {
	if v.Kind() != '0' {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(string(v), 64)
	if err != nil || seconds < 0 || seconds > maxInstant {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}
