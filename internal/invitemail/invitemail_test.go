package invitemail_test

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/invitemail"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/jobs"
	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

// post is a database with a worker and a mail server.
type post struct {
	*dbtest.Database
	t       testing.TB
	catcher *mailcatcher.Catcher
	keys    invitetoken.Keyring
	work    func() // starts the worker
}

// setup is what of a post can be chosen.
type setup struct {
	database *dbtest.Database
	keys     invitetoken.Keyring // of the worker
	login    string              // to the mail server, "user:password@"
	timeout  time.Duration       // of the mail server
	listen   func(net.Listener) net.Listener
}

// open starts both, and prepare the mail server alone; judge may make the mail server misbehave.
func open(t testing.TB, judge func(context.Context, mailcatcher.Stage, string) error, set ...func(*setup)) *post {
	t.Helper()
	p := prepare(t, judge, set...)
	p.work()
	return p
}

func prepare(t testing.TB, judge func(context.Context, mailcatcher.Stage, string) error, set ...func(*setup)) *post {
	t.Helper()
	s := setup{keys: dbtest.InviteKeys(t), timeout: 5 * time.Second, listen: func(ln net.Listener) net.Listener { return ln }}
	for _, f := range set {
		f(&s)
	}
	if s.database == nil {
		s.database = dbtest.New(t)
	}
	catches := mailcatcher.Config{Judge: judge}
	if user, password, ok := strings.Cut(strings.TrimSuffix(s.login, "@"), ":"); ok {
		catches.Username, catches.Password = user, password
	}
	p := &post{Database: s.database, t: t, catcher: mailcatcher.New(catches), keys: dbtest.InviteKeys(t)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	sender, err := mail.Open(mail.Config{URL: "smtp://" + s.login + ln.Addr().String(), From: "no-reply@rowhouse.example", Timeout: s.timeout})
	require.NoError(t, err)
	cfg := invitemail.Config{
		DB: p.Open(t, db.Config{URL: p.URL("rowhouse_worker")}), Mail: sender, Keys: s.keys, PublicURL: "https://rowhouse.example",
	}
	runner, err := jobs.Open(context.Background(), jobs.Config{
		URL: p.URL("rowhouse_worker"), Kinds: []jobs.Kind{invitemail.New(cfg).Kind()},
		Poll: 10 * time.Millisecond, Bury: 50 * time.Millisecond, FirstRetry: time.Millisecond,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { require.NoError(t, p.catcher.Serve(ctx, s.listen(ln), nil)) })
	t.Cleanup(func() {
		sender.Close()
		stop()
		wg.Wait()
	})
	p.work = func() {
		work, stop := context.WithCancel(context.Background())
		worked := make(chan error, 1)
		go func() { worked <- runner.Run(work, 10*time.Second) }()
		t.Cleanup(func() {
			stop()
			require.NoError(t, <-worked)
		})
	}
	return p
}

// invite has l invite somebody, as the API does, and returns the id of the mail and
// its token.
func (p *post) invite(l dbtest.Landlord, address string) (uuid.UUID, string) {
	p.t.Helper()
	m := p.keys.Mint(l.UserID)
	require.NoError(p.t, p.AsLandlord(l.Context(p.t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(p.t.Context(), `with t as (
				insert into app.tenants (first_name, last_name, email) values ('T', 'T', $1) returning id, email)
			insert into app.tenant_invites (tenant_id, email, token_hash, expires_at, mail_id, mail_key, landlord_name, unit_label)
			select t.id, t.email, $2, now() + interval '14 days', $3, $4, 'Canal House Rentals', 'Flat 3' from t`, address, m.Hash, m.MailID, m.Key)
		return err
	}))
	token, err := p.keys.Token(l.UserID, m.MailID, m.Key)
	require.NoError(p.t, err)
	return m.MailID, token
}

func (p *post) messageID(landlord, mailID uuid.UUID) string {
	p.t.Helper()
	id, err := p.keys.MessageID(landlord, mailID, p.keys.Mint(landlord).Key)
	require.NoError(p.t, err)
	return id
}

type state struct {
	State, Error string
	SentAt       *time.Time
}

// becomes waits until a mail is in a state, and returns it.
func (p *post) becomes(mailID uuid.UUID, want string) state {
	p.t.Helper()
	return p.until(mailID, func(s state) bool { return s.State == want })
}

func (p *post) until(mailID uuid.UUID, ok func(state) bool) (s state) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		require.NoError(p.t, p.Admin.QueryRow(p.t.Context(), `select coalesce(mail_state, ''), coalesce(last_error, ''), sent_at
			from app.tenant_invites where mail_id = $1`, mailID).Scan(&s.State, &s.Error, &s.SentAt))
		if ok(s) {
			return s
		}
		require.True(p.t, time.Now().Before(deadline), "it stays %+v", s)
	}
}

