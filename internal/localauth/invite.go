package localauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// invite mails a link that confirms and signs in; the user sets a password after
// that. The hooks see an ordinary sign-up, at the time of the invitation.
func (s *Server) invite(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var q struct {
		Email string         `json:"email"`
		Data  map[string]any `json:"data"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	email, err := normalEmail(q.Email)
	if err != nil {
		return err
	}
	u, draft, err := s.invited(r, email, q.Data)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if draft != nil {
			if u, err = s.insertUser(ctx, tx, draft, "email", emailClaims(draft)); err != nil {
				return err
			}
		}
		return s.sendCode(r, tx, u, "invite", challenge{})
	})
	if err != nil {
		return err
	}
	if u, err = reloaded(ctx, s.cfg.Pool, u); err != nil {
		return err
	}
	// Also when the address was invited before.
	if err := s.hooks.userHook(r, s.cfg.Hooks.AfterUserCreated, "after-user-created", u); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

// invited is who has the address already, or a draft that before-user-created
// has let pass. Who is confirmed cannot be invited.
func (s *Server) invited(r *http.Request, email string, data map[string]any) (u, draft *user, err error) {
	aud := requestAudience(r)
	u, err = userByEmail(r.Context(), s.cfg.Pool, email, aud)
	if err != nil {
		return nil, nil, err
	}
	if u != nil && u.confirmed() {
		return nil, nil, fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
	}
	if u == nil {
		draft = newDraft(email, aud, "email", data)
		err = s.hooks.userHook(r, s.cfg.Hooks.BeforeUserCreated, "before-user-created", draft)
	}
	return u, draft, err
}

type linkRequest struct {
	Type       string         `json:"type"`
	Email      string         `json:"email"`
	NewEmail   string         `json:"new_email"`
	Password   string         `json:"password"`
	Data       map[string]any `json:"data"`
	RedirectTo string         `json:"redirect_to"`
}

// generateLink answers with what a mail would hold instead of sending it. It
// makes the user that a sign-up or an invitation would make.
func (s *Server) generateLink(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var q linkRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	email, err := normalEmail(q.Email)
	if err != nil {
		return err
	}
	q.Email = email
	redirect := s.redirectTarget(r)
	if s.mayRedirect(q.RedirectTo) {
		redirect = q.RedirectTo
	}
	u, draft, err := s.linked(r, &q)
	if err != nil {
		return err
	}
	var code, hash string
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if draft != nil {
			if u, err = s.insertUser(ctx, tx, draft, "email", emailClaims(draft)); err != nil {
				return err
			}
		}
		if draft == nil && q.Type == "signup" {
			if err := s.setMetadata(ctx, tx, u, q.Data); err != nil {
				return err
			}
		}
		code, hash, err = s.storeLink(ctx, tx, u, q)
		return err
	})
	if err != nil {
		return err
	}
	if u, err = reloaded(ctx, s.cfg.Pool, u); err != nil {
		return err
	}
	if draft != nil {
		if err := s.hooks.userHook(r, s.cfg.Hooks.AfterUserCreated, "after-user-created", u); err != nil {
			return err
		}
	}
	action := q.Type
	if q.NewEmail != "" {
		action = "email_change"
	}
	writeJSON(w, http.StatusOK, struct {
		*user
		ActionLink       string `json:"action_link"`
		EmailOTP         string `json:"email_otp"`
		HashedToken      string `json:"hashed_token"`
		VerificationType string `json:"verification_type"`
		RedirectTo       string `json:"redirect_to"`
	}{u, s.actionLink(action, hash, redirect), code, hash, q.Type, redirect})
	return nil
}

// linked finds the user of a link, or drafts one. A magic link for a stranger
// becomes that of a sign-up.
func (s *Server) linked(r *http.Request, q *linkRequest) (u, draft *user, err error) {
	ctx, aud := r.Context(), requestAudience(r)
	if q.Type != "signup" && q.Type != "invite" {
		if u, err = userByEmail(ctx, s.cfg.Pool, q.Email, aud); err != nil {
			return nil, nil, err
		}
	}
	switch q.Type {
	case "email_change_current", "email_change_new":
		if u != nil {
			if q.NewEmail, err = normalEmail(q.NewEmail); err != nil {
				return nil, nil, err
			}
			return u, nil, s.refuseTaken(ctx, s.cfg.Pool, q.NewEmail, aud, u.ID)
		}
	case "recovery":
	case "magiclink":
		if u == nil {
			q.Type, q.Password = "signup", rand.Text()
		}
	case "signup", "invite":
	default:
		return nil, nil, fail(http.StatusBadRequest, "validation_failed", "Invalid email action link type requested: %s", q.Type)
	}
	if u != nil {
		return u, nil, nil
	}
	if q.Type != "signup" && q.Type != "invite" {
		return nil, nil, fail(http.StatusNotFound, "user_not_found", "User with this email not found")
	}
	var hash string
	if q.Type == "signup" {
		if q.Password == "" {
			return nil, nil, fail(http.StatusBadRequest, "validation_failed", "Signup requires a valid password")
		}
		if hash, err = s.hashPassword(q.Password); err != nil {
			return nil, nil, err
		}
	}
	if u, draft, err = s.invited(r, q.Email, q.Data); draft != nil {
		draft.Password = hash
	}
	return u, draft, err
}

func (s *Server) storeLink(ctx context.Context, tx pgx.Tx, u *user, q linkRequest) (code, hash string, err error) {
	address, kind := u.Email, tokenTypeOf(q.Type)
	switch q.Type {
	case "email_change_current":
		kind = emailChangeCurrent
	case "email_change_new":
		address, kind = q.NewEmail, emailChangeNew
	}
	if code, hash, err = newCode(address); err != nil {
		return "", "", err
	}
	if err := s.storeCode(ctx, tx, u, kind, address, hash); err != nil {
		return "", "", err
	}
	if q.NewEmail == "" {
		return code, hash, s.noteSent(ctx, tx, u, q.Type)
	}
	if _, err := tx.Exec(ctx, userEmailChangeAskSQL, pgx.NamedArgs{"id": u.ID, "email": q.NewEmail, "now": s.now()}); err != nil {
		return "", "", fmt.Errorf("note the new address: %w", err)
	}
	return code, hash, nil
}
