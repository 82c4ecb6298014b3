// Package seal proves to the database that an identity comes from our server.
//
// The server signs who a transaction acts for, as which persona and until when;
// app.current_user_id checks the signature against keys that only the database's
// owner role can read (policies/functions.sql). Whoever can run SQL on the
// server's connection but has no key is nobody.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	version   = "rowhouse-seal-1"
	blockSize = 64 // of SHA-256 in bytes; a longer key would have to be hashed first (RFC 2104)
	minSecret = 32
)

var keyID = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// Key is one secret with its name.
type Key struct {
	ID     string
	secret []byte
}

// Keyring is the keys in use: the first signs, all are valid. To rotate, add the
// coming key as the second, migrate, make it the first, and drop the old one
// when no process signs with it.
//
// The zero Keyring has no key and must not be asked to sign.
type Keyring struct{ keys []Key }

// ParseKeyring reads "id:secret,id:secret", where id is 1 to 32 of a-z, 0-9, _
// and -, and secret is 32 to 64 bytes in standard base64.
func ParseKeyring(text string) (Keyring, error) {
	var ring Keyring
	for entry := range strings.SplitSeq(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keyring{}, errors.New("seal keys: want id:base64,…, with ids of a-z, 0-9, _ and -")
		}
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) < minSecret || len(secret) > blockSize {
			return Keyring{}, fmt.Errorf("seal key %s: want %d to %d bytes in standard base64", id, minSecret, blockSize)
		}
		if slices.ContainsFunc(ring.keys, func(k Key) bool { return k.ID == id }) {
			return Keyring{}, fmt.Errorf("seal key %s stands twice", id)
		}
		ring.keys = append(ring.keys, Key{ID: id, secret: secret})
	}
	return ring, nil
}

// UnmarshalText is ParseKeyring for configuration.
func (r *Keyring) UnmarshalText(text []byte) error {
	ring, err := ParseKeyring(string(text))
	*r = ring
	return err
}

// Keys returns the keys, the signing one first.
func (r Keyring) Keys() []Key { return r.keys }

// Sign seals that the transaction on the backend with that process id acts for
// userID as persona until expires. Behind a transaction pooler the backend is
// not known beforehand: there pid is 0, and the keys were registered as not
// bound to one.
func (r Keyring) Sign(persona string, userID uuid.UUID, expires time.Time, pid uint32) string {
	key := r.keys[0]
	expiry := strconv.FormatInt(expires.Unix(), 10)
	backend := strconv.FormatUint(uint64(pid), 10)
	mac := hmac.New(sha256.New, key.secret)
	mac.Write([]byte(strings.Join([]string{version, persona, userID.String(), expiry, backend}, "|")))
	return key.ID + "." + expiry + "." + backend + "." + hex.EncodeToString(mac.Sum(nil))
}

// Pads returns the key as HMAC's inner and outer padded keys, the form in which
// the database keeps it.
func (k Key) Pads() (inner, outer []byte) {
	inner, outer = make([]byte, blockSize), make([]byte, blockSize)
	copy(inner, k.secret)
	copy(outer, k.secret)
	for i := range blockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	return inner, outer
}

// String keeps the secret out of logs.
func (k Key) String() string { return "seal key " + k.ID }

// String keeps the secrets out of logs.
func (r Keyring) String() string { return fmt.Sprintf("%d seal keys", len(r.keys)) }

// GoString keeps the secret out of %#v.
func (k Key) GoString() string { return k.String() }

// GoString keeps the secrets out of %#v.
func (r Keyring) GoString() string { return r.String() }
