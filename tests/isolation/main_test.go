package isolation

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/telemetry"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(byContext{}))
	os.Exit(dbtest.Main(m))
}

type logKey struct{}

// logged returns what is logged with the context that do gets, as operators of a
// production would read it, with nothing left out.
func logged(do func(context.Context)) string {
	var lines bytes.Buffer
	do(context.WithValue(context.Background(), logKey{}, &lines))
	return lines.String()
}

// byContext writes lines to where their context says, and others nowhere. One
// request's lines are written one after the other.
type byContext struct {
	wrap func(slog.Handler) slog.Handler
}

func (byContext) Enabled(context.Context, slog.Level) bool { return true }

func (h byContext) Handle(ctx context.Context, r slog.Record) error {
	to := io.Discard
	if lines, ok := ctx.Value(logKey{}).(*bytes.Buffer); ok {
		to = lines
	}
	inner, err := telemetry.NewHandler(to, "debug", "json")
	if err != nil {
		return err
	}
	if h.wrap != nil {
		inner = h.wrap(inner)
	}
	return inner.Handle(ctx, r)
}

func (h byContext) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.then(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

func (h byContext) WithGroup(name string) slog.Handler {
	return h.then(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h byContext) then(next func(slog.Handler) slog.Handler) slog.Handler {
	return byContext{func(inner slog.Handler) slog.Handler {
		if h.wrap != nil {
			inner = h.wrap(inner)
		}
		return next(inner)
	}}
}
