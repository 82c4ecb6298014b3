package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	minRSABits     = 2048
	minRSAExponent = 3 // with 1, every text is its own signature
)

// key verifies signatures of one algorithm. Two keys are the same key exactly
// when they are the same pointer; parseKeys sees to that.
type key struct {
	id       string
	alg      jwa.SignatureAlgorithm
	verifier jws.Verifier
	material any // a public key, or the shared secret for HS256
}

func newKey(id string, alg jwa.SignatureAlgorithm, material any) (*key, error) {
	verifier, err := jws.NewVerifier(alg)
	if err != nil {
		return nil, fmt.Errorf("prepare verification with %s: %w", alg, err)
	}
	return &key{id: id, alg: alg, verifier: verifier, material: material}, nil
}

// same reports whether k accepts exactly the signatures that o accepts.
func (k *key) same(o *key) bool {
	public, ok := k.material.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && k.alg == o.alg && public.Equal(o.material)
}

// parseKeys reads a JWK set. Keys that cannot verify a token here are left out
// and counted, so that an exotic one does not take the others down with it; a
// key id that occurs twice is ambiguous, and neither key is used. A key that
// previous holds already keeps its identity.
func parseKeys(body []byte, previous map[string]*key) (keys map[string]*key, ignored int, err error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, 0, fmt.Errorf("parse key set: %w", err)
	}
	// An empty list is an answer (no asymmetric keys); none at all is a mistake.
	if set.Keys == nil {
		return nil, 0, errors.New("parse key set: it has no list of keys")
	}
	keys = make(map[string]*key, len(set.Keys))
	var twice []string
	for _, raw := range set.Keys {
		k, err := parseKey(raw)
		if err != nil {
			ignored++
			continue
		}
		if _, ok := keys[k.id]; ok {
			twice = append(twice, k.id)
		}
		if old := previous[k.id]; old != nil && old.same(k) {
			k = old
		}
		keys[k.id] = k
	}
	for _, id := range twice {
		delete(keys, id)
		ignored++
	}
	return keys, ignored, nil
}

// parseKey reads one JWK that is a public key, has an id and names an
// algorithm that fits it.
func parseKey(raw []byte) (*key, error) {
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	if parsed.KeyID() == "" {
		return nil, errors.New("key has no id")
	}
	if use := parsed.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
		return nil, errors.New("key is not for signatures")
	}
	if ops := parsed.KeyOps(); len(ops) > 0 && !slices.Contains(ops, jwk.KeyOpVerify) {
		return nil, errors.New("key is not for verification")
	}
	var public any
	if err := parsed.Raw(&public); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	alg := jwa.SignatureAlgorithm(parsed.Algorithm().String())
	if !fits(alg, public) {
		return nil, errors.New("key does not fit its algorithm")
	}
	return newKey(parsed.KeyID(), alg, public)
}

// fits reports whether alg is accepted and material is a public key for it.
// Secrets and private keys in a published set are for nobody to trust.
func fits(alg jwa.SignatureAlgorithm, material any) bool {
	switch public := material.(type) {
	case *ecdsa.PublicKey:
		if _, err := public.ECDH(); err != nil { // not a point of its curve
			return false
		}
		return alg == jwa.ES256 && public.Curve == elliptic.P256() ||
			alg == jwa.ES512 && public.Curve == elliptic.P521()
	case *rsa.PublicKey:
		return (alg == jwa.RS256 || alg == jwa.RS512) && public.N.BitLen() >= minRSABits && public.E >= minRSAExponent
	case ed25519.PublicKey:
		return alg == jwa.EdDSA && len(public) == ed25519.PublicKeySize
	}
	return false
}
