// Package authclient asks Supabase Auth on behalf of one person.
//
// The libraries' clients remember whose token they were given last. So there is one
// for each question, and nothing of it outlives the answer.
//
// What supabase-go can ask is asked through it. Its gotrue-go has no redirect
// addresses and exchanges no PKCE code, for which there is its successor auth-go; and
// what neither can say (a link's hash, the scope of a sign-out, what to send again,
// the current password) is asked without them.
package authclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	authgo "github.com/supabase-community/auth-go"
	"github.com/supabase-community/gotrue-go"
	"github.com/supabase-community/supabase-go"

	"rowhouse/internal/errs"
)

const (
	// defaultPatience leaves time for an answer to who waits here 15 s. The provider
	// itself gives up after 10.
	defaultPatience = 8 * time.Second
	// maxAnswer is more than the largest honest answer: a token with as much metadata
	// as a request can carry, twice.
	maxAnswer = 4 << 20
)

// Config is what New needs; URL and AnonKey are required.
type Config struct {
	URL       string            // of the project, without /auth/v1
	AnonKey   string            // the project's public key
	Transport http.RoundTripper // nil for http.DefaultTransport
	Patience  time.Duration     // bounds one question; 0 means 8 s
}

// Provider is a project of Supabase Auth. It is safe for concurrent use.
type Provider struct{ config Config }

// New returns the provider that c names.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("supabase: the project's URL is not an http address")
	}
	if c.AnonKey == "" {
		return nil, errors.New("supabase: the project's anon key is missing")
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	return &Provider{c}, nil
}

// As returns a client for questions as whom accessToken signs in, or as nobody
// without one. It works until ctx ends.
func (p *Provider) As(ctx context.Context, accessToken string) *Client {
	return &Client{provider: p, ctx: ctx, token: accessToken}
}

// Client asks for one person. Its errors are *Refused, or an *errs.Error of kind
// Unavailable when no answer came, and hold no token, no address and no text of the
// provider's.
type Client struct {
	provider *Provider
	ctx      context.Context // of the one request; the libraries take none
	token    string
}

// supabase asks through supabase-go.
func (c *Client) supabase(ask func(gotrue.Client) error) error {
	return c.ask(func(transport http.Client) error {
		client, err := supabase.NewClient(c.provider.config.URL, c.provider.config.AnonKey, nil)
		if err != nil {
			return err
		}
		return ask(client.Auth.WithClient(transport).WithToken(c.token))
	})
}

// authGo asks through auth-go.
func (c *Client) authGo(ask func(authgo.Client) error) error {
	return c.ask(func(transport http.Client) error {
		return ask(authgo.New("", c.provider.config.AnonKey).WithCustomAuthURL(c.provider.config.URL + supabase.AUTH_URL).WithClient(transport).WithToken(c.token))
	})
}

// ask bounds a question and takes what is not ours to tell out of its error.
func (c *Client) ask(question func(http.Client) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.provider.config.Patience)
	defer cancel()
	err := question(http.Client{
		Transport: transport{ctx: ctx, base: c.provider.config.Transport},
		// a redirect would take the token along
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*Refused](err); ok && !refused.outage() {
		return refused
	}
	return Unavailable(cause(err))
}

// Unavailable is the answer when the provider gives none that helps.
func Unavailable(err error) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		err = errors.New(refused.Error()) // its text alone: it is no refusal of what was asked
	}
	e := errs.New(errs.Unavailable, "auth_unavailable", "Signing in and what belongs to it is not possible at the moment. Try again shortly.").Because(err)
	e.RetryAfter = 5 * time.Second
	return e
}

// cause is of err what may be logged. The libraries put whole answers into their
// errors, tokens included.
func cause(err error) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // of the connection; the address is left out
	}
	return errors.New("the identity provider's answer cannot be read")
}