func TestInviteIsMailed(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	ann := p.Landlord(t, "ann")
	id, token := p.invite(ann, "kim@example.com")
	m, err := p.catcher.Wait(t.Context(), func(mailcatcher.Mail) bool { return true })
	require.NoError(t, err)
	require.Equal(t, []string{"kim@example.com"}, m.To)
	require.Equal(t, "Canal House Rentals invites you: Flat 3", m.Subject)
	require.Equal(t, []string{"https://rowhouse.example/invite#" + token}, m.Links)
	require.Equal(t, "<ann@example.com>", m.Header("Reply-To"))
	require.Equal(t, "<"+p.messageID(ann.UserID, id)+"@rowhouse.example>", m.MessageID)
	s := p.becomes(id, "SENT")
	require.Empty(t, s.Error)
	require.NotNil(t, s.SentAt)

	var hash, kept string
	require.NoError(t, p.Admin.QueryRow(t.Context(), `select encode(token_hash, 'hex') from app.tenant_invites where mail_id = $1`, id).Scan(&hash))
	require.Equal(t, hex.EncodeToString(invitetoken.Hash(token)), hash, "the link opens the invite")
	require.NoError(t, p.Admin.QueryRow(t.Context(), `select string_agg(to_jsonb(j)::text, '') from river.river_job j`).Scan(&kept))
	require.NotContains(t, kept, token)
	require.NotContains(t, kept, "kim@")

	// the trail says that it was not the landlord's own doing
	var actor, kind string
	require.NoError(t, p.Admin.QueryRow(t.Context(), `select actor_kind, request_id from app.audit_log
		where table_name = 'tenant_invites' and action = 'update'`).Scan(&actor, &kind))
	require.Equal(t, "system", actor)
	require.True(t, strings.HasPrefix(kind, "job-"))
}

