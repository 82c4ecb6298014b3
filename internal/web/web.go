// Package web signs people in to the web app without giving their browser a token.
//
// What Supabase Auth hands out stays on this side: the browser gets it encrypted, in
// cookies that no script reads, and each request to the API has its access token put
// in on the way. Before a token ends its successor is fetched here.
//
// Each way in is a POST that takes JSON, for the app, or a form, for the few pages
// that are here so that links of mails lead somewhere. Whether an address is known
// shows nowhere: what depends on it is asked after the answer is out.
package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/singleflight"

	"rowhouse/internal/authclient"
	"rowhouse/internal/ratelimit"
	"rowhouse/internal/sealedcookie"
)

const (
	sessionCookie = "rowhouse-session"
	flowCookie    = "rowhouse-oauth"

	// mailing bounds how many questions about addresses wait for the provider.
	mailing = 64

	defaultIdle     = 7 * 24 * time.Hour
	defaultLifetime = 30 * 24 * time.Hour
)

// Config is what New needs.
type Config struct {
	// PublicURL is the origin at which browsers reach this server, https or loopback:
	// where links of mails lead, and the one origin whose pages may use the cookies.
	PublicURL string
	Keys      sealedcookie.Keyring

	SupabaseURL, SupabaseAnonKey string
	// Transport carries the questions to the provider; nil for http.DefaultTransport.
	Transport http.RoundTripper
	// Patience bounds one question to it; 0 means 8 s.
	Patience time.Duration

	// Idle ends a session that was not used for so long, or up to a quarter longer;
	// Lifetime ends it whatever happens. 0 means 7 and 30 days.
	Idle, Lifetime time.Duration

	// RatePerMinute bounds the requests of one network; 0 means no bound.
	RatePerMinute int

	// SignupsClosed turns away at once who has no invite. The provider's hook decides;
	// this only says so, which the hook's answer cannot.
	SignupsClosed bool

	// Home is the path to which who has signed in goes, if they were on the way to
	// nowhere else. "" means /auth/account.
	Home string

	Now func() time.Time // nil means time.Now
}

// Web answers under /auth and turns cookies into tokens. It is safe for concurrent
// use.
type Web struct {
	provider *authclient.Provider
	origin   string
	home     string
	closed   bool
	idle     time.Duration
	lifetime time.Duration
	now      func() time.Time

	sessions *sealedcookie.Jar
	flows    *sealedcookie.Jar
	origins  *http.CrossOriginProtection

	renewing singleflight.Group
	memory   *memory

	signIns *ratelimit.Limiter // by account
	mails   *ratelimit.Limiter // by account
	codes   *ratelimit.Limiter // by user

	slots   chan struct{} // one for each question that waits for its request's end
	waiting sync.WaitGroup

	router *chi.Mux
}

// New checks c and returns a Web. Close it when no request is served any more.
func New(c Config) (*Web, error) {
	origin, err := publicOrigin(c.PublicURL)
	if err != nil {
		return nil, err
	}
	if c.Keys.Empty() {
		return nil, errors.New("there is no key to encrypt sessions with")
	}
	provider, err := authclient.New(authclient.Config{URL: c.SupabaseURL, AnonKey: c.SupabaseAnonKey, Transport: c.Transport, Patience: c.Patience})
	if err != nil {
		return nil, err
	}
	s := &Web{
		provider: provider, origin: origin, home: c.Home, closed: c.SignupsClosed, idle: c.Idle, lifetime: c.Lifetime, now: c.Now,
		sessions: sealedcookie.NewJar(sessionCookie, c.Keys), flows: sealedcookie.NewJar(flowCookie, c.Keys),
		origins: http.NewCrossOriginProtection(),
		signIns: ratelimit.NewLimiter(10, time.Minute), mails: ratelimit.NewLimiter(5, 15*time.Minute), codes: ratelimit.NewLimiter(10, 5*time.Minute),
		slots: make(chan struct{}, mailing),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.idle == 0 {
		s.idle = defaultIdle
	}
	if s.lifetime == 0 {
		s.lifetime = defaultLifetime
	}
	if s.idle < time.Minute || s.lifetime < s.idle {
		return nil, errors.New("sessions must last a minute unused at least, and at most as long as they last at all")
	}
	if s.home == "" {
		s.home = "/auth/account"
	}
	s.memory = newMemory(s.now)
	if err := s.origins.AddTrustedOrigin(origin); err != nil {
		return nil, fmt.Errorf("PUBLIC_URL: %w", err)
	}
	s.router = s.routes(c.RatePerMinute)
	return s, nil
}

// publicOrigin is the origin of text, which must be one that browsers keep Secure
// cookies for.
func publicOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("PUBLIC_URL must be an origin, such as https://app.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", errors.New("PUBLIC_URL must be https: browsers keep the session's cookies for nothing else but localhost")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Handler answers under /auth, where it has to be mounted.
func (s *Web) Handler() http.Handler { return s.router }

// Close waits for the questions whose answers nobody waits for, until ctx ends.
func (s *Web) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.waiting.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("some mails may not have been asked for: %w", ctx.Err())
	}
}

func (s *Web) routes(ratePerMinute int) *chi.Mux {
	r := chi.NewRouter()
	r.Use(ratelimit.ByNetwork(ratePerMinute))

	for _, name := range []string{"auth.css", "invite.js"} {
		r.Get("/static/"+name, static(name))
	}
	for _, name := range []string{"sign-in", "sign-up", "forgot", "sent", "half"} {
		r.Get("/"+name, s.show(name))
	}
	r.Get("/confirm", s.confirmPage)
	r.Get("/reset", s.signedInPage("reset"))
	r.Get("/account", s.signedInPage("account"))
	r.Get("/oauth/{provider}", s.startOAuth)
	r.Get("/callback", s.finishOAuth)

	r.Group(func(r chi.Router) {
		r.Use(s.ownOrigin)
		r.Post("/sign-up", post(s, "sign-up", s.signUp))
		r.Post("/sign-in", post(s, "sign-in", s.signIn))
		r.Post("/sign-out", post(s, "account", s.signOut))
		r.Post("/forgot", post(s, "forgot", s.forgot))
		r.Post("/magic-link", post(s, "sign-in", s.magicLink))
		r.Post("/resend", post(s, "forgot", s.resend))
		r.Post("/confirm", post(s, "confirm", s.confirm))
		r.Post("/reset", post(s, "reset", s.reset))

		r.Get("/session", get(s, s.showSession))
		r.Post("/refresh", post(s, "", s.refresh))

		r.Get("/mfa/factors", get(s, s.factors))
		r.Post("/mfa/enroll", post(s, "", s.enroll))
		r.Post("/mfa/challenge", post(s, "", s.challenge))
		r.Post("/mfa/verify", post(s, "", s.verifyFactor))
		r.Post("/mfa/unenroll", post(s, "", s.unenroll))

		r.Get("/account/sessions", get(s, s.listSessions))
		r.Post("/account/email", post(s, "", s.changeEmail))
		r.Post("/account/password", post(s, "", s.changePassword))
		r.Post("/account/reauthenticate", post(s, "", s.reauthenticate))
	})
	return r
}
