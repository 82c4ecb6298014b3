// Package ratelimit bounds how often somebody may ask, in this process alone.
package ratelimit

import (
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/go-chi/httprate"

	"rowhouse/internal/errs"
	"rowhouse/internal/peer"
	"rowhouse/internal/problem"
)

// By bounds the requests a minute of those whom key tells apart; 0 means no bound.
func By(perMinute int, key httprate.KeyFunc) func(http.Handler) http.Handler {
	if perMinute == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	return httprate.LimitBy(perMinute, time.Minute, key,
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			// httprate has set Retry-After to the end of the window
			problem.Write(w, r, errs.New(errs.TooMany, "rate_limited", "That was more than %d requests in a minute. Wait a little.", perMinute))
		}))
}

// ByNetwork is By for callers whom nobody knows, by the network that they connect from.
func ByNetwork(perMinute int) func(http.Handler) http.Handler { return By(perMinute, peer.Network) }

// Limiter bounds how often something is tried that only the request's body names.
type Limiter struct {
	window  time.Duration
	limiter *httprate.RateLimiter
}

// NewLimiter returns a limiter that lets the same be tried so often within window.
func NewLimiter(times int, window time.Duration) *Limiter {
	return &Limiter{window: window, limiter: httprate.NewRateLimiter(times, window, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))}
}

// Try counts a try, and refuses one too many. what is kept as a digest.
func (l *Limiter) Try(w http.ResponseWriter, r *http.Request, what string) error {
	sum := sha256.Sum256([]byte(what))
	if !l.limiter.OnLimit(w, r, string(sum[:])) {
		return nil
	}
	e := errs.New(errs.TooMany, "rate_limited", "That was tried too often. Wait a little.")
	e.RetryAfter = l.window
	return e
}
