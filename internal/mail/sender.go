package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/time/rate"
)

const (
	// maxConns bounds the connections to the server: one that answers slowly shall not
	// hold up all mail, and none gives a client more than a handful.
	maxConns = 4
	// maxIdle is how long a connection is kept for the next mail; servers drop theirs
	// after some minutes.
	maxIdle = 30 * time.Second
	// maxMails is how many go over one connection, below what servers end it after.
	maxMails = 100
)

// Config says where mail goes out.
type Config struct {
	// URL is smtp://user:password@host:587, which encrypts with STARTTLS, or
	// smtps://user:password@host:465, which is encrypted from the start. Without a port
	// it is these. The server's certificate is checked.
	//
	// With ?starttls=opportunistic a server without STARTTLS is sent to in the clear. So
	// is one on this machine by default, and there a password too.
	URL string
	// From is who mail comes from, "Rowhouse <no-reply@rowhouse.example>".
	From string
	// PerSecond is how many mails leave in a second on average; 0 for no limit. Each
	// process counts its own.
	PerSecond float64
	// Timeout bounds connecting, and then each mail; 0 means 30 s.
	Timeout time.Duration
	// RootCAs may sign the server's certificate; nil means those of this machine.
	RootCAs *x509.CertPool
}

// Sender sends mails over some connections that it keeps open for the next. It is
// safe for concurrent use.
type Sender struct {
	host    string
	options []gomail.Option
	smtps   bool
	tls     *tls.Config
	from    *netmail.Address
	domain  string // of from
	timeout time.Duration
	limit   *rate.Limiter
	slots   chan struct{}

	mu     sync.Mutex
	closed bool
	idle   []*connection
}

// connection is one dialogue with the server, in the hands of one Send at a time.
type connection struct {
	mails  *gomail.Client
	dialog *smtp.Client
	raw    net.Conn
	sent   int
	expiry *time.Timer // closes it while it idles
}

// Open reads cfg and connects to nothing yet: a server that is away is no reason
// not to start. The error does not quote the password.
func Open(cfg Config) (*Sender, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("SMTP_URL: want smtp://user:password@host:port or smtps://…") // the cause would quote it
	}
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil || !oneLine(from.Name) {
		return nil, errors.New("MAIL_FROM: want an address, or a name and an address in <>")
	}
	if from.Address, err = ParseAddress(from.Address); err != nil {
		return nil, fmt.Errorf("MAIL_FROM: %w", err)
	}
	if cfg.PerSecond < 0 || cfg.Timeout < 0 {
		return nil, errors.New("the rate and the timeout of mail must not be negative")
	}
	s := &Sender{
		host: u.Hostname(), from: from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:],
		smtps: u.Scheme == "smtps", timeout: cfg.Timeout, limit: rate.NewLimiter(rate.Inf, 0),
		tls:   &tls.Config{ServerName: u.Hostname(), RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		slots: make(chan struct{}, maxConns),
	}
	if s.timeout == 0 {
		s.timeout = 30 * time.Second
	}
	if cfg.PerSecond > 0 {
		s.limit = rate.NewLimiter(rate.Limit(cfg.PerSecond), max(1, int(cfg.PerSecond)))
	}
	if s.options, err = options(u); err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	s.options = append(s.options, gomail.WithTimeout(s.timeout), gomail.WithHELO(s.domain), gomail.WithTLSConfig(s.tls))
	_, err = gomail.NewClient(s.host, s.options...)
	return s, err
}

// options says how to reach the server and sign in there.
func options(u *url.URL) ([]gomail.Option, error) {
	port := map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	if port == "" {
		return nil, errors.New("want smtp:// or smtps://")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, errors.New("the port is none")
	}
	all := []gomail.Option{
		gomail.WithPort(number), gomail.WithoutSMTPUTF8(), // addresses are ASCII here
		gomail.WithoutNoop(), gomail.WithoutRset(), // each a round trip that tells nothing which the next command does not
	}
	here := loopback(u.Hostname())
	clear := here
	switch starttls := u.Query().Get("starttls"); {
	case u.Scheme == "smtps" && starttls != "":
		return nil, errors.New("?starttls= does not go with smtps://")
	case u.Scheme == "smtps":
		// dial has encrypted it: there is no STARTTLS to find
		return withLogin(all, u, gomail.TLSOpportunistic, false)
	case starttls == "required":
		clear = false
	case starttls == "opportunistic":
		clear = true
	case starttls != "":
		return nil, errors.New("want ?starttls=required or ?starttls=opportunistic")
	}
	if clear && u.User != nil && !here {
		return nil, errors.New("a password may not go over a connection that need not be encrypted; leave out starttls=opportunistic")
	}
	policy := gomail.TLSMandatory
	if clear {
		policy = gomail.TLSOpportunistic
	}
	return withLogin(all, u, policy, clear)
}