// TestFailures: what a landlord reads on the invite when a mail does not leave.
func TestFailures(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	p := prepare(t, func(_ context.Context, stage mailcatcher.Stage, address string) error {
		switch {
		case stage == mailcatcher.Recipient && address == "gone@example.com":
			return mailcatcher.Refuse(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
		case stage == mailcatcher.Recipient && address == "later@example.com" && tries.Add(1) < 3:
			return mailcatcher.Refuse(451, smtp.EnhancedCode{4, 7, 1}, "greylisted")
		case stage == mailcatcher.Recipient && address == "never@example.com":
			return mailcatcher.Refuse(421, smtp.EnhancedCode{4, 3, 2}, "busy")
		}
		return nil
	})
	ann := p.Landlord(t, "ann")
	gone, _ := p.invite(ann, "gone@example.com")
	odd, _ := p.invite(ann, "jörg@example.com")
	later, _ := p.invite(ann, "later@example.com")
	never, _ := p.invite(ann, "never@example.com")
	p.Exec(t, `update river.river_job set max_attempts = 3 where (args ->> 'id')::uuid = $1`, never)
	p.work()
	require.Equal(t, "There is no mailbox with this address.", p.becomes(gone, "FAILED").Error)
	require.Equal(t, "The part of the address before the @ has letters that most mail servers do not take.", p.becomes(odd, "FAILED").Error)
	require.Empty(t, p.becomes(later, "SENT").Error, "it left in the end")
	require.Equal(t, "The mail service does not take mail from us at the moment.", p.becomes(never, "FAILED").Error)
	require.Len(t, p.catcher.Mails(), 1)
}

// TestWaitingSaysWhy: while a mail waits to be tried again, the landlord sees why.
func TestWaitingSaysWhy(t *testing.T) {
	t.Parallel()
	var takes atomic.Bool
	p := open(t, func(_ context.Context, stage mailcatcher.Stage, _ string) error {
		if stage == mailcatcher.Recipient && !takes.Load() {
			return mailcatcher.Refuse(450, smtp.EnhancedCode{4, 2, 0}, "later")
		}
		return nil
	})
	id, _ := p.invite(p.Landlord(t, "ann"), "kim@example.com")
	p.until(id, func(s state) bool {
		return s.State == "QUEUED" && s.Error == "The recipient's mail server asks to try again later."
	})
	takes.Store(true)
	require.Empty(t, p.becomes(id, "SENT").Error)
}

// TestLostAnswer: when it is not known whether the mail was taken, it goes again under
// the same Message-ID.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	p := open(t, func(_ context.Context, stage mailcatcher.Stage, _ string) error {
		if stage == mailcatcher.Answer && lost.CompareAndSwap(false, true) {
			return mailcatcher.ErrDrop
		}
		return nil
	})
	id, _ := p.invite(p.Landlord(t, "ann"), "kim@example.com")
	p.becomes(id, "SENT")
	mails := p.catcher.Mails()
	require.Len(t, mails, 2)
	require.Equal(t, mails[0].MessageID, mails[1].MessageID)
	require.Equal(t, mails[0].Text, mails[1].Text)
}

// TestObsolete: nothing is mailed of an invite that was renewed, revoked, claimed or
// removed before its mail's turn came.
func TestObsolete(t *testing.T) {
	t.Parallel()
	p := prepare(t, nil)
	ann := p.Landlord(t, "ann")
	for name, change := range map[string]string{
		"revoked": `update app.tenant_invites set revoked_at = now() where mail_id = $1`,
		"expired": `update app.tenant_invites set expires_at = now() where mail_id = $1`,
		"claimed": `update app.tenant_invites set claimed_at = now(), claimed_by_user_id = owner_user_id where mail_id = $1`,
		"renewed": `update app.tenant_invites set mail_id = gen_random_uuid() where mail_id = $1`, // past the landlord: no other mail
		"removed": `delete from app.tenant_invites where mail_id = $1`,
	} {
		id, _ := p.invite(ann, name+"@example.com")
		p.Exec(t, change, id)
	}
	last, _ := p.invite(ann, "kim@example.com")
	p.Exec(t, `update river.river_job set priority = 4 where (args ->> 'id')::uuid = $1`, last)
	p.work()
	p.becomes(last, "SENT")
	mails := p.catcher.Mails()
	require.Len(t, mails, 1)
	require.Equal(t, []string{"kim@example.com"}, mails[0].To)
}

// TestKeysRotate: a mail that waits with a key is sent as long as the key is known.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	rotated, err := invitetoken.ParseKeyring("later:" + "bGF0ZXItbGF0ZXItbGF0ZXItbGF0ZXItbGF0ZXItMzI=" + "," + dbtest.InviteKeysText)
	require.NoError(t, err)
	p := open(t, nil, func(s *setup) { s.keys = rotated })
	ann := p.Landlord(t, "ann")
	id, token := p.invite(ann, "kim@example.com") // with the old key
	p.becomes(id, "SENT")
	require.Equal(t, "https://rowhouse.example/invite#"+token, p.catcher.Mails()[0].Links[0])
	landlord, mailID, ok := rotated.ParseMessageID(p.catcher.Mails()[0].MessageID)
	require.True(t, ok)
	require.Equal(t, ann.UserID, landlord)
	require.Equal(t, id, mailID)
}
