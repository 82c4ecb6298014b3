// Package authhooks receives what Supabase Auth calls while somebody signs up or in.
//
// Its hooks are signed (Standard Webhooks), and its rules for answers are its own: a
// refusal is 200 with an error object, and every other status is an outage to whoever
// signs up. What the receivers do follows from when they are called:
//
//   - before-user-created comes before there is a user, with an id that it may not get,
//     and from anybody who knows an address: it allows or refuses, and writes nothing.
//   - after-user-created and custom-access-token keep the profile. The user is there or
//     will be, so failing here would only lock them out: it is logged and counted, and
//     their first request makes up for it (internal/accounts).
//   - send-email sends the mail, each once.
//   - user-changed is no hook but a webhook of the provider's database, with a secret of
//     its own. It tells of changes that no hook tells of.
//
// None of them does anything twice. A call that is sent again has the metadata.uuid and
// the user that it had: profiles are kept by user and time, mails by uuid. A verified
// call that comes again to the same process with its webhook-id is refused besides;
// the provider's own retries have another. Between processes only the former holds: a
// captured send-email call could be replayed within five minutes to each of them, and
// its mail would come once more, with the Message-ID it had.
//
// The provider waits for the answer within its own transaction, often on behalf of a
// request of ours. So nothing here waits long, and at most a few calls at a time use
// the database: whoever holds its other connections may be waiting for the provider.
package authhooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httprate"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/mail"
)

const (
	// defaultPatience is what a sign-in is worth: it does without.
	defaultPatience = 700 * time.Millisecond
	// databaseCalls is how many use it at a time, out of a pool of 16 by default.
	databaseCalls = 4
	// mailTime is how long a call waits for the mail server. The provider gives up after
	// five seconds.
	mailTime = 4 * time.Second
	// forgedPerMinute is how many forged calls a network may send before only small
	// ones of it are looked at.
	forgedPerMinute = 60
)

// Config is what New needs.
type Config struct {
	DB *db.DB
	// Secrets are those that the provider signs its hooks with, in the form that it has
	// them: v1,whsec_<base64>|…. Empty leaves the hooks out.
	Secrets string
	// WebhookSecret is what user-changed brings as a bearer token, at least 16 bytes;
	// several are divided by "|". Empty leaves it out.
	WebhookSecret string

	// SignupsClosed lets nobody sign up but with the invite of a landlord.
	SignupsClosed bool
	// DisposableAllowed lets people sign up with addresses that are made to be thrown away.
	DisposableAllowed bool

	// PublicURL is the origin of the web app, where links of mails lead. SendMail sends
	// one mail; its errors say if they are for good (mail.IsPermanent). Without it the
	// send-email hook is left out.
	PublicURL string
	SendMail  func(context.Context, mail.Message) error

	// Patience is how long a call waits for the database; 0 means 700 ms.
	Patience time.Duration
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

type hooks struct {
	db       *db.DB
	verifier *verifier
	secrets  [][]byte // digests of those of the webhook
	gate     gate
	mails    *mails
	forged   *httprate.RateLimiter
	turns    chan struct{} // held while the database is used
	patience time.Duration
	unkept   atomic.Int64 // profiles that were not kept since the start
	now      func() time.Time
}

// New returns the receivers, by name under the path where they are mounted. It
// refuses settings under which a call could be forged, or could not be answered.
func New(c Config) (http.Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	h := &hooks{
		db: c.DB, gate: gate{closed: c.SignupsClosed, disposable: c.DisposableAllowed},
		forged: httprate.NewRateLimiter(forgedPerMinute, time.Minute, httprate.WithResponseHeaders(httprate.ResponseHeaders{})),
		turns:  make(chan struct{}, databaseCalls), patience: c.Patience, now: c.Now,
	}
	if c.Secrets == "" && c.WebhookSecret == "" {
		return nil, errors.New("auth hooks: there is no secret")
	}
	r := chi.NewRouter()
	if c.Secrets != "" {
		if err := h.addHooks(r, c); err != nil {
			return nil, err
		}
	}
	if c.WebhookSecret != "" {
		var err error
		if h.secrets, err = webhookSecrets(c.WebhookSecret); err != nil {
			return nil, err
		}
		r.Post("/user-changed", h.userChanged)
	}
	return r, nil
}

func (h *hooks) addHooks(r chi.Router, c Config) (err error) {
	if h.verifier, err = newVerifier(c.Secrets, c.Now); err != nil {
		return err
	}
	r.Post("/before-user-created", receive(h, "before-user-created", h.beforeUserCreated))
	r.Post("/after-user-created", receive(h, "after-user-created", h.afterUserCreated))
	// which calls itself by another name than its setting
	r.Post("/custom-access-token", receive(h, "customize-access-token", h.customAccessToken))
	if c.SendMail == nil {
		return nil
	}
	origin, err := url.Parse(c.PublicURL)
	if err != nil || origin.Host == "" || (origin.Scheme != "https" && origin.Scheme != "http") ||
		(origin.Path != "" && origin.Path != "/") || origin.RawQuery != "" || origin.User != nil {
		return fmt.Errorf("auth hooks: the public URL %q, where links of mails lead, is not an http(s) origin", c.PublicURL)
	}
	h.mails, err = newMails(origin, c.SendMail)
	r.Post("/send-email", receive(h, "send-email", h.sendEmail))
	return err
}

var busy = &errs.Error{
	Kind: errs.Unavailable, Code: "busy", RetryAfter: time.Second,
	Message: "The database does not answer in time. Try again shortly.",
}

// within runs use, which uses the database, and waits for it as long as a call may.
// What takes longer goes on until it notices that its time is up.
func (h *hooks) within(ctx context.Context, use func(context.Context) error) error {
	// not cut short by a caller that went away: it may have been heard by half
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.patience)
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		cancel()
		return busy.Because(fmt.Errorf("wait for a turn at the database: %w", ctx.Err()))
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-h.turns }()
		defer cancel()
		done <- use(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		select {
		case err := <-done: // both at once
			return err
		default:
			return busy.Because(fmt.Errorf("wait for the database: %w", ctx.Err()))
		}
	}
}
