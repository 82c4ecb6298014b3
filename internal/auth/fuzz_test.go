package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/errs"
)

// FuzzVerify looks for a token that is accepted without having been made with a
// key, and for one that brings the verifier down.
func FuzzVerify(f *testing.F) {
	es, rs, ed := newSigner(f, "k1", jwa.ES256), newSigner(f, "k2", jwa.RS256), newSigner(f, "k3", jwa.EdDSA)
	hs := signer{kid: "k4", alg: jwa.HS256, key: []byte(secret)}
	v := newVerifier(f, newProvider(f, es.jwk(f), rs.jwk(f), ed.jwk(f)), newClock(), withSecret)

	made := map[string]bool{}
	for _, s := range []signer{es, rs, ed, hs} {
		token := s.token(f, validClaims())
		made[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
		f.Add(token + "=")
		f.Add(token[:len(token)-4])
	}
	f.Add("")
	f.Add("..")
	f.Add(base64url(`{"alg":"none"}`) + "." + base64url(encode(f, validClaims())) + ".")
	f.Add(es.sign(f, `{"alg":"ES256","alg":"HS256","kid":"k1"}`, `{}`))
	f.Add(es.sign(f, encode(f, es.header()), `{"exp":1e999,"sub":"\ud800"}`))

	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(context.Background(), token)
		if err == nil {
			require.True(t, made[token[:strings.LastIndexByte(token, '.')]], "forged: %q", token)
			return
		}
		_, ok := errors.AsType[*errs.Error](err)
		require.True(t, ok)
		require.False(t, len(token) > 100 && strings.Contains(err.Error(), token))
	})
}

// FuzzIdentity tries payloads as they are seen once a signature is good.
func FuzzIdentity(f *testing.F) {
	f.Add(encode(f, validClaims()))
	f.Add(encode(f, validClaims(claimSet{"aud": []string{"authenticated"}, "nbf": 1.5})))
	f.Add(`{"iss":null}`)
	v := newVerifier(f, nil, newClock(), withSecret)
	f.Fuzz(func(t *testing.T, payload string) {
		id, err := v.identity([]byte(payload))
		if err != nil {
			return
		}
		require.NotZero(t, id.UserID)
		require.Contains(t, []string{"aal1", "aal2"}, id.AAL)
		require.LessOrEqual(t, len(id.Email), maxEmailLen)
		require.True(t, id.ExpiresAt.Add(v.skew).After(v.now()))
	})
}

// FuzzParseKeys tries key sets, and verifies with whatever came out of them.
func FuzzParseKeys(f *testing.F) {
	es, rs, ed := newSigner(f, "k1", jwa.ES256), newSigner(f, "k2", jwa.RS256), newSigner(f, "k3", jwa.EdDSA)
	f.Add(encode(f, object{"keys": []object{es.jwk(f), rs.jwk(f), ed.jwk(f)}}))
	f.Add(encode(f, object{"keys": []object{ed.jwk(f, object{"x": ""}), rs.jwk(f, object{"e": ""})}}))
	f.Add(`{"keys":[]}`)
	f.Fuzz(func(t *testing.T, body string) {
		keys, _, err := parseKeys([]byte(body), nil)
		if err != nil {
			return
		}
		for _, k := range keys {
			require.Error(t, k.verifier.Verify([]byte("signed"), make([]byte, 64), k.material))
		}
	})
}
