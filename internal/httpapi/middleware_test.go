package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/problem"
)

// TestRecoverPanics is about what no handler of the API can be made to do: panic
// with half of an answer sent, and give up a request on purpose.
func TestRecoverPanics(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/before", func(http.ResponseWriter, *http.Request) { panic("secret of a bug") })
	mux.HandleFunc("/after", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"units":[`)
		panic("secret of a bug")
	})
	mux.HandleFunc("/abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(withRequestID(recoverPanics(secureHeaders(mux))))
	t.Cleanup(server.Close)

	for range 2 { // the second time on the connection of the first
		resp, err := http.Get(server.URL + "/before")
		require.NoError(t, err)
		var p problem.Problem
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		require.Equal(t, problem.ContentType, resp.Header.Get("Content-Type"))
		require.Equal(t, resp.Header.Get("X-Request-Id"), p.RequestID)
		require.NotContains(t, p.Detail, "secret")
	}

	// cut off, so that nobody takes half an answer for a whole one
	resp, err := http.Get(server.URL + "/after")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)

	resp, err = http.Get(server.URL + "/abort")
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)
}
