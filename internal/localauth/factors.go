package localauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

const (
	maxFactors    = 10
	factorLife    = 5 * time.Minute // of one that was neither verified nor challenged
	challengeLife = 5 * time.Minute
)

// factor is a row of auth.mfa_factors.
type factor struct {
	ID               uuid.UUID  `json:"id"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
	Status           string     `json:"status"`
	FriendlyName     string     `json:"friendly_name,omitempty"`
	Secret           string     `json:"-"`
	Type             string     `json:"factor_type" db:"factor_type"`
	Phone            string     `json:"phone"`
	LastChallengedAt *time.Time `json:"last_challenged_at"`
}

func (f factor) verified() bool { return f.Status == "verified" }

func factorsOf(ctx context.Context, q querier, userID uuid.UUID) ([]factor, error) {
	rows, err := q.Query(ctx, factorsOfUserSQL, pgx.NamedArgs{"user_id": userID})
	if err != nil {
		return nil, fmt.Errorf("read factors: %w", err)
	}
	factors, err := pgx.CollectRows(rows, pgx.RowToStructByName[factor])
	if err != nil {
		return nil, fmt.Errorf("read factors: %w", err)
	}
	return factors, nil
}

// factorOf is the caller's factor that the path names.
func factorOf(r *http.Request, c *caller) (*factor, error) {
	id, err := uuid.Parse(r.PathValue("factor_id"))
	if err != nil {
		return nil, fail(http.StatusNotFound, "validation_failed", "factor_id must be an UUID")
	}
	for i := range c.user.Factors {
		if c.user.Factors[i].ID == id {
			return &c.user.Factors[i], nil
		}
	}
	return nil, fail(http.StatusNotFound, "mfa_factor_not_found", "Factor not found")
}

type totpAnswer struct {
	QRCode string `json:"qr_code"`
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// enroll makes a factor that counts for nothing until its first code is verified.
func (s *Server) enroll(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	var q struct {
		FriendlyName string `json:"friendly_name"`
		Type         string `json:"factor_type"`
		Issuer       string `json:"issuer"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	switch q.Type {
	case "totp":
	case "phone":
		return fail(http.StatusUnprocessableEntity, "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")
	case "webauthn":
		return fail(http.StatusUnprocessableEntity, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn")
	default:
		return fail(http.StatusBadRequest, "validation_failed", "factor_type needs to be totp, phone, or webauthn")
	}
	if q.Issuer == "" {
		site, err := url.Parse(s.cfg.SiteURL)
		if err != nil {
			return fmt.Errorf("parse site URL: %w", err)
		}
		q.Issuer = site.Host
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: q.Issuer, AccountName: c.user.Email})
	if err != nil {
		return fmt.Errorf("make TOTP secret: %w", err)
	}
	image, err := qrSVG(key.String())
	if err != nil {
		return err
	}
	id := uuid.New()
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := s.checkFactors(ctx, tx, c, q.FriendlyName); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, factorInsertSQL, pgx.NamedArgs{
			"id": id, "user_id": c.user.ID, "friendly_name": q.FriendlyName, "secret": key.Secret(), "now": s.now(),
		})
		if err != nil {
			return fmt.Errorf("store factor: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		ID           uuid.UUID  `json:"id"`
		Type         string     `json:"type"`
		FriendlyName string     `json:"friendly_name"`
		TOTP         totpAnswer `json:"totp"`
	}{id, q.Type, q.FriendlyName, totpAnswer{image, key.Secret(), key.URL()}})
	return nil
}

// checkFactors refuses a further factor by name, number and assurance, after
// clearing away those that nobody finished.
func (s *Server) checkFactors(ctx context.Context, tx pgx.Tx, c *caller, name string) error {
	if _, err := tx.Exec(ctx, userLockSQL, pgx.NamedArgs{"id": c.user.ID}); err != nil {
		return fmt.Errorf("lock user: %w", err)
	}
	if _, err := tx.Exec(ctx, factorsExpireSQL, pgx.NamedArgs{"before": s.now().Add(-factorLife)}); err != nil {
		return fmt.Errorf("clear unfinished factors: %w", err)
	}
	u, err := reloaded(ctx, tx, c.user)
	if err != nil {
		return err
	}
	for _, f := range u.Factors {
		if f.FriendlyName == name {
			return fail(http.StatusUnprocessableEntity, "mfa_factor_name_conflict", "A factor with the friendly name %q for this user already exists", name)
		}
	}
	if len(u.Factors) >= maxFactors {
		return fail(http.StatusUnprocessableEntity, "too_many_enrolled_mfa_factors", "Maximum number of verified factors reached, unenroll to continue")
	}
	if u.hasMFA() && c.aal != aal2 {
		return fail(http.StatusForbidden, "insufficient_aal", "AAL2 required to enroll a new factor")
	}
	return nil
}

func (s *Server) challengeFactor(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), s.now()
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	f, err := factorOf(r, c)
	if err != nil {
		return err
	}
	id := uuid.New()
	_, err = s.cfg.Pool.Exec(ctx, challengeInsertSQL, pgx.NamedArgs{"id": id, "factor_id": f.ID, "ip": clientIP(r), "now": now})
	if err != nil {
		return fmt.Errorf("store challenge: %w", err)
	}
	writeJSON(w, http.StatusOK, struct {
		ID        uuid.UUID `json:"id"`
		Type      string    `json:"type"`
		ExpiresAt int64     `json:"expires_at"`
	}{id, f.Type, now.Add(challengeLife).Unix()})
	return nil
}

