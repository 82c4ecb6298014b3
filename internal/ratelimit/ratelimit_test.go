package ratelimit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/errs"
	"rowhouse/internal/ratelimit"
)

// TestByNetwork: with IPv6 somebody's addresses are as one, and no header makes a
// caller somebody else.
func TestByNetwork(t *testing.T) {
	t.Parallel()
	limited := ratelimit.ByNetwork(2)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ask := func(address string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = address
		for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip"} {
			r.Header.Set(name, address+"1")
		}
		w := httptest.NewRecorder()
		limited.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests {
			require.NotEmpty(t, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	for _, network := range [][]string{
		{"192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3"},
		{"192.0.2.2:1", "192.0.2.2:1", "192.0.2.2:1"},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::ffff:ffff:ffff:ffff]:1"},
		{"[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:1::3]:1"},
		{"@", "@", "@"}, // a socket that has no address
	} {
		require.Equal(t, 204, ask(network[0]), network)
		require.Equal(t, 204, ask(network[1]), network)
		require.Equal(t, 429, ask(network[2]), network)
	}
	require.NotNil(t, ratelimit.ByNetwork(0)(limited))
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	l := ratelimit.NewLimiter(2, time.Hour)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	w := httptest.NewRecorder()
	require.NoError(t, l.Try(w, r, "ann"))
	require.NoError(t, l.Try(w, r, "ann"))
	err := l.Try(w, r, "ann")
	require.Equal(t, errs.TooMany, errs.KindOf(err))
	require.NoError(t, l.Try(w, r, "bob"))
	require.Empty(t, w.Header(), "how often something was tried is told to nobody")
}
