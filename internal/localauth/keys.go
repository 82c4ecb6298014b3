package localauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// keyring signs and verifies access tokens and derives refresh tokens.
type keyring struct {
	signing jwk.Key
	public  jwk.Set

	// refresh is derived from the signing key. So that parallel refreshes can all
	// be answered with the same successor, a refresh token is computed from its
	// row's number instead of being stored; the key file being outside the
	// database, a copy of the tables gives no token away.
	refresh []byte
}

// openKeyring reads the private JWK set at path, creating it with one ES256 key
// if there is none. Exactly one key carries the operation "sign"; the others
// verify the tokens of the past.
func openKeyring(path string) (*keyring, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = createKeyFile(path); err == nil {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	set, err := jwk.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("signing keys: parse %s: %w", path, err)
	}
	k, err := newKeyring(set)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %s: %w", path, err)
	}
	return k, nil
}

func newKeyring(set jwk.Set) (*keyring, error) {
	k := &keyring{public: jwk.NewSet()}
	for i := range set.Len() {
		key, _ := set.Key(i)
		if key.Algorithm() != jwa.ES256 || key.KeyID() == "" {
			return nil, errors.New("every key needs alg ES256 and a kid")
		}
		if slices.Contains(key.KeyOps(), jwk.KeyOpSign) {
			if k.signing != nil {
				return nil, errors.New("two keys carry the operation sign")
			}
			k.signing = key
		}
		public, err := key.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("public part of key %s: %w", key.KeyID(), err)
		}
		err = errors.Join(
			public.Set(jwk.KeyOpsKey, jwk.KeyOperationList{jwk.KeyOpVerify}),
			public.Set(jwk.KeyUsageKey, jwk.ForSignature),
			k.public.AddKey(public))
		if err != nil {
			return nil, fmt.Errorf("publish key %s: %w", key.KeyID(), err)
		}
	}
	if k.signing == nil {
		return nil, errors.New("no key carries the operation sign")
	}
	var private ecdsa.PrivateKey
	if err := k.signing.Raw(&private); err != nil {
		return nil, fmt.Errorf("the signing key is not private: %w", err)
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("secret of the signing key: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("rowhouse local auth: refresh tokens"))
	k.refresh = mac.Sum(nil)
	return k, nil
}

// createKeyFile writes a set of one new key. A second process that starts at the
// same time finds either nothing or the whole file.
func createKeyFile(path string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	key, err := jwk.FromRaw(private)
	if err != nil {
		return fmt.Errorf("as JWK: %w", err)
	}
	set := jwk.NewSet()
	err = errors.Join(
		jwk.AssignKeyID(key),
		key.Set(jwk.AlgorithmKey, jwa.ES256),
		key.Set(jwk.KeyOpsKey, jwk.KeyOperationList{jwk.KeyOpSign, jwk.KeyOpVerify}),
		set.AddKey(key))
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	text, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// sign returns claims as a compact JWT.
func (k *keyring) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, "JWT"); err != nil {
		return "", fmt.Errorf("token header: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256, k.signing, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(token), nil
}

// verify returns the payload of a token that one of the keys has signed.
func (k *keyring) verify(token string) ([]byte, error) {
	return jws.Verify([]byte(token), jws.WithCompact(), jws.WithKeySet(k.public, jws.WithRequireKid(true)))
}

// refreshToken returns the token of the row with this number: 12 characters of
// [a-z0-9], about 62 bits, as the real service hands out.
func (k *keyring) refreshToken(session uuid.UUID, number int64) string {
	mac := hmac.New(sha256.New, k.refresh)
	mac.Write(session[:])
	mac.Write(strconv.AppendInt(nil, number, 10))
	space := new(big.Int).Exp(big.NewInt(36), big.NewInt(12), nil)
	n := new(big.Int).SetBytes(mac.Sum(nil))
	text := n.Mod(n, space).Text(36)
	return strings.Repeat("0", 12-len(text)) + text
}

// digest is what the database keeps of a refresh token.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
