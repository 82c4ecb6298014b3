package localauth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"
)

// reauthAfter is how old a session may be that changes the password without a
// code, where Config.ReauthenticateForPassword asks for one.
const reauthAfter = 24 * time.Hour

func (s *Server) user(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r.Context(), r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, c.user)
	return nil
}

type updateRequest struct {
	Email       string         `json:"email"`
	Phone       string         `json:"phone"`
	Password    *string        `json:"password"` // an empty one is given, and too short
	Nonce       string         `json:"nonce"`
	Data        map[string]any `json:"data"`
	AppMetadata map[string]any `json:"app_metadata"`
	challenge
}

// updateUser changes password and metadata of the caller, and begins a change of
// the address. A new password ends the caller's other sessions.
func (s *Server) updateUser(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return err
	}
	var q updateRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	hash, err := s.checkUpdate(r, c, &q)
	if err != nil {
		return err
	}
	var u *user
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if _, err = tx.Exec(ctx, userLockSQL, pgx.NamedArgs{"id": c.user.ID}); err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		if u, err = reloaded(ctx, tx, c.user); err != nil {
			return err
		}
		if err := s.applyUpdate(r, tx, u, c, q, hash); err != nil {
			return err
		}
		u, err = reloaded(ctx, tx, u)
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

// checkUpdate empties q.Email if it is the caller's already and returns the hash
// of a new password.
func (s *Server) checkUpdate(r *http.Request, c *caller, q *updateRequest) (hash string, err error) {
	if q.Email != "" {
		if q.Email, err = normalEmail(q.Email); err != nil {
			return "", err
		}
	}
	if q.Email == c.user.Email {
		q.Email = ""
	}
	if q.Password != nil {
		if hash, err = s.hashPassword(*q.Password); err != nil {
			return "", err
		}
	}
	switch {
	case q.AppMetadata != nil:
		return "", fail(http.StatusForbidden, "not_admin", "Updating app_metadata requires admin privileges")
	case q.Phone != "":
		return "", fail(http.StatusUnprocessableEntity, "phone_provider_disabled", "Phone numbers are disabled")
	case (q.Password != nil || q.Email != "") && c.user.hasMFA() && c.aal != aal2:
		return "", fail(http.StatusUnauthorized, "insufficient_aal", "AAL2 session is required to update email or password when MFA is enabled.")
	}
	if err := q.check(); err != nil {
		return "", err
	}
	if q.Email != "" {
		if err := s.refuseTaken(r.Context(), s.cfg.Pool, q.Email, requestAudience(r), c.user.ID); err != nil {
			return "", err
		}
	}
	if q.Password == nil {
		return "", nil
	}
	if err := s.checkReauthentication(r.Context(), c, q.Nonce); err != nil {
		return "", err
	}
	if bcrypt.CompareHashAndPassword([]byte(c.user.Password), []byte(*q.Password)) == nil {
		return "", fail(http.StatusUnprocessableEntity, "same_password", "New password should be different from the old password.")
	}
	return hash, nil
}

// refuseTaken refuses an address that a user other than except has.
func (s *Server) refuseTaken(ctx context.Context, q querier, email, aud string, except uuid.UUID) error {
	var taken bool
	if err := q.QueryRow(ctx, emailTakenSQL, pgx.NamedArgs{"email": email, "aud": aud, "except": except}).Scan(&taken); err != nil {
		return fmt.Errorf("look for the address: %w", err)
	}
	if taken {
		return fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
	}
	return nil
}

