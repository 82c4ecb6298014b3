package auth

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/errs"
)

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	want := Identity{UserID: uuid.MustParse(subject), Email: "ann@example.com", SessionID: session, AAL: "aal1", ExpiresAt: epoch.Add(time.Hour)}

	for _, alg := range []jwa.SignatureAlgorithm{jwa.ES256, jwa.ES512, jwa.RS256, jwa.RS512, jwa.EdDSA, jwa.HS256} {
		t.Run(alg.String(), func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, "k1", alg)
			p := newProvider(t)
			if alg != jwa.HS256 {
				p.publish(t, s.jwk(t))
			}
			v := newVerifier(t, p, newClock(), withSecret)
			for range 2 { // verified, then remembered
				id, err := v.Verify(t.Context(), s.token(t, validClaims()))
				require.NoError(t, err)
				require.Equal(t, want, id)
			}
		})
	}

	for name, change := range map[string]struct {
		claims claimSet
		want   func(*Identity)
	}{
		"aud as an array of one":         {claimSet{"aud": []string{"authenticated"}}, func(*Identity) {}},
		"no email":                       {claimSet{"email": nil}, func(id *Identity) { id.Email = "" }},
		"empty email":                    {claimSet{"email": ""}, func(id *Identity) { id.Email = "" }},
		"email outside ASCII":            {claimSet{"email": "žofie@example.com"}, func(id *Identity) { id.Email = "žofie@example.com" }},
		"longest email":                  {claimSet{"email": strings.Repeat("a", 320)}, func(id *Identity) { id.Email = strings.Repeat("a", 320) }},
		"no session":                     {claimSet{"session_id": nil}, func(id *Identity) { id.SessionID = "" }},
		"second factor":                  {claimSet{"aal": "aal2"}, func(id *Identity) { id.AAL = "aal2" }},
		"no level means the lowest":      {claimSet{"aal": nil}, func(*Identity) {}},
		"no is_anonymous":                {claimSet{"is_anonymous": nil}, func(*Identity) {}},
		"iat far ahead":                  {claimSet{"iat": epoch.Add(30 * time.Minute).Unix()}, func(*Identity) {}},
		"exp within the leeway":          {claimSet{"exp": epoch.Add(-29 * time.Second).Unix()}, func(id *Identity) { id.ExpiresAt = epoch.Add(-29 * time.Second) }},
		"exp with a fraction":            {claimSet{"exp": float64(epoch.Unix()) + 60.75}, func(id *Identity) { id.ExpiresAt = epoch.Add(time.Minute) }},
		"nbf at the edge of the leeway":  {claimSet{"nbf": epoch.Add(30 * time.Second).Unix()}, func(*Identity) {}},
		"rights claimed in the metadata": {claimSet{"user_metadata": object{"role": "admin", "aal": "aal2"}}, func(*Identity) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, "k1", jwa.ES256)
			v := newVerifier(t, newProvider(t, s.jwk(t)), newClock())
			id, err := v.Verify(t.Context(), s.token(t, validClaims(change.claims)))
			require.NoError(t, err)
			want := want
			change.want(&want)
			require.Equal(t, want, id)
		})
	}
}

// hostile is a token and the reason for which it has to be refused.
type hostile struct {
	name   string
	token  string
	reason error
}

