package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

// accepts counts the connections that a listener has taken.
type accepts struct {
	net.Listener
	n atomic.Int32
}

func (a *accepts) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err == nil {
		a.n.Add(1)
	}
	return c, err
}

func (a *accepts) addr() string { return a.Addr().String() }

// catch runs a catcher until the test ends.
func catch(t *testing.T, cfg mailcatcher.Config, wrap func(net.Listener) net.Listener) (*mailcatcher.Catcher, *accepts) {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln := &accepts{Listener: raw}
	var outer net.Listener = ln
	if wrap != nil {
		outer = wrap(ln)
	}
	c := mailcatcher.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, outer, nil) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return c, ln
}

func open(t *testing.T, cfg mail.Config) *mail.Sender {
	t.Helper()
	if cfg.From == "" {
		cfg.From = "Rowhouse <no-reply@rowhouse.example>"
	}
	s, err := mail.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func message() mail.Message {
	return mail.Message{
		To: "ada@example.com", Subject: "Tenancy of Zoë", Text: "Dear Ada\n.\nthe end", HTML: "<p>Dear Ada</p>",
		MessageID: "invite.1.2", ReplyTo: "office@example.com", Unsubscribe: "mailto:office@example.com?subject=No",
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	require.NoError(t, s.Send(t.Context(), message()))
	got, err := c.Wait(t.Context(), func(mailcatcher.Mail) bool { return true })
	require.NoError(t, err)
	require.Equal(t, "no-reply@rowhouse.example", got.From)
	require.Equal(t, []string{"ada@example.com"}, got.To)
	require.Equal(t, "Tenancy of Zoë", got.Subject)
	require.Equal(t, "<invite.1.2@rowhouse.example>", got.MessageID)
	require.Equal(t, "<ada@example.com>", got.Header("To"))
	require.Equal(t, `"Rowhouse" <no-reply@rowhouse.example>`, got.Header("From"))
	require.Equal(t, "<office@example.com>", got.Header("Reply-To"))
	require.Equal(t, "<mailto:office@example.com?subject=No>", got.Header("List-Unsubscribe"))
	require.Equal(t, "auto-generated", got.Header("Auto-Submitted"))
	require.Equal(t, "Dear Ada\n.\nthe end", got.Text)
	require.Equal(t, "<p>Dear Ada</p>", got.HTML)
	require.Empty(t, got.Header("User-Agent"))

	other := message()
	other.MessageID = ""
	require.NoError(t, s.Send(t.Context(), other))
	require.NoError(t, s.Send(t.Context(), other))
	mails := c.Mails()
	require.NotEqual(t, mails[1].MessageID, mails[2].MessageID, "made up, and another for each")
	require.EqualValues(t, 1, ln.n.Load(), "one connection for all three")
}

// TestTogether: whoever sends at the same time does not mix up mails, and opens no
// more than a handful of connections.
func TestTogether(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() { require.NoError(t, s.Send(t.Context(), message())) })
	}
	wg.Wait()
	require.Len(t, c.Mails(), 40)
	for _, m := range c.Mails() {
		require.Empty(t, m.Problem)
		require.Equal(t, "Dear Ada\n.\nthe end", m.Text)
	}
	require.LessOrEqual(t, ln.n.Load(), int32(4))
}

// TestDroppedWhileIdle: a connection that the server has ended meanwhile is not a
// mail that fails.
func TestDroppedWhileIdle(t *testing.T) {
	t.Parallel()
	var conns []net.Conn
	var mu sync.Mutex
	c, ln := catch(t, mailcatcher.Config{}, func(ln net.Listener) net.Listener {
		return taken{ln, func(c net.Conn) { mu.Lock(); defer mu.Unlock(); conns = append(conns, c) }}
	})
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	require.NoError(t, s.Send(t.Context(), message()))
	mu.Lock()
	require.Len(t, conns, 1)
	require.NoError(t, conns[0].Close())
	mu.Unlock()
	require.NoError(t, s.Send(t.Context(), message()))
	require.Len(t, c.Mails(), 2)
	require.EqualValues(t, 2, ln.n.Load())
}

type taken struct {
	net.Listener
	tell func(net.Conn)
}

func (l taken) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.tell(c)
	}
	return c, err
}

func at(stage mailcatcher.Stage, err error) func(context.Context, mailcatcher.Stage, string) error {
	return func(_ context.Context, s mailcatcher.Stage, _ string) error {
		if s == stage {
			return err
		}
		return nil
	}
}

