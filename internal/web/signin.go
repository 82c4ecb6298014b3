package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

// sessionView is what a browser may know of its session.
type sessionView struct {
	UserID       uuid.UUID `json:"userId"`
	Email        string    `json:"email"`
	AAL          string    `json:"aal"`
	SecondFactor bool      `json:"secondFactor"` // a code of it makes the session aal2
	SignedInAt   time.Time `json:"signedInAt"`
	ExpiresAt    time.Time `json:"expiresAt"` // if it is not used until then
	Next         string    `json:"next,omitempty"`
}

func (s *Web) view(ss session) sessionView {
	return sessionView{
		UserID: ss.UserID, Email: ss.Email, AAL: ss.AAL, SecondFactor: ss.SecondFactor,
		SignedInAt: ss.began.UTC(), ExpiresAt: s.end(ss).UTC(),
	}
}

type signInInput struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Next     string `json:"next"`
}

func (in signInInput) check() []errs.Field {
	return append(checkEmail(in.Email), checkPassword("password", in.Password)...)
}

var errCredentials = errs.New(errs.Unauthenticated, "invalid_credentials", "The address or the password is wrong.")

func (s *Web) signIn(c *call, in signInInput) (outcome, error) {
	email := normalEmail(in.Email)
	if err := s.signIns.Try(c.w, c.r, email); err != nil {
		return outcome{}, err
	}
	next, err := c.next(in.Next)
	if err != nil {
		return outcome{}, err
	}
	tokens, err := c.nobody().SignIn(email, in.Password)
	if err != nil {
		return outcome{}, explainSignIn(err)
	}
	return c.signedIn(tokens, next, false)
}

// explainSignIn tells nobody which part was wrong. That the address is not confirmed
// the provider says to those alone who know the password.
func explainSignIn(err error) error {
	refused, ok := errors.AsType[*authclient.Refused](err)
	switch {
	case !ok:
		return err
	case refused.Code == "email_not_confirmed":
		return errs.New(errs.Forbidden, "email_not_confirmed", "Confirm your address first, with the link in the mail that was sent to it.")
	case refused.Status == http.StatusTooManyRequests:
		return explain(err)
	}
	return errCredentials.Because(refused)
}

func (c *call) signedIn(tokens authclient.Session, next string, mayReset bool) (outcome, error) {
	ss, err := c.open(c.w, c.r, tokens, mayReset)
	if err != nil {
		return outcome{}, err
	}
	view := c.view(ss)
	view.Next = next
	return outcome{body: view, to: next}, nil
}

type signOutInput struct {
	Scope string `json:"scope"`
}

func (in signOutInput) check() []errs.Field {
	if in.Scope == "" {
		return nil
	}
	return checkOneOf("scope", in.Scope, "local", "all", "others")
}

// signOut ends this session, all of the person's, or all but this. Whatever the
// provider says, the browser has no session afterwards (but for "others"), and this
// process lets its tokens do nothing more.
func (s *Web) signOut(c *call, in signOutInput) (outcome, error) {
	done := outcome{to: "/auth/sign-in"}
	ss, err := c.session()
	if in.Scope == "others" {
		if err == nil {
			err = c.endIfEnded(ss, c.as(ss).SignOut("others"))
		}
		return outcome{to: s.home}, explain(err)
	}
	s.sessions.Clear(c.w, c.r)
	if errors.Is(err, errNoSession) || errors.Is(err, errEnded) {
		return done, nil
	}
	if err == nil {
		s.memory.end(ss.ID)
		scope := "local"
		if in.Scope == "all" {
			scope = "global"
		}
		err = c.as(ss).SignOut(scope)
		if isEnded(err) {
			return done, nil
		}
	}
	if err != nil {
		e := errs.New(errs.Unavailable, "auth_unavailable", "You are signed out in this browser. The sign-in service did not hear of it: to be sure, sign in and out again later.").Because(err)
		e.RetryAfter = 5 * time.Second
		return done, e
	}
	return done, nil
}

func (s *Web) showSession(c *call) (any, error) {
	ss, err := c.session()
	if err != nil {
		return nil, err
	}
	return s.view(ss), nil
}

// refresh gets new tokens though the old ones hold, for what has changed in them.
func (s *Web) refresh(c *call, _ nothing) (outcome, error) {
	ss, err := c.session()
	if err != nil {
		return outcome{}, err
	}
	return c.renewed(ss)
}

func (c *call) renewed(ss session) (outcome, error) {
	next, err := c.renew(c.r.Context(), ss)
	if errors.Is(err, errEnded) {
		c.sessions.Clear(c.w, c.r)
	}
	if err != nil {
		return outcome{}, err
	}
	if err := c.keep(c.w, c.r, next); err != nil {
		return outcome{}, err
	}
	return outcome{body: c.view(next)}, nil
}
