package isolationreport

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// signatureType is the header typ: no other token that these keys could ever sign
// passes for a report.
const signatureType = "rowhouse-isolation-report"

// Keys sign reports: the first signs, and all are published, so that earlier
// reports can be verified. To rotate, put a new key before the old one, whose public
// part is enough from then on.
//
// The zero Keys have no key and sign nothing.
type Keys struct {
	signing jwk.Key
	public  jwk.Set
}

// ParseKeys reads keys of the curve P-256 in PEM, one after another; the first must
// be private. A key's id is its thumbprint (RFC 7638). No error shows what was read.
func ParseKeys(text string) (Keys, error) {
	set, err := jwk.ParseString(text, jwk.WithPEM(true))
	if err != nil || set.Len() == 0 || !strings.HasSuffix(strings.TrimSpace(text), "-----") {
		return Keys{}, errors.New("want EC keys in PEM, one after another: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
	}
	keys := Keys{public: jwk.NewSet()}
	for i := range set.Len() {
		key, _ := set.Key(i)
		public, err := publish(key)
		if err != nil {
			return Keys{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if _, there := keys.public.LookupKeyID(public.KeyID()); there {
			return Keys{}, fmt.Errorf("key %d stands twice", i+1)
		}
		if err := keys.public.AddKey(public); err != nil {
			return Keys{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if i > 0 {
			continue
		}
		if _, private := key.(jwk.ECDSAPrivateKey); !private {
			return Keys{}, errors.New("key 1 is not private, and it has to sign")
		}
		keys.signing = key
		if err := keys.signing.Set(jwk.KeyIDKey, public.KeyID()); err != nil {
			return Keys{}, fmt.Errorf("key 1: %w", err)
		}
	}
	return keys, nil
}

// publish is the public part of a key with what verifiers want to know.
func publish(key jwk.Key) (jwk.Key, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, errors.New("it has no public part")
	}
	var raw ecdsa.PublicKey
	if err := public.Raw(&raw); err != nil || raw.Curve != elliptic.P256() {
		return nil, errors.New("it is not of the curve P-256")
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return public, errors.Join(
		public.Set(jwk.KeyIDKey, base64.RawURLEncoding.EncodeToString(thumbprint)),
		public.Set(jwk.AlgorithmKey, jwa.ES256),
		public.Set(jwk.KeyUsageKey, jwk.ForSignature))
}

// GenerateKey returns a new key in PEM, for ParseKeys.
func GenerateKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generate a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("generate a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// CanSign reports whether there is a key.
func (k Keys) CanSign() bool { return k.signing != nil }

// Public returns the public keys as a JWK set (RFC 7517).
func (k Keys) Public() ([]byte, error) {
	public := k.public
	if public == nil {
		public = jwk.NewSet()
	}
	text, err := json.Marshal(public)
	if err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	return text, nil
}

// String keeps the keys out of logs.
func (k Keys) String() string { return "keys of the isolation report" }

// GoString keeps the keys out of %#v.
func (k Keys) GoString() string { return k.String() }

// sign returns a compact JWS (RFC 7515) over the canonical JSON (RFC 8785) of a
// report.
func (k Keys) sign(r Report) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	payload := jsontext.Value(text)
	if err := payload.Canonicalize(); err != nil {
		return "", fmt.Errorf("canonicalize: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, signatureType); err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.ES256, k.signing, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(signed), nil
}

// Verify checks that answer, the body of GET /api/v1/security/isolation-report, is
// signed with one of the keys of a JWK set and shows what was signed. It returns the
// report that was signed and the key's id.
func Verify(answer, keys []byte) (r Report, keyID string, err error) {
	var body struct {
		Report jsontext.Value `json:"report"`
		JWS    string         `json:"jws"`
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		return Report{}, "", fmt.Errorf("read the answer: %w", err)
	}
	if body.JWS == "" {
		return Report{}, "", errors.New("the report is not signed")
	}
	set, err := jwk.Parse(keys)
	if err != nil {
		return Report{}, "", fmt.Errorf("read the keys: %w", err)
	}
	// a lax decoder overlooks bits at a part's end, so that two texts would be one signature
	for part := range strings.SplitSeq(body.JWS, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return Report{}, "", errors.New("the signature is not a compact JWS")
		}
	}
	message, err := jws.ParseString(body.JWS)
	if err != nil || len(message.Signatures()) != 1 {
		return Report{}, "", errors.New("the signature is not a compact JWS")
	}
	headers := message.Signatures()[0].ProtectedHeaders()
	if headers.Type() != signatureType || headers.Algorithm() != jwa.ES256 {
		return Report{}, "", errors.New("the signature is not one of an isolation report")
	}
	payload, err := jws.Verify([]byte(body.JWS), jws.WithCompact(), jws.WithKeySet(set, jws.WithRequireKid(true)))
	if err != nil {
		return Report{}, "", fmt.Errorf("the signature does not hold: %w", err)
	}
	if err := body.Report.Canonicalize(); err != nil {
		return Report{}, "", fmt.Errorf("read the answer: %w", err)
	}
	if !bytes.Equal(body.Report, payload) {
		return Report{}, "", errors.New("the report that is shown is not the one that was signed")
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return Report{}, "", fmt.Errorf("read the report: %w", err)
	}
	return r, headers.KeyID(), nil
}
