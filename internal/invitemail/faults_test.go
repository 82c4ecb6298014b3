package invitemail_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/mailcatcher"
)

// door is a listener that hangs up on whoever comes while it is shut.
type door struct {
	net.Listener
	open *atomic.Bool
}

func (d door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil || d.open.Load() {
			return c, err
		}
		_ = c.Close()
	}
}

// attempts is how often the job of a mail was begun.
func (p *post) attempts(mailID uuid.UUID) (n int) {
	p.t.Helper()
	require.NoError(p.t, p.Admin.QueryRow(p.t.Context(), `select attempt from river.river_job where (args ->> 'id')::uuid = $1`, mailID).Scan(&n))
	return n
}

// TestServerMends: whatever the mail server does to all mails alike, an invite waits and
// says why, and leaves once when that is over.
func TestServerMends(t *testing.T) {
	t.Parallel()
	const us, silent, again = "The mail service does not take mail from us at the moment.", "The mail service does not answer at the moment.",
		"The recipient's mail server asks to try again later."
	const anHour = 9 // attempts, the first 15 s apart and each next twice as long
	refuse := func(code int, enhanced smtp.EnhancedCode) func(context.Context) error {
		return func(context.Context) error { return mailcatcher.Refuse(code, enhanced, "no") }
	}
	drop := func(context.Context) error { return mailcatcher.ErrDrop }
	for name, tt := range map[string]struct {
		stage    mailcatcher.Stage
		fault    func(context.Context) error
		reason   string
		attempts int
		set      func(*setup)
	}{
		"refuses our login":       {mailcatcher.Login, refuse(535, smtp.EnhancedCode{5, 7, 8}), us, 3, func(s *setup) { s.login = "rowhouse:secret@" }},
		"refuses our sender":      {mailcatcher.Sender, refuse(553, smtp.EnhancedCode{5, 7, 1}), us, 3, nil},
		"is closing":              {mailcatcher.Sender, refuse(421, smtp.EnhancedCode{4, 3, 2}), us, 3, nil},
		"is busy":                 {mailcatcher.Content, refuse(451, smtp.EnhancedCode{4, 3, 0}), again, 3, nil},
		"drops the recipient":     {mailcatcher.Recipient, drop, silent, 3, nil},
		"drops the mail half-way": {mailcatcher.Content, drop, silent, 3, nil},
		"never answers": {mailcatcher.Content, func(ctx context.Context) error {
			<-ctx.Done()
			return mailcatcher.ErrDrop
		}, silent, 3, func(s *setup) { s.timeout = 100 * time.Millisecond }},
		"is away for an hour": {"", nil, silent, anHour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mended := &atomic.Bool{}
			if tt.set == nil {
				tt.set = func(*setup) {}
			}
			p := open(t, func(ctx context.Context, stage mailcatcher.Stage, _ string) error {
				if stage == tt.stage && !mended.Load() {
					return tt.fault(ctx)
				}
				return nil
			}, tt.set, func(s *setup) {
				if tt.stage == "" {
					s.listen = func(ln net.Listener) net.Listener { return door{ln, mended} }
				}
			})
			ann := p.Landlord(t, "ann")
			id, _ := p.invite(ann, "kim@example.com")
			p.until(id, func(s state) bool {
				return s.State == "QUEUED" && s.Error == tt.reason && p.attempts(id) >= tt.attempts
			})
			require.Empty(t, p.catcher.Mails())
			mended.Store(true)
			require.Empty(t, p.becomes(id, "SENT").Error)
			mails := p.catcher.Mails()
			require.Len(t, mails, 1)
			require.Equal(t, "<"+p.messageID(ann.UserID, id)+"@rowhouse.example>", mails[0].MessageID)
		})
	}
}

// TestPostgresStopsAfterAMail: that a mail has left is written when Postgres is back, and
// the mail does not go a second time.
func TestPostgresStopsAfterAMail(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	taken, answer := make(chan struct{}, 10), make(chan struct{})
	p := open(t, func(ctx context.Context, stage mailcatcher.Stage, _ string) error {
		if stage == mailcatcher.Answer {
			taken <- struct{}{}
			select {
			case <-answer:
			case <-ctx.Done():
			}
		}
		return nil
	}, func(s *setup) { s.database = dbtest.NewOn(t, server) })
	id, _ := p.invite(p.Landlord(t, "ann"), "kim@example.com")
	<-taken
	server.Stop(t)
	close(answer)
	server.Start(t)
	p.Admin.Reset() // our own connections have died too
	p.becomes(id, "SENT")
	require.Len(t, p.catcher.Mails(), 1)
}
