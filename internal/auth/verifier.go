// Package auth turns the bearer token of a request into the identity of a
// person.
//
// It verifies access tokens of Supabase Auth. A token is accepted only if its
// algorithm is the one its key was published with, and it says who the caller
// is, never what they may do: rights are rows in the database.
package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/lestrrat-go/jwx/v2/jwa"
)

const (
	defaultAudience  = "authenticated"
	defaultSkew      = 30 * time.Second
	defaultCacheSize = 10_000
	minSecretLen     = 32 // as long as the hash of HS256 (RFC 7518, 3.2)
)

// Config says whose tokens to accept. Issuer and at least one of JWKSURL and
// LegacySecret are required; every other zero value has a default.
type Config struct {
	JWKSURL      string // where the provider publishes its keys; http only where the network is trusted
	Issuer       string // the exact iss
	Audience     string // the exact aud; "authenticated" by default
	LegacySecret []byte // accepts HS256 tokens signed with it; at least 32 bytes

	ClockSkew time.Duration // tolerated between the provider's clock and ours; 30 s by default
	CacheSize int           // how many verified tokens to remember; 10,000 by default

	HTTPClient *http.Client     // for the key set; redirects are refused whatever it says
	Now        func() time.Time // time.Now by default
	Logger     *slog.Logger     // told of trouble with the key set; silent by default

	after func(time.Duration) <-chan time.Time
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	issuer   string
	audience string
	skew     time.Duration
	now      func() time.Time

	secret   *key     // nil without a legacy secret
	ring     *keyring // nil without a key set
	verified *lru.Cache[[sha256.Size]byte, verdict]
}

// verdict is a remembered verification. It holds until the identity expires or
// key is no longer in use.
type verdict struct {
	id  Identity
	key *key
}

// NewVerifier returns a Verifier for cfg; the caller must Close it. It reads
// the key set once, within ctx; that this fails is not an error, since the
// set is then fetched in the background and tokens are answered with a kind of
// errs.Unavailable meanwhile.
func NewVerifier(ctx context.Context, cfg Config) (*Verifier, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("configure token verification: %w", err)
	}
	cfg.setDefaults()
	verified, err := lru.New[[sha256.Size]byte, verdict](cfg.CacheSize)
	if err != nil {
		return nil, fmt.Errorf("configure token verification: %w", err)
	}
	v := &Verifier{issuer: cfg.Issuer, audience: cfg.Audience, skew: cfg.ClockSkew, now: cfg.Now, verified: verified}
	if len(cfg.LegacySecret) > 0 {
		if v.secret, err = newKey("", jwa.HS256, slices.Clone(cfg.LegacySecret)); err != nil {
			return nil, err
		}
	}
	if cfg.JWKSURL == "" {
		return v, nil
	}
	client := *cfg.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return errors.New("the key set must not be redirected")
	}
	v.ring = &keyring{url: cfg.JWKSURL, client: &client, now: cfg.Now, after: cfg.after, log: cfg.Logger}
	v.ring.start(ctx)
	return v, nil
}

// Close ends the refreshing of keys and waits until it has ended.
func (v *Verifier) Close() {
	if v.ring != nil {
		v.ring.close()
	}
}

// Verify returns the identity that token proves. Every error is an *errs.Error
// whose chain holds one of this package's reasons and never the token: of kind
// Unauthenticated, with code "token_expired" for ErrExpired and "invalid_token"
// for all others, or of kind Unavailable for ErrKeysUnavailable.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if token == "" {
		return Identity{}, refusal(ErrEmpty)
	}
	if len(token) > maxTokenLen {
		return Identity{}, refusal(ErrTooLong)
	}
	sum := sha256.Sum256([]byte(token))
	if id, ok := v.recall(sum); ok {
		return id, nil
	}
	id, k, err := v.verify(ctx, token)
	if err != nil {
		return Identity{}, refusal(err)
	}
	v.verified.Add(sum, verdict{id: id, key: k})
	return id, nil
}

// recall returns what verifying the token with this hash gave, if that holds
// still. There is no leeway for clocks here: between exp and the end of the
// leeway a token is verified every time.
func (v *Verifier) recall(sum [sha256.Size]byte) (Identity, bool) {
	past, ok := v.verified.Get(sum)
	if !ok {
		return Identity{}, false
	}
	if !v.now().Before(past.id.ExpiresAt) || past.key != v.secret && !v.ring.holds(past.key) {
		v.verified.Remove(sum)
		return Identity{}, false
	}
	return past.id, true
}

func (v *Verifier) verify(ctx context.Context, token string) (Identity, *key, error) {
	t, err := split(token)
	if err != nil {
		return Identity{}, nil, err
	}
	alg, kid, err := readHeader(t.header)
	if err != nil {
		return Identity{}, nil, err
	}
	k, err := v.keyFor(ctx, jwa.SignatureAlgorithm(alg), kid)
	if err != nil {
		return Identity{}, nil, err
	}
	if err := k.verifier.Verify(t.signed, t.signature, k.material); err != nil {
		return Identity{}, nil, ErrSignature
	}
	id, err := v.identity(t.payload)
	return id, k, err
}

// keyFor returns the only key that may have signed a token with this header.
// The secret is for HS256 alone, and HS256 for the secret alone: anybody can
// make an HS256 signature with the bytes of a public key.
func (v *Verifier) keyFor(ctx context.Context, alg jwa.SignatureAlgorithm, kid string) (*key, error) {
	switch alg {
	case jwa.HS256:
		if v.secret == nil {
			return nil, ErrAlg
		}
		return v.secret, nil
	case jwa.ES256, jwa.ES512, jwa.RS256, jwa.RS512, jwa.EdDSA:
	default:
		return nil, ErrAlg
	}
	if kid == "" {
		return nil, ErrKeyID
	}
	if v.ring == nil {
		return nil, ErrUnknownKey
	}
	k, err := v.ring.find(ctx, kid)
	if err != nil {
		return nil, err
	}
	if k.alg != alg {
		return nil, ErrAlg
	}
	return k, nil
}

func (c *Config) check() error {
	if c.Issuer == "" {
		return errors.New("an issuer is required")
	}
	if c.JWKSURL == "" && len(c.LegacySecret) == 0 {
		return errors.New("a key set address or a legacy secret is required")
	}
	if n := len(c.LegacySecret); n > 0 && n < minSecretLen {
		return fmt.Errorf("legacy secret has %d bytes, needs %d", n, minSecretLen)
	}
	if c.ClockSkew < 0 || c.CacheSize < 0 {
		return errors.New("clock skew and cache size must not be negative")
	}
	if c.JWKSURL == "" {
		return nil
	}
	u, err := url.Parse(c.JWKSURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("key set address must be an http or https URL without a login")
	}
	return nil
}

func (c *Config) setDefaults() {
	if c.Audience == "" {
		c.Audience = defaultAudience
	}
	if c.ClockSkew == 0 {
		c.ClockSkew = defaultSkew
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.after == nil {
		c.after = time.After
	}
}
