package authhooks_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/localauth"
)

var setUp sync.Mutex

// provider is the stand-in for Supabase Auth, which calls r.
func provider(t testing.TB, r *receivers, change func(*localauth.Config)) (address string) {
	t.Helper()
	const password = "auth" // the login is one for all tests
	setUp.Lock()
	err := localauth.Setup(t.Context(), r.Connect(t, "postgres"), password)
	setUp.Unlock()
	require.NoError(t, err)
	u, err := url.Parse(r.URL("postgres"))
	require.NoError(t, err)
	u.User = url.UserPassword("supabase_auth_admin", password)
	pool, err := pgxpool.New(context.Background(), u.String())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	server := httptest.NewUnstartedServer(nil)
	address = "http://" + server.Listener.Addr().String() + "/auth/v1"
	hook := func(name string) *localauth.Hook {
		return &localauth.Hook{URI: r.url + "/" + name, Secrets: secretTwo + "|" + secretOne} // in rotation
	}
	c := localauth.Config{
		Addr: "127.0.0.1:0", Pool: pool, SiteURL: publicURL, ExternalURL: address, KeyFile: filepath.Join(t.TempDir(), "keys.json"),
		Logger: slog.Default(), HashCost: bcrypt.MinCost,
		Hooks: localauth.Hooks{
			BeforeUserCreated: hook("before-user-created"), AfterUserCreated: hook("after-user-created"),
			CustomAccessToken: hook("custom-access-token"), SendEmail: hook("send-email"),
		},
	}
	if change != nil {
		change(&c)
	}
	auth, err := localauth.New(c)
	require.NoError(t, err)
	server.Config.Handler = auth.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return address
}

// ask posts to the provider, as a client does.
func ask(t testing.TB, address string, body object) (status int, answer object) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(text))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	text, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.NoError(t, json.Unmarshal(text, &answer), "%s", text)
	return res.StatusCode, answer
}

// payload are the claims of a session's token, which the provider has signed.
func payload(t testing.TB, session object) (claims object) {
	t.Helper()
	require.Contains(t, session, "access_token")
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(session["access_token"].(string), ".")[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &claims))
	return claims
}

func credentials(email string) object {
	return object{"email": email, "password": "correct horse", "data": object{"full_name": "Ann One"}}
}

// TestWithProvider: a sign-up from beginning to end, through real calls.
func TestWithProvider(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	address := provider(t, r, nil)

	status, answer := ask(t, address+"/signup", credentials("ann@mailinator.com"))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, answer["msg"], "thrown away")
	require.Empty(t, box.all())
	require.Zero(t, r.profiles())

	status, answer = ask(t, address+"/signup", credentials("ann@example.com"))
	require.Equal(t, http.StatusOK, status, answer)
	id := answer["id"].(string)
	require.Equal(t, "Ann One", *r.profile(id).FullName)
	require.Len(t, box.all(), 1)
	link := linkIn(t, box.all()[0].Text)
	require.Equal(t, "signup", link.Get("type"))

	status, session := ask(t, address+"/verify", object{"type": "signup", "token_hash": link.Get("token_hash")})
	require.Equal(t, http.StatusOK, status, session)
	claims := payload(t, session)
	require.Equal(t, "authenticated", claims["aud"], "the first token after its start has a list")
	require.Equal(t, true, claims["rowhouse.dev/profile"])
	require.Equal(t, id, claims["sub"])
	require.Equal(t, "Ann One", claims["user_metadata"].(object)["full_name"])
	require.Equal(t, 1, r.profiles())

	status, session = ask(t, address+"/token?grant_type=refresh_token", object{"refresh_token": session["refresh_token"]})
	require.Equal(t, http.StatusOK, status, session)
	require.Equal(t, true, payload(t, session)["rowhouse.dev/profile"])
	require.Equal(t, 1, r.profile(id).Version)

	status, answer = ask(t, address+"/recover", object{"email": "ann@example.com"})
	require.Equal(t, http.StatusOK, status, answer)
	require.Len(t, box.all(), 2)
	require.Equal(t, "recovery", linkIn(t, box.all()[1].Text).Get("type"))
}

// TestWithoutOneHook: whichever is missed, who can sign in has one profile.
func TestWithoutOneHook(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*localauth.Config){
		"before-user-created": func(c *localauth.Config) { c.Hooks.BeforeUserCreated = nil },
		"after-user-created":  func(c *localauth.Config) { c.Hooks.AfterUserCreated = nil },
		"custom-access-token": func(c *localauth.Config) { c.Hooks.CustomAccessToken = nil },
		"both": func(c *localauth.Config) {
			c.Hooks.AfterUserCreated, c.Hooks.CustomAccessToken = nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := &outbox{}
			r := serve(t, box.use)
			address := provider(t, r, change)
			status, answer := ask(t, address+"/signup", credentials("ann@example.com"))
			require.Equal(t, http.StatusOK, status, answer)
			status, session := ask(t, address+"/verify", object{"type": "signup", "token_hash": linkIn(t, box.all()[0].Text).Get("token_hash")})
			require.Equal(t, http.StatusOK, status, session)
			if name == "both" {
				require.Zero(t, r.profiles())
				lazily(t, r.Database, answer["id"].(string))
			}
			require.Equal(t, 1, r.profiles())
			require.Equal(t, "ann@example.com", *r.profile(answer["id"]).Email)
		})
	}
}

// TestProviderWithoutDatabase: a sign-up whose profile cannot be kept succeeds all the
// same; so does one whose mail is not taken at once.
func TestProviderWithoutDatabase(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use, func(c *authhooks.Config) { c.DB = opened(t, nowhere(t)) })
	address := provider(t, r, func(c *localauth.Config) { c.Autoconfirm = true })
	status, session := ask(t, address+"/signup", credentials("ann@example.com"))
	require.Equal(t, http.StatusOK, status, session)
	require.Equal(t, false, payload(t, session)["rowhouse.dev/profile"])
	id := session["user"].(object)["id"].(string)
	require.Nil(t, r.profile(id))
	lazily(t, r.Database, id)
	require.NotNil(t, r.profile(id))
}
