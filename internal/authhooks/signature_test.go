package authhooks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
)

// TestVector: what the provider's own signature of a known body says. The body is no
// payload, so a call that is let through is malformed, and others are nobody's.
func TestVector(t *testing.T) {
	t.Parallel()
	const (
		id    = "3f2c1a50-0000-4000-8000-000000000001"
		stamp = 1700000000
		body  = `{"name":"before-user-created","note":"a\u0026b"}`
		one   = "v1,v1ZX/1iJn2gOkdXZ9hA6ltJyng6ZR3WWTlxWJRo9Bno="
		two   = "v1,hY9neXoFOcwFUd0nvyT1nEfPf38v6Dm2FUsr8IJxmcQ="
		wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	)
	d := serve(t).Database
	for _, c := range []struct {
		secrets, signature string
		body               string
		after              time.Duration // our clock, as seen from the call's
		want               int
	}{
		{secrets: secretOne, signature: one, want: 400},
		{secrets: secretTwo, signature: two, want: 400},
		{secrets: secretOne, signature: one + ", " + two, want: 400}, // as the provider joins them
		{secrets: secretTwo, signature: one + ", " + two, want: 400},
		{secrets: secretTwo, signature: one + " " + two, want: 400}, // as the standard does
		{secrets: secretTwo, signature: one + "," + two, want: 400},
		{secrets: secretOne, signature: one + ",", want: 400},
		{secrets: secretOne, signature: ", " + wrong + ",  " + one + " ,", want: 400},
		{secrets: secretOne, signature: "v2,x v1a,y " + one, want: 400},
		{secrets: secretTwo + "|" + secretOne, signature: one, want: 400},
		{secrets: secretTwo + " | " + secretOne, signature: one, want: 400},
		{secrets: secretOne, signature: one, after: 5 * time.Minute, want: 400},
		{secrets: secretOne, signature: one, after: -5 * time.Minute, want: 400},

		{secrets: secretOne, signature: one, after: 5*time.Minute + time.Second, want: 401},
		{secrets: secretOne, signature: one, after: -5*time.Minute - time.Second, want: 401},
		{secrets: secretOne, signature: one, body: `{"name":"before-user-created","note":"a&b"}`, want: 401}, // the same JSON
		{secrets: secretOne, signature: one, body: body + "\n", want: 401},
		{secrets: secretOne, signature: one, body: body[:40], want: 401},
		{secrets: secretOne, signature: two, want: 401},
		{secrets: secretOne, signature: wrong, want: 401},
		{secrets: secretOne, signature: "", want: 401},
		{secrets: secretOne, signature: ",", want: 401},
		{secrets: secretOne, signature: "v1,", want: 401},
		{secrets: secretOne, signature: "v1", want: 401},
		{secrets: secretOne, signature: strings.TrimPrefix(one, "v1,"), want: 401},
		{secrets: secretOne, signature: strings.Replace(one, "v1,", "v1a,", 1), want: 401},
		{secrets: secretOne, signature: strings.Replace(one, "v1,", "V1,", 1), want: 401},
		{secrets: secretOne, signature: strings.TrimSuffix(one, "="), want: 401},
		{secrets: secretOne, signature: strings.ToLower(one), want: 401},
		{secrets: secretOne, signature: strings.Repeat(wrong+", ", 1000), want: 401},
	} {
		now := time.Unix(stamp, 0).Add(c.after)
		r := serveOn(t, d, func(a *authhooks.Config) { a.Secrets, a.Now = c.secrets, func() time.Time { return now } })
		if c.body == "" {
			c.body = body
		}
		req := r.signed("before-user-created", []byte(c.body))
		req.Header.Set("Webhook-Id", id)
		req.Header.Set("Webhook-Timestamp", strconv.Itoa(stamp))
		req.Header.Set("Webhook-Signature", c.signature)
		r.turnsAway(r.do(req), c.want, fmt.Sprintf("%+.200v", c))
	}
}

