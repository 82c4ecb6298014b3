package httpapi

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
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"rowhouse/internal/errs"
	"rowhouse/internal/requestid"
)

const problemType = "application/problem+json"

// statuses is the only place where a kind of failure becomes an HTTP status.
var statuses = map[errs.Kind]int{
	errs.Internal:           http.StatusInternalServerError,
	errs.Invalid:            http.StatusBadRequest,
	errs.Unauthenticated:    http.StatusUnauthorized,
	errs.Forbidden:          http.StatusForbidden,
	errs.NotFound:           http.StatusNotFound,
	errs.Conflict:           http.StatusConflict,
	errs.PreconditionFailed: http.StatusPreconditionFailed,
	errs.Unprocessable:      http.StatusUnprocessableEntity,
	errs.TooLarge:           http.StatusRequestEntityTooLarge,
	errs.UnsupportedMedia:   http.StatusUnsupportedMediaType,
	errs.TooMany:            http.StatusTooManyRequests,
	errs.Unavailable:        http.StatusServiceUnavailable,
}

// problem is the body of every answer that is not a success (RFC 9457).
type problem struct {
	Type      string         `json:"type" example:"about:blank" doc:"Always about:blank; the code tells problems apart"`
	Title     string         `json:"title" example:"Bad Request" doc:"What the status means"`
	Status    int            `json:"status" example:"400"`
	Code      string         `json:"code" example:"invalid_request" doc:"What went wrong, for programs; stable"`
	Detail    string         `json:"detail" example:"The request has errors." doc:"What went wrong and what to do about it, for people"`
	RequestID string         `json:"requestId" example:"0f8d6c1e5a3b4c2d9e7f60718293a4b5" doc:"Say this when you ask for help"`
	Errors    []problemField `json:"errors,omitempty" doc:"The parts of the request that are to blame"`

	headers http.Header
}

type problemField struct {
	Pointer   string `json:"pointer,omitempty" example:"#/name" doc:"JSON pointer to the member of the body, as a URI fragment (RFC 6901)"`
	Parameter string `json:"parameter,omitempty" example:"limit" doc:"Name of the path or query parameter"`
	Header    string `json:"header,omitempty" example:"If-Match" doc:"Name of the header"`
	Detail    string `json:"detail" example:"expected length >= 1" doc:"What is wrong with it"`
}

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.headers }
func (p *problem) ContentType(string) string { return problemType }

// newProblem is what the caller learns of err. Only an *errs.Error may speak;
// anything else is our fault, and is logged and not sent. This is the one place
// where a failed request is logged.
func newProblem(ctx context.Context, err error) *problem {
	e, known := errors.AsType[*errs.Error](err)
	if !known {
		e = errs.New(errs.Internal, "internal", "Something went wrong on our side. Nothing was changed.").Because(err)
	}
	p := &problem{
		Type: "about:blank", Status: statuses[e.Kind], Code: e.Code, Detail: e.Message,
		Title: http.StatusText(statuses[e.Kind]), RequestID: requestid.From(ctx), headers: http.Header{},
	}
	for _, f := range e.Fields {
		field := problemField{Parameter: f.Parameter, Header: f.Header, Detail: f.Message}
		if f.Parameter == "" && f.Header == "" {
			field.Pointer = "#" + f.Pointer
		}
		p.Errors = append(p.Errors, field)
	}
	if e.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.ETag != "" {
		p.headers.Set("ETag", e.ETag)
	}
	if e.Kind == errs.Unauthenticated {
		p.headers.Set("WWW-Authenticate", challenge(e))
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

// writeProblem answers outside of huma: in middleware and for unknown routes.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	newProblem(r.Context(), err).write(w)
}

func (p *problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}

// maxFields bounds how many faults an answer lists, so that it stays smaller than
// the request can be.
const maxFields = 50

// invalidRequest replaces huma's own errors. Those echo the value at fault,
// which may be a secret.
func invalidRequest(ctx context.Context, status int, details []error) *problem {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return newProblem(ctx, errs.New(errs.TooLarge, "too_large", "The request is larger than %d bytes.", maxBodyBytes))
	case http.StatusUnsupportedMediaType:
		return newProblem(ctx, errs.New(errs.UnsupportedMedia, "unsupported_media_type",
			"Send the body as application/json and say so in Content-Type."))
	case http.StatusRequestTimeout:
		p := newProblem(ctx, errs.New(errs.Invalid, "request_timeout", "The request took too long to arrive."))
		p.Status, p.Title = status, http.StatusText(status)
		return p
	}
	if status >= http.StatusInternalServerError {
		return newProblem(ctx, errors.Join(append([]error{errors.New("huma")}, details...)...))
	}
	e := errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.")
	for _, detail := range details[:min(len(details), maxFields)] {
		if d, ok := detail.(huma.ErrorDetailer); ok {
			e.Fields = append(e.Fields, blame(d.ErrorDetail()))
		}
	}
	if len(e.Fields) == 0 && status == http.StatusBadRequest {
		e.Fields = []errs.Field{{Message: "expected a JSON object"}}
	}
	return newProblem(ctx, e)
}

// invalid is the refusal of one member of the body for what a schema can't say.
func invalid(pointer, message string) error {
	return errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").
		At(errs.Field{Pointer: pointer, Message: message})
}

// blame turns huma's "body.rooms[2].name" into a JSON pointer, and "query.page"
// into a parameter.
func blame(d *huma.ErrorDetail) errs.Field {
	place, rest, _ := strings.Cut(d.Location, ".")
	message, _, _ := strings.Cut(d.Message, ": ") // then comes a parser's error, which may quote the value
	f := errs.Field{Message: message}
	switch place {
	case "query", "path":
		f.Parameter = rest
		return f
	case "header":
		f.Header = rest
		return f
	}
	if pointer, message, ok := cutBodyError(d.Message); ok {
		return errs.Field{Pointer: pointer, Message: message}
	}
	if rest != "" {
		f.Pointer = "/" + strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(rest)
	}
	// huma blames the object for a member that is missing, and names it in words
	var missing string
	if _, err := fmt.Sscanf(d.Message, "expected required property %s to be present", &missing); err == nil {
		f.Pointer, f.Message = f.Pointer+"/"+missing, "is required"
	}
	return f
}
