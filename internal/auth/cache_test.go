package auth

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"
)

// Verification is not observable from outside but for what it costs, and
// AllocsPerRun wants to be alone: this test is not parallel.
func TestVerifyRemembers(t *testing.T) {
	s := newSigner(t, "k1", jwa.ES256)
	c := newClock()
	v := newVerifier(t, newProvider(t, s.jwk(t)), c, func(cfg *Config) { cfg.CacheSize = 1 })
	cost := func(tokens ...string) float64 {
		return testing.AllocsPerRun(20, func() {
			for _, token := range tokens {
				_, err := v.Verify(t.Context(), token)
				require.NoError(t, err)
			}
		})
	}
	one, two := s.token(t, validClaims()), s.token(t, validClaims())

	require.LessOrEqual(t, cost(one), 2.0, "a remembered token is hashed and looked up, no more")
	require.Greater(t, cost(one, two), 40.0, "two tokens take turns in a cache for one")
	c.set(epoch.Add(time.Hour))
	require.Greater(t, cost(one), 20.0, "from exp on, a token is verified every time")
}

func TestVerifyRemembersNoLongerThanExp(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	c := newClock()
	v := newVerifier(t, newProvider(t, s.jwk(t)), c)
	token := s.token(t, validClaims())
	for _, step := range []struct {
		at     time.Duration
		reason error
	}{
		{0, nil},
		{time.Hour - time.Second, nil},
		{time.Hour + 29*time.Second, nil},
		{time.Hour + 30*time.Second, ErrExpired},
		{time.Hour + 24*time.Hour, ErrExpired},
	} {
		c.set(epoch.Add(step.at))
		_, err := v.Verify(t.Context(), token)
		require.ErrorIs(t, err, step.reason, "%s after the start", step.at)
	}
}

func TestVerifyForgetsWhatARemovedKeySigned(t *testing.T) {
	t.Parallel()
	leaving, staying := newSigner(t, "k1", jwa.ES256), newSigner(t, "k2", jwa.EdDSA)
	for name, test := range map[string]struct {
		keys   []object
		reason error
	}{
		"key removed":                     {[]object{staying.jwk(t)}, ErrUnknownKey},
		"all keys removed":                {nil, ErrUnknownKey},
		"another key under the same id":   {[]object{newSigner(t, "k1", jwa.ES256).jwk(t)}, ErrSignature},
		"another algorithm under this id": {[]object{newSigner(t, "k1", jwa.RS256).jwk(t)}, ErrAlg},
		"same key in another place":       {[]object{staying.jwk(t), leaving.jwk(t)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			p := newProvider(t, leaving.jwk(t), staying.jwk(t))
			v := newVerifier(t, p, c)
			token := leaving.token(t, validClaims())
			_, err := v.Verify(t.Context(), token)
			require.NoError(t, err)

			p.publish(t, test.keys...)
			c.pass(t, refreshEvery)
			_, err = v.Verify(t.Context(), token)
			require.ErrorIs(t, err, test.reason)
		})
	}
}

func TestVerifyForgetsAcrossAChangeOfAlgorithm(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.RS256)
	c := newClock()
	p := newProvider(t, s.jwk(t))
	v := newVerifier(t, p, c)
	token := s.token(t, validClaims())
	_, err := v.Verify(t.Context(), token)
	require.NoError(t, err)

	p.publish(t, s.jwk(t, object{"alg": "RS512"}))
	c.pass(t, refreshEvery)
	_, err = v.Verify(t.Context(), token)
	require.ErrorIs(t, err, ErrAlg)
}

func TestVerifyRemembersAcrossRefreshes(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwa.SignatureAlgorithm{jwa.ES256, jwa.RS256, jwa.EdDSA} {
		s := newSigner(t, "k1", alg)
		c := newClock()
		v := newVerifier(t, newProvider(t, s.jwk(t)), c)
		token := s.token(t, validClaims())
		_, err := v.Verify(t.Context(), token)
		require.NoError(t, err)
		c.pass(t, refreshEvery)
		_, ok := v.recall(sha256.Sum256([]byte(token)))
		require.True(t, ok, "the key is the same as before")
	}
}
