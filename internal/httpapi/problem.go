package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// maxFields bounds how many faults an answer lists, so that it stays smaller than
// the request can be.
const maxFields = 50

// invalidRequest replaces huma's own errors. Those echo the value at fault,
// which may be a secret.
func invalidRequest(ctx context.Context, status int, details []error) *problem.Problem {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return problem.New(ctx, errs.New(errs.TooLarge, "too_large", "The request is larger than %d bytes.", maxBodyBytes))
	case http.StatusUnsupportedMediaType:
		return problem.New(ctx, errs.New(errs.UnsupportedMedia, "unsupported_media_type",
			"Send the body as application/json and say so in Content-Type."))
	case http.StatusRequestTimeout:
		p := problem.New(ctx, errs.New(errs.Invalid, "request_timeout", "The request took too long to arrive."))
		p.Status, p.Title = status, http.StatusText(status)
		return p
	}
	if status >= http.StatusInternalServerError {
		return problem.New(ctx, errors.Join(append([]error{errors.New("huma")}, details...)...))
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
	return problem.New(ctx, e)
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