// applyUpdate writes what the request changes; metadata is merged key by key and
// null removes a key.
func (s *Server) applyUpdate(r *http.Request, tx pgx.Tx, u *user, c *caller, q updateRequest, hash string) error {
	ctx := r.Context()
	if hash != "" {
		if err := s.setPassword(ctx, tx, u, hash); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sessionsEndSQL, pgx.NamedArgs{"user_id": u.ID, "scope": "others", "id": c.session}); err != nil {
			return fmt.Errorf("end other sessions: %w", err)
		}
		var err error
		if u, err = reloaded(ctx, tx, u); err != nil {
			return err
		}
	}
	if q.Data != nil {
		if err := s.setMetadata(ctx, tx, u, q.Data); err != nil {
			return err
		}
	}
	if q.Email != "" {
		return s.askEmailChange(r, tx, u, q.Email, q.challenge)
	}
	return nil
}

// setPassword also voids the codes that were mailed for the old one.
func (s *Server) setPassword(ctx context.Context, tx pgx.Tx, u *user, hash string) error {
	if _, err := tx.Exec(ctx, userSetPasswordSQL, pgx.NamedArgs{"id": u.ID, "password": hash, "now": s.now()}); err != nil {
		return fmt.Errorf("store password: %w", err)
	}
	if _, err := tx.Exec(ctx, oneTimeTokensClearSQL, pgx.NamedArgs{"user_id": u.ID}); err != nil {
		return fmt.Errorf("clear codes: %w", err)
	}
	return nil
}

// setMetadata merges updates into the user's own metadata, in u too.
func (s *Server) setMetadata(ctx context.Context, tx pgx.Tx, u *user, updates map[string]any) error {
	merge(u.UserMetadata, updates)
	if _, err := tx.Exec(ctx, userSetMetadataSQL, pgx.NamedArgs{"id": u.ID, "user_metadata": u.UserMetadata, "now": s.now()}); err != nil {
		return fmt.Errorf("store metadata: %w", err)
	}
	return nil
}

func merge(into, updates map[string]any) {
	for key, value := range updates {
		if value == nil {
			delete(into, key)
			continue
		}
		into[key] = value
	}
}

// reauthenticate mails the caller a code that a change of the password may ask
// for.
func (s *Server) reauthenticate(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r.Context(), r)
	if err != nil {
		return err
	}
	if !c.user.confirmed() {
		return fail(http.StatusUnprocessableEntity, "email_not_confirmed", "Please verify your email first.")
	}
	err = pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) error {
		return s.sendCode(r, tx, c.user, "reauthentication", challenge{})
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// checkReauthentication asks for the mailed code when the session is old. The
// change of the password uses it up.
func (s *Server) checkReauthentication(ctx context.Context, c *caller, nonce string) error {
	if !s.cfg.ReauthenticateForPassword || !s.now().After(c.since.Add(reauthAfter)) {
		return nil
	}
	if nonce == "" {
		return fail(http.StatusBadRequest, "reauthentication_needed", "Password update requires reauthentication")
	}
	var valid bool
	err := s.cfg.Pool.QueryRow(ctx, oneTimeTokenMatchSQL, pgx.NamedArgs{
		"user_id": c.user.ID, "token_type": reauthenticationToken, "token_hash": codeHash(c.user.Email, nonce), "since": s.now().Add(-codeLife),
	}).Scan(&valid)
	if err != nil {
		return fmt.Errorf("look for the code: %w", err)
	}
	if !valid {
		return fail(http.StatusUnprocessableEntity, "reauthentication_not_valid", "Nonce has expired or is invalid")
	}
	return nil
}

// logout ends sessions of the caller: all of them, this one, or all but this.
// Access tokens in circulation stay valid for others until they expire.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r.Context(), r)
	if err != nil {
		return err
	}
	scope := r.URL.Query().Get("scope")
	if scope == "" {
		scope = "global"
	}
	if !slices.Contains([]string{"global", "local", "others"}, scope) {
		return fail(http.StatusBadRequest, "validation_failed", "Unsupported logout scope %q", scope)
	}
	_, err = s.cfg.Pool.Exec(r.Context(), sessionsEndSQL, pgx.NamedArgs{"user_id": c.user.ID, "scope": scope, "id": c.session})
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
