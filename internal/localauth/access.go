package localauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// claims are those of an access token, in the real service's order.
type claims struct {
	Issuer       string         `json:"iss"`
	Subject      string         `json:"sub"`
	Audience     any            `json:"aud"`
	ExpiresAt    int64          `json:"exp"`
	IssuedAt     int64          `json:"iat"`
	Email        string         `json:"email"`
	Phone        string         `json:"phone"`
	AppMetadata  map[string]any `json:"app_metadata"`
	UserMetadata map[string]any `json:"user_metadata"`
	Role         string         `json:"role"`
	AAL          string         `json:"aal"`
	AMR          []amrEntry     `json:"amr"`
	SessionID    uuid.UUID      `json:"session_id"`
	IsAnonymous  bool           `json:"is_anonymous"`
}

type amrEntry struct {
	Method    string `json:"method"`
	Timestamp int64  `json:"timestamp"`
}

const (
	aal1 = "aal1"
	aal2 = "aal2"
)

// AnonKey returns a token with the role anon and no subject, for clients that
// insist on an API key. It signs nobody in and is valid for ten years.
func (s *Server) AnonKey() (string, error) { return s.apiKey("anon") }

func (s *Server) apiKey(role string) (string, error) {
	now := s.now()
	return s.keys.sign(map[string]any{"iss": s.cfg.ExternalURL, "role": role, "iat": now.Unix(), "exp": now.AddDate(10, 0, 0).Unix()})
}

// accessToken signs the claims of a session as the custom-access-token hook
// leaves them. It runs inside the transaction that opens or renews the session:
// a refusal by the hook undoes it.
func (s *Server) accessToken(r *http.Request, tx pgx.Tx, u *user, session uuid.UUID, method string) (string, time.Time, error) {
	now := s.now()
	expires := now.Add(s.cfg.AccessTokenTTL)
	rows, err := tx.Query(r.Context(), sessionClaimsSQL, pgx.NamedArgs{"session_id": session})
	if err != nil {
		return "", expires, fmt.Errorf("read authentication methods: %w", err)
	}
	amr, err := pgx.CollectRows(rows, pgx.RowToStructByName[amrEntry])
	if err != nil {
		return "", expires, fmt.Errorf("read authentication methods: %w", err)
	}
	aal := aal1
	if slices.ContainsFunc(amr, func(e amrEntry) bool { return e.Method == byTOTP }) {
		aal = aal2
	}
	draft := claims{
		Issuer: s.cfg.ExternalURL, Subject: u.ID.String(), Audience: u.Aud, ExpiresAt: expires.Unix(), IssuedAt: now.Unix(),
		Email: u.Email, Phone: u.Phone, AppMetadata: u.AppMetadata, UserMetadata: u.UserMetadata,
		Role: u.Role, AAL: aal, AMR: amr, SessionID: session, IsAnonymous: u.IsAnonymous,
	}
	if s.cfg.Hooks.CustomAccessToken == nil {
		token, err := s.keys.sign(draft)
		return token, expires, err
	}
	// The real service sends its first hooked token after a start with a list as
	// audience and all later ones with a text: a receiver has to take both.
	if s.hookedToken.CompareAndSwap(false, true) {
		draft.Audience = []string{u.Aud}
	}
	final, err := s.hooks.tokenHook(r, s.cfg.Hooks.CustomAccessToken, draft, method)
	if err != nil {
		return "", expires, err
	}
	token, err := s.keys.sign(final)
	return token, expires, err
}

