package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rowhouse/internal/errs"
)

// requireUnavailable checks the answer to a token that cannot be judged.
func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, ErrKeysUnavailable)
	unavailable, ok := errors.AsType[*errs.Error](err)
	require.True(t, ok)
	require.Equal(t, errs.Unavailable, unavailable.Kind)
	require.Positive(t, unavailable.RetryAfter)
}

func down(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestKeysRefreshInTheBackground(t *testing.T) {
	t.Parallel()
	old, next := newSigner(t, "k1", jwa.ES256), newSigner(t, "k2", jwa.ES256)
	p, c := newProvider(t, old.jwk(t)), newClock()
	v := newVerifier(t, p, c)
	require.Equal(t, 1, p.requests())

	p.publish(t, old.jwk(t), next.jwk(t))
	c.pass(t, refreshEvery)
	require.Equal(t, 2, p.requests(), "without any request of ours")
	_, err := v.Verify(t.Context(), next.token(t, validClaims()))
	require.NoError(t, err)
	require.Equal(t, 2, p.requests(), "the key was there already")

	require.Less(t, refreshEvery, 10*time.Minute, "the provider's cache lifetime")
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	first, second, third := newSigner(t, "k1", jwa.ES256), newSigner(t, "k2", jwa.RS256), newSigner(t, "k3", jwa.EdDSA)
	p, c := newProvider(t, first.jwk(t)), newClock()
	v := newVerifier(t, p, c)

	p.publish(t, second.jwk(t))
	_, err := v.Verify(t.Context(), second.token(t, validClaims()))
	require.NoError(t, err, "an unknown key id is looked up at once")
	_, err = v.Verify(t.Context(), first.token(t, validClaims()))
	require.ErrorIs(t, err, ErrUnknownKey)

	p.publish(t, third.jwk(t))
	c.set(epoch.Add(unknownEvery - time.Second))
	_, err = v.Verify(t.Context(), third.token(t, validClaims()))
	require.ErrorIs(t, err, ErrUnknownKey, "too soon after the last look")
	require.Equal(t, 2, p.requests())

	c.set(epoch.Add(unknownEvery))
	_, err = v.Verify(t.Context(), third.token(t, validClaims()))
	require.NoError(t, err)
	require.Equal(t, 3, p.requests())
}

func TestUnknownKeysRefreshOnceAMinute(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	p, c := newProvider(t, s.jwk(t)), newClock()
	v := newVerifier(t, p, c)
	for minute := range 3 {
		c.set(epoch.Add(time.Duration(minute) * unknownEvery))
		var all sync.WaitGroup
		for i := range 20 {
			s := s
			s.kid = "unknown-" + strconv.Itoa(i)
			token := s.token(t, validClaims())
			all.Go(func() {
				_, err := v.Verify(context.Background(), token)
				if !errors.Is(err, ErrUnknownKey) {
					t.Errorf("token with an unknown key id: %v", err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 1+minute+1, p.requests())
	}
}

func TestProviderDownAtStart(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	p, c := newProvider(t), newClock()
	p.answer(down)
	v := newVerifier(t, p, c, withSecret)

	token := s.token(t, validClaims())
	_, err := v.Verify(t.Context(), token)
	requireUnavailable(t, err)
	require.Equal(t, 1, p.requests(), "a token does not make us ask again")
	_, err = v.Verify(t.Context(), "token")
	require.ErrorIs(t, err, ErrParts, "what is wrong in itself needs no keys")
	_, err = v.Verify(t.Context(), signer{alg: jwa.HS256, key: []byte(secret)}.token(t, validClaims()))
	require.NoError(t, err, "the secret needs no keys")

	c.pass(t, firstRetry)
	_, err = v.Verify(t.Context(), token)
	requireUnavailable(t, err)

	p.publish(t, s.jwk(t))
	c.pass(t, 2*firstRetry)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
}

func TestProviderDownLater(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	p, c := newProvider(t, s.jwk(t)), newClock()
	v := newVerifier(t, p, c)

	p.answer(down)
	c.pass(t, refreshEvery)
	for range 20 {
		c.pass(t, longestRetry)
	}
	require.Equal(t, 22, p.requests())
	_, err := v.Verify(t.Context(), s.token(t, validClaims()))
	require.NoError(t, err, "the last good set is kept")

	next := newSigner(t, "k2", jwa.ES256)
	_, err = v.Verify(t.Context(), next.token(t, validClaims()))
	requireUnavailable(t, err)

	p.publish(t, next.jwk(t))
	c.pass(t, longestRetry)
	_, err = v.Verify(t.Context(), next.token(t, validClaims()))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), s.token(t, validClaims()))
	require.ErrorIs(t, err, ErrUnknownKey)
}

func TestPauseGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	require.Equal(t, refreshEvery, pause(0))
	require.Equal(t, firstRetry, pause(1))
	require.Equal(t, 2*firstRetry, pause(2))
	require.Equal(t, 4*firstRetry, pause(3))
	require.Equal(t, longestRetry, pause(8))
	require.Equal(t, longestRetry, pause(1_000_000))
}

func TestBadKeySetsKeepTheLastGoodOne(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	t.Cleanup(other.Close)
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"error status": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"keys":[]}`, http.StatusBadGateway) },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"keys":[]}`))
		},
		"empty":         text(""),
		"a page":        text("<html></html>"),
		"no list":       text("{}"),
		"null list":     text(`{"keys":null}`),
		"list of lists": text(`{"keys":{}}`),
		"two lists":     text(`{"keys":[],"keys":[]}`),
		"two sets":      text(`{"keys":[]}{"keys":[]}`),
		"endless":       text(`{"keys":[]}` + strings.Repeat(" ", maxKeySetLen)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			p, c := newProvider(t, s.jwk(t)), newClock()
			v := newVerifier(t, p, c, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			p.answer(answer)
			c.pass(t, refreshEvery)
			_, err := v.Verify(t.Context(), s.token(t, validClaims()))
			require.NoError(t, err)
			require.Contains(t, log.String(), "cannot refresh the signing keys")
		})
	}
}

