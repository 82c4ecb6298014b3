// Package mailcatcher is a mail server that delivers nothing: it keeps the latest
// mails in memory and shows them on a page. It is for development and tests, so
// it serves loopback addresses only.
package mailcatcher

import (
	"cmp"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"
)

const (
	maxMail  = 1 << 20  // bytes of one
	maxBytes = 32 << 20 // of all that are kept
)

// Stage is a point of an SMTP dialogue at which Config.Judge is asked.
type Stage string

// The stages, in their order.
const (
	Login     Stage = "login"
	Sender    Stage = "sender"
	Recipient Stage = "recipient"
	Content   Stage = "content" // the mail has been read, and is not kept yet
	Answer    Stage = "answer"  // the mail is kept, and the client does not know
)

// ErrDrop is returned by Config.Judge. It ends the connection without a word.
var ErrDrop = errors.New("drop the connection")

// Config says how a Catcher behaves. All of it may be left out.
type Config struct {
	MaxMails int // how many are kept at most; 0 means 500

	// Judge may refuse, by an error of Refuse or by ErrDrop, and may take its time
	// until ctx ends, which it does when the catcher stops. It is told the address of
	// a sender or recipient, and nothing at the other stages.
	Judge func(ctx context.Context, stage Stage, address string) error

	Username, Password string      // if set, a client must sign in
	TLS                *tls.Config // if set, STARTTLS is offered
}

// Refuse is an answer to a client, for example 550, "5.1.1" and a text.
func Refuse(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// Catcher keeps what it is sent. It is safe for concurrent use.
type Catcher struct {
	cfg Config

	mu      sync.Mutex
	mails   []Mail // oldest first
	bytes   int
	lastID  int
	arrived chan struct{} // closed when there is another mail, and made anew
}

// New returns a catcher that serves nothing yet.
func New(cfg Config) *Catcher {
	cfg.MaxMails = cmp.Or(cfg.MaxMails, 500)
	return &Catcher{cfg: cfg, arrived: make(chan struct{})}
}

// Serve takes mails on the one listener and shows them on the other, which may be
// nil, until ctx ends. It closes both, and refuses one that is not on loopback.
func (c *Catcher) Serve(ctx context.Context, mails, page net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, ln := range []net.Listener{mails, page} {
		if ln == nil {
			continue
		}
		defer ln.Close()
		if err := checkLoopback(ln.Addr()); err != nil {
			return err
		}
	}
	group.Go(func() error { return c.serveSMTP(ctx, mails) })
	if page != nil {
		group.Go(func() error { return c.servePage(ctx, page) })
	}
	return group.Wait()
}

func checkLoopback(addr net.Addr) error {
	if tcp, ok := addr.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return fmt.Errorf("the mail catcher shows everybody's mail: it does not listen on %s, only on a loopback address", addr)
	}
	return nil
}

func (c *Catcher) serveSMTP(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		return &session{ctx: ctx, catcher: c, conn: conn}, nil
	}))
	server.Domain = "localhost"
	server.TLSConfig = c.cfg.TLS
	server.MaxMessageBytes, server.MaxRecipients = maxMail, 100
	server.ReadTimeout, server.WriteTimeout = 5*time.Minute, time.Minute
	server.AllowInsecureAuth = c.cfg.TLS == nil  // it is this machine alone
	server.ErrorLog = log.New(io.Discard, "", 0) // clients that leave early are no news
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(ln); err != nil && ctx.Err() == nil {
		return fmt.Errorf("mail catcher: %w", err)
	}
	return nil
}

func (c *Catcher) servePage(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() { defer close(stopped); _ = server.Close() })
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page of the mail catcher: %w", err)
	}
	<-stopped
	return nil
}

// session is one client's dialogue.
type session struct {
	ctx      context.Context
	catcher  *Catcher
	conn     *smtp.Conn
	signedIn bool
	from     string
	to       []string
}

func (s *session) judge(stage Stage, address string) error {
	if s.catcher.cfg.Judge == nil {
		return nil
	}
	err := s.catcher.cfg.Judge(s.ctx, stage, address)
	if errors.Is(err, ErrDrop) {
		_ = s.conn.Conn().Close()
	}
	return err
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.catcher.cfg.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if err := s.judge(Login, ""); err != nil {
			return err
		}
		same := subtle.ConstantTimeCompare([]byte(username+"\x00"+password), []byte(s.catcher.cfg.Username+"\x00"+s.catcher.cfg.Password))
		if s.catcher.cfg.Username == "" || same != 1 {
			return smtp.ErrAuthFailed
		}
		s.signedIn = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.catcher.cfg.Username != "" && !s.signedIn {
		return Refuse(530, smtp.EnhancedCode{5, 7, 0}, "Authentication required")
	}
	if err := s.judge(Sender, from); err != nil {
		return err
	}
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.judge(Recipient, to); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.judge(Content, ""); err != nil {
		return err
	}
	s.catcher.add(parse(raw, s.from, s.to))
	return s.judge(Answer, "")
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

func (c *Catcher) add(m Mail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	m.ID = c.lastID
	c.mails = append(c.mails, m)
	c.bytes += len(m.Raw)
	for len(c.mails) > c.cfg.MaxMails || c.bytes > maxBytes {
		c.bytes -= len(c.mails[0].Raw)
		c.mails = slices.Delete(c.mails, 0, 1)
	}
	close(c.arrived)
	c.arrived = make(chan struct{})
}

// Mails returns those that are kept, oldest first.
func (c *Catcher) Mails() []Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mails)
}

// Clear forgets all mails.
func (c *Catcher) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mails, c.bytes = nil, 0
}

// Wait returns the oldest mail that is wanted, as soon as there is one.
func (c *Catcher) Wait(ctx context.Context, wanted func(Mail) bool) (Mail, error) {
	for {
		c.mu.Lock()
		arrived, i := c.arrived, slices.IndexFunc(c.mails, wanted)
		if i >= 0 {
			m := c.mails[i]
			c.mu.Unlock()
			return m, nil
		}
		c.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return Mail{}, fmt.Errorf("no such mail came: %w", ctx.Err())
		}
	}
}