// checkClaims reports what the real service demands of the hook's answer. That
// subject, role and expiry are still the draft's is not among it.
func checkClaims(text json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil {
		return nil, fail(http.StatusInternalServerError, "unexpected_failure", "Hook output claims are not an object").because(err)
	}
	isText := func(v any) bool { _, ok := v.(string); return ok }
	isObject := func(v any) bool { _, ok := v.(map[string]any); return ok }
	isInteger := func(v any) bool {
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		_, err := n.Int64()
		return err == nil
	}
	isList := func(v any, of ...func(any) bool) bool {
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(item any) bool {
			return !slices.ContainsFunc(of, func(is func(any) bool) bool { return is(item) })
		})
	}
	var bad []string
	for _, rule := range []struct {
		name     string
		required bool
		is       func(any) bool
	}{
		{"aud", true, func(v any) bool { return isText(v) || isList(v, isText) }},
		{"exp", true, isInteger},
		{"iat", true, isInteger},
		{"sub", true, isText},
		{"email", true, isText},
		{"phone", true, isText},
		{"role", true, isText},
		{"aal", true, isText},
		{"session_id", true, isText},
		{"is_anonymous", true, func(any) bool { return true }},
		{"iss", false, isText},
		{"jti", false, isText},
		{"nbf", false, isInteger},
		{"client_id", false, isText},
		{"app_metadata", false, isObject},
		{"user_metadata", false, isObject},
		{"amr", false, func(v any) bool { return isList(v, isText, isObject) }},
	} {
		value, present := got[rule.name]
		switch {
		case !present && rule.required:
			bad = append(bad, rule.name+" is required")
		case present && !rule.is(value):
			bad = append(bad, rule.name+" has the wrong type")
		}
	}
	if len(bad) > 0 {
		return nil, fail(http.StatusInternalServerError, "unexpected_failure",
			"output claims do not conform to the expected schema: %s", strings.Join(bad, ", "))
	}
	return got, nil
}

// caller is who a bearer token of ours belongs to.
type caller struct {
	user    *user
	session uuid.UUID
	aal     string
	since   time.Time // when the session began
}

// bearer returns the claims of the request's token after a check of signature and
// expiry, and like the real service of nothing else: no issuer, no audience.
func (s *Server) bearer(r *http.Request) ([]byte, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, fail(http.StatusUnauthorized, "no_authorization", "This endpoint requires a valid Bearer token")
	}
	payload, err := s.keys.verify(token)
	if err != nil {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid JWT: unable to parse or verify signature")
	}
	var got struct {
		ExpiresAt *int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &got); err != nil {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid JWT: unable to parse claims")
	}
	if got.ExpiresAt != nil && s.now().Unix() >= *got.ExpiresAt {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid JWT: token is expired")
	}
	return payload, nil
}

// authenticate finds the user and session of the request's token.
func (s *Server) authenticate(ctx context.Context, r *http.Request) (*caller, error) {
	payload, err := s.bearer(r)
	if err != nil {
		return nil, err
	}
	var got struct {
		Subject   string `json:"sub"`
		SessionID string `json:"session_id"`
	}
	if err := json.Unmarshal(payload, &got); err != nil {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid JWT: unable to parse claims")
	}
	if got.Subject == "" {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid claim: missing sub claim")
	}
	userID, err := uuid.Parse(got.Subject)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "bad_jwt", "invalid claim: sub claim must be a UUID")
	}
	u, err := userByID(ctx, s.cfg.Pool, userID)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, fail(http.StatusForbidden, "user_not_found", "User from sub claim in JWT does not exist")
	}
	session, err := uuid.Parse(got.SessionID)
	if err != nil {
		return nil, fail(http.StatusForbidden, "bad_jwt", "invalid claim: session_id claim must be a UUID")
	}
	c := &caller{user: u, session: session}
	err = s.cfg.Pool.QueryRow(ctx, sessionByIDSQL, pgx.NamedArgs{"id": session}).Scan(&c.aal, &c.since)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fail(http.StatusForbidden, "session_not_found", "Session from session_id claim in JWT does not exist")
	}
	if err != nil {
		return nil, fmt.Errorf("find session: %w", err)
	}
	if u.banned(s.now()) {
		return nil, fail(http.StatusForbidden, "user_banned", "User is banned")
	}
	return c, nil
}
