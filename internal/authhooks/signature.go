package authhooks

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	// tolerance is how far a call's time may be from ours, either way.
	tolerance = 5 * time.Minute
	// minKey is the least number of bytes of a secret, as Standard Webhooks has it.
	minKey = 24
	// remembered is how many calls are known again. At the rate at which one process
	// could answer them, that is more than come in while their time is within tolerance.
	remembered = 1 << 16

	maxID = 128 // bytes of a webhook-id
)

// errForged is what is wrong with every call that did not come from the provider just
// now. What exactly, is for the log.
type errForged struct{ why string }

func (e errForged) Error() string { return e.why }

// verifier tells calls of the provider from others, by Standard Webhooks.
//
// Its library signs here, and does not verify: it takes only the first of signatures
// that a comma alone divides, and its clock cannot be set.
type verifier struct {
	keys []*webhooks.Webhook
	now  func() time.Time
	// seen are the ids of calls that were verified, by which one that is sent a second
	// time is refused. The provider's own retries have ids of their own. Other processes
	// do not know of it: that a call does nothing twice must not depend on this.
	seen *lru.Cache[string, struct{}]
}

// newVerifier takes the text of the provider's setting: v1,whsec_<base64>, several
// divided by "|". No error holds any of it.
func newVerifier(secrets string, now func() time.Time) (*verifier, error) {
	seen, err := lru.New[string, struct{}](remembered)
	if err != nil {
		return nil, err
	}
	v := &verifier{now: now, seen: seen}
	for i, secret := range strings.Split(secrets, "|") {
		key, err := parseSecret(strings.TrimSpace(secret))
		if err != nil {
			return nil, fmt.Errorf("secret %d of the hooks: %w", i+1, err)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

func parseSecret(secret string) (*webhooks.Webhook, error) {
	text, ok := strings.CutPrefix(secret, "v1,whsec_")
	switch {
	case secret == "":
		return nil, errors.New("it is empty")
	case strings.HasPrefix(secret, "v1a,"):
		return nil, errors.New("it is a pair of keys (v1a), with which Supabase Auth cannot sign; generate one that begins with v1,whsec_")
	case !ok:
		return nil, errors.New("it does not begin with v1,whsec_")
	}
	key, err := webhooks.NewWebhook(text)
	if err != nil {
		return nil, errors.New("what follows v1,whsec_ is not base64 with its padding") // the cause might quote it
	}
	if n := len(strings.TrimRight(text, "=")) * 3 / 4; n < minKey {
		return nil, fmt.Errorf("it has %d bytes; %d is the least", n, minKey)
	}
	return key, nil
}

// claim is what a call says of itself.
type claim struct {
	id         string
	at         time.Time
	signatures []string
}

// read looks at what can be told from the headers alone, so that most of what is
// forged costs nothing.
func (v *verifier) read(h http.Header) (claim, error) {
	c := claim{id: h.Get(webhooks.HeaderWebhookID)}
	if c.id == "" || len(c.id) > maxID || strings.ContainsFunc(c.id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return c, errForged{"no webhook-id"}
	}
	stamp := h.Get(webhooks.HeaderWebhookTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp { // one way to write it
		return c, errForged{"no webhook-timestamp"}
	}
	c.at = time.Unix(seconds, 0)
	if age := v.now().Sub(c.at); age > tolerance || age < -tolerance {
		return c, errForged{"its time is not within five minutes of ours"}
	}
	// "v1,a v1,b" by the standard, "v1,a, v1,b" from Supabase Auth
	parts := strings.FieldsFunc(h.Get(webhooks.HeaderWebhookSignature), func(r rune) bool { return r == ',' || r == ' ' })
	for i := 0; i+1 < len(parts); i++ {
		if parts[i] == "v1" {
			i++
			c.signatures = append(c.signatures, parts[i])
		}
	}
	if len(c.signatures) == 0 {
		return c, errForged{"no webhook-signature"}
	}
	return c, nil
}

// verify fails unless one of the signatures of c is that of body, and this is the
// first time. How much of a wrong one is right cannot be timed.
func (v *verifier) verify(c claim, body []byte) error {
	for _, key := range v.keys {
		want, err := key.Sign(c.id, c.at, body)
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		for _, signature := range c.signatures {
			if !hmac.Equal([]byte("v1,"+signature), []byte(want)) {
				continue
			}
			if again, _ := v.seen.ContainsOrAdd(c.id, struct{}{}); again {
				return errForged{"it was here before"}
			}
			return nil
		}
	}
	return errForged{"its signature is not of the body and a secret of ours"}
}
