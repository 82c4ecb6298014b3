package authhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"rowhouse/internal/auth"
	"rowhouse/internal/mail"
)

type emailPayload struct {
	Metadata metadata  `json:"metadata"`
	User     user      `json:"user"`
	Data     emailData `json:"email_data"`
}

func (p emailPayload) about() metadata { return p.Metadata }

// emailData is what a mail is made of. The tokens and hashes sign their holder in.
type emailData struct {
	Action       string `json:"email_action_type"`
	Token        string `json:"token"`
	TokenHash    string `json:"token_hash"`
	TokenNew     string `json:"token_new"`
	TokenHashNew string `json:"token_hash_new"`
	RedirectTo   string `json:"redirect_to"`
	OldEmail     string `json:"old_email"`
	Provider     string `json:"provider"`
	FactorType   string `json:"factor_type"`
}

// mails sends each mail once.
type mails struct {
	origin *url.URL // of the web app
	send   func(context.Context, mail.Message) error
	// sent are the Message-IDs of mails that have left, and sending those that are about
	// to: the provider calls again while the first call of the same is still at work.
	sent    *lru.Cache[string, struct{}]
	sending singleflight.Group
}

func newMails(origin *url.URL, send func(context.Context, mail.Message) error) (*mails, error) {
	sent, err := lru.New[string, struct{}](remembered)
	return &mails{origin: &url.URL{Scheme: origin.Scheme, Host: origin.Host}, send: send, sent: sent}, err
}

// sendEmail sends what the provider wants sent, in our words and with links to the web
// app, whose page asks before it uses a token: scanners of mail open links.
//
// A mail that cannot go now has the provider call again. One that never can is refused
// to whoever asked for it, but not where that would tell who has an account. A notice
// never fails: what it tells of would be undone. Nor does a kind of mail that is not
// known here.
func (h *hooks) sendEmail(ctx context.Context, p emailPayload) (any, error) {
	notice := slices.Contains(mail.Notices(), mail.Notice(p.Data.Action))
	asksForAccount := p.Data.Action == "recovery" || p.Data.Action == "magiclink"
	letters, err := h.mails.write(p)
	if errors.Is(err, errUnknownMail) {
		slog.ErrorContext(ctx, "a kind of mail is not known, and was not sent", "kind", fmt.Sprintf("%.40q", p.Data.Action))
		return struct{}{}, nil
	}
	for _, letter := range letters {
		if err == nil {
			err = h.mails.once(ctx, letter)
		}
	}
	if err == nil {
		return struct{}{}, nil
	}
	ctx = auth.With(ctx, auth.Identity{UserID: p.User.ID})
	// why is in the kind of failure; the rest of it may quote the address
	slog.WarnContext(ctx, "a mail was not sent", "kind", p.Data.Action, "reason", mail.Reason(err), "permanent", mail.IsPermanent(err))
	switch {
	case notice, mail.IsPermanent(err) && asksForAccount:
		return struct{}{}, nil
	case mail.IsPermanent(err):
		return nil, &refusal{Status: http.StatusUnprocessableEntity, Message: mail.Reason(err)}
	case errors.Is(err, errUnwritable):
		return nil, err
	}
	return nil, errLater{errors.New("a mail was not sent")}
}

var (
	errUnknownMail = errors.New("unknown kind of mail")
	errUnwritable  = errors.New("a mail could not be written")
)

// write returns the mails of p, with a Message-ID each that is the same in every
// attempt.
func (m *mails) write(p emailPayload) ([]mail.Message, error) {
	u, d := p.User, p.Data
	locale := readHints(u.Metadata).locale
	link := mail.AuthLink{To: u.Email, Code: d.Token, Link: m.link(d, d.TokenHash)}
	var letters []mail.Message
	var failed error
	add := func(letter mail.Message, err error) {
		letter.MessageID = fmt.Sprintf("auth.%s.%d", p.Metadata.UUID, len(letters))
		letters, failed = append(letters, letter), errors.Join(failed, err)
	}
	switch d.Action {
	case "signup":
		add(mail.Confirm(locale, link))
	case "recovery":
		add(mail.Recover(locale, link))
	case "invite":
		add(mail.Invite(locale, link))
	case "magiclink":
		add(mail.MagicLink(locale, link))
	case "reauthentication":
		add(mail.Reauthenticate(locale, u.Email, d.Token))
	case "email_change":
		// The names are swapped: token_hash is for the new address, token_hash_new for the
		// present one, and token for the latter if both are asked. If only the new one is,
		// token is its.
		link.To = u.NewEmail
		if u.Email != "" && d.TokenHashNew != "" {
			add(mail.EmailChangeOld(locale, mail.AuthLink{To: u.Email, Code: d.Token, Link: m.link(d, d.TokenHashNew)}, u.NewEmail))
			link.Code = d.TokenNew
		}
		add(mail.EmailChangeNew(locale, link))
	default:
		kind := mail.Notice(d.Action)
		if !slices.Contains(mail.Notices(), kind) {
			return nil, errUnknownMail
		}
		to := u.Email
		if kind == mail.EmailChanged && d.OldEmail != "" {
			to = d.OldEmail // who had the address before should hear of it
		}
		add(mail.SecurityNotice(locale, kind, to, d.Provider+d.FactorType, m.origin.String())) // it has one of the two
	}
	if failed != nil {
		return nil, errors.Join(errUnwritable, failed)
	}
	return letters, nil
}

// link leads to the web app's page for a token, and on from there to where the provider
// was told to, if that is in the web app as well.
func (m *mails) link(d emailData, hash string) string {
	if hash == "" {
		return ""
	}
	query := url.Values{"token_hash": {hash}, "type": {d.Action}}
	to, err := url.Parse(d.RedirectTo)
	if err == nil && to.Scheme == m.origin.Scheme && strings.EqualFold(to.Host, m.origin.Host) && to.User == nil {
		query.Set("redirect_to", d.RedirectTo)
	}
	page := *m.origin
	page.Path, page.RawQuery = "/auth/confirm", query.Encode()
	return page.String()
}

// once sends letter unless it has left already. The provider may go away meanwhile: it
// takes the sending for failed then, and calls again.
func (m *mails) once(ctx context.Context, letter mail.Message) error {
	_, err, _ := m.sending.Do(letter.MessageID, func() (any, error) {
		if m.sent.Contains(letter.MessageID) {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailTime)
		defer cancel()
		if err := m.send(ctx, letter); err != nil {
			return nil, err
		}
		m.sent.Add(letter.MessageID, struct{}{})
		return nil, nil
	})
	return err
}
