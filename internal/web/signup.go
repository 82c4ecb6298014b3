package web

import (
	"net/http"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

// told is the answer to whatever mails something, whether it does or not.
type told struct {
	Detail string `json:"detail"`
}

var onItsWay = outcome{
	status: http.StatusAccepted, to: "/auth/sent",
	body: told{"If that is possible with this address, a mail is on its way to it."},
}

type signUpInput struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	FullName string `json:"fullName"`
	Locale   string `json:"locale"`
	Invite   string `json:"invite"` // token of a landlord's invite, to which the mail's link then leads
	Next     string `json:"next"`   // path to which it leads otherwise
}

func (in signUpInput) check() []errs.Field {
	fields := append(checkEmail(in.Email), checkNewPassword(in.Password)...)
	fields = append(fields, checkName("fullName", in.FullName, 200)...)
	fields = append(fields, checkOptional("locale", in.Locale, localePattern)...)
	return append(fields, checkOptional("invite", in.Invite, invitePattern)...)
}

// signUp registers an address. Nobody is signed in by it, even if the provider would:
// the answer for an address that is known has to be the same.
func (s *Web) signUp(c *call, in signUpInput) (outcome, error) {
	if s.closed && in.Invite == "" {
		return outcome{}, errs.New(errs.Forbidden, "signups_closed", "Nobody can register at the moment but tenants with an invite.")
	}
	email := normalEmail(in.Email)
	if err := s.mails.Try(c.w, c.r, "sign-up "+email); err != nil {
		return outcome{}, err
	}
	next, err := c.next(in.Next)
	if err != nil {
		return outcome{}, err
	}
	data := map[string]any{}
	if in.FullName != "" {
		data["full_name"] = in.FullName
	}
	if in.Locale != "" {
		data["locale"] = in.Locale
	}
	if in.Invite != "" {
		data["signed_up_as"] = "TENANT"
		if s.closed { // then alone the hook that gates asks for it, and it lies about nowhere
			data["invite_token"] = in.Invite
		}
		next = invitePath(in.Invite)
	}
	return onItsWay, c.afterwards(nil, func(provider *authclient.Client) error {
		return provider.SignUp(email, in.Password, data, s.ours(next))
	})
}

// invitePath is where the app shows an invite, as in the invite's own mail: behind the
// #, the token gets into no log.
func invitePath(token string) string { return InvitePath + "#" + token }

// next is the path of ours that next names, home if it is empty.
func (c *call) next(next string) (string, error) {
	if next == "" {
		return c.home, nil
	}
	if path := c.ownPath(next); path != "" {
		return path, nil
	}
	return "", invalid(errs.Field{Pointer: "/next", Message: "must be a path of this site"})
}

type addressInput struct {
	Email string `json:"email"`
	Next  string `json:"next"`
}

func (in addressInput) check() []errs.Field { return checkEmail(in.Email) }

// forgot mails a link to set another password.
func (s *Web) forgot(c *call, in addressInput) (outcome, error) {
	return c.mail("forgot", in, func(provider *authclient.Client, email, to string) error { return provider.Recover(email, to) })
}

// magicLink mails a link to sign in with.
func (s *Web) magicLink(c *call, in addressInput) (outcome, error) {
	return c.mail("magic-link", in, func(provider *authclient.Client, email, to string) error { return provider.MagicLink(email, to) })
}

type resendInput struct {
	Email string `json:"email"`
	Type  string `json:"type"`
	Next  string `json:"next"`
}

func (in resendInput) check() []errs.Field {
	return append(checkEmail(in.Email), checkOneOf("type", in.Type, "signup", "email_change")...)
}

// resend mails once more what has not been answered.
func (s *Web) resend(c *call, in resendInput) (outcome, error) {
	return c.mail("resend", addressInput{in.Email, in.Next}, func(provider *authclient.Client, email, to string) error {
		return provider.Resend(in.Type, email, to)
	})
}

func (c *call) mail(what string, in addressInput, ask func(provider *authclient.Client, email, to string) error) (outcome, error) {
	email := normalEmail(in.Email)
	if err := c.mails.Try(c.w, c.r, what+" "+email); err != nil {
		return outcome{}, err
	}
	next, err := c.next(in.Next)
	if err != nil {
		return outcome{}, err
	}
	return onItsWay, c.afterwards(nil, func(provider *authclient.Client) error { return ask(provider, email, c.ours(next)) })
}