// withLogin signs in if u has a login, with a password in the clear if the
// connection may be, which is then one on this machine.
func withLogin(all []gomail.Option, u *url.URL, policy gomail.TLSPolicy, clear bool) ([]gomail.Option, error) {
	all = append(all, gomail.WithTLSPolicy(policy))
	password, ok := u.User.Password()
	switch {
	case u.User == nil:
		return all, nil
	case !ok || u.User.Username() == "":
		return nil, errors.New("a user without a password, or the other way round")
	}
	auth := gomail.SMTPAuthAutoDiscover
	if clear {
		auth = gomail.SMTPAuthPlain
	}
	return append(all, gomail.WithSMTPAuth(auth), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password)), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Send hands the mail to the server, and waits its turn before that. When it
// returns nil, the server has taken the mail over. Any error is an *Error; after
// one that is not for good, the server may have taken it all the same.
func (s *Sender) Send(ctx context.Context, m Message) error {
	m, err := m.checked()
	if err != nil {
		return err
	}
	letter := s.compose(m)
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return failure(ctx, ctx.Err())
	}
	if err := s.limit.Wait(ctx); err != nil {
		return &Error{Reason: "Many mails are on their way at the moment, and this one has to wait.", Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	c, reused, err := s.connect(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	err = s.over(ctx, c, letter)
	if reused && gone(err) && ctx.Err() == nil {
		// the server has dropped it meanwhile, and has heard nothing of this mail
		if c, err = s.dial(ctx); err == nil {
			err = s.over(ctx, c, letter)
		}
	}
	if err != nil {
		return failure(ctx, err)
	}
	return nil
}

// gone tells that the connection had ended before the mail was spoken of.
func gone(err error) bool {
	send, ok := errors.AsType[*gomail.SendError](err)
	return ok && (send.Reason == gomail.ErrConnCheck || send.Reason == gomail.ErrSMTPMailFrom && (send.ErrorCode() == 0 || send.ErrorCode() == 421))
}

func (s *Sender) compose(m Message) *gomail.Msg {
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	letter.FromMailAddress(s.from)
	letter.ToMailAddress(&netmail.Address{Address: m.To})
	if m.ReplyTo != "" {
		letter.ReplyToMailAddress(&netmail.Address{Address: m.ReplyTo})
	}
	letter.Subject(m.Subject)
	letter.SetDate()
	id := m.MessageID
	if id == "" {
		id = rand.Text()
	}
	letter.SetMessageIDWithValue(id + "@" + s.domain)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: away notices are not sent to it
	if m.Unsubscribe != "" {
		letter.SetGenHeaderPreformatted(gomail.HeaderListUnsubscribe, "<"+m.Unsubscribe+">")
	}
	letter.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		letter.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return letter
}

// over sends letter over c, and keeps c for the next if it may be used again.
func (s *Sender) over(ctx context.Context, c *connection, letter *gomail.Msg) error {
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	err := c.mails.SendWithSMTPClient(c.dialog, letter)
	if !stop() {
		return errors.Join(ctx.Err(), err) // closed under way; a mail that was taken before may be sent twice
	}
	send, refused := errors.AsType[*gomail.SendError](err)
	if err != nil && (!refused || send.Reason != gomail.ErrSMTPRcptTo || send.ErrorCode() < 450) {
		_ = c.raw.Close()
		return err
	}
	c.sent++ // it took this mail or refused this recipient, and goes on
	s.keep(c)
	return err
}

// connect takes a connection that idles, or opens one.
func (s *Sender) connect(ctx context.Context) (c *connection, reused bool, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false, errors.New("the sender is closed")
	}
	for len(s.idle) > 0 {
		c := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if c.expiry.Stop() {
			s.mu.Unlock()
			return c, true, nil
		}
	}
	s.mu.Unlock()
	c, err = s.dial(ctx)
	return c, false, err
}

func (s *Sender) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c := &connection{}
	stop := func() bool { return true }
	// The library does not end a dialogue with the context; the connection under it does.
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.raw = raw
		stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
		if !s.smtps {
			return raw, nil
		}
		encrypted := tls.Client(raw, s.tls)
		return encrypted, encrypted.HandshakeContext(ctx)
	}
	var err error
	if c.mails, err = gomail.NewClient(s.host, append(slices.Clone(s.options), gomail.WithDialContextFunc(dial))...); err != nil {
		return nil, err
	}
	c.dialog, err = c.mails.DialToSMTPClientWithContext(ctx)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil && c.raw != nil {
		_ = c.raw.Close()
	}
	return c, err
}

// keep leaves c open for the next mail for a while.
func (s *Sender) keep(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || c.sent >= maxMails {
		go c.quit()
		return
	}
	c.expiry = time.AfterFunc(maxIdle, func() {
		s.mu.Lock()
		s.idle = slices.DeleteFunc(s.idle, func(other *connection) bool { return other == c })
		s.mu.Unlock()
		c.quit()
	})
	s.idle = append(s.idle, c)
}

// quit takes leave of the server, which may take no longer than a moment.
func (c *connection) quit() {
	_ = c.raw.SetDeadline(time.Now().Add(time.Second))
	_ = c.dialog.Quit()
	_ = c.raw.Close()
}

// Close ends the connections that idle. Mails under way go on; Send fails from now.
func (s *Sender) Close() {
	s.mu.Lock()
	s.closed = true
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		if c.expiry.Stop() {
			c.quit()
		}
	}
}