// verifyFactor lifts the caller's session to aal2 and ends those of the caller
// that are not. The old refresh token's successor is in the answer.
func (s *Server) verifyFactor(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	f, err := factorOf(r, c)
	if err != nil {
		return err
	}
	var q struct {
		ChallengeID uuid.UUID `json:"challenge_id"`
		Code        string    `json:"code"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.Code == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Code needs to be non-empty")
	}
	if err := s.checkChallenge(r, f, q.ChallengeID); err != nil {
		return err
	}
	valid, err := totp.ValidateCustom(q.Code, f.Secret, s.now(), totp.ValidateOpts{Period: 30, Skew: 1, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil || !valid {
		return fail(http.StatusUnprocessableEntity, "mfa_verification_failed", "Invalid TOTP code entered").because(err)
	}
	var answer *sessionAnswer
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		answer, err = s.liftSession(r, tx, c, f, q.ChallengeID)
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func (s *Server) checkChallenge(r *http.Request, f *factor, id uuid.UUID) error {
	var ip string
	var made time.Time
	var verified *time.Time
	err := s.cfg.Pool.QueryRow(r.Context(), challengeByIDSQL, pgx.NamedArgs{"id": id, "factor_id": f.ID}).Scan(&ip, &made, &verified)
	if errors.Is(err, pgx.ErrNoRows) {
		return fail(http.StatusUnprocessableEntity, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found")
	}
	if err != nil {
		return fmt.Errorf("find challenge: %w", err)
	}
	if verified != nil || ip != clientIP(r) {
		return challengeSpent()
	}
	if s.now().After(made.Add(challengeLife)) {
		if _, err := s.cfg.Pool.Exec(r.Context(), challengeDeleteSQL, pgx.NamedArgs{"id": id}); err != nil {
			return fmt.Errorf("delete challenge: %w", err)
		}
		return fail(http.StatusUnprocessableEntity, "mfa_challenge_expired", "MFA challenge %s has expired, verify against another challenge or create a new challenge.", id)
	}
	return nil
}

// challengeSpent is the real service's answer to a used challenge as well.
func challengeSpent() error {
	return fail(http.StatusUnprocessableEntity, "mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch.")
}

func (s *Server) liftSession(r *http.Request, tx pgx.Tx, c *caller, f *factor, challengeID uuid.UUID) (*sessionAnswer, error) {
	ctx := r.Context()
	args := pgx.NamedArgs{"id": f.ID, "user_id": c.user.ID, "now": s.now()}
	used, err := tx.Exec(ctx, challengeVerifySQL, pgx.NamedArgs{"id": challengeID, "now": s.now()})
	if err != nil {
		return nil, fmt.Errorf("use challenge: %w", err)
	}
	if used.RowsAffected() == 0 {
		return nil, challengeSpent()
	}
	if _, err := tx.Exec(ctx, factorVerifiedSQL, args); err != nil {
		return nil, fmt.Errorf("verify factor: %w", err)
	}
	if err := s.noteMethod(ctx, tx, c.session, byTOTP); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, sessionSetAAL2SQL, pgx.NamedArgs{"id": c.session, "factor_id": f.ID, "now": s.now()}); err != nil {
		return nil, fmt.Errorf("lift session: %w", err)
	}
	if _, err := tx.Exec(ctx, sessionsEndBelowAAL2SQL, args); err != nil {
		return nil, fmt.Errorf("end other sessions: %w", err)
	}
	current, err := refreshTokenRow(ctx, tx, refreshTokenActiveSQL, pgx.NamedArgs{"session_id": c.session})
	if err != nil {
		return nil, err
	}
	parent := ""
	if current != nil {
		parent = current.Hash
		if _, err := tx.Exec(ctx, refreshTokenRevokeSQL, pgx.NamedArgs{"id": current.ID, "now": s.now()}); err != nil {
			return nil, fmt.Errorf("revoke refresh token: %w", err)
		}
	}
	refresh, err := s.newRefreshToken(ctx, tx, c.user.ID, c.session, parent)
	if err != nil {
		return nil, err
	}
	u, err := reloaded(ctx, tx, c.user)
	if err != nil {
		return nil, err
	}
	// The real service sends none of a session's headers here.
	return s.sessionAnswer(http.Header{}, r, tx, u, c.session, byTOTP, refresh)
}

// unenroll removes a factor; sessions that it lifted fall back to aal1.
func (s *Server) unenroll(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	f, err := factorOf(r, c)
	if err != nil {
		return err
	}
	if f.verified() && c.aal != aal2 {
		return fail(http.StatusUnprocessableEntity, "insufficient_aal", "AAL2 required to unenroll verified factor")
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, factorDeleteSQL, pgx.NamedArgs{"id": f.ID, "user_id": c.user.ID}); err != nil {
			return fmt.Errorf("delete factor: %w", err)
		}
		if _, err := tx.Exec(ctx, sessionsDowngradeSQL, pgx.NamedArgs{"user_id": c.user.ID, "factor_id": f.ID, "now": s.now()}); err != nil {
			return fmt.Errorf("downgrade sessions: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]uuid.UUID{"id": f.ID})
	return nil
}
