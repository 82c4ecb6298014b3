package mail

import (
	"errors"
	"net/url"
	"regexp"
	"time"
)

// AuthLink is what a mail of the sign-in carries. Both open the account to whoever
// has them: they belong in no log.
type AuthLink struct {
	To   string
	Link string // to our own page that asks before it uses the token
	Code string // to type in instead; may be empty
}

// Confirm asks the one who has signed up whether the address is theirs.
func Confirm(locale string, l AuthLink) (Message, error) { return auth(locale, "confirm", l, nil) }

// Recover lets somebody choose another password.
func Recover(locale string, l AuthLink) (Message, error) { return auth(locale, "recover", l, nil) }

// Invite lets somebody in whom the operator has invited. A landlord's invite of a
// tenant is TenantInvite.
func Invite(locale string, l AuthLink) (Message, error) { return auth(locale, "invite", l, nil) }

// MagicLink signs somebody in without a password.
func MagicLink(locale string, l AuthLink) (Message, error) { return auth(locale, "magic_link", l, nil) }

// EmailChangeOld asks at the present address whether it shall become newEmail.
// Which hash goes into the link, the caller knows.
func EmailChangeOld(locale string, l AuthLink, newEmail string) (Message, error) {
	return auth(locale, "email_change_old", l, map[string]string{"NewEmail": address(newEmail)})
}

// EmailChangeNew asks at the coming address whether it is theirs.
func EmailChangeNew(locale string, l AuthLink) (Message, error) {
	return auth(locale, "email_change_new", l, nil)
}

// Reauthenticate carries a code alone, for an action that asks who is there.
func Reauthenticate(locale, to, code string) (Message, error) {
	if code == "" {
		return Message{}, errors.New("mail reauthenticate: there is no code")
	}
	return auth(locale, "reauthenticate", AuthLink{To: to, Code: code}, nil)
}

var authCode = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)

func auth(locale, kind string, l AuthLink, data map[string]string) (Message, error) {
	switch {
	case l.Link == "" && kind != "reauthenticate":
		return Message{}, errors.New("mail " + kind + ": there is no link")
	case !authCode.MatchString(l.Code):
		return Message{}, errors.New("mail " + kind + ": that is no code")
	}
	if data == nil {
		data = map[string]string{}
	}
	data["Site"] = site(l.Link)
	return render(locale, kind, l.To, l.Link, l.Code, data)
}

// Notice is something that happened to an account and that its owner should know
// in case it was not them.
type Notice string

// The notices, under the names by which Supabase Auth asks for them.
const (
	PasswordChanged     Notice = "password_changed_notification"
	EmailChanged        Notice = "email_changed_notification" // goes to the former address
	PhoneChanged        Notice = "phone_changed_notification"
	IdentityLinked      Notice = "identity_linked_notification"
	IdentityUnlinked    Notice = "identity_unlinked_notification"
	MFAFactorEnrolled   Notice = "mfa_factor_enrolled_notification"
	MFAFactorUnenrolled Notice = "mfa_factor_unenrolled_notification"
)

// Notices lists them all.
func Notices() []Notice {
	return []Notice{PasswordChanged, EmailChanged, PhoneChanged, IdentityLinked, IdentityUnlinked, MFAFactorEnrolled, MFAFactorUnenrolled}
}

// SecurityNotice tells somebody what happened to their account. The detail is the
// identity provider or the kind of factor, if the notice has one; link leads to
// where the account is looked after.
func SecurityNotice(locale string, kind Notice, to, detail, link string) (Message, error) {
	return render(locale, string(kind), to, link, "", map[string]string{"Detail": name(detail), "Site": site(link)})
}

// TenantInvitation is a landlord's invite of a tenant.
type TenantInvitation struct {
	To           string
	LandlordName string    // may be empty
	UnitLabel    string    // may be empty
	ExpiresAt    time.Time // shown in the zone it has
	Link         string    // holds the token, which opens the invite: it belongs in no log
	ReplyTo      string    // the landlord's address; may be empty
}

// TenantInvite invites a tenant. Answers go to the landlord, and so does the wish to
// be written to no more: to whom they write is the landlord's doing.
func TenantInvite(locale string, i TenantInvitation) (Message, error) {
	if i.Link == "" || i.ExpiresAt.IsZero() {
		return Message{}, errors.New("mail tenant_invite: there is no link, or no expiry")
	}
	m, err := render(locale, "tenant_invite", i.To, i.Link, "", map[string]string{
		"Landlord": name(i.LandlordName), "Unit": name(i.UnitLabel), "Expires": day(i.ExpiresAt), "Site": site(i.Link),
	})
	if err != nil {
		return m, err
	}
	if reply, err := ParseAddress(i.ReplyTo); err == nil { // else it goes without
		m.ReplyTo = reply
		m.Unsubscribe = "mailto:" + url.PathEscape(reply) + "?subject=" + url.PathEscape("Please do not write to me again")
	}
	return m, nil
}

// address shows one in a mail's text, if it is one.
func address(s string) string {
	parsed, err := ParseAddress(s)
	if err != nil {
		return ""
	}
	return parsed
}