// hookNames are all receivers that are signed.
var hookNames = map[string]string{
	"before-user-created": "before-user-created", "after-user-created": "after-user-created",
	"custom-access-token": "customize-access-token", "send-email": "send-email",
}

// payloadOf is a proper payload of a hook, about a new user.
func payloadOf(hook string) object {
	switch hook {
	case "custom-access-token":
		return tokenCall(newUser("ann@example.com"))
	case "send-email":
		return emailCall("signup", newUser("ann@example.com"), nil)
	}
	return userCall(hookNames[hook], newUser("ann@example.com"))
}

// TestForged: a call that is not the provider's, or not of now, is answered with
// nothing and does nothing, at every receiver.
func TestForged(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	for hook := range hookNames {
		body, err := json.Marshal(payloadOf(hook))
		require.NoError(t, err)
		for name, spoil := range map[string]func(*http.Request){
			"no id":                func(req *http.Request) { req.Header.Del("Webhook-Id") },
			"another id":           func(req *http.Request) { req.Header.Set("Webhook-Id", "another") },
			"an id too long":       func(req *http.Request) { req.Header.Set("Webhook-Id", strings.Repeat("a", 200)) },
			"an id with a space":   func(req *http.Request) { req.Header.Set("Webhook-Id", "a b") },
			"no time":              func(req *http.Request) { req.Header.Del("Webhook-Timestamp") },
			"no number for a time": func(req *http.Request) { req.Header.Set("Webhook-Timestamp", "now") },
			"a time past bounds":   func(req *http.Request) { req.Header.Set("Webhook-Timestamp", "99999999999999999999") },
			"a time in another form": func(req *http.Request) {
				req.Header.Set("Webhook-Timestamp", "+"+req.Header.Get("Webhook-Timestamp"))
			},
			"no signature":    func(req *http.Request) { req.Header.Del("Webhook-Signature") },
			"empty signature": func(req *http.Request) { req.Header.Set("Webhook-Signature", "") },
			"the secret of a webhook": func(req *http.Request) {
				req.Header.Del("Webhook-Signature")
				req.Header.Set("Authorization", "Bearer "+webhookSecret)
			},
			"one byte more": func(req *http.Request) {
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(append(body, ' '))), int64(len(body)+1)
			},
			"one byte less": func(req *http.Request) {
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body[:len(body)-1])), int64(len(body)-1)
			},
			"no body": func(req *http.Request) { req.Body, req.ContentLength = http.NoBody, 0 },
		} {
			req := r.signed(hook, body)
			spoil(req)
			r.turnsAway(r.do(req), http.StatusUnauthorized, hook+": "+name)
		}
		r.turnsAway(r.do(r.signed(hook, body, secretTwo)), http.StatusUnauthorized, hook+": another's secret")
		r.turnsAway(r.do(r.signedAt(time.Now().Add(-6*time.Minute), hook, body)), http.StatusUnauthorized, hook+": late")
		r.turnsAway(r.do(r.signedAt(time.Now().Add(6*time.Minute), hook, body)), http.StatusUnauthorized, hook+": early")
	}
	require.Zero(t, r.profiles())
	require.Empty(t, box.all())
}

// TestReplay: the very same call is refused; the provider's own retry, which has the
// same body and another id, is not.
func TestReplay(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	for hook := range hookNames {
		body, err := json.Marshal(payloadOf(hook))
		require.NoError(t, err)
		first := r.signed(hook, body)
		again := first.Clone(t.Context())
		again.Body, err = first.GetBody()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.do(first).status, hook)
		r.turnsAway(r.do(again), http.StatusUnauthorized, hook)
		require.Equal(t, http.StatusOK, r.do(r.signed(hook, body)).status, hook)
	}
	require.Equal(t, 2, r.profiles(), "one of after-user-created, one of the token")
	require.Len(t, box.all(), 1, "the retry has not sent it twice")
}

