package localauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	flowLife   = 5 * time.Minute
	pkcePrefix = "pkce_"
)

// Authentication methods, as amr and the token hook name them.
const (
	byPassword    = "password"
	byCode        = "otp"
	byOAuth       = "oauth"
	byTOTP        = "totp"
	byRefresh     = "token_refresh"
	bySignup      = "email/signup"
	byInvite      = "invite"
	byRecovery    = "recovery"
	byMagicLink   = "magiclink"
	byEmailChange = "email_change"
)

var challengeShape = regexp.MustCompile(`^[a-zA-Z._~0-9-]+$`)

// challenge is the PKCE part of a request. Its zero value asks for the implicit
// flow.
type challenge struct {
	CodeChallenge       string `json:"code_challenge"`
	CodeChallengeMethod string `json:"code_challenge_method"`
}

func (c challenge) pkce() bool { return c.CodeChallenge != "" }

func (c challenge) check() error {
	invalid := func(text string) error { return fail(http.StatusBadRequest, "validation_failed", "%s", text) }
	switch {
	case (c.CodeChallenge == "") != (c.CodeChallengeMethod == ""):
		return invalid("PKCE flow requires code_challenge_method and code_challenge")
	case !c.pkce():
		return nil
	case len(c.CodeChallenge) < 43 || len(c.CodeChallenge) > 128:
		return invalid("code challenge has to be between 43 and 128 characters")
	case !challengeShape.MatchString(c.CodeChallenge):
		return invalid("code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes")
	}
	if method := strings.ToLower(c.CodeChallengeMethod); method != "s256" && method != "plain" {
		return invalid("Invalid code_challenge_method")
	}
	return nil
}

// tokenHash marks a hash as one whose link ends in a code instead of a session.
func (c challenge) tokenHash(hash string) string {
	if c.pkce() {
		return pkcePrefix + hash
	}
	return hash
}

// flow is a row of auth.flow_state.
type flow struct {
	ID                   uuid.UUID
	UserID               uuid.UUID
	Method               string `db:"code_challenge_method"`
	Challenge            string `db:"code_challenge"`
	AuthCode             string
	Referrer             string
	Provider             string `db:"provider_type"`
	AuthenticationMethod string
	ProviderAccessToken  string
	ProviderRefreshToken string
	AuthCodeIssuedAt     *time.Time
	CreatedAt            time.Time
}

// expired counts from the request that began the flow, for magic links from the
// click: a recovery link is good for a day, the code behind it for 5 minutes
// after the mail was asked for.
func (f *flow) expired(now time.Time) bool {
	if f.AuthenticationMethod == byMagicLink && f.AuthCodeIssuedAt != nil {
		return now.After(f.AuthCodeIssuedAt.Add(flowLife))
	}
	return now.After(f.CreatedAt.Add(flowLife))
}

func (f *flow) verify(verifier string) error {
	if f.Method == "s256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(f.Challenge)) != 1 {
		return fail(http.StatusBadRequest, "bad_code_verifier", "code challenge does not match previously saved code verifier")
	}
	return nil
}

// beginFlow remembers the challenge of a request that mails a link; without one
// there is nothing to remember.
func (s *Server) beginFlow(ctx context.Context, tx pgx.Tx, u *user, method string, c challenge) error {
	if !c.pkce() {
		return nil
	}
	provider := method
	if method == bySignup {
		provider = "email"
	}
	_, err := tx.Exec(ctx, flowInsertSQL, pgx.NamedArgs{
		"id": uuid.New(), "user_id": u.ID, "auth_code": uuid.NewString(), "method": strings.ToLower(c.CodeChallengeMethod),
		"challenge": c.CodeChallenge, "provider": provider, "authentication_method": method, "referrer": "", "now": s.now(),
	})
	if err != nil {
		return fmt.Errorf("remember code challenge: %w", err)
	}
	return nil
}

// issueCode returns the code of the user's newest flow of this method.
func (s *Server) issueCode(ctx context.Context, tx pgx.Tx, u *user, method string) (string, error) {
	var code string
	err := tx.QueryRow(ctx, flowIssueCodeSQL, pgx.NamedArgs{"user_id": u.ID, "authentication_method": method, "now": s.now()}).Scan(&code)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fail(http.StatusBadRequest, "flow_state_not_found", "No associated flow state found. No valid flow state found for user.")
	}
	if err != nil {
		return "", fmt.Errorf("issue code: %w", err)
	}
	return code, nil
}

// pkceGrant trades a code and its verifier for a session. A wrong verifier leaves
// the code as it is.
func (s *Server) pkceGrant(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		AuthCode     string `json:"auth_code"`
		CodeVerifier string `json:"code_verifier"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.AuthCode == "" || q.CodeVerifier == "" {
		return fail(http.StatusBadRequest, "validation_failed", "invalid request: both auth code and code verifier should be non-empty")
	}
	ctx := r.Context()
	var answer *sessionAnswer
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		f, err := s.claimFlow(ctx, tx, q.AuthCode, q.CodeVerifier)
		if err != nil {
			return err
		}
		u, err := userByID(ctx, tx, f.UserID)
		if err != nil {
			return err
		}
		if u == nil {
			return fail(http.StatusNotFound, "user_not_found", "User not found")
		}
		answer, err = s.openSession(w.Header(), r, tx, u, f.AuthenticationMethod)
		if err != nil {
			return err
		}
		answer.ProviderToken, answer.ProviderRefreshToken = f.ProviderAccessToken, f.ProviderRefreshToken
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// claimFlow finds the flow of a code, checks it and removes it, so that the code
// works once.
func (s *Server) claimFlow(ctx context.Context, tx pgx.Tx, code, verifier string) (*flow, error) {
	rows, err := tx.Query(ctx, flowByCodeSQL, pgx.NamedArgs{"auth_code": code})
	if err != nil {
		return nil, fmt.Errorf("find flow: %w", err)
	}
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[flow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fail(http.StatusNotFound, "flow_state_not_found", "invalid flow state, no valid flow state found")
	}
	if err != nil {
		return nil, fmt.Errorf("find flow: %w", err)
	}
	if f.expired(s.now()) {
		return nil, fail(http.StatusUnprocessableEntity, "flow_state_expired", "invalid flow state, flow state has expired")
	}
	if err := f.verify(verifier); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, flowDeleteSQL, pgx.NamedArgs{"id": f.ID}); err != nil {
		return nil, fmt.Errorf("end flow: %w", err)
	}
	return f, nil
}
