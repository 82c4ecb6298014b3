// Package problem turns errors into the answers of RFC 9457, in one place for all
// that speaks HTTP.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"

	"rowhouse/internal/errs"
	"rowhouse/internal/requestid"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// statuses is the only place where a kind of failure becomes an HTTP status.
var statuses = map[errs.Kind]int{
	errs.Internal:           http.StatusInternalServerError,
	errs.Invalid:            http.StatusBadRequest,
	errs.Unauthenticated:    http.StatusUnauthorized,
	errs.Forbidden:          http.StatusForbidden,
	errs.NotFound:           http.StatusNotFound,
	errs.Gone:               http.StatusGone,
	errs.Conflict:           http.StatusConflict,
	errs.PreconditionFailed: http.StatusPreconditionFailed,
	errs.Unprocessable:      http.StatusUnprocessableEntity,
	errs.TooLarge:           http.StatusRequestEntityTooLarge,
	errs.UnsupportedMedia:   http.StatusUnsupportedMediaType,
	errs.TooMany:            http.StatusTooManyRequests,
	errs.Unavailable:        http.StatusServiceUnavailable,
}

// Problem is the body of every answer that is not a success (RFC 9457).
type Problem struct {
	Type      string         `json:"type" example:"about:blank" doc:"Always about:blank; the code tells problems apart"`
	Title     string         `json:"title" example:"Bad Request" doc:"What the status means"`
	Status    int            `json:"status" example:"400"`
	Code      string         `json:"code" example:"invalid_request" doc:"What went wrong, for programs; stable"`
	Detail    string         `json:"detail" example:"The request has errors." doc:"What went wrong and what to do about it, for people"`
	RequestID string         `json:"requestId" example:"0f8d6c1e5a3b4c2d9e7f60718293a4b5" doc:"Say this when you ask for help"`
	Next      string         `json:"next,omitempty" example:"/onboarding/company" doc:"Where the web app can put right what stands in the way: a path of it"`
	Errors    []problemField `json:"errors,omitempty" doc:"The parts of the request that are to blame"`

	Headers http.Header `json:"-"`
}

type problemField struct {
	Pointer   string `json:"pointer,omitempty" example:"#/name" doc:"JSON pointer to the member of the body, as a URI fragment (RFC 6901)"`
	Parameter string `json:"parameter,omitempty" example:"limit" doc:"Name of the path or query parameter"`
	Header    string `json:"header,omitempty" example:"If-Match" doc:"Name of the header"`
	Detail    string `json:"detail" example:"expected length >= 1" doc:"What is wrong with it"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus makes a Problem an error that huma can send.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are what huma sends with it.
func (p *Problem) GetHeaders() http.Header { return p.Headers }

// ContentType is what huma sends it as.
func (p *Problem) ContentType(string) string { return ContentType }

// New is what the caller learns of err. Only an *errs.Error may speak;
// anything else is our fault, and is logged and not sent. This is the one place
// where a failed request is logged.
func New(ctx context.Context, err error) *Problem {
	e, known := errors.AsType[*errs.Error](err)
	if !known {
		e = errs.New(errs.Internal, "internal", "Something went wrong on our side. Nothing was changed.").Because(err)
	}
	p := &Problem{
		Type: "about:blank", Status: statuses[e.Kind], Code: e.Code, Detail: e.Message,
		Title: http.StatusText(statuses[e.Kind]), RequestID: requestid.From(ctx), Next: e.Next, Headers: http.Header{},
	}
	for _, f := range e.Fields {
		field := problemField{Parameter: f.Parameter, Header: f.Header, Detail: f.Message}
		if f.Parameter == "" && f.Header == "" {
			field.Pointer = "#" + f.Pointer
		}
		p.Errors = append(p.Errors, field)
	}
	if e.RetryAfter > 0 {
		p.Headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.ETag != "" {
		p.Headers.Set("ETag", e.ETag)
	}
	if e.Kind == errs.Unauthenticated {
		p.Headers.Set("WWW-Authenticate", challenge(e))
	}
	switch {
	case errors.Is(err, context.Canceled):
		slog.DebugContext(ctx, "the caller went away", "error", err)
	case e.Kind == errs.Internal:
		slog.ErrorContext(ctx, "request failed", "error", err)
	case e.Kind == errs.Unavailable:
		slog.WarnContext(ctx, "request turned away", "error", err)
	}
	return p
}

// challenge is the WWW-Authenticate header of RFC 6750 section 3.
func challenge(e *errs.Error) string {
	if e.Code == "token_missing" || e.Code == "unauthenticated" {
		return `Bearer realm="rowhouse"`
	}
	return fmt.Sprintf(`Bearer realm="rowhouse", error="invalid_token", error_description=%q`, e.Message)
}

// Write answers r with what the caller learns of err.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	New(r.Context(), err).Write(w)
}

// Write sends the problem as an answer.
func (p *Problem) Write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.Headers)
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}