// TestFailures: what each kind of failure is taken for, and what a landlord reads.
func TestFailures(t *testing.T) {
	t.Parallel()
	refuse := func(code int, enhanced smtp.EnhancedCode) error {
		return mailcatcher.Refuse(code, enhanced, "SECRET-TEXT <ada@example.com>")
	}
	const none, full, again, us, silent = "There is no mailbox with this address.", "The recipient's mailbox is full.",
		"The recipient's mail server asks to try again later.", "The mail service does not take mail from us at the moment.",
		"The mail service does not answer at the moment."
	for name, tt := range map[string]struct {
		judge     func(context.Context, mailcatcher.Stage, string) error
		permanent bool
		reason    string
	}{
		"no such mailbox":           {at(mailcatcher.Recipient, refuse(550, smtp.EnhancedCode{5, 1, 1})), true, none},
		"550 without more":          {at(mailcatcher.Recipient, refuse(550, smtp.NoEnhancedCode)), true, none},
		"mailbox full":              {at(mailcatcher.Recipient, refuse(552, smtp.EnhancedCode{5, 2, 2})), true, full},
		"blocked":                   {at(mailcatcher.Recipient, refuse(554, smtp.EnhancedCode{5, 7, 1})), true, "The recipient's mail server does not let mail of ours through."},
		"content refused":           {at(mailcatcher.Content, refuse(554, smtp.EnhancedCode{5, 6, 0})), true, "The recipient's mail server refused the mail."},
		"greylisted":                {at(mailcatcher.Recipient, refuse(450, smtp.EnhancedCode{4, 2, 0})), false, again},
		"busy after the mail":       {at(mailcatcher.Content, refuse(451, smtp.EnhancedCode{4, 3, 0})), false, again},
		"421":                       {at(mailcatcher.Recipient, refuse(421, smtp.EnhancedCode{4, 3, 2})), false, us},
		"421 to the sender":         {at(mailcatcher.Sender, refuse(421, smtp.EnhancedCode{4, 3, 2})), false, us},
		"our sender is refused":     {at(mailcatcher.Sender, refuse(553, smtp.EnhancedCode{5, 7, 1})), false, us},
		"sign in first":             {at(mailcatcher.Recipient, refuse(530, smtp.EnhancedCode{5, 7, 0})), false, us},
		"dropped at the sender":     {at(mailcatcher.Sender, mailcatcher.ErrDrop), false, silent},
		"dropped at the recipient":  {at(mailcatcher.Recipient, mailcatcher.ErrDrop), false, silent},
		"dropped after the mail":    {at(mailcatcher.Content, mailcatcher.ErrDrop), false, silent},
		"dropped before the answer": {at(mailcatcher.Answer, mailcatcher.ErrDrop), false, silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ln := catch(t, mailcatcher.Config{Judge: tt.judge}, nil)
			err := open(t, mail.Config{URL: "smtp://" + ln.addr()}).Send(t.Context(), message())
			require.Error(t, err)
			require.Equal(t, tt.permanent, mail.IsPermanent(err), err)
			require.Equal(t, tt.reason, mail.Reason(err), err)
			require.NotContains(t, mail.Reason(err), "SECRET-TEXT")
		})
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	err = open(t, mail.Config{URL: "smtp://" + ln.Addr().String()}).Send(t.Context(), message())
	require.Error(t, err)
	require.False(t, mail.IsPermanent(err))
}

// TestRefusedRecipientKeepsTheConnection: one bad address among many does not cost
// a connection each.
func TestRefusedRecipientKeepsTheConnection(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{Judge: func(_ context.Context, _ mailcatcher.Stage, address string) error {
		if address == "gone@example.com" {
			return mailcatcher.Refuse(550, smtp.EnhancedCode{5, 1, 1}, "no")
		}
		return nil
	}}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	gone := message()
	gone.To = "gone@example.com"
	require.True(t, mail.IsPermanent(s.Send(t.Context(), gone)))
	require.NoError(t, s.Send(t.Context(), message()))
	require.Len(t, c.Mails(), 1)
	require.EqualValues(t, 1, ln.n.Load())
}

