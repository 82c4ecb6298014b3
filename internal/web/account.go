package web

import (
	"errors"
	"net/http"
	"time"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

// sessionList is what can be known of a person's sessions. The provider has no list
// of them for anybody but its administrators: the others can be ended, and not shown.
type sessionList struct {
	Sessions []listedSession `json:"sessions"`
	Complete bool            `json:"complete"`
}

type listedSession struct {
	ID         string    `json:"id"`
	Current    bool      `json:"current"`
	AAL        string    `json:"aal"`
	SignedInAt time.Time `json:"signedInAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

func (s *Web) listSessions(c *call) (any, error) {
	ss, err := c.session()
	if err != nil {
		return nil, err
	}
	return sessionList{Sessions: []listedSession{{
		ID: ss.ID, Current: true, AAL: ss.AAL, SignedInAt: ss.began.UTC(), ExpiresAt: s.end(ss).UTC(),
	}}}, nil
}

type emailInput struct {
	Email           string `json:"email"`
	CurrentPassword string `json:"currentPassword"`
}

func (in emailInput) check() []errs.Field {
	return append(checkEmail(in.Email), checkPassword("currentPassword", in.CurrentPassword)...)
}

// changeEmail asks for another address. Nothing changes until the links are opened
// that are mailed to both, and whether somebody has the new one shows nowhere.
func (s *Web) changeEmail(c *call, in emailInput) (outcome, error) {
	ss, err := c.proven(in.CurrentPassword)
	if err != nil {
		return outcome{}, err
	}
	email := normalEmail(in.Email)
	if err := s.mails.Try(c.w, c.r, "change "+ss.UserID.String()); err != nil {
		return outcome{}, err
	}
	return onItsWay, c.afterwards(&ss, func(provider *authclient.Client) error {
		return provider.ChangeEmail(email, s.ours(s.home))
	})
}

type passwordInput struct {
	CurrentPassword string `json:"currentPassword"`
	Password        string `json:"password"`
	Nonce           string `json:"nonce"` // of the mail after reauthenticate, if the provider asks for one
}

func (in passwordInput) check() []errs.Field {
	fields := append(checkPassword("currentPassword", in.CurrentPassword), checkNewPassword(in.Password)...)
	return append(fields, checkOptional("nonce", in.Nonce, noncePattern)...)
}

// changePassword sets another password, and the provider ends all other sessions. Who
// has none yet gets one with forgot.
func (s *Web) changePassword(c *call, in passwordInput) (outcome, error) {
	ss, err := c.proven(in.CurrentPassword)
	if err != nil {
		return outcome{}, err
	}
	err = c.endIfEnded(ss, c.as(ss).ChangePassword(in.Password, in.CurrentPassword, in.Nonce))
	return outcome{body: s.view(ss)}, explain(err)
}

// reauthenticate mails a code to the caller's own address.
func (s *Web) reauthenticate(c *call, _ nothing) (outcome, error) {
	_, err := c.ask(func(provider *authclient.Client, ss session) error {
		if err := s.mails.Try(c.w, c.r, "reauthenticate "+ss.UserID.String()); err != nil {
			return err
		}
		return provider.Reauthenticate()
	})
	return outcome{status: http.StatusAccepted, body: told{"A code is on its way to your address."}}, explain(err)
}

// proven is the caller's session if they know their password. The provider checks one
// only by signing in with it, so that is done, and that session ended at once.
func (c *call) proven(password string) (session, error) {
	ss, err := c.session()
	if err != nil {
		return ss, err
	}
	if err := c.signIns.Try(c.w, c.r, ss.Email); err != nil {
		return ss, err
	}
	proof, err := c.nobody().SignIn(ss.Email, password)
	if refused, ok := errors.AsType[*authclient.Refused](err); ok && refused.Status != http.StatusTooManyRequests {
		return ss, errs.New(errs.Forbidden, "password_wrong", "The current password is wrong.").Because(refused)
	}
	if err != nil {
		return ss, explain(err)
	}
	if err := c.provider.As(c.r.Context(), proof.AccessToken).SignOut("local"); err != nil {
		return ss, explain(err)
	}
	if proof.UserID != ss.UserID {
		return ss, errs.New(errs.Forbidden, "password_wrong", "The current password is wrong.")
	}
	return ss, nil
}
