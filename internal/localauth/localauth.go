// Package localauth stands in for Supabase Auth on a developer's machine.
//
// It speaks the part of the REST API that Rowhouse and the official clients use,
// keeps its users in schema auth of the same Postgres, and calls auth hooks as
// the real service does, quirks included: a hook or a client that works here is
// meant to work there. It is not hardened for a network (no rate limits, no
// captcha, every mail goes to Config.Deliver), so it serves loopback addresses
// only.
//
// Absent on purpose: phone numbers, anonymous users, SAML and other SSO, passkeys,
// second factors other than TOTP, linking identities by hand, real OAuth providers
// (one page plays them all), password strength beyond a length, mails that only
// notify, and rate limits by address. Asking for one of them is an error, never a
// silent success.
package localauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"
)

const (
	maxPasswordBytes = 72 // bcrypt reads no further
	codeLife         = 24 * time.Hour
	drainTime        = 3 * time.Second
)

// Config says how a Server behaves. Zero durations, Now, Logger and
// MinPasswordLength take the defaults named beside them; the rest is required.
type Config struct {
	Addr        string        // host:port to listen on; a loopback address or localhost
	Pool        *pgxpool.Pool // logs in as supabase_auth_admin; Setup has run; stays the caller's to close
	SiteURL     string        // where links of mails lead when the request names no allowed address
	ExternalURL string        // where clients reach the server, with /auth/v1; also the issuer of tokens
	KeyFile     string        // private JWK set; created with mode 0600 if missing

	AccessTokenTTL    time.Duration // 1 h
	ReuseInterval     time.Duration // 10 s: how long a used refresh token older than the last one still works
	MailInterval      time.Duration // 1 min: least time between two mails of a kind to one user
	Autoconfirm       bool          // a sign-up is confirmed at once, without a mail
	MinPasswordLength int           // 6
	// MailLinks excepts from Autoconfirm a sign-up that says where a mail's link is to
	// lead (redirect_to): whoever does so has a page that waits for it. The real service
	// knows no such exception. Pages behave by it as they will elsewhere, and scripts
	// need no mail.
	MailLinks bool
	// ReauthenticateForPassword asks for a mailed code when a session older than
	// a day changes the password.
	ReauthenticateForPassword bool
	// OAuthProviders are the names that /authorize takes, such as "google". One
	// page on this machine plays them all.
	OAuthProviders []string

	Hooks   Hooks
	Webhook *Webhook                          // nil is off
	Deliver func(context.Context, Mail) error // called for each mail when Hooks.SendEmail is off
	Logger  *slog.Logger                      // discards
	Now     func() time.Time                  // time.Now

	HashCost int // of bcrypt; 0 means its default. Tests of other things take the least.
}

// Mail is a message that the real service would send. Code, TokenHash and Link
// each sign the recipient in: show them to the developer, keep them out of logs.
type Mail struct {
	To         string
	Action     string // "signup", "invite", "recovery", "magiclink", "email_change" or "reauthentication"
	Code       string // 6 digits, to be typed in
	TokenHash  string
	Link       string // GET /verify of this server
	RedirectTo string // where the link ends up
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	cfg   Config
	keys  *keyring
	hooks *dispatcher

	// strangerHash is compared with when no user matches, so that an unknown
	// address takes as long as a wrong password.
	strangerHash []byte
	// hookedToken remembers that the token hook has run once: see draftClaims.
	hookedToken atomic.Bool
}

// New checks cfg, reads or creates the key file and returns a server that does
// not listen yet. It refuses an address that is not loopback.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	hooks, err := newDispatcher(cfg.Hooks, cfg.Now)
	if err != nil {
		return nil, err
	}
	keys, err := openKeyring(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	stranger, err := bcrypt.GenerateFromPassword([]byte("nobody's"), cfg.HashCost)
	if err != nil {
		return nil, fmt.Errorf("hash the stranger's password: %w", err)
	}
	return &Server{cfg: cfg, keys: keys, hooks: hooks, strangerHash: stranger}, nil
}

// Listen opens the configured address. The caller hands the listener to Serve
// or closes it.
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for local auth: %w", err)
	}
	// localhost means whatever the machine's resolver says.
	if err := checkLoopback(ln.Addr().String()); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// Serve answers requests on ln until ctx ends, then lets those in flight finish
// for 3 s, cuts the rest and returns nil. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if err := checkLoopback(ln.Addr().String()); err != nil {
		return errors.Join(err, ln.Close())
	}
	defer s.hooks.client.CloseIdleConnections()
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	posting, stop := context.WithCancel(ctx)
	var webhook sync.WaitGroup
	webhook.Go(func() {
		if err := s.RunWebhook(posting); err != nil {
			s.cfg.Logger.ErrorContext(ctx, "changes of users are not posted", "error", err)
		}
	})
	defer func() {
		stop()
		webhook.Wait()
	}()

	select {
	case err := <-served:
		return fmt.Errorf("serve local auth: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("stop local auth: %w", err)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.AccessTokenTTL == 0 {
		c.AccessTokenTTL = time.Hour
	}
	if c.ReuseInterval == 0 {
		c.ReuseInterval = 10 * time.Second
	}
	if c.MailInterval == 0 {
		c.MailInterval = time.Minute
	}
	if c.MinPasswordLength == 0 {
		c.MinPasswordLength = 6
	}
	if c.HashCost == 0 {
		c.HashCost = bcrypt.DefaultCost
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) check() error {
	if err := checkLoopback(c.Addr); err != nil {
		return err
	}
	if c.Pool == nil {
		return errors.New("local auth: no database pool")
	}
	if c.Webhook != nil {
		if err := c.Webhook.check(); err != nil {
			return err
		}
	}
	if c.Deliver == nil && c.Hooks.SendEmail == nil {
		return errors.New("local auth: mails have nowhere to go: set Deliver or the send-email hook")
	}
	if c.MinPasswordLength > maxPasswordBytes {
		return fmt.Errorf("local auth: a minimum password length of %d is above bcrypt's %d bytes", c.MinPasswordLength, maxPasswordBytes)
	}
	for name, text := range map[string]string{"SiteURL": c.SiteURL, "ExternalURL": c.ExternalURL} {
		u, err := url.Parse(text)
		if err != nil {
			return fmt.Errorf("local auth: %s: %w", name, err)
		}
		if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("local auth: %s %q is not an http address", name, text)
		}
	}
	return nil
}

// checkLoopback refuses host:port when others than this machine could reach it.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("local auth address %q: %w", addr, err)
	}
	if host == "localhost" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return fmt.Errorf("local auth serves this machine only: %q is not a loopback address", addr)
	}
	return nil
}

// now is the configured clock at the database's precision.
func (s *Server) now() time.Time {
	return s.cfg.Now().UTC().Truncate(time.Microsecond)
}
