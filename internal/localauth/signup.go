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
	Email    string         `json:"email"`
	Phone    string         `json:"phone"`
	Password string         `json:"password"`
	Data     map[string]any `json:"data"`
	challenge
}

// check also puts the address into the form that it is stored in.
func (q *signupRequest) check() (err error) {
	if q.Email == "" && q.Phone == "" {
		return fail(http.StatusUnprocessableEntity, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
	}
	if q.Password == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Signup requires a valid password")
	}
	if q.Email != "" && q.Phone != "" {
		return fail(http.StatusBadRequest, "validation_failed", "Only an email address or phone number should be provided on signup.")
	}
	if q.Phone != "" {
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Phone signups are disabled")
	}
	if err := q.challenge.check(); err != nil {
		return err
	}
	if q.Data == nil {
		q.Data = map[string]any{}
	}
	q.Email, err = normalEmail(q.Email)
	return err
}

// signup registers an address and answers with a session, or with the user when
// the address has to be confirmed first.
func (s *Server) signup(w http.ResponseWriter, r *http.Request) error {
	var q signupRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	answer, err := s.register(w.Header(), r, q)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// register makes a sign-up; h gets the headers of its answer. The order of hook,
// transaction and session is the real service's: the hook that gates runs before
// anything is written, and a confirmed user is committed before the first token
// is made.
func (s *Server) register(h http.Header, r *http.Request, q signupRequest) (answer any, err error) {
	ctx := r.Context()
	hash, err := s.hashPassword(q.Password)
	if err != nil {
		return nil, err
	}
	aud := requestAudience(r)
	u, err := userByEmail(ctx, s.cfg.Pool, q.Email, aud)
	if err != nil {
		return nil, err
	}
	if u != nil && u.confirmed() {
		return s.signupAgain(r, q, aud)
	}
	var draft *user
	if u == nil {
		draft = newDraft(q.Email, aud, "email", q.Data)
		draft.Password = hash
		if err := s.hooks.userHook(r, s.cfg.Hooks.BeforeUserCreated, "before-user-created", draft); err != nil {
			return nil, err
		}
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if draft != nil {
			claims := maps.Clone(q.Data)
			maps.Copy(claims, emailClaims(draft)) // win over what the caller sent
			if u, err = s.insertUser(ctx, tx, draft, "email", claims); err != nil {
				return err
			}
			if err = s.setMetadata(ctx, tx, u, claims); err != nil {
				return err
			}
		}
		// Password and data of a repeated sign-up are dropped: nothing shows that
		// the caller is who made the first one.
		if s.confirmsAtOnce(r) {
			return s.confirm(ctx, tx, u)
		}
		if err := s.beginFlow(ctx, tx, u, bySignup, q.challenge); err != nil {
			return err
		}
		return s.sendCode(r, tx, u, "signup", q.challenge)
	})
	if err != nil {
		return nil, err
	}
	if u, err = reloaded(ctx, s.cfg.Pool, u); err != nil {
		return nil, err
	}
	if u.confirmed() {
		return s.signIn(h, r, u, byPassword)
	}
	if u.InvitedAt != nil { // what an inviter wrote is not for whoever repeats the sign-up
		u.UserMetadata, u.Identities = map[string]any{}, []identity{}
	}
	if err := s.hooks.userHook(r, s.cfg.Hooks.AfterUserCreated, "after-user-created", u); err != nil {
		return nil, fail(http.StatusInternalServerError, "unexpected_failure", "Error invoking hook").because(err)
	}
	return u, nil
}

// confirmsAtOnce reports whether a sign-up by r needs no mail.
func (s *Server) confirmsAtOnce(r *http.Request) bool {
	return s.cfg.Autoconfirm && (!s.cfg.MailLinks || askedRedirect(r) == "")
}

// signupAgain hides that a confirmed user has the address, except where a
// sign-up would have shown it by signing in.
func (s *Server) signupAgain(r *http.Request, q signupRequest, aud string) (*user, error) {
	if s.confirmsAtOnce(r) {
		return nil, fail(http.StatusUnprocessableEntity, "user_already_exists", "User already registered")
	}
	now := s.now()
	u := newDraft(q.Email, aud, "email", q.Data)
	u.ConfirmationSentAt, u.CreatedAt, u.UpdatedAt = &now, now, now
	return u, nil
}

// newDraft is a user as before-user-created sees it: without role, identities and
// times.
func newDraft(email, aud, provider string, data map[string]any) *user {
	if data == nil {
		data = map[string]any{}
	}
	return &user{
		ID: uuid.New(), Aud: aud, Email: email, UserMetadata: data, Identities: []identity{},
		AppMetadata: map[string]any{"provider": provider, "providers": []string{provider}},
	}
}

// emailClaims are those of the identity that an address makes.
func emailClaims(u *user) map[string]any {
	return map[string]any{"sub": u.ID.String(), "email": u.Email, "email_verified": false, "phone_verified": false}
}

// insertUser writes the draft and its identity. A trigger or webhook sees what it
// would see of the real service: a row without role first, then its role.
func (s *Server) insertUser(ctx context.Context, tx pgx.Tx, draft *user, provider string, claims map[string]any) (*user, error) {
	now := s.now()
	_, err := tx.Exec(ctx, userInsertSQL, pgx.NamedArgs{
		"id": draft.ID, "aud": draft.Aud, "email": nullable(draft.Email), "password": draft.Password,
		"app_metadata": draft.AppMetadata, "user_metadata": draft.UserMetadata, "now": now,
	})
	if err == nil {
		_, err = tx.Exec(ctx, userSetRoleSQL, pgx.NamedArgs{"id": draft.ID, "role": "authenticated", "now": now})
	}
	if err == nil {
		err = s.insertIdentity(ctx, tx, draft, provider, claims)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		return nil, fail(http.StatusInternalServerError, "unexpected_failure", "Database error saving new user").because(err)
	}
	if err != nil {
		return nil, err
	}
	return reloaded(ctx, tx, draft)
}

func (s *Server) insertIdentity(ctx context.Context, tx pgx.Tx, u *user, provider string, claims map[string]any) error {
	_, err := tx.Exec(ctx, identityInsertSQL, pgx.NamedArgs{
		"id": uuid.New(), "user_id": u.ID, "provider": provider, "identity_data": claims, "now": s.now(),
	})
	return err
}

// confirm marks the address as proven, or as not needing proof.
func (s *Server) confirm(ctx context.Context, tx pgx.Tx, u *user) error {
	_, err := tx.Exec(ctx, userConfirmSQL, pgx.NamedArgs{"id": u.ID, "now": s.now()})
	return err
}
