package localauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"
	"github.com/supabase-community/gotrue-go/types"
	"github.com/supabase-community/supabase-go"
)

func TestLifeWithSupabaseGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := w.server.AnonKey()
	require.NoError(t, err)
	client, err := supabase.NewClient(w.host, key, nil)
	require.NoError(t, err)

	health, err := client.Auth.HealthCheck()
	require.NoError(t, err)
	require.Equal(t, "GoTrue", health.Name)
	settings, err := client.Auth.GetSettings()
	require.NoError(t, err)
	require.True(t, settings.External.Email)
	require.False(t, settings.MailerAutoconfirm)

	signed, err := client.Auth.Signup(types.SignupRequest{Email: "Ann@Example.com", Password: goodPassword, Data: map[string]any{"full_name": "Ann"}})
	require.NoError(t, err)
	require.Empty(t, signed.AccessToken)
	require.Equal(t, "ann@example.com", signed.Email)
	require.NotNil(t, signed.ConfirmationSentAt)
	_, err = client.Auth.SignInWithEmailPassword("ann@example.com", goodPassword)
	require.ErrorContains(t, err, "email_not_confirmed")

	mail := w.lastMail()
	require.Equal(t, "ann@example.com", mail.To)
	followed, err := client.Auth.Verify(types.VerifyRequest{Type: "signup", Token: mail.TokenHash, RedirectTo: "http://localhost:8080/in"})
	require.NoError(t, err)
	require.Empty(t, followed.Error)
	require.Equal(t, 3600, followed.ExpiresIn)
	require.Contains(t, followed.URL, "http://localhost:8080/in#access_token=")

	session, err := client.Auth.SignInWithEmailPassword("ann@example.com", goodPassword)
	require.NoError(t, err)
	require.Equal(t, signed.ID, session.User.ID)
	require.Regexp(t, `^[a-z0-9]{12}$`, session.RefreshToken)

	renewed, err := client.Auth.RefreshToken(session.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, session.RefreshToken, renewed.RefreshToken)

	ann := client.Auth.WithToken(renewed.AccessToken)
	got, err := ann.GetUser()
	require.NoError(t, err)
	require.Equal(t, "Ann", got.UserMetadata["full_name"])
	require.Equal(t, true, got.UserMetadata["email_verified"])
	require.Len(t, got.Identities, 1)

	other := "another horse"
	updated, err := ann.UpdateUser(types.UpdateUserRequest{Password: &other, Data: map[string]any{"phone_hours": "9-5"}})
	require.NoError(t, err)
	require.Equal(t, "9-5", updated.UserMetadata["phone_hours"])

	require.NoError(t, ann.Logout())
	_, err = ann.GetUser()
	require.ErrorContains(t, err, "session_not_found")
	_, err = client.Auth.RefreshToken(renewed.RefreshToken)
	require.ErrorContains(t, err, "refresh_token_not_found")

	require.NoError(t, client.Auth.Recover(types.RecoverRequest{Email: "ann@example.com"}))
	_, err = client.Auth.SignInWithEmailPassword("ann@example.com", other)
	require.NoError(t, err)
}

func TestLifeWithSupabaseJS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	runJS(t, "life.mjs", w)
}

func TestFlowsWithSupabaseJS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google)
	mailbox := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, mail := range slices.Backward(w.mails) {
			if mail.To == r.FormValue("to") {
				writeJSON(rw, http.StatusOK, mail)
				return
			}
		}
		http.NotFound(rw, r)
	}))
	t.Cleanup(mailbox.Close)
	runJS(t, "flows.mjs", w, mailbox.URL)
}

// runJS runs a script of tests/supabase-js against w.
func runJS(t *testing.T, script string, w *world, more ...string) {
	t.Helper()
	dir, err := filepath.Abs("../../tests/supabase-js")
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(dir, "node_modules"))
	require.NoError(t, err, "the client is not installed: run npm ci --prefix tests/supabase-js")
	key, err := w.server.AnonKey()
	require.NoError(t, err)
	node := exec.CommandContext(t.Context(), "node", append([]string{script, w.host, key}, more...)...)
	node.Dir = dir
	out, err := node.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

func TestTokenVerifiesAgainstServedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")

	served := w.send(http.MethodGet, "/.well-known/jwks.json", "")
	require.Equal(t, "public, max-age=600", served.header.Get("Cache-Control"))
	require.NotContains(t, served.text, `"d"`)
	keys, err := jwk.Parse([]byte(served.text))
	require.NoError(t, err)
	token, err := jwt.Parse([]byte(session.body["access_token"].(string)), jwt.WithKeySet(keys),
		jwt.WithIssuer(w.url), jwt.WithAudience("authenticated"), jwt.WithRequiredClaim("exp"))
	require.NoError(t, err)
	require.Equal(t, session.body["user"].(map[string]any)["id"], token.Subject())
	claims := token.PrivateClaims()
	require.Equal(t, "authenticated", claims["role"])
	require.Equal(t, "aal1", claims["aal"])
	require.Equal(t, "ann@example.com", claims["email"])
	require.Equal(t, false, claims["is_anonymous"])
	require.Equal(t, session.header.Get("Sb-Auth-Session-Id"), claims["session_id"])
	require.Equal(t, "password", claims["amr"].([]any)[0].(map[string]any)["method"])
	require.Equal(t, map[string]any{"provider": "email", "providers": []any{"email"}}, claims["app_metadata"])

	bare := &world{t: t, url: w.host}
	require.Equal(t, served.text, bare.send(http.MethodGet, "/.well-known/jwks.json", "").text, "also without /auth/v1")
}

func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, http.StatusOK, w.post("/signup?redirect_to=https://evil.example.com/x", credentials("ann@example.com", goodPassword)).status)
	mail := w.lastMail()
	require.Equal(t, siteURL, mail.RedirectTo, "an address elsewhere becomes the site's")
	link, err := url.Parse(mail.Link)
	require.NoError(t, err)
	path := "/verify?" + link.RawQuery

	require.Equal(t, http.StatusMethodNotAllowed, w.send(http.MethodHead, path, "").status, "only GET uses a link up")
	first := w.send(http.MethodGet, path, "")
	require.Equal(t, http.StatusSeeOther, first.status)
	target, err := url.Parse(first.header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "site.example.com", target.Host)
	fragment, err := url.ParseQuery(target.Fragment)
	require.NoError(t, err)
	require.Equal(t, "signup", fragment.Get("type"))
	require.True(t, fragment.Has("sb"))
	user := w.send(http.MethodGet, "/user", "", "Authorization", "Bearer "+fragment.Get("access_token"))
	require.Equal(t, http.StatusOK, user.status, user.text)

	second := w.send(http.MethodGet, path, "")
	require.Equal(t, http.StatusSeeOther, second.status)
	require.Contains(t, second.header.Get("Location"), siteURL+"#error=access_denied&error_code=otp_expired&error_description=")
}