func hostileTokens(t *testing.T, es, rs signer) []hostile {
	t.Helper()
	good := es.token(t, validClaims())
	part := strings.Split(good, ".")
	imposter := newSigner(t, es.kid, jwa.ES256)
	public := encode(t, es.jwk(t))
	der, err := x509.MarshalPKIXPublicKey(rs.public())
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	claims := func(name string, reason error, change claimSet) hostile {
		return hostile{name, es.token(t, validClaims(change)), reason}
	}
	header := func(name string, reason error, change object) hostile {
		return hostile{name, es.sign(t, encode(t, es.header(change)), encode(t, validClaims())), reason}
	}
	raw := func(name string, reason error, h, p string) hostile {
		return hostile{name, es.sign(t, h, p), reason}
	}
	goodHeader, goodPayload := encode(t, es.header()), encode(t, validClaims())
	hmac := func(name string, key []byte) hostile {
		s := signer{kid: es.kid, alg: jwa.HS256, key: key}
		return hostile{name, s.token(t, validClaims()), ErrSignature}
	}
	return []hostile{
		// Outer form.
		{"empty", "", ErrEmpty},
		{"one part", "token", ErrParts},
		{"two parts", part[0] + "." + part[1], ErrParts},
		{"four parts", good + "." + part[2], ErrParts},
		{"encrypted token (five parts)", strings.Join([]string{base64url(`{"alg":"dir","enc":"A256GCM"}`), "", base64url("iv"), base64url("text"), base64url("tag")}, "."), ErrParts},
		{"two signatures (JSON serialization)", encode(t, object{"payload": part[1], "signatures": []object{{"protected": part[0], "signature": part[2]}, {"protected": part[0], "signature": part[2]}}}), ErrCharacter},
		{"leading whitespace", " " + good, ErrCharacter},
		{"trailing newline", good + "\n", ErrCharacter},
		{"line break inside", part[0] + ".\r\n" + part[1] + "." + part[2], ErrCharacter},
		{"trailing bytes", good + "!!", ErrCharacter},
		{"trailing characters of the alphabet", good + "AAAA", ErrSignature},
		{"NUL inside", part[0] + ".\x00" + part[1] + "." + part[2], ErrCharacter},
		{"padded", good + "==", ErrCharacter},
		{"standard alphabet", part[0] + "." + part[1] + ".++//", ErrCharacter},
		{"stray bits in the last character", part[0] + "." + part[1] + "." + part[2][:len(part[2])-1] + strayBits(part[2]), ErrEncoding},
		claims("huge metadata", ErrTooLong, claimSet{"user_metadata": strings.Repeat("a", 16<<10)}),
		// Header.
		raw("header not JSON", ErrJSON, `alg`, goodPayload),
		raw("header an array", ErrJSON, `[]`, goodPayload),
		raw("header null", ErrJSON, `null`, goodPayload),
		raw("header followed by another", ErrJSON, goodHeader+goodHeader, goodPayload),
		raw("header not UTF-8", ErrJSON, `{"alg":"ES256","kid":"k1","x":"`+"\xff"+`"}`, goodPayload),
		raw("alg twice", ErrDuplicate, `{"alg":"none","alg":"ES256","kid":"`+es.kid+`"}`, goodPayload),
		raw("kid twice, once escaped", ErrDuplicate, `{"alg":"ES256","kid":"other","k\u0069d":"`+es.kid+`"}`, goodPayload),
		raw("ALG in capitals", ErrAlg, `{"ALG":"ES256","kid":"`+es.kid+`"}`, goodPayload),
		{"alg none, no signature", base64url(`{"alg":"none","typ":"JWT"}`) + "." + part[1] + ".", ErrAlg},
		header("alg None, signed", ErrAlg, object{"alg": "None"}),
		header("alg missing", ErrAlg, object{"alg": nil}),
		header("alg a list", ErrAlg, object{"alg": []string{"ES256"}}),
		header("alg outside the list", ErrAlg, object{"alg": "ES256K"}),
		header("alg of another kind of key", ErrAlg, object{"alg": "RS256"}),
		{"alg of another hash with the same key", signer{kid: rs.kid, alg: jwa.RS512, key: rs.key}.token(t, validClaims()), ErrAlg},
		{"PSS instead of PKCS 1", signer{kid: rs.kid, alg: jwa.PS256, key: rs.key}.token(t, validClaims()), ErrAlg},
		header("kid missing", ErrKeyID, object{"kid": nil}),
		header("kid null", ErrKeyID, object{"kid": []byte(nil)}),
		header("kid a number", ErrKeyID, object{"kid": 1}),
		header("kid very long", ErrKeyID, object{"kid": strings.Repeat("k", 300)}),
		header("kid unknown", ErrUnknownKey, object{"kid": "unknown"}),
		header("kid traversal", ErrUnknownKey, object{"kid": "../../etc/passwd"}),
		header("kid an address", ErrUnknownKey, object{"kid": "https://evil.example.com/key"}),
		header("embedded jwk", ErrEmbeddedKey, object{"jwk": imposter.jwk(t)}),
		header("jku", ErrEmbeddedKey, object{"jku": "https://evil.example.com/jwks.json"}),
		header("x5u", ErrEmbeddedKey, object{"x5u": "https://evil.example.com/chain.pem"}),
		header("x5c", ErrEmbeddedKey, object{"x5c": []string{"MIIB"}}),
		header("crit", ErrCritical, object{"crit": []string{"exp"}}),
		header("crit with unencoded payload", ErrCritical, object{"crit": []string{"b64"}, "b64": false}),
		header("typ of another kind of token", ErrType, object{"typ": "at+jwt"}),
		header("typ not a text", ErrType, object{"typ": 1}),
		// Signature.
		hmac("HS256 with the public key as PEM", publicPEM),
		hmac("HS256 with the public key as DER", der),
		hmac("HS256 with the public key as JWK", []byte(public)),
		{"signature missing", part[0] + "." + part[1] + ".", ErrSignature},
		{"signature of zeros", part[0] + "." + part[1] + "." + base64url(strings.Repeat("\x00", 64)), ErrSignature},
		{"signature of another token", part[0] + "." + base64url(encode(t, validClaims(claimSet{"aal": "aal2"}))) + "." + part[2], ErrSignature},
		{"signature of another key with the same kid", imposter.token(t, validClaims()), ErrSignature},
		// Payload.
		raw("payload not JSON", ErrJSON, goodHeader, "sub="+subject),
		raw("payload a list", ErrJSON, goodHeader, "["+goodPayload+"]"),
		raw("payload followed by another", ErrJSON, goodHeader, goodPayload+goodPayload),
		raw("claim twice", ErrDuplicate, goodHeader, `{"sub":"`+subject+`",`+goodPayload[1:]),
		raw("claim twice inside another", ErrDuplicate, goodHeader, `{"x":{"a":1,"a":2},`+goodPayload[1:]),
		// Claims.
		claims("wrong iss", ErrIssuer, claimSet{"iss": "https://evil.example.com/auth/v1"}),
		claims("iss with a slash more", ErrIssuer, claimSet{"iss": issuer + "/"}),
		claims("missing iss", ErrIssuer, claimSet{"iss": nil}),
		claims("iss a list", ErrIssuer, claimSet{"iss": []string{issuer}}),
		claims("wrong aud", ErrAudience, claimSet{"aud": "other"}),
		claims("missing aud", ErrAudience, claimSet{"aud": nil}),
		claims("empty aud", ErrAudience, claimSet{"aud": ""}),
		claims("array aud with one more", ErrAudience, claimSet{"aud": []string{"authenticated", "other"}}),
		claims("array aud twice the same", ErrAudience, claimSet{"aud": []string{"authenticated", "authenticated"}}),
		claims("array aud of another", ErrAudience, claimSet{"aud": []string{"other"}}),
		claims("array aud empty", ErrAudience, claimSet{"aud": []string{}}),
		claims("array aud nested", ErrAudience, claimSet{"aud": [][]string{{"authenticated"}}}),
		claims("role service_role, no sub", ErrRole, claimSet{"role": "service_role", "sub": nil}),
		claims("role anon, no sub", ErrRole, claimSet{"role": "anon", "sub": nil}),
		claims("missing role", ErrRole, claimSet{"role": nil}),
		claims("role a list", ErrRole, claimSet{"role": []string{"authenticated"}}),
		claims("role in capitals", ErrRole, claimSet{"role": "Authenticated"}),
		claims("anonymous user", ErrAnonymous, claimSet{"is_anonymous": true}),
		claims("is_anonymous a text", ErrAnonymous, claimSet{"is_anonymous": "false"}),
		claims("is_anonymous a number", ErrAnonymous, claimSet{"is_anonymous": 0}),
		raw("is_anonymous null", ErrAnonymous, goodHeader, `{"is_anonymous":null,`+encode(t, validClaims(claimSet{"is_anonymous": nil}))[1:]),
		claims("missing sub", ErrSubject, claimSet{"sub": nil}),
		claims("empty sub", ErrSubject, claimSet{"sub": ""}),
		claims("sub not a UUID", ErrSubject, claimSet{"sub": "ann"}),
		claims("sub in capitals", ErrSubject, claimSet{"sub": strings.ToUpper(subject)}),
		claims("sub in braces", ErrSubject, claimSet{"sub": "{" + subject + "}"}),
		claims("sub a URN", ErrSubject, claimSet{"sub": "urn:uuid:" + subject}),
		claims("sub without hyphens", ErrSubject, claimSet{"sub": strings.ReplaceAll(subject, "-", "")}),
		claims("sub the nil UUID", ErrSubject, claimSet{"sub": uuid.Nil.String()}),
		claims("sub a number", ErrSubject, claimSet{"sub": 1}),
		claims("email not a text", ErrEmail, claimSet{"email": object{"x": "ann@example.com"}}),
		claims("email very long", ErrEmail, claimSet{"email": strings.Repeat("a", 321)}),
		claims("email with NUL", ErrEmail, claimSet{"email": "ann\x00@example.com"}),
		claims("session_id not a UUID", ErrSession, claimSet{"session_id": "1"}),
		claims("session_id a number", ErrSession, claimSet{"session_id": 1}),
		claims("aal unknown", ErrAAL, claimSet{"aal": "aal9"}),
		claims("aal a number", ErrAAL, claimSet{"aal": 2}),
		claims("expired", ErrExpired, claimSet{"exp": epoch.Add(-30 * time.Second).Unix()}),
		claims("exp zero", ErrExpired, claimSet{"exp": 0}),
		claims("missing exp", ErrExpiry, claimSet{"exp": nil}),
		claims("exp a text", ErrExpiry, claimSet{"exp": "1999999999"}),
		claims("exp negative", ErrExpiry, claimSet{"exp": -1}),
		claims("exp in milliseconds", ErrExpiry, claimSet{"exp": epoch.UnixMilli()}),
		raw("exp beyond all numbers", ErrExpiry, goodHeader, `{"exp":1e999,`+encode(t, validClaims(claimSet{"exp": nil}))[1:]),
		claims("not yet valid", ErrNotBefore, claimSet{"nbf": epoch.Add(31 * time.Second).Unix()}),
		claims("nbf a text", ErrNotBefore, claimSet{"nbf": "0"}),
	}
}

