package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const (
	issuer  = "https://project.example.com/auth/v1"
	subject = "4aada24c-5f3e-4a57-9a3c-0d6a1a8f2b11"
	session = "de9c833c-91b2-4c5d-8c1e-3f2f6a7b8c9d"
	secret  = "a shared secret of at least 32 bytes"
)

var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// claimSet is a payload; object is a JSON object of any kind.
type (
	object   = map[string]any
	claimSet = object
)

// validClaims is a payload as Supabase Auth writes it, changed by the given sets; a nil
// value removes a claim.
func validClaims(changes ...claimSet) claimSet {
	c := claimSet{
		"iss": issuer, "sub": subject, "aud": "authenticated", "role": "authenticated",
		"exp": epoch.Add(time.Hour).Unix(), "iat": epoch.Unix(),
		"email": "ann@example.com", "phone": "", "session_id": session, "aal": "aal1",
		"amr":           []object{{"method": "password", "timestamp": epoch.Unix()}},
		"app_metadata":  object{"provider": "email"},
		"user_metadata": object{"role": "service_role", "sub": "someone else", "is_anonymous": true},
		"is_anonymous":  false,
	}
	for _, change := range changes {
		maps.Copy(c, change)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// signer makes tokens with one private key or secret.
type signer struct {
	kid string
	alg jwa.SignatureAlgorithm
	key any
}

func newSigner(tb testing.TB, kid string, alg jwa.SignatureAlgorithm) signer {
	tb.Helper()
	var private any
	var err error
	switch alg {
	case jwa.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jwa.ES512:
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jwa.RS256, jwa.RS512:
		private, err = rsaKey()
	case jwa.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case jwa.HS256:
		private = []byte(secret)
	}
	require.NoError(tb, err)
	return signer{kid: kid, alg: alg, key: private}
}

// rsaKey is made once because that takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func (s signer) header(changes ...object) object {
	h := object{"alg": s.alg.String(), "typ": "JWT", "kid": s.kid}
	for _, change := range changes {
		maps.Copy(h, change)
	}
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil || v == "" })
	return h
}

// token is a good signature over c.
func (s signer) token(tb testing.TB, c claimSet) string {
	tb.Helper()
	return s.sign(tb, encode(tb, s.header()), encode(tb, c))
}

// sign makes a good signature over any two texts, JSON or not.
func (s signer) sign(tb testing.TB, header, payload string) string {
	tb.Helper()
	js, err := jws.NewSigner(s.alg)
	require.NoError(tb, err)
	signed := base64url(header) + "." + base64url(payload)
	signature, err := js.Sign([]byte(signed), s.key)
	require.NoError(tb, err)
	return signed + "." + base64url(string(signature))
}

func (s signer) public() crypto.PublicKey { return s.key.(crypto.Signer).Public() }

// jwk is the public key as the provider publishes it, changed by the given
// members; a nil value removes one.
func (s signer) jwk(tb testing.TB, changes ...object) object {
	tb.Helper()
	k, err := jwk.FromRaw(s.public())
	require.NoError(tb, err)
	var published object
	require.NoError(tb, json.Unmarshal([]byte(encode(tb, k)), &published))
	maps.Copy(published, object{"kid": s.kid, "alg": s.alg.String(), "use": "sig", "key_ops": []string{"verify"}})
	for _, change := range changes {
		maps.Copy(published, change)
	}
	maps.DeleteFunc(published, func(_ string, v any) bool { return v == nil })
	return published
}

func base64url(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func encode(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(b)
}

// provider publishes keys on a real address and counts the requests.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	handler http.HandlerFunc
	paths   []string
}

func newProvider(tb testing.TB, keys ...object) *provider {
	tb.Helper()
	p := &provider{}
	p.publish(tb, keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.paths = append(p.paths, r.URL.Path)
		handler := p.handler
		p.mu.Unlock()
		handler(w, r)
	}))
	tb.Cleanup(p.Close)
	return p
}

func (p *provider) publish(tb testing.TB, keys ...object) {
	tb.Helper()
	if keys == nil {
		keys = []object{}
	}
	p.body(encode(tb, object{"keys": keys}))
}

func (p *provider) body(text string) {
	p.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, text)
	})
}

func (p *provider) answer(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.paths)
}

// clock stands still until told to move.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []timer
	asked  int // how many timers were ever set
}

type timer struct {
	at   time.Time
	ring chan time.Time
}

func newClock() *clock { return &clock{now: epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := timer{at: c.now.Add(d), ring: make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	c.asked++
	return t.ring
}

// set moves the clock without waking anybody.
func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// pass lets d go by, which has to make the keyring act, and waits until it has
// acted and sleeps again.
func (c *clock) pass(tb testing.TB, d time.Duration) {
	tb.Helper()
	c.mu.Lock()
	c.now = c.now.Add(d)
	before := c.asked
	var later []timer
	for _, t := range c.timers {
		if t.at.After(c.now) {
			later = append(later, t)
			continue
		}
		t.ring <- c.now
	}
	c.timers = later
	c.mu.Unlock()
	c.asleep(tb, before+1)
}

// asleep waits until n timers have been set in all.
func (c *clock) asleep(tb testing.TB, n int) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.asked >= n
	}, 10*time.Second, time.Millisecond, "the keyring does not go back to sleep")
}

// newVerifier is a Verifier on p's keys and c's time, changed by set.
func newVerifier(tb testing.TB, p *provider, c *clock, set ...func(*Config)) *Verifier {
	tb.Helper()
	cfg := Config{Issuer: issuer, Now: c.Now, after: c.After}
	if p != nil {
		cfg.JWKSURL = p.URL + "/.well-known/jwks.json"
	}
	for _, f := range set {
		f(&cfg)
	}
	v, err := NewVerifier(context.Background(), cfg)
	require.NoError(tb, err)
	tb.Cleanup(v.Close)
	if cfg.JWKSURL != "" {
		c.asleep(tb, 1)
	}
	return v
}

func withSecret(cfg *Config) { cfg.LegacySecret = []byte(secret) }
