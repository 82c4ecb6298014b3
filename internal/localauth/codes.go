package localauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// recover mails a recovery code. The answer is the same for unknown addresses,
// but the mail interval binds existing ones only, as in the real service.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Email string `json:"email"`
		challenge
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.Email == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Password recovery requires an email")
	}
	email, err := normalEmail(q.Email)
	if err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	u, err := userByEmail(r.Context(), s.cfg.Pool, email, requestAudience(r))
	if err != nil {
		return err
	}
	if u != nil {
		if err := s.mailLink(r, u, "recovery", byRecovery, q.challenge); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// resend mails a code once more to who has not used it yet.
func (s *Server) resend(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Type  string `json:"type"`
		Email string `json:"email"`
		Phone string `json:"phone"`
		challenge
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	switch q.Type {
	case "signup", "email_change":
		if err := q.check(); err != nil {
			return err
		}
	case "sms", "phone_change":
	default:
		return fail(http.StatusBadRequest, "validation_failed", "Missing one of these types: signup, email_change, sms, phone_change")
	}
	switch {
	case q.Email == "" && q.Type == "signup":
		return fail(http.StatusBadRequest, "validation_failed", "Type provided requires an email address")
	case q.Phone != "":
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Phone logins are disabled")
	case q.Email == "":
		return fail(http.StatusBadRequest, "validation_failed", "Missing email address or phone number")
	}
	email, err := normalEmail(q.Email)
	if err != nil {
		return err
	}
	u, err := userByEmail(r.Context(), s.cfg.Pool, email, requestAudience(r))
	if err != nil {
		return err
	}
	switch {
	case u == nil:
	case q.Type == "signup" && !u.confirmed():
		err = s.mailLink(r, u, "signup", bySignup, q.challenge)
	case q.Type == "email_change" && u.NewEmail != "":
		err = s.mailEmailChange(r, u, u.NewEmail, q.challenge)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// mailLink begins a flow, if the request has a challenge, and mails its code.
func (s *Server) mailLink(r *http.Request, u *user, action, method string, c challenge) error {
	ctx := r.Context()
	return pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := s.beginFlow(ctx, tx, u, method, c); err != nil {
			return err
		}
		return s.sendCode(r, tx, u, action, c)
	})
}

func (s *Server) mailEmailChange(r *http.Request, u *user, email string, c challenge) error {
	return pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) error { return s.askEmailChange(r, tx, u, email, c) })
}

func (s *Server) askEmailChange(r *http.Request, tx pgx.Tx, u *user, email string, c challenge) error {
	if err := s.beginFlow(r.Context(), tx, u, byEmailChange, c); err != nil {
		return err
	}
	return s.sendEmailChange(r, tx, u, email, c)
}

type otpRequest struct {
	Email      string         `json:"email"`
	Phone      string         `json:"phone"`
	CreateUser bool           `json:"create_user"`
	Channel    string         `json:"channel"`
	Data       map[string]any `json:"data"`
	challenge
}

// otp mails a link and a code that sign in, to a new user too unless the request
// says otherwise.
func (s *Server) otp(w http.ResponseWriter, r *http.Request) error {
	q := otpRequest{CreateUser: true}
	if err := decode(r, &q); err != nil {
		return err
	}
	switch {
	case q.Email != "" && q.Phone != "":
		return fail(http.StatusBadRequest, "validation_failed", "Only an email address or phone number should be provided")
	case q.Email != "" && q.Channel != "":
		return fail(http.StatusBadRequest, "validation_failed", "Channel should only be specified with Phone OTP")
	}
	if err := q.check(); err != nil {
		return err
	}
	switch {
	case q.Phone != "":
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Unsupported phone provider")
	case q.Email == "":
		return fail(http.StatusBadRequest, "validation_failed", "One of email or phone must be set")
	}
	return s.mailMagicLink(w, r, q)
}

// magicLink is the older form of otp.
func (s *Server) magicLink(w http.ResponseWriter, r *http.Request) error {
	q := otpRequest{}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.Email == "" {
		return fail(http.StatusUnprocessableEntity, "validation_failed", "Password recovery requires an email")
	}
	if err := q.check(); err != nil {
		return err
	}
	q.CreateUser = true
	return s.mailMagicLink(w, r, q)
}

// mailMagicLink signs up whoever is not confirmed, with a password that nobody
// knows: the mail of a sign-up signs in just as well. Where sign-ups are
// confirmed at once there is none, and the link follows.
func (s *Server) mailMagicLink(w http.ResponseWriter, r *http.Request, q otpRequest) error {
	ctx := r.Context()
	disabled := fail(http.StatusUnprocessableEntity, "otp_disabled", "Signups not allowed for otp")
	email, err := normalEmail(q.Email)
	if err != nil && !q.CreateUser {
		return disabled.because(err) // what is no address has no user either
	}
	if err != nil {
		return err
	}
	u, err := userByEmail(ctx, s.cfg.Pool, email, requestAudience(r))
	if err != nil {
		return err
	}
	if u == nil && !q.CreateUser {
		return disabled
	}
	if u == nil || !u.confirmed() {
		if u, err = s.signupForLink(ctx, r, email, q); err != nil {
			return err
		}
	}
	if u != nil {
		if err := s.mailLink(r, u, "magiclink", byMagicLink, q.challenge); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// signupForLink returns the user if a link is still to be mailed.
func (s *Server) signupForLink(ctx context.Context, r *http.Request, email string, q otpRequest) (*user, error) {
	signup := signupRequest{Email: email, Password: rand.Text(), Data: q.Data, challenge: q.challenge}
	if err := signup.check(); err != nil {
		return nil, err
	}
	// The answer of the sign-up, headers included, is not for the caller.
	if _, err := s.register(http.Header{}, r, signup); err != nil {
		return nil, err
	}
	if !s.confirmsAtOnce(r) {
		return nil, nil
	}
	u, err := userByEmail(ctx, s.cfg.Pool, email, requestAudience(r))
	if err == nil && u == nil {
		err = fmt.Errorf("the user of a sign-up is gone")
	}
	return u, err
}
