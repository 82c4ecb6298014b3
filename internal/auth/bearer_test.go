package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/errs"
)

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string
		token   string
		code    string
		reason  error
	}{
		"ordinary":              {headers: []string{"Bearer a.b-c_d"}, token: "a.b-c_d"},
		"scheme in lower case":  {headers: []string{"bearer a.b.c"}, token: "a.b.c"},
		"scheme in upper case":  {headers: []string{"BEARER a.b.c"}, token: "a.b.c"},
		"no header":             {code: "token_missing", reason: ErrNoToken},
		"empty header":          {headers: []string{""}, code: "token_malformed", reason: ErrAuthorization},
		"scheme alone":          {headers: []string{"Bearer"}, code: "token_malformed", reason: ErrAuthorization},
		"no token":              {headers: []string{"Bearer "}, code: "token_malformed", reason: ErrAuthorization},
		"token alone":           {headers: []string{"a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"another scheme":        {headers: []string{"Basic YTpi"}, code: "token_malformed", reason: ErrAuthorization},
		"longer scheme":         {headers: []string{"BearerX a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"colon after scheme":    {headers: []string{"Bearer: a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"two spaces":            {headers: []string{"Bearer  a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"tab":                   {headers: []string{"Bearer\ta.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"leading space":         {headers: []string{" Bearer a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
		"trailing space":        {headers: []string{"Bearer a.b.c "}, code: "token_malformed", reason: ErrAuthorization},
		"two tokens":            {headers: []string{"Bearer a.b.c d.e.f"}, code: "token_malformed", reason: ErrAuthorization},
		"parameters":            {headers: []string{"Bearer a.b.c,x=1"}, code: "token_malformed", reason: ErrAuthorization},
		"two headers":           {headers: []string{"Bearer a.b.c", "Bearer d.e.f"}, code: "token_malformed", reason: ErrAuthorization},
		"the same header twice": {headers: []string{"Bearer a.b.c", "Bearer a.b.c"}, code: "token_malformed", reason: ErrAuthorization},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?access_token=x.y.z&token=x.y.z", http.NoBody)
			for _, h := range test.headers {
				r.Header.Add("Authorization", h)
			}
			token, err := BearerToken(r)
			require.Equal(t, test.token, token)
			require.ErrorIs(t, err, test.reason)
			if test.reason == nil {
				return
			}
			refused, ok := errors.AsType[*errs.Error](err)
			require.True(t, ok)
			require.Equal(t, errs.Unauthenticated, refused.Kind)
			require.Equal(t, test.code, refused.Code)
			require.NotContains(t, err.Error(), "a.b.c")
		})
	}
}