// TestTarpit: a server that never answers costs the timeout at most, and a caller
// who gives up costs nothing more.
func TestTarpit(t *testing.T) {
	t.Parallel()
	for _, stage := range []mailcatcher.Stage{mailcatcher.Sender, mailcatcher.Recipient, mailcatcher.Content} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			stuck := make(chan struct{}, 2)
			_, ln := catch(t, mailcatcher.Config{Judge: func(ctx context.Context, s mailcatcher.Stage, _ string) error {
				if s == stage {
					stuck <- struct{}{}
					<-ctx.Done()
				}
				return nil
			}}, nil)
			err := open(t, mail.Config{URL: "smtp://" + ln.addr(), Timeout: 100 * time.Millisecond}).Send(t.Context(), message())
			require.Error(t, err)
			require.False(t, mail.IsPermanent(err))
			<-stuck

			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-stuck; cancel() }()
			err = open(t, mail.Config{URL: "smtp://" + ln.addr()}).Send(ctx, message())
			require.ErrorIs(t, err, context.Canceled)
			require.False(t, mail.IsPermanent(err))
		})
	}
	t.Run("no greeting", func(t *testing.T) {
		t.Parallel()
		ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections into its queue, and says nothing
		require.NoError(t, err)
		defer ln.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			c, err := ln.Accept()
			if err == nil {
				defer c.Close()
			}
			cancel()
			<-t.Context().Done()
		}()
		require.ErrorIs(t, open(t, mail.Config{URL: "smtp://" + ln.Addr().String()}).Send(ctx, message()), context.Canceled)
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{Username: "rowhouse", Password: "p@ss word"}, nil)
	require.NoError(t, open(t, mail.Config{URL: "smtp://rowhouse:p%40ss%20word@" + ln.addr()}).Send(t.Context(), message()))
	require.Len(t, c.Mails(), 1)

	for _, login := range []string{"rowhouse:wrong@", ""} {
		err := open(t, mail.Config{URL: "smtp://" + login + ln.addr()}).Send(t.Context(), message())
		require.Error(t, err)
		require.False(t, mail.IsPermanent(err), "the operator can mend it, and the mail waits")
		require.Equal(t, "The mail service does not take mail from us at the moment.", mail.Reason(err))
		require.NotContains(t, err.Error(), "wrong")
	}
}

// certificate is one for 127.0.0.1, and those who trust it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	server := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	login := mailcatcher.Config{Username: "rowhouse", Password: "secret", TLS: server}

	t.Run("STARTTLS", func(t *testing.T) {
		t.Parallel()
		c, ln := catch(t, login, nil)
		for _, query := range []string{"", "?starttls=required"} { // the catcher takes no password in the clear
			require.NoError(t, open(t, mail.Config{URL: "smtp://rowhouse:secret@" + ln.addr() + query, RootCAs: pool}).Send(t.Context(), message()))
		}
		require.Len(t, c.Mails(), 2)
		err := open(t, mail.Config{URL: "smtp://rowhouse:secret@" + ln.addr()}).Send(t.Context(), message())
		unknown, ok := errors.AsType[*tls.CertificateVerificationError](err)
		require.True(t, ok, "a certificate of nobody we trust: %v (%v)", err, unknown)
		require.Len(t, c.Mails(), 2)
	})
	t.Run("no STARTTLS where it is required", func(t *testing.T) {
		t.Parallel()
		c, ln := catch(t, mailcatcher.Config{}, nil)
		err := open(t, mail.Config{URL: "smtp://" + ln.addr() + "?starttls=required"}).Send(t.Context(), message())
		require.Error(t, err)
		require.False(t, mail.IsPermanent(err))
		require.Empty(t, c.Mails())
	})
	t.Run("smtps", func(t *testing.T) {
		t.Parallel()
		login := login
		login.TLS = nil
		c, ln := catch(t, login, func(ln net.Listener) net.Listener { return tls.NewListener(ln, server) })
		s := open(t, mail.Config{URL: "smtps://rowhouse:secret@" + ln.addr(), RootCAs: pool})
		require.NoError(t, s.Send(t.Context(), message()))
		require.NoError(t, s.Send(t.Context(), message()))
		require.Len(t, c.Mails(), 2)
		require.EqualValues(t, 1, ln.n.Load())
		require.Error(t, open(t, mail.Config{URL: "smtps://rowhouse:secret@" + ln.addr()}).Send(t.Context(), message()))
	})
}

