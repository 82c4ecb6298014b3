package localauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"
)

func (s *Server) user(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r.Context(), r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, c.user)
	return nil
}

type updateRequest struct {
	Email         string         `json:"email"`
	Phone         string         `json:"phone"`
	Password      string         `json:"password"`
	Data          map[string]any `json:"data"`
	AppMetadata   map[string]any `json:"app_metadata"`
	CodeChallenge string         `json:"code_challenge"`
}

// updateUser changes password and metadata of the caller. A new password ends
// the caller's other sessions.
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
	if err := q.check(c.user); err != nil {
		return err
	}
	var hash string
	if q.Password != "" {
		if hash, err = s.hashPassword(q.Password); err != nil {
			return err
		}
		if bcrypt.CompareHashAndPassword([]byte(c.user.Password), []byte(q.Password)) == nil {
			return fail(http.StatusUnprocessableEntity, "same_password", "New password should be different from the old password.")
		}
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

func (q *updateRequest) check(u *user) error {
	switch {
	case q.CodeChallenge != "":
		return noPKCE()
	case q.AppMetadata != nil:
		return fail(http.StatusForbidden, "not_admin", "Updating app_metadata requires admin privileges")
	case q.Phone != "":
		return fail(http.StatusUnprocessableEntity, "phone_provider_disabled", "Phone numbers are disabled")
	case q.Email != "" && strings.ToLower(q.Email) != u.Email:
		return fail(http.StatusUnprocessableEntity, "validation_failed", "The local stand-in does not change email addresses")
	}
	return nil
}

// applyUpdate writes what the request changes; metadata is merged key by key and
// null removes a key.
func (s *Server) applyUpdate(r *http.Request, tx pgx.Tx, u *user, c *caller, q updateRequest, hash string) error {
	ctx, now := r.Context(), s.now()
	if hash != "" {
		if _, err := tx.Exec(ctx, userSetPasswordSQL, pgx.NamedArgs{"id": u.ID, "password": hash, "now": now}); err != nil {
			return fmt.Errorf("store password: %w", err)
		}
		if _, err := tx.Exec(ctx, sessionsEndSQL, pgx.NamedArgs{"user_id": u.ID, "scope": "others", "id": c.session}); err != nil {
			return fmt.Errorf("end other sessions: %w", err)
		}
	}
	if q.Data == nil {
		return nil
	}
	for key, value := range q.Data {
		if value == nil {
			delete(u.UserMetadata, key)
			continue
		}
		u.UserMetadata[key] = value
	}
	if _, err := tx.Exec(ctx, userSetMetadataSQL, pgx.NamedArgs{"id": u.ID, "user_metadata": u.UserMetadata, "now": now}); err != nil {
		return fmt.Errorf("store metadata: %w", err)
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