// strayBits is another spelling of the last character of a base64url text whose
// last character carries only some of its bits.
func strayBits(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, part[len(part)-1])
	return alphabet[i+1 : i+2]
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	es, rs := newSigner(t, "k1", jwa.ES256), newSigner(t, "k2", jwa.RS256)
	p := newProvider(t, es.jwk(t), rs.jwk(t))
	v := newVerifier(t, p, newClock(), withSecret)
	_, err := v.Verify(t.Context(), es.token(t, validClaims()))
	require.NoError(t, err, "the tokens below differ from a good one")

	tokens := hostileTokens(t, es, rs)
	for _, h := range tokens {
		t.Run(h.name, func(t *testing.T) {
			id, err := v.Verify(t.Context(), h.token)
			require.ErrorIs(t, err, h.reason)
			require.Zero(t, id)
			requireRefusal(t, err, h.token)
		})
	}
	for _, path := range p.paths {
		require.Equal(t, "/.well-known/jwks.json", path)
	}
	require.Equal(t, 1, v.verified.Len(), "a refused token is not remembered")
}

// requireRefusal checks what every refusal owes to the caller and the log.
func requireRefusal(t *testing.T, err error, token string) {
	t.Helper()
	refused, ok := errors.AsType[*errs.Error](err)
	require.True(t, ok)
	require.Equal(t, errs.Unauthenticated, refused.Kind)
	code, message := "invalid_token", "The access token is not valid. Sign in again."
	if errors.Is(err, ErrExpired) {
		code, message = "token_expired", "The access token has expired. Refresh it or sign in again."
	}
	require.Equal(t, code, refused.Code)
	require.Equal(t, message, refused.Message, "the caller is not told which check failed")
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 {
			require.NotContains(t, err.Error(), part)
		}
	}
}

