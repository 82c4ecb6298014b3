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

// claimTypes are the real service's demands on what the token hook returns: the
// JSON types of a claim, and whether it has to be there. That subject, role and
// expiry are still the draft's is not among them.
var claimTypes = []struct {
	name     string
	required bool
	types    []string // empty for any
}{
	{"aud", true, []string{"string", "array"}},
	{"exp", true, []string{"integer"}},
	{"iat", true, []string{"integer"}},
	{"sub", true, []string{"string"}},
	{"email", true, []string{"string"}},
	{"phone", true, []string{"string"}},
	{"role", true, []string{"string"}},
	{"aal", true, []string{"string"}},
	{"session_id", true, []string{"string"}},
	{"is_anonymous", true, nil},
	{"iss", false, []string{"string"}},
	{"jti", false, []string{"string"}},
	{"nbf", false, []string{"integer"}},
	{"client_id", false, []string{"string"}},
	{"app_metadata", false, []string{"object"}},
	{"user_metadata", false, []string{"object"}},
	{"amr", false, []string{"array"}},
}

// checkClaims returns the claims that a token hook answered with.
func checkClaims(text json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var got any
	if err := decoder.Decode(&got); err != nil {
		return nil, malformed(err)
	}
	if got == nil {
		return nil, wrongClaims([]string{wrongType("(root)", "object", nil)})
	}
	claims, ok := got.(map[string]any)
	if !ok {
		return nil, malformed(errors.New("claims are no object"))
	}
	var missing, wrong []string
	for _, c := range claimTypes {
		value, present := claims[c.name]
		switch {
		case !present && c.required:
			missing = append(missing, "- (root): "+c.name+" is required\n")
		case present && len(c.types) > 0 && !slices.Contains(c.types, jsonType(value)):
			expected := c.types[0]
			if len(c.types) > 1 {
				expected = "[" + strings.Join(c.types, ",") + "]"
			}
			wrong = append(wrong, wrongType(c.name, expected, value))
		}
	}
	if methods, ok := claims["amr"].([]any); ok {
		for i, m := range methods {
			if t := jsonType(m); t != "string" && t != "object" {
				wrong = append(wrong, fmt.Sprintf("- amr.%d: Must validate at least one schema (anyOf)\n", i))
			}
		}
	}
	if all := slices.Concat(missing, wrong); len(all) > 0 {
		return nil, wrongClaims(all)
	}
	return claims, nil
}

func wrongClaims(lines []string) error {
	return fail(http.StatusInternalServerError, "", "output claims do not conform to the expected schema: \n%s", strings.Join(lines, ""))
}

func wrongType(name, expected string, value any) string {
	return fmt.Sprintf("- %s: Invalid type. Expected: %s, given: %s\n", name, expected, jsonType(value))
}

// jsonType is JSON Schema's name for the type of a decoded value.
func jsonType(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	default:
		return "object"
	}
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
