// Package invitemail mails tenants' invites, and hears of the mails that come back.
//
// The job has the id of a mail; what goes into it is read as the landlord whose
// invite it is, and the token is computed. What became of the mail is written to the
// invite: SENT when the mail server has taken it, FAILED when it will not be sent,
// BOUNCED when it came back. Between the sending and its being written the process
// may end: then the same mail goes out again, under the same Message-ID.
package invitemail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/jobs"
	"rowhouse/internal/mail"
	"rowhouse/internal/query"
)

const (
	// timeout bounds one mail, with its waiting for the provider's rate.
	timeout = 90 * time.Second
	// firstWait doubles, up to maxWait, while it can't be written that a mail has left.
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// Config is what a Mailer needs, all of it.
type Config struct {
	DB        *db.DB // as rowhouse_worker
	Mail      *mail.Sender
	Keys      invitetoken.Keyring
	PublicURL string // of the web app, whose page /invite takes the token after a #
}

// Mailer mails invites.
type Mailer struct{ c Config }

// New returns a mailer.
func New(c Config) *Mailer { return &Mailer{c} }

// Kind is its kind of job.
func (m *Mailer) Kind() jobs.Kind {
	return jobs.Kind{Name: "invite_mail", Timeout: timeout, Work: m.work, GaveUp: m.gaveUp}
}

func (m *Mailer) work(ctx context.Context, job jobs.Job) error {
	var invite query.InviteMailRow
	err := m.c.DB.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		invite, err = query.New().InviteMail(ctx, tx, job.ID)
		return err
	})
	switch {
	case err != nil && errs.KindOf(err) == errs.NotFound:
		return nil // it was renewed, and another mail goes
	case err != nil:
		return fmt.Errorf("read the invite: %w", err)
	case !invite.Due:
		return nil
	}
	message, err := m.compose(job, invite)
	if err != nil {
		return err
	}
	if err := m.c.Mail.Send(ctx, message); mail.IsPermanent(err) {
		return jobs.Stop(err)
	} else if err != nil {
		return errors.Join(err, m.note(ctx, job, mail.Reason(err), false))
	}
	if err := m.sent(ctx, job); err != nil {
		return fmt.Errorf("the mail was sent, and that could not be written: %w", err)
	}
	return nil
}

// sent writes that a mail has left. While Postgres is away it tries again, for as long as
// the job may take: the mail would go twice otherwise.
func (m *Mailer) sent(ctx context.Context, job jobs.Job) error {
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := m.c.DB.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
			_, err := query.New().InviteMailSent(ctx, tx, job.ID)
			return err
		})
		if err == nil || errs.KindOf(err) != errs.Unavailable {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

func (m *Mailer) compose(job jobs.Job, invite query.InviteMailRow) (mail.Message, error) {
	key := orEmpty(invite.MailKey)
	token, err := m.c.Keys.Token(job.OwnerID, job.ID, key)
	if err != nil {
		return mail.Message{}, err
	}
	messageID, err := m.c.Keys.MessageID(job.OwnerID, job.ID, key)
	if err != nil {
		return mail.Message{}, err
	}
	message, err := mail.TenantInvite("", mail.TenantInvitation{ // what the invited person reads is not known
		To: invite.Email, LandlordName: orEmpty(invite.LandlordName), UnitLabel: orEmpty(invite.UnitLabel),
		ExpiresAt: invite.ExpiresAt, Link: m.c.PublicURL + "/invite#" + token, ReplyTo: orEmpty(invite.ReplyTo),
	})
	message.MessageID = messageID
	return message, err
}

// gaveUp says on the invite that the mail will not come, and why.
func (m *Mailer) gaveUp(ctx context.Context, job jobs.Job, err error) error {
	reason := "" // the one that is there stays
	if err != nil {
		reason = "The mail could not be sent."
		if sending, ok := errors.AsType[*mail.Error](err); ok {
			reason = sending.Reason
		}
	}
	return m.note(ctx, job, reason, true)
}

// note writes why a mail has not left.
func (m *Mailer) note(ctx context.Context, job jobs.Job, reason string, forGood bool) error {
	return m.c.DB.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		_, err := query.New().InviteMailFailed(ctx, tx, query.InviteMailFailedParams{MailID: job.ID, Reason: reason, ForGood: forGood})
		return err
	})
}

func orEmpty(s *string) string {
	return *cmp.Or(s, new(string))
}
