package localauth

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type signupRequest struct {
	Email         string         `json:"email"`
	Phone         string         `json:"phone"`
	Password      string         `json:"password"`
	Data          map[string]any `json:"data"`
	CodeChallenge string         `json:"code_challenge"`
}

func (q *signupRequest) check() (err error) {
	if q.CodeChallenge != "" {
		return noPKCE()
	}
	if q.Email == "" && q.Phone == "" {
		return fail(http.StatusUnprocessableEntity, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
	}
	if q.Phone != "" {
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Phone signups are disabled")
	}
	if q.Password == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Signup requires a valid password")
	}
	if q.Data == nil {
		q.Data = map[string]any{}
	}
	q.Email, err = normalEmail(q.Email)
	return err
}

func noPKCE() error {
	return fail(http.StatusBadRequest, "validation_failed", "The local stand-in does not support PKCE: use the implicit flow")
}

// signup registers an address. The order of hook, transaction and session is the
// real service's: the hook that gates runs before anything is written, and a
// confirmed user is committed before the first token is made.
func (s *Server) signup(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var q signupRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	hash, err := s.hashPassword(q.Password)
	if err != nil {
		return err
	}
	aud := requestAudience(r)
	u, err := userByEmail(ctx, s.cfg.Pool, q.Email, aud)
	if err != nil {
		return err
	}
	if u != nil && u.confirmed() {
		return s.signupAgain(w, q, aud)
	}
	var draft *user
	if u == nil {
		draft = &user{ID: uuid.New(), Aud: aud, Email: q.Email, Password: hash, AppMetadata: emailMetadata(), UserMetadata: q.Data, Identities: []identity{}}
		if err := s.hooks.userHook(r, s.cfg.Hooks.BeforeUserCreated, "before-user-created", draft); err != nil {
			return err
		}
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if draft != nil {
			if u, err = s.insertUser(ctx, tx, draft); err != nil {
				return err
			}
		}
		// Password and data of a repeated sign-up are dropped: nothing shows that
		// the caller is who made the first one.
		if s.cfg.Autoconfirm {
			return s.confirm(ctx, tx, u)
		}
		return s.sendCode(r, tx, u, "signup")
	})
	if err != nil {
		return err
	}
	if u, err = reloaded(ctx, s.cfg.Pool, u); err != nil {
		return err
	}
	if u.confirmed() {
		return s.signIn(w, r, u, "password")
	}
	if err := s.hooks.userHook(r, s.cfg.Hooks.AfterUserCreated, "after-user-created", u); err != nil {
		return fail(http.StatusInternalServerError, "unexpected_failure", "Error invoking after-user-created hook").because(err)
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

// signupAgain hides that a confirmed user has the address, except where a
// sign-up would have shown it by signing in.
func (s *Server) signupAgain(w http.ResponseWriter, q signupRequest, aud string) error {
	if s.cfg.Autoconfirm {
		return fail(http.StatusUnprocessableEntity, "user_already_exists", "User already registered")
	}
	now := s.now()
	writeJSON(w, http.StatusOK, &user{
		ID: uuid.New(), Aud: aud, Email: q.Email, ConfirmationSentAt: &now,
		AppMetadata: emailMetadata(), UserMetadata: q.Data, Identities: []identity{}, CreatedAt: now, UpdatedAt: now,
	})
	return nil
}

// insertUser writes the draft and its identity, whose claims become part of the
// user's metadata and win over what the caller sent.
func (s *Server) insertUser(ctx context.Context, tx pgx.Tx, draft *user) (*user, error) {
	now := s.now()
	claims := map[string]any{"sub": draft.ID.String(), "email": draft.Email, "email_verified": false, "phone_verified": false}
	metadata := maps.Clone(draft.UserMetadata)
	maps.Copy(metadata, claims)
	_, err := tx.Exec(ctx, userInsertSQL, pgx.NamedArgs{
		"id": draft.ID, "aud": draft.Aud, "role": "authenticated", "email": draft.Email, "password": draft.Password,
		"app_metadata": draft.AppMetadata, "user_metadata": metadata, "now": now,
	})
	if err == nil {
		_, err = tx.Exec(ctx, identityInsertSQL, pgx.NamedArgs{"id": uuid.New(), "user_id": draft.ID, "identity_data": metadata, "now": now})
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		return nil, fail(http.StatusInternalServerError, "unexpected_failure", "Database error saving new user").because(err)
	}
	if err != nil {
		return nil, err
	}
	return reloaded(ctx, tx, draft)
}

// confirm marks the address as proven, or as not needing proof.
func (s *Server) confirm(ctx context.Context, tx pgx.Tx, u *user) error {
	_, err := tx.Exec(ctx, userConfirmSQL, pgx.NamedArgs{"id": u.ID, "now": s.now()})
	return err
}
