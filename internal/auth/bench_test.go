package auth

import (
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"
)

func benchmarkVerify(b *testing.B, alg jwa.SignatureAlgorithm, tokens int) {
	b.Helper()
	s := newSigner(b, "k1", alg)
	p := newProvider(b)
	if alg != jwa.HS256 {
		p.publish(b, s.jwk(b))
	}
	// One place in the cache: a single token is always remembered, and two
	// that take turns never are.
	v := newVerifier(b, p, newClock(), withSecret, func(cfg *Config) { cfg.CacheSize = 1 })
	list := make([]string, tokens)
	for i := range list {
		list[i] = s.token(b, validClaims(claimSet{"n": i}))
		_, err := v.Verify(b.Context(), list[i])
		require.NoError(b, err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := v.Verify(b.Context(), list[i%tokens]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyES256(b *testing.B)  { benchmarkVerify(b, jwa.ES256, 2) }
func BenchmarkVerifyRS256(b *testing.B)  { benchmarkVerify(b, jwa.RS256, 2) }
func BenchmarkVerifyEdDSA(b *testing.B)  { benchmarkVerify(b, jwa.EdDSA, 2) }
func BenchmarkVerifyHS256(b *testing.B)  { benchmarkVerify(b, jwa.HS256, 2) }
func BenchmarkVerifyCached(b *testing.B) { benchmarkVerify(b, jwa.ES256, 1) }