// TestRate: who sends more than the provider takes waits, and may give up waiting.
func TestRate(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr(), PerSecond: 0.001})
	require.NoError(t, s.Send(t.Context(), message()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.Send(ctx, message()) // its turn would come in a quarter of an hour
	require.Error(t, err)
	require.False(t, mail.IsPermanent(err))
	require.Len(t, c.Mails(), 1)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const from = "no-reply@rowhouse.example"
	for _, cfg := range []mail.Config{
		{From: from},
		{URL: "smtp://", From: from},
		{URL: "http://mail.example.com", From: from},
		{URL: "smtp://mail.example.com/path", From: from},
		{URL: "smtp://mail.example.com:99999", From: from},
		{URL: "smtp://hunter2@mail.example.com", From: from},
		{URL: "smtp://user:hunter2@mail.example.com?starttls=opportunistic", From: from},
		{URL: "smtp://user:hunter2@mail.example.com?starttls=never", From: from},
		{URL: "smtps://user:hunter2@mail.example.com?starttls=required", From: from},
		{URL: "smtp://user:hunter2@mail.example.com:no", From: from},
		{URL: "smtp://mail.example.com"},
		{URL: "smtp://mail.example.com", From: "Rowhouse"},
		{URL: "smtp://mail.example.com", From: "a@example.com, b@example.com"},
		{URL: "smtp://mail.example.com", From: from, PerSecond: -1},
	} {
		_, err := mail.Open(cfg)
		require.Error(t, err, "%+v", cfg)
		require.NotContains(t, err.Error(), "hunter2")
	}
	s, err := mail.Open(mail.Config{URL: "smtp://mail.example.com", From: from})
	require.NoError(t, err)
	s.Close()
}

func TestClosed(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	require.NoError(t, s.Send(t.Context(), message()))
	s.Close()
	require.Error(t, s.Send(t.Context(), message()))
	require.Len(t, c.Mails(), 1)
}

// TestMalformed: what could add a header, a recipient or a part is refused before
// any server hears of it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	long := strings.Repeat("x", 300<<10)
	for name, change := range map[string]func(*mail.Message){
		"CRLF in the subject":      func(m *mail.Message) { m.Subject = "Hello\r\nBcc: eve@example.com" },
		"LF in the subject":        func(m *mail.Message) { m.Subject = "Hello\nBcc: eve@example.com" },
		"NUL in the subject":       func(m *mail.Message) { m.Subject = "Hello\x00" },
		"separator in the subject": func(m *mail.Message) { m.Subject = "Hello\u2028there" },
		"invalid UTF-8":            func(m *mail.Message) { m.Subject = "Hello\xff" },
		"no subject":               func(m *mail.Message) { m.Subject = "" },
		"a long subject":           func(m *mail.Message) { m.Subject = strings.Repeat("x", 201) },
		"CRLF in the address":      func(m *mail.Message) { m.To = "ada@example.com\r\nRCPT TO:<eve@example.com>" },
		"two addresses":            func(m *mail.Message) { m.To = "ada@example.com,eve@example.com" },
		"two reply addresses":      func(m *mail.Message) { m.ReplyTo = "ada@example.com, eve@example.com" },
		"CRLF in the reply":        func(m *mail.Message) { m.ReplyTo = "ada@example.com\r\nX: y" },
		"a name in the reply":      func(m *mail.Message) { m.ReplyTo = "Your Bank <eve@example.com>" },
		"CRLF in the id":           func(m *mail.Message) { m.MessageID = "a\r\nX: y" },
		"brackets in the id":       func(m *mail.Message) { m.MessageID = "a>,<b" },
		"a long id":                func(m *mail.Message) { m.MessageID = strings.Repeat("a", 129) },
		"CRLF to unsubscribe":      func(m *mail.Message) { m.Unsubscribe = "https://a.example/\r\nX: y" },
		"script to unsubscribe":    func(m *mail.Message) { m.Unsubscribe = "javascript:alert(1)" },
		"two to unsubscribe":       func(m *mail.Message) { m.Unsubscribe = "mailto:a@b.example>,<mailto:c@d.example" },
		"no text":                  func(m *mail.Message) { m.Text = "" },
		"a long text":              func(m *mail.Message) { m.Text = long },
		"a long HTML":              func(m *mail.Message) { m.HTML = long },
		"NUL in the text":          func(m *mail.Message) { m.Text = "a\x00b" },
	} {
		m := message()
		change(&m)
		err := s.Send(t.Context(), m)
		require.Error(t, err, name)
		require.True(t, mail.IsPermanent(err), name)
	}
	require.Empty(t, c.Mails())
	require.Zero(t, ln.n.Load())
}
