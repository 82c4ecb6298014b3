// Package telemetry is how the process tells operators what it does.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"rowhouse/internal/auth"
	"rowhouse/internal/requestid"
)

// NewHandler returns a slog handler that adds the request's and the caller's id
// to each line. Level is debug, info, warn or error; format text or json.
func NewHandler(w io.Writer, level, format string) (slog.Handler, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL: want debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return handler{slog.NewTextHandler(w, options)}, nil
	case "json":
		return handler{slog.NewJSONHandler(w, options)}, nil
	}
	return nil, fmt.Errorf("LOG_FORMAT: want text or json")
}

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := requestid.From(ctx); id != "" {
		r.AddAttrs(slog.String("requestId", id))
	}
	if id, ok := auth.From(ctx); ok {
		r.AddAttrs(slog.String("userId", id.UserID.String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