func TestUnusableKeysAreIgnored(t *testing.T) {
	t.Parallel()
	good := newSigner(t, "good", jwa.EdDSA)
	es, rs, ed := newSigner(t, "k1", jwa.ES256), newSigner(t, "k1", jwa.RS256), newSigner(t, "k1", jwa.EdDSA)
	private := es.jwk(t, object{"d": base64url(strings.Repeat("\x01", 32))})
	for name, test := range map[string]struct {
		signer signer
		keys   []object
	}{
		"secret":                       {es, []object{{"kty": "oct", "kid": "k1", "alg": "HS256", "k": base64url(secret)}}},
		"secret called ES256":          {es, []object{{"kty": "oct", "kid": "k1", "alg": "ES256", "k": base64url(secret)}}},
		"private key":                  {es, []object{private}},
		"no alg":                       {es, []object{es.jwk(t, object{"alg": nil})}},
		"no kid":                       {es, []object{es.jwk(t, object{"kid": nil})}},
		"alg of another curve":         {signer{"k1", jwa.ES512, es.key}, []object{es.jwk(t, object{"alg": "ES512"})}},
		"alg of another type":          {es, []object{es.jwk(t, object{"alg": "RS256"})}},
		"alg none":                     {es, []object{es.jwk(t, object{"alg": "none"})}},
		"alg HS256":                    {es, []object{es.jwk(t, object{"alg": "HS256"})}},
		"for encryption":               {es, []object{es.jwk(t, object{"use": "enc"})}},
		"for signing only":             {es, []object{es.jwk(t, object{"key_ops": []string{"sign"}})}},
		"point not on the curve":       {es, []object{es.jwk(t, object{"x": base64url(strings.Repeat("\x01", 32))})}},
		"coordinate far too long":      {es, []object{es.jwk(t, object{"x": base64url(strings.Repeat("\xff", 500))})}},
		"Ed25519 key too short":        {ed, []object{ed.jwk(t, object{"x": base64url("short")})}},
		"Ed25519 key empty":            {ed, []object{ed.jwk(t, object{"x": ""})}},
		"X25519 key":                   {ed, []object{ed.jwk(t, object{"crv": "X25519"})}},
		"RSA modulus too short":        {rs, []object{rs.jwk(t, object{"n": base64url(strings.Repeat("\xff", 128))})}},
		"RSA exponent of zero bytes":   {rs, []object{rs.jwk(t, object{"e": ""})}},
		"RSA exponent 1":               {rs, []object{rs.jwk(t, object{"e": base64url("\x01")})}},
		"unknown type":                 {es, []object{es.jwk(t, object{"kty": "PQ"})}},
		"kid twice":                    {es, []object{es.jwk(t), newSigner(t, "k1", jwa.ES256).jwk(t)}},
		"kid twice, the good one last": {es, []object{newSigner(t, "k1", jwa.ES256).jwk(t), es.jwk(t)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			p := newProvider(t, append(test.keys, good.jwk(t))...)
			v := newVerifier(t, p, newClock(), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			require.Contains(t, log.String(), "ignored unusable signing keys")
			require.Contains(t, log.String(), "usable=1")
			_, err := v.Verify(t.Context(), test.signer.token(t, validClaims()))
			require.ErrorIs(t, err, ErrUnknownKey)
			_, err = v.Verify(t.Context(), good.token(t, validClaims()))
			require.NoError(t, err, "the other keys are usable")
		})
	}
}

func TestSlowProvider(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}

	t.Run("at start", func(t *testing.T) {
		p := newProvider(t)
		p.answer(hang)
		v := newVerifier(t, p, newClock(), func(cfg *Config) { cfg.HTTPClient = &http.Client{Timeout: 20 * time.Millisecond} })
		_, err := v.Verify(t.Context(), s.token(t, validClaims()))
		requireUnavailable(t, err)
	})
	t.Run("the caller gives up", func(t *testing.T) {
		p := newProvider(t)
		v := newVerifier(t, p, newClock())
		p.answer(hang)
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(20*time.Millisecond, cancel).Stop()
		_, err := v.Verify(ctx, s.token(t, validClaims()))
		requireUnavailable(t, err)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("closed while a caller waits", func(t *testing.T) {
		p := newProvider(t)
		v := newVerifier(t, p, newClock())
		asked := make(chan struct{})
		p.answer(func(w http.ResponseWriter, r *http.Request) {
			close(asked)
			hang(w, r)
		})
		answer := make(chan error, 1)
		token := s.token(t, validClaims())
		go func() {
			_, err := v.Verify(context.Background(), token)
			answer <- err
		}()
		<-asked
		v.Close()
		requireUnavailable(t, <-answer)
	})
	close(release)
}

// Goroutines are counted for the whole process, so this test is not parallel.
func TestCloseEndsEverything(t *testing.T) {
	s := newSigner(t, "k1", jwa.ES256)
	p := newProvider(t, s.jwk(t))
	before := goleak.IgnoreCurrent()
	cfg := Config{Issuer: issuer, JWKSURL: p.URL}
	token := s.token(t, validClaims(claimSet{"exp": time.Now().Add(time.Hour).Unix()}))

	v, err := NewVerifier(t.Context(), cfg)
	require.NoError(t, err)
	require.Error(t, goleak.Find(before), "there is something to end")
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
	v.Close()
	select {
	case <-v.ring.done:
	default:
		t.Error("Close does not wait")
	}
	v.Close()
	require.NoError(t, goleak.Find(before))

	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err, "the keys read before are still good")
	s.kid = "unknown"
	for range 2 {
		_, err = v.Verify(t.Context(), s.token(t, validClaims()))
		requireUnavailable(t, err)
	}
}
