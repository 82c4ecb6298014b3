package authhooks_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
)

// FuzzHeaders: nobody makes up headers under which a body passes.
func FuzzHeaders(f *testing.F) {
	now := time.Unix(1700000000, 0)
	f.Add("3f2c1a50-0000-4000-8000-000000000001", "1700000000", "v1,v1ZX/1iJn2gOkdXZ9hA6ltJyng6ZR3WWTlxWJRo9Bno=", "{}")
	f.Add("", "", "", "")
	f.Add("a", "1700000000", "v1,,v1 v1", "null")
	f.Add("a", "-1", "v1,AAAA", "[]")
	h, err := authhooks.New(authhooks.Config{Secrets: secretOne + "|" + secretTwo, Now: func() time.Time { return now }})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id, stamp, signature, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/before-user-created", strings.NewReader(body))
		r.Header["Webhook-Id"], r.Header["Webhook-Timestamp"], r.Header["Webhook-Signature"] = []string{id}, []string{stamp}, []string{signature}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusUnauthorized, w.Code)
		require.Empty(t, w.Body.String())
	})
}

// FuzzBodies: whatever the provider signs has an answer of a shape that it knows, and
// claims come back whole.
func FuzzBodies(f *testing.F) {
	names := slices.Sorted(maps.Keys(hookNames))
	for i, hook := range names {
		body, err := json.Marshal(payloadOf(hook))
		require.NoError(f, err)
		f.Add(uint8(i), string(body))
	}
	f.Add(uint8(slices.Index(names, "custom-access-token")), `{"metadata":{"name":"customize-access-token"},"claims":{"aud":["a"],"n":1e999,"n":2}}`)
	box := &outbox{}
	c := authhooks.Config{Secrets: secretOne, PublicURL: publicURL, DB: opened(f, "postgres://127.0.0.1:1/x")}
	box.use(&c)
	h, err := authhooks.New(c)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		hook := names[int(which)%len(names)]
		made := (&receivers{t: t}).signed(hook, []byte(body))
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/"+hook, strings.NewReader(body))
		req.Header = made.Header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			require.Contains(t, []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}, w.Code)
			require.Empty(t, w.Body.String())
			return
		}
		var in, out struct {
			Claims map[string]json.RawMessage
			Error  *struct {
				Status  int `json:"http_code"`
				Message string
			}
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		if out.Error != nil {
			require.GreaterOrEqual(t, out.Error.Status, 400)
			require.Less(t, out.Error.Status, 500)
			require.NotEmpty(t, out.Error.Message)
			return
		}
		if hook == "custom-access-token" && json.Unmarshal([]byte(body), &in) == nil {
			for name, value := range in.Claims {
				if name != "aud" && name != "rowhouse.dev/profile" {
					require.Equal(t, string(value), string(out.Claims[name]))
				}
			}
		}
	})
}
