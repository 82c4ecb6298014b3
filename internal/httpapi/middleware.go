package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"rowhouse/internal/auth"
	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
	"rowhouse/internal/ratelimit"
	"rowhouse/internal/requestid"
)

var callersID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// withRequestID takes the caller's X-Request-Id if it is harmless, makes one
// otherwise, and says which in the answer.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !callersID.MatchString(id) {
			id = strings.ReplaceAll(uuid.NewString(), "-", "")
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(requestid.With(r.Context(), id)))
	})
}

// callerKey is where authenticate says to logRequests, which stands before it, who
// was calling.
type callerKey struct{}

// logRequests writes one line a request, with who made it: of reading there is no
// other trace. Paths hold ids and no personal data; query strings may, and stay out.
func logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		var caller uuid.UUID
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, &caller))
		next.ServeHTTP(ww, r)
		line := []slog.Attr{
			slog.String("method", r.Method), slog.String("route", chi.RouteContext(r.Context()).RoutePattern()),
			slog.Int("status", ww.Status()), slog.Int("bytes", ww.BytesWritten()),
			slog.Duration("took", time.Since(start)),
		}
		if caller != uuid.Nil {
			line = append(line, slog.String("userId", caller.String()))
		}
		slog.LogAttrs(r.Context(), slog.LevelInfo, "request", line...)
	})
}

// recoverPanics turns a bug into a 500, or cuts the connection when part of
// another answer is out already. http.ErrAbortHandler is not a bug.
func recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			failure := problem.New(r.Context(), fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			if ww.Status() != 0 {
				panic(http.ErrAbortHandler)
			}
			failure.Write(w)
		}()
		next.ServeHTTP(ww, r)
	})
}

// secureHeaders keeps answers out of caches, frames and guesses at their type.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func withTimeout(d time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// authenticate lets through who brings a valid access token, and nobody else.
func authenticate(tokens *auth.Verifier) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, err := auth.BearerToken(r)
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			id, err := tokens.Verify(r.Context(), token)
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			if caller, ok := r.Context().Value(callerKey{}).(*uuid.UUID); ok {
				*caller = id.UserID
			}
			next.ServeHTTP(w, r.WithContext(auth.WithToken(auth.With(r.Context(), id), token)))
		})
	}
}

// limitRate bounds the requests of one user, by the verified id: a header could
// be anybody's.
func limitRate(perMinute int) func(http.Handler) http.Handler {
	return ratelimit.By(perMinute, func(r *http.Request) (string, error) {
		id, _ := auth.From(r.Context())
		return id.UserID.String(), nil
	})
}

// plainQuery refuses what would otherwise be passed over in silence: a query
// string that does not parse, a parameter that stands twice, is no text, or has no
// value, which huma takes for absent. An empty search is one for everything.
func plainQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			problem.Write(w, r, errs.New(errs.Invalid, "invalid_request", "The query string is not well-formed.").Because(err))
			return
		}
		var fields []errs.Field
		for _, name := range slices.Sorted(maps.Keys(query)) {
			value := query.Get(name)
			switch {
			case len(query[name]) > 1:
				fields = append(fields, errs.Field{Parameter: name, Message: "stands more than once"})
			case value == "" && name != "q":
				fields = append(fields, errs.Field{Parameter: name, Message: "has no value"})
			case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
				fields = append(fields, errs.Field{Parameter: name, Message: "is not text"})
			}
		}
		if fields != nil {
			problem.Write(w, r, errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").At(fields...))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// plainBody refuses a compressed body, which would be read as if it were not, and
// could grow past every bound if it were unpacked.
func plainBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			w.Header().Set("Accept-Encoding", "identity") // RFC 9110, 12.5.3
			problem.Write(w, r, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send the body without a Content-Encoding.").
				At(errs.Field{Header: "Content-Encoding", Message: "is not supported"}))
			return
		}
		next.ServeHTTP(w, r)
	})
}