// TestAnothersCall: what was signed for one receiver is nothing at another.
func TestAnothersCall(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	for hook := range hookNames {
		for other := range hookNames {
			body, err := json.Marshal(payloadOf(other))
			require.NoError(t, err)
			if hook != other {
				r.turnsAway(r.do(r.signed(hook, body)), http.StatusBadRequest, other+" at "+hook)
			}
		}
	}
	require.Zero(t, r.profiles())
	require.Empty(t, box.all())
}

// TestMalformed: what is signed and says nothing sensible is an outage, not a consent.
func TestMalformed(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	for hook, name := range hookNames {
		for _, body := range []string{
			``, `null`, `[]`, `"x"`, `{`, `{}`, `{"metadata":null}`, `{"metadata":{"name":"` + name + `"}`, `{}{}`,
			`{"metadata":{"name":"` + name + `","uuid":"no uuid"}}`,
			`{"metadata":{"name":["` + name + `"]}}`,
			`{"METADATA":{"name":"` + name + `"}}`,
			`{"metadata":{"name":"` + name + `"},"user":"x","claims":[],"email_data":7}`,
			strings.Repeat(`{"a":`, 20000),
		} {
			r.turnsAway(r.do(r.signed(hook, []byte(body))), http.StatusBadRequest, hook+": "+body[:min(len(body), 80)])
		}
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/problem+json", "application/json;="} {
			body, err := json.Marshal(payloadOf(hook))
			require.NoError(t, err)
			req := r.signed(hook, body)
			req.Header["Content-Type"] = []string{kind}
			r.turnsAway(r.do(req), http.StatusBadRequest, kind)
		}
		body, err := json.Marshal(payloadOf(hook))
		require.NoError(t, err)
		req := r.signed(hook, body)
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		require.Equal(t, http.StatusOK, r.do(req).status)
	}
	require.Equal(t, 2, r.profiles(), "of the proper calls")
}

// TestTolerance: fields that come with later versions, and members that stand twice,
// of which the last counts, keep nobody out.
func TestTolerance(t *testing.T) {
	t.Parallel()
	r := serve(t)
	call := with(userCall("after-user-created", with(newUser("ann@example.com"), object{"new_field": []any{1, object{"a": nil}}})), object{"version": 2})
	r.consents(r.call("after-user-created", call))
	require.NotNil(t, r.profile(call["user"].(object)["id"]))

	const id = "5a1f0c9e-31b4-4f0e-9d0c-0a6d2f2f7b11"
	r.consents(r.do(r.signed("after-user-created", []byte(`{"metadata":{"name":"x","name":"after-user-created"},
		"user":{"id":"`+id+`","aud":"authenticated","email":"old@example.com","email":"ann@example.com","user_metadata":null}}`))))
	require.Equal(t, "ann@example.com", *r.profile(id).Email)
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	r := serve(t)
	padded := func(size int) []byte {
		u := newUser("ann@example.com")
		u["user_metadata"] = object{"data": strings.Repeat("a", size)}
		body, err := json.Marshal(userCall("before-user-created", u))
		require.NoError(t, err)
		return body
	}
	r.consents(r.do(r.signed("before-user-created", padded(1_200_000)))) // the most that was seen
	large := padded(4 << 20)
	r.turnsAway(r.do(r.signed("before-user-created", large)), http.StatusRequestEntityTooLarge, "it says so")
	req := r.signed("before-user-created", large)
	req.ContentLength = -1
	r.turnsAway(r.do(req), http.StatusRequestEntityTooLarge, "it does not say so")
	r.consents(r.do(r.signed("before-user-created", padded(1))))
}

