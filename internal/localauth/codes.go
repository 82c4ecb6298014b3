package localauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	confirmationToken = "confirmation_token"
	recoveryToken     = "recovery_token"
)

// recover mails a recovery code. The answer is the same for unknown addresses,
// but the mail interval binds existing ones only, as in the real service.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Email         string `json:"email"`
		CodeChallenge string `json:"code_challenge"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.CodeChallenge != "" {
		return noPKCE()
	}
	return s.mailTo(w, r, q.Email, "recovery", func(*user) bool { return true })
}

// resend mails the sign-up code once more to who has not used it yet.
func (s *Server) resend(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Type  string `json:"type"`
		Email string `json:"email"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	switch q.Type {
	case "signup":
	case "email_change": // nothing is ever pending
		writeJSON(w, http.StatusOK, struct{}{})
		return nil
	case "sms", "phone_change":
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Phone logins are disabled")
	default:
		return fail(http.StatusBadRequest, "validation_failed", "Missing one of these types: signup, email_change, sms, phone_change")
	}
	return s.mailTo(w, r, q.Email, "signup", func(u *user) bool { return !u.confirmed() })
}

func (s *Server) mailTo(w http.ResponseWriter, r *http.Request, address, action string, wanted func(*user) bool) error {
	email, err := normalEmail(address)
	if err != nil {
		return err
	}
	u, err := userByEmail(r.Context(), s.cfg.Pool, email, requestAudience(r))
	if err != nil {
		return err
	}
	if u != nil && wanted(u) {
		err := pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) error { return s.sendCode(r, tx, u, action) })
		if err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// sendCode replaces the user's code for action by a new one and hands it to the
// send-email hook, else to Deliver. Both run inside the transaction, before it
// is sure to commit; their error undoes it.
func (s *Server) sendCode(r *http.Request, tx pgx.Tx, u *user, action string) error {
	ctx, now := r.Context(), s.now()
	kind, sent := confirmationToken, u.ConfirmationSentAt
	if action == "recovery" {
		kind, sent = recoveryToken, u.RecoverySentAt
	}
	if sent != nil && now.Before(sent.Add(s.cfg.MailInterval)) {
		left := int(sent.Add(s.cfg.MailInterval).Sub(now).Seconds())
		return fail(http.StatusTooManyRequests, "over_email_send_rate_limit", "For security purposes, you can only request this after %d seconds.", left)
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return fmt.Errorf("draw code: %w", err)
	}
	code := fmt.Sprintf("%06d", number)
	hash := codeHash(u.Email, code)
	_, err = tx.Exec(ctx, oneTimeTokenPutSQL, pgx.NamedArgs{
		"id": uuid.New(), "user_id": u.ID, "token_type": kind, "token_hash": hash, "email": u.Email, "now": now,
	})
	if err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	redirect := s.redirectTarget(r)
	if hook := s.cfg.Hooks.SendEmail; hook != nil {
		err = s.hooks.mailHook(r, hook, u, emailData{
			Token: code, TokenHash: hash, RedirectTo: redirect, Action: action, SiteURL: s.cfg.ExternalURL,
		})
	} else {
		link := s.cfg.ExternalURL + "/verify?" + url.Values{"token": {hash}, "type": {action}, "redirect_to": {redirect}}.Encode()
		err = s.cfg.Deliver(ctx, Mail{To: u.Email, Action: action, Code: code, TokenHash: hash, Link: link, RedirectTo: redirect})
	}
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	if _, err = tx.Exec(ctx, userCodeSentSQL, pgx.NamedArgs{"id": u.ID, "token_type": kind, "now": now}); err != nil {
		return fmt.Errorf("note the mail: %w", err)
	}
	return nil
}

// codeHash is the form of a code in links and in the database: SHA-224 in hex.
func codeHash(email, code string) string {
	sum := sha256.Sum224([]byte(email + code))
	return hex.EncodeToString(sum[:])
}

