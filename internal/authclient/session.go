package authclient

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Session is what the provider gives to who signs in. It does not print its tokens.
type Session struct {
	AccessToken, RefreshToken string

	// What the access token says. The API verifies it with each request; here it comes
	// from the provider itself.
	ID        string // of the session
	UserID    uuid.UUID
	Email     string
	AAL       string
	ExpiresAt time.Time

	// SecondFactor says that the person has one, so that the session can become aal2.
	SecondFactor bool
}

var errSession = errors.New("what came for a session is none")

// NewSession reads the tokens of an answer. secondFactor is what the answer says of
// the person.
func NewSession(access, refresh string, secondFactor bool) (Session, error) {
	parts := strings.Split(access, ".")
	if len(parts) != 3 || refresh == "" {
		return Session{}, errSession
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Session{}, errSession
	}
	var claims struct {
		Subject   uuid.UUID `json:"sub"`
		SessionID uuid.UUID `json:"session_id"`
		Email     string    `json:"email"`
		AAL       string    `json:"aal"`
		Expires   int64     `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Subject == uuid.Nil || claims.SessionID == uuid.Nil || claims.Expires == 0 {
		return Session{}, errSession
	}
	return Session{
		AccessToken: access, RefreshToken: refresh,
		ID: claims.SessionID.String(), UserID: claims.Subject, Email: claims.Email, AAL: claims.AAL,
		ExpiresAt: time.Unix(claims.Expires, 0).UTC(), SecondFactor: secondFactor,
	}, nil
}

// String keeps the tokens out of logs.
func (s Session) String() string { return "session " + s.ID }

// GoString keeps the tokens out of %#v.
func (s Session) GoString() string { return s.String() }

// LogValue keeps the tokens out of logs.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }
