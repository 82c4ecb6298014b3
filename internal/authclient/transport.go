package authclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
)

// version makes the provider word its errors in one form.
const version = "2024-01-01"

// transport is under the libraries: it gives their requests the context that they do
// not take, and turns refusals into *Refused before their texts get into an error.
type transport struct {
	ctx  context.Context
	base http.RoundTripper
}

// RoundTrip sends r.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(t.ctx)
	r.Header.Set("X-Supabase-Api-Version", version)
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		defer answer.Body.Close()
		return nil, newRefused(answer)
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	return answer, nil
}

// Refused is an answer of the provider that is no success.
type Refused struct {
	Status int
	Code   string // the provider's error code, "unknown" if it has none
}

func (r *Refused) Error() string {
	return fmt.Sprintf("the identity provider refuses with status %d and code %s", r.Status, r.Code)
}

var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func newRefused(answer *http.Response) *Refused {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // what is cut has no code
	var said struct {
		Code    any    `json:"code"` // a status in the old form
		OldCode string `json:"error_code"`
		OAuth   string `json:"error"`
	}
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&said) // a proxy's page has no code
	code, _ := said.Code.(string)
	for _, candidate := range []string{said.OldCode, code, said.OAuth} {
		if codePattern.MatchString(candidate) {
			return &Refused{Status: answer.StatusCode, Code: candidate}
		}
	}
	return &Refused{Status: answer.StatusCode, Code: "unknown"}
}

// outage reports whether the refusal is about the provider and not about what was
// asked: it fails, something before it does, or it does not take our key.
func (r *Refused) outage() bool {
	return r.Status >= http.StatusInternalServerError || r.Status == http.StatusNotFound && r.Code == "unknown" ||
		r.Status == http.StatusUnauthorized && r.Code == "unknown"
}
