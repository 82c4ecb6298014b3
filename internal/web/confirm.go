package web

import (
	"errors"
	"net/url"
	"time"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

type confirmInput struct {
	TokenHash string `json:"tokenHash"`
	Type      string `json:"type"`
	Next      string `json:"next"`
}

func (in confirmInput) check() []errs.Field {
	return append(checkPattern("tokenHash", in.TokenHash, hashPattern),
		checkOneOf("type", in.Type, "signup", "invite", "recovery", "magiclink", "email_change")...)
}

var errLink = errs.New(errs.Invalid, "link_invalid", "This link has been used already or is too old. Ask for a new one.")

// half is the answer when one of two addresses has confirmed that they change.
type half struct {
	Detail string `json:"detail"`
}

// confirm uses up a mailed link, and signs in whom it was mailed to. Mail scanners
// open links, so the link itself only shows a page whose button leads here.
func (s *Web) confirm(c *call, in confirmInput) (outcome, error) {
	next := s.pathOr(in.Next) // it stood in a mail: who has it cannot mend it
	tokens, err := c.nobody().Verify(in.Type, in.TokenHash)
	if errors.Is(err, authclient.ErrHalf) {
		return outcome{to: "/auth/half", body: half{"Now open the link in the mail to the other address."}}, nil
	}
	if refused, ok := errors.AsType[*authclient.Refused](err); ok && refused.Code != "over_request_rate_limit" {
		return outcome{}, errLink.Because(refused)
	}
	if err != nil {
		return outcome{}, explain(err)
	}
	sets := in.Type == "recovery" || in.Type == "invite" // neither has a password to go on with
	if sets {
		next = "/auth/reset?" + url.Values{"next": {next}}.Encode()
	}
	return c.signedIn(tokens, next, sets)
}

type resetInput struct {
	Password string `json:"password"`
	Next     string `json:"next"`
}

func (in resetInput) check() []errs.Field { return checkNewPassword(in.Password) }

// reset sets a password without the old one, in a session that a link has opened just
// now. The provider ends all other sessions.
func (s *Web) reset(c *call, in resetInput) (outcome, error) {
	next, err := c.next(in.Next)
	if err != nil {
		return outcome{}, err
	}
	ss, err := c.ask(func(provider *authclient.Client, ss session) error {
		if !s.now().Before(ss.resetUntil) {
			return errs.New(errs.Forbidden, "recovery_required", "Ask for a link to set another password first.")
		}
		return provider.ChangePassword(in.Password, "", "")
	})
	if err != nil {
		return outcome{}, explain(err)
	}
	ss.resetUntil = time.Time{}
	if err := s.keep(c.w, c.r, ss); err != nil {
		return outcome{}, err
	}
	view := s.view(ss)
	view.Next = next
	return outcome{body: view, to: next}, nil
}
