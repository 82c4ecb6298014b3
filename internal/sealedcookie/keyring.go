package sealedcookie

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

var keyID = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

type key struct {
	id   string
	aead cipher.AEAD
}

// Keyring is the keys in use: the first seals, all open. To rotate, put the new key
// first, and drop the old one when the sessions that it sealed have ended. Processes
// that share sessions learn of a key one after another: give it to all as the second
// before it becomes the first of one.
//
// The zero Keyring has no key and must not be asked to seal.
type Keyring struct{ keys []key }

// ParseKeyring reads "id:key,id:key", where id is 1 to 32 of a-z, 0-9, _ and -, and
// key is 32 random bytes in standard base64.
func ParseKeyring(text string) (Keyring, error) {
	var ring Keyring
	for entry := range strings.SplitSeq(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keyring{}, errors.New("session keys: want id:base64,…, with ids of a-z, 0-9, _ and -")
		}
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) != chacha20poly1305.KeySize {
			return Keyring{}, fmt.Errorf("session key %s: want %d bytes in standard base64", id, chacha20poly1305.KeySize)
		}
		if slices.ContainsFunc(ring.keys, func(k key) bool { return k.id == id }) {
			return Keyring{}, fmt.Errorf("session key %s stands twice", id)
		}
		aead, err := chacha20poly1305.NewX(secret)
		if err != nil {
			return Keyring{}, fmt.Errorf("session key %s: %w", id, err)
		}
		ring.keys = append(ring.keys, key{id: id, aead: aead})
	}
	return ring, nil
}

// UnmarshalText is ParseKeyring for configuration.
func (r *Keyring) UnmarshalText(text []byte) error {
	ring, err := ParseKeyring(string(text))
	*r = ring
	return err
}

// Empty reports whether there is no key.
func (r Keyring) Empty() bool { return len(r.keys) == 0 }

// String keeps the secrets out of logs.
func (r Keyring) String() string { return fmt.Sprintf("%d session keys", len(r.keys)) }

// GoString keeps the secrets out of %#v.
func (r Keyring) GoString() string { return r.String() }

// seal encrypts value with the first key, bound to that key and to name. The nonce
// is random: XChaCha20's are long enough for that.
func (r Keyring) seal(value []byte, name string) (id string, sealed []byte) {
	k := r.keys[0]
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(value)+k.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return k.id, k.aead.Seal(nonce, nonce, value, bound(k.id, name))
}

func (r Keyring) open(id string, sealed []byte, name string) ([]byte, error) {
	for _, k := range r.keys {
		if k.id != id || len(sealed) < k.aead.NonceSize() {
			continue
		}
		nonce, text := sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():]
		if value, err := k.aead.Open(nil, nonce, text, bound(id, name)); err == nil {
			return value, nil
		}
	}
	return nil, ErrUnreadable
}

func bound(id, name string) []byte { return []byte(version + "|" + id + "|" + name) }
