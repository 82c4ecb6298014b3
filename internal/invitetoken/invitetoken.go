// Package invitetoken makes what opens a tenant's invite, so that it need not be
// kept anywhere: a token is computed from the landlord, from the id of the mail that
// carries it, and from a key that is in no database. Whoever reads the database or
// the job queue can open no invite; whoever mails one computes its token again.
package invitetoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

var keyID = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

const minSecret, maxSecret = 32, 64

type key struct {
	id     string
	print  string // tells a secret from another under the same id, and nothing about it
	secret []byte
}

// Keyring is the keys in use: the first makes tokens, all are remembered. A key that
// is taken away makes the mails that wait with it wait for it; invites that were
// mailed stay good.
//
// The zero Keyring has no key and must not be asked for a token.
type Keyring struct{ keys []key }

// ParseKeyring reads "id:secret,id:secret", where id is 1 to 32 of a-z, 0-9, _
// and -, and secret is 32 to 64 bytes in standard base64.
func ParseKeyring(text string) (Keyring, error) {
	var ring Keyring
	for entry := range strings.SplitSeq(text, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keyring{}, errors.New("invite keys: want id:base64,…, with ids of a-z, 0-9, _ and -")
		}
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) < minSecret || len(secret) > maxSecret {
			return Keyring{}, fmt.Errorf("invite key %s: want %d to %d bytes in standard base64", id, minSecret, maxSecret)
		}
		if slices.ContainsFunc(ring.keys, func(k key) bool { return k.id == id }) {
			return Keyring{}, fmt.Errorf("invite key %s stands twice", id)
		}
		k := key{id: id, secret: secret}
		k.print = hex.EncodeToString(k.mac("print")[:4])
		ring.keys = append(ring.keys, k)
	}
	return ring, nil
}

// UnmarshalText is ParseKeyring for configuration.
func (r *Keyring) UnmarshalText(text []byte) error {
	ring, err := ParseKeyring(string(text))
	*r = ring
	return err
}

// Empty tells that there is no key.
func (r Keyring) Empty() bool { return len(r.keys) == 0 }

// String keeps the secrets out of logs.
func (r Keyring) String() string { return fmt.Sprintf("%d invite keys", len(r.keys)) }

// GoString keeps the secrets out of %#v.
func (r Keyring) GoString() string { return r.String() }

// Minted is what is kept of a token that was made.
type Minted struct {
	MailID uuid.UUID // of the one mail that carries it
	Key    string    // which key it is made with
	Hash   []byte    // its SHA-256
}

// Mint makes the token of another mail to somebody whom that landlord invites.
func (r Keyring) Mint(landlord uuid.UUID) Minted {
	k, mail := r.keys[0], uuid.New()
	return Minted{MailID: mail, Key: k.name(), Hash: Hash(k.token(landlord, mail))}
}

// ErrUnknownKey says that a token is of a key that is not in the ring, or not with
// this secret.
var ErrUnknownKey = errors.New("the invite's key is not among INVITE_KEYS")

// Token computes what Mint had made.
func (r Keyring) Token(landlord, mail uuid.UUID, keyName string) (string, error) {
	k, err := r.named(keyName)
	if err != nil {
		return "", err
	}
	return k.token(landlord, mail), nil
}

func (r Keyring) named(name string) (key, error) {
	for _, k := range r.keys {
		if k.name() == name {
			return k, nil
		}
	}
	return key{}, ErrUnknownKey
}

// Hash is what the database keeps of a token.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func (k key) name() string { return k.id + "." + k.print }

func (k key) mac(parts ...string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("rowhouse-invite-1|" + strings.Join(parts, "|")))
	return mac.Sum(nil)
}

func (k key) token(landlord, mail uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString(k.mac("token", landlord.String(), mail.String()))
}

// MessageID names the mail in its headers, the same each time it is sent. A bounce
// quotes it, and so it says whose mail it is, but to us alone: the landlord's id is
// masked, and a name that we have not given is none.
func (r Keyring) MessageID(landlord, mail uuid.UUID, keyName string) (string, error) {
	k, err := r.named(keyName)
	if err != nil {
		return "", err
	}
	masked := k.mask(landlord, mail)
	return fmt.Sprintf("invite.%s.%s.%s", hex.EncodeToString(mail[:]), hex.EncodeToString(masked[:]), k.stamp(mail, masked)), nil
}

// ParseMessageID reads a name that MessageID gave, with any key of the ring. It takes
// it as it stands in a header, too, with a domain and in brackets.
func (r Keyring) ParseMessageID(name string) (landlord, mail uuid.UUID, ok bool) {
	name, _, _ = strings.Cut(strings.Trim(strings.TrimSpace(name), "<>"), "@")
	parts := strings.Split(strings.ToLower(name), ".")
	if len(parts) != 4 || parts[0] != "invite" || len(parts[1]) != 32 || len(parts[2]) != 32 {
		return uuid.Nil, uuid.Nil, false
	}
	mail, errMail := uuid.Parse(parts[1])
	masked, errMasked := uuid.Parse(parts[2])
	if errMail != nil || errMasked != nil {
		return uuid.Nil, uuid.Nil, false
	}
	for _, k := range r.keys {
		if hmac.Equal([]byte(k.stamp(mail, masked)), []byte(parts[3])) {
			return k.mask(masked, mail), mail, true
		}
	}
	return uuid.Nil, uuid.Nil, false
}

// mask hides an id, and shows a hidden one. No two mails have the same mask.
func (k key) mask(id, mail uuid.UUID) (masked uuid.UUID) {
	pad := k.mac("mask", mail.String())
	for i := range id {
		masked[i] = id[i] ^ pad[i]
	}
	return masked
}

func (k key) stamp(mail, masked uuid.UUID) string {
	return hex.EncodeToString(k.mac("message", mail.String(), masked.String())[:12])
}
