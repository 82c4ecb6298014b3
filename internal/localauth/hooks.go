package localauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Hooks are the auth hooks to call; nil ones are off.
type Hooks struct {
	BeforeUserCreated *Hook
	AfterUserCreated  *Hook
	CustomAccessToken *Hook
	SendEmail         *Hook
}

// Hook is an HTTP receiver.
type Hook struct {
	// URI is https, or http on this machine.
	URI string
	// Secrets are one or more of the form v1,whsec_<base64>, separated by "|":
	// the text of the real service's GOTRUE_HOOK_…_SECRETS. Every request is
	// signed with all of them, in this order.
	Secrets string
}

const (
	hookTime       = 5 * time.Second // all attempts together
	hookPause      = 2 * time.Second // after an attempt that found nobody
	hookAttempts   = 3
	hookAnswerSize = 204800
)

// dispatcher calls receivers and applies the real service's rules to what they
// answer.
type dispatcher struct {
	client  *http.Client
	signers map[*Hook][]*webhooks.Webhook
	now     func() time.Time
	limit   time.Duration
	pause   time.Duration
}

func newDispatcher(hooks Hooks, now func() time.Time) (*dispatcher, error) {
	d := &dispatcher{
		client:  &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}},
		signers: map[*Hook][]*webhooks.Webhook{}, now: now, limit: hookTime, pause: hookPause,
	}
	for name, hook := range map[string]*Hook{
		"before-user-created": hooks.BeforeUserCreated, "after-user-created": hooks.AfterUserCreated,
		"custom-access-token": hooks.CustomAccessToken, "send-email": hooks.SendEmail,
	} {
		if hook == nil {
			continue
		}
		signers, err := hook.signers()
		if err != nil {
			return nil, fmt.Errorf("hook %s: %w", name, err)
		}
		d.signers[hook] = signers
	}
	return d, nil
}

// signers checks the hook. It is stricter than the real service, which takes an
// empty list of secrets and sends an empty signature.
func (h *Hook) signers() ([]*webhooks.Webhook, error) {
	u, err := url.Parse(h.URI)
	if err != nil {
		return nil, fmt.Errorf("parse address: %w", err)
	}
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1", "host.docker.internal"}, u.Hostname())
	if u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !local)) {
		return nil, errors.New("the address is neither https nor http on this machine")
	}
	shape := regexp.MustCompile(`^v1,whsec_[A-Za-z0-9+/=]{32,}$`)
	var signers []*webhooks.Webhook
	for secret := range strings.SplitSeq(h.Secrets, "|") {
		if !shape.MatchString(secret) {
			return nil, errors.New("a secret is not of the form v1,whsec_ and at least 32 characters of base64")
		}
		signer, err := webhooks.NewWebhook(strings.TrimPrefix(secret, "v1,"))
		if err != nil {
			return nil, errors.New("a secret is not valid base64") // the library's error might quote it
		}
		signers = append(signers, signer)
	}
	return signers, nil
}

// signature is the header's value: with several secrets, entries joined by comma
// and space, not by the space that the Standard Webhooks text asks for.
func signature(signers []*webhooks.Webhook, id string, at time.Time, body []byte) (string, error) {
	var entries []string
	for _, signer := range signers {
		entry, err := signer.Sign(id, at, body)
		if err != nil {
			return "", fmt.Errorf("sign hook request: %w", err)
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, ", "), nil
}

// call posts payload to hook and returns the body of a good answer, nil for 204.
func (d *dispatcher) call(ctx context.Context, hook *Hook, payload any) ([]byte, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode hook payload: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		answer, err := d.post(ctx, hook, body)
		if err == nil {
			text, again, err := d.read(answer)
			if err := answer.Body.Close(); err != nil {
				return nil, fmt.Errorf("close hook answer: %w", err)
			}
			if again && attempt < hookAttempts {
				continue
			}
			return text, d.timedOut(ctx, err)
		}
		if ctx.Err() != nil {
			return nil, d.timedOut(ctx, err)
		}
		if attempt == hookAttempts {
			return nil, fail(http.StatusUnprocessableEntity, "hook_timeout_after_retry", "Failed to reach hook after maximum retries").because(err)
		}
		select {
		case <-ctx.Done():
			return nil, d.timedOut(ctx, err)
		case <-time.After(d.pause):
		}
	}
}

// timedOut returns err unless the hook's own time has run out.
func (d *dispatcher) timedOut(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fail(http.StatusUnprocessableEntity, "hook_timeout", "Failed to reach hook within maximum time of %f seconds", d.limit.Seconds()).because(err)
	}
	return err
}

// post makes one attempt. Id and time are new for each; the body is the same.
func (d *dispatcher) post(ctx context.Context, hook *Hook, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URI, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make hook request: %w", err)
	}
	id, at := uuid.NewString(), d.now()
	sig, err := signature(d.signers[hook], id, at, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set(webhooks.HeaderWebhookID, id)
	r.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(webhooks.HeaderWebhookSignature, sig)
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call hook: %w", err)
	}
	return answer, nil
}

// read judges an answer; again means that the receiver asks for another attempt,
// which happens at once whatever its Retry-After says.
func (d *dispatcher) read(answer *http.Response) (body []byte, again bool, err error) {
	broken := func(format string, args ...any) error {
		return fail(http.StatusInternalServerError, "unexpected_failure", format, args...)
	}
	switch answer.StatusCode {
	case http.StatusNoContent:
		return nil, false, nil
	case http.StatusOK, http.StatusAccepted:
		body, err = readHookBody(answer)
		return body, false, err
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return nil, answer.Header.Get("Retry-After") != "", broken("Service currently unavailable due to hook")
	case http.StatusBadRequest:
		return nil, false, broken("Invalid payload sent to hook")
	case http.StatusUnauthorized:
		return nil, false, broken("Hook requires authorization token")
	}
	return nil, false, broken("Unexpected status code returned from hook: %d", answer.StatusCode)
}

func readHookBody(answer *http.Response) ([]byte, error) {
	kind := answer.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
		return nil, fail(http.StatusBadRequest, "hook_payload_invalid_content_type", "Invalid JSON response. Received content-type: %s", kind)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, hookAnswerSize+1))
	if err != nil {
		return nil, fmt.Errorf("read hook answer: %w", err)
	}
	if len(body) > hookAnswerSize {
		return nil, fail(http.StatusUnprocessableEntity, "hook_payload_over_size_limit", "Payload size exceeded size limit of %d bytes", hookAnswerSize)
	}
	return body, hookRefusal(body)
}

// hookRefusal finds the error object of an answer. Anything but a proper one,
// with a message, means consent: the real service fails open here.
func hookRefusal(body []byte) error {
	var answer struct {
		Error *struct {
			Status  int    `json:"http_code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error == nil || answer.Error.Message == "" {
		return nil
	}
	status := answer.Error.Status
	if status < 200 || status > 999 { // not a status that can be sent
		status = http.StatusInternalServerError
	}
	return fail(status, "", "%s", answer.Error.Message)
}