// TestForgedCostLittle: from where many forged calls come, large ones are not read any
// more. What signs people in is still heard: the provider may come by the same proxy.
func TestForgedCostLittle(t *testing.T) {
	t.Parallel()
	r := serve(t)
	u := newUser("ann@example.com")
	small, err := json.Marshal(userCall("before-user-created", u))
	require.NoError(t, err)
	u["user_metadata"] = object{"data": strings.Repeat("a", 20<<10)}
	large, err := json.Marshal(userCall("before-user-created", u))
	require.NoError(t, err)
	r.consents(r.do(r.signed("before-user-created", large)))
	for range 60 {
		r.turnsAway(r.do(r.signed("before-user-created", small, secretTwo)), http.StatusUnauthorized, "")
	}
	r.turnsAway(r.do(r.signed("before-user-created", large)), http.StatusRequestEntityTooLarge, "not read")
	r.consents(r.do(r.signed("before-user-created", small)))
	r.turnsAway(r.do(r.signed("before-user-created", small, secretTwo)), http.StatusUnauthorized, "still no reason is given")
}

func TestOnlyPost(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for _, hook := range []string{"before-user-created", "after-user-created", "custom-access-token", "user-changed"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			req := r.signed(hook, []byte("{}"))
			req.Method = method
			require.Equal(t, http.StatusMethodNotAllowed, r.do(req).status)
		}
	}
	require.Equal(t, http.StatusNotFound, r.do(r.signed("send-email", []byte("{}"))).status, "there is nothing to send with")
	require.Equal(t, http.StatusNotFound, r.do(r.signed("send-sms", []byte("{}"))).status)
}

// TestSettings: what would let forged calls in, or no call, keeps the server from
// starting; and says so without the secret.
func TestSettings(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	for secrets, says := range map[string]string{
		"":                          "there is no secret",
		"|":                         "secret 1 of the hooks: it is empty",
		secretOne + "|":             "secret 2 of the hooks: it is empty",
		" ":                         "it is empty",
		"v1,whsec_":                 "it has 0 bytes; 24 is the least",
		"v1,whsec_c2hvcnQ=":         "it has 5 bytes; 24 is the least",
		"whsec_" + secretOne[9:]:    "does not begin with v1,whsec_",
		secretOne[9:]:               "does not begin with v1,whsec_",
		"v1a,whpk_AAAA:whsk_AAAA":   "it is a pair of keys (v1a), with which Supabase Auth cannot sign",
		secretOne + "|v1a,whsk_A":   "secret 2 of the hooks: it is a pair of keys",
		secretOne[:40]:              "is not base64 with its padding",
		secretOne + "=":             "is not base64 with its padding",
		secretOne + "," + secretTwo: "is not base64 with its padding",
	} {
		c := authhooks.Config{Secrets: secrets}
		_, err := authhooks.New(c)
		require.ErrorContains(t, err, says, secrets)
		require.NotContains(t, err.Error(), secretOne[9:30])
	}
	for _, secret := range []string{"short", "|", webhookSecret + "|", "               "} {
		_, err := authhooks.New(authhooks.Config{WebhookSecret: secret})
		require.ErrorContains(t, err, "less than 16 bytes", secret)
	}
	for _, address := range []string{"", "rowhouse.example", "ftp://rowhouse.example", "https://rowhouse.example/app", "https://a:b@rowhouse.example", "https://"} {
		c := authhooks.Config{Secrets: secretOne, PublicURL: address}
		box.use(&c)
		_, err := authhooks.New(c)
		require.ErrorContains(t, err, "is not an http(s) origin", address)
	}
}

// TestInParallel: the memory of calls lets one of equal calls through, whichever.
func TestInParallel(t *testing.T) {
	t.Parallel()
	r := serve(t)
	body, err := json.Marshal(payloadOf("before-user-created"))
	require.NoError(t, err)
	req := r.signed("before-user-created", body)
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 20 {
		same := req.Clone(t.Context())
		same.Body, err = req.GetBody()
		require.NoError(t, err)
		wg.Go(func() {
			status := r.do(same).status
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusUnauthorized: 19}, statuses)
}