type verifyRequest struct {
	Type       string `json:"type"`
	Token      string `json:"token"`
	TokenHash  string `json:"token_hash"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	RedirectTo string `json:"redirect_to"`
}

// verifyCode trades a code with its address, or a hash alone, for a session.
func (s *Server) verifyCode(w http.ResponseWriter, r *http.Request) error {
	var q verifyRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if (q.Token == "") == (q.TokenHash == "") {
		return fail(http.StatusBadRequest, "validation_failed", "Verify requires either a token or a token hash")
	}
	expired := "Email link is invalid or has expired"
	var owner *uuid.UUID
	if q.Token != "" {
		if q.Email == "" {
			return fail(http.StatusBadRequest, "validation_failed", "Only an email address or phone number should be provided on verify")
		}
		expired = "Token has expired or is invalid"
		email, err := normalEmail(q.Email)
		if err != nil {
			return fail(http.StatusUnprocessableEntity, "validation_failed", "Invalid email format")
		}
		u, err := userByEmail(r.Context(), s.cfg.Pool, email, requestAudience(r))
		if err != nil {
			return err
		}
		if u == nil {
			return fail(http.StatusForbidden, "otp_expired", "%s", expired)
		}
		owner, q.TokenHash = &u.ID, codeHash(email, q.Token)
	} else if q.Email != "" || q.Phone != "" || q.RedirectTo != "" {
		return fail(http.StatusBadRequest, "validation_failed", "Only the token_hash and type should be provided")
	}
	answer, err := s.redeem(w, r, q.Type, q.TokenHash, owner, expired)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// followLink is the GET of a mail's link: session and error alike travel in the
// fragment of a redirect, where no server sees them.
func (s *Server) followLink(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("type") == "" || q.Get("token") == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Verify requires a verification type and a token hash")
	}
	fragment := url.Values{"sb": {""}}
	answer, err := s.redeem(w, r, q.Get("type"), q.Get("token"), nil, "Email link is invalid or has expired")
	if f, ok := errors.AsType[*failure](err); ok && f.status < http.StatusInternalServerError {
		fragment.Set("error", "access_denied")
		fragment.Set("error_code", f.code)
		fragment.Set("error_description", f.message)
	} else if err != nil {
		return err
	} else {
		fragment.Set("access_token", answer.AccessToken)
		fragment.Set("expires_at", strconv.FormatInt(answer.ExpiresAt, 10))
		fragment.Set("expires_in", strconv.Itoa(answer.ExpiresIn))
		fragment.Set("refresh_token", answer.RefreshToken)
		fragment.Set("token_type", answer.TokenType)
		fragment.Set("type", q.Get("type"))
	}
	http.Redirect(w, r, s.redirectTarget(r)+"#"+fragment.Encode(), http.StatusSeeOther)
	return nil
}

// redeem uses a code up and opens a session. owner, if known, must be whose code
// it is.
func (s *Server) redeem(w http.ResponseWriter, r *http.Request, kind, hash string, owner *uuid.UUID, expired string) (*sessionAnswer, error) {
	var types []string
	switch kind {
	case "signup", "invite":
		types = []string{confirmationToken}
	case "recovery", "magiclink":
		types = []string{recoveryToken}
	case "email":
		types = []string{confirmationToken, recoveryToken}
	case "email_change": // never issued
	default:
		return nil, fail(http.StatusBadRequest, "validation_failed", "Invalid email verification type")
	}
	ctx := r.Context()
	var answer *sessionAnswer
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		u, found, err := s.takeCode(ctx, tx, hash, types, owner)
		if err != nil {
			return err
		}
		if u == nil {
			return fail(http.StatusForbidden, "otp_expired", "%s", expired)
		}
		if u.banned(s.now()) {
			return fail(http.StatusForbidden, "user_banned", "User is banned")
		}
		// Whoever reads the mails of an address has proven it, by either code.
		if err := s.confirm(ctx, tx, u); err != nil {
			return err
		}
		if found == confirmationToken {
			if _, err := tx.Exec(ctx, identityVerifySQL, pgx.NamedArgs{"user_id": u.ID, "now": s.now()}); err != nil {
				return fmt.Errorf("verify identity: %w", err)
			}
		}
		answer, err = s.openSession(w, r, tx, u, "otp")
		return err
	})
	return answer, err
}

// takeCode removes a code and returns whose it was, or nil if there is none or
// it is too old.
func (s *Server) takeCode(ctx context.Context, tx pgx.Tx, hash string, types []string, owner *uuid.UUID) (*user, string, error) {
	var userID uuid.UUID
	var found string
	var made time.Time
	err := tx.QueryRow(ctx, oneTimeTokenTakeSQL, pgx.NamedArgs{"token_hash": hash, "token_types": types, "user_id": owner}).
		Scan(&userID, &found, &made)
	if errors.Is(err, pgx.ErrNoRows) || (err == nil && s.now().After(made.Add(codeLife))) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("take code: %w", err)
	}
	u, err := userByID(ctx, tx, userID)
	return u, found, err
}