func TestVerifyWithoutSecretRefusesHS256(t *testing.T) {
	t.Parallel()
	es := newSigner(t, "k1", jwa.ES256)
	oct := object{"kty": "oct", "kid": "k2", "alg": "HS256", "k": base64url(secret)}
	v := newVerifier(t, newProvider(t, es.jwk(t), oct), newClock())
	for name, key := range map[string]string{"public key": encode(t, es.jwk(t)), "secret published as a key": secret} {
		t.Run(name, func(t *testing.T) {
			s := signer{kid: "k2", alg: jwa.HS256, key: []byte(key)}
			_, err := v.Verify(t.Context(), s.token(t, validClaims()))
			require.ErrorIs(t, err, ErrAlg)
		})
	}
}

func TestVerifyWithSecretAlone(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, nil, newClock(), withSecret)
	_, err := v.Verify(t.Context(), signer{alg: jwa.HS256, key: []byte(secret)}.token(t, validClaims()))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), signer{alg: jwa.HS256, key: []byte("another secret of at least 32 bytes")}.token(t, validClaims()))
	require.ErrorIs(t, err, ErrSignature)
	_, err = v.Verify(t.Context(), newSigner(t, "k1", jwa.ES256).token(t, validClaims()))
	require.ErrorIs(t, err, ErrUnknownKey)
}

func TestVerifyConfiguredAudience(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", jwa.ES256)
	v := newVerifier(t, newProvider(t, s.jwk(t)), newClock(), func(cfg *Config) { cfg.Audience = "rowhouse" })
	_, err := v.Verify(t.Context(), s.token(t, validClaims(claimSet{"aud": "rowhouse"})))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), s.token(t, validClaims()))
	require.ErrorIs(t, err, ErrAudience)
}

func TestNewVerifierRefusesConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no issuer":           func(c *Config) { c.Issuer = "" },
		"no keys":             func(c *Config) { c.JWKSURL = "" },
		"short secret":        func(c *Config) { c.LegacySecret = []byte("short") },
		"negative skew":       func(c *Config) { c.ClockSkew = -1 },
		"negative cache size": func(c *Config) { c.CacheSize = -1 },
		"address of a file":   func(c *Config) { c.JWKSURL = "file:///etc/passwd" },
		"address of no host":  func(c *Config) { c.JWKSURL = "https:///jwks.json" },
		"login in address":    func(c *Config) { c.JWKSURL = "https://ann:secret@example.com/jwks.json" },
		"broken address":      func(c *Config) { c.JWKSURL = "https://ann:secret@example.com:x/jwks.json" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Issuer: issuer, JWKSURL: "https://project.example.com/jwks.json"}
			change(&cfg)
			_, err := NewVerifier(context.Background(), cfg)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "ann:secret")
		})
	}
}
