package auth

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	authgo "github.com/supabase-community/auth-go"
	authgotypes "github.com/supabase-community/auth-go/types"
	"github.com/supabase-community/gotrue-go/types"
	"github.com/supabase-community/supabase-go"
)

// TestJourney: somebody signs up, follows the mail, signs in, says who they are, and
// has their first unit, with each of the clients that people use.
func TestJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var people []profile
	for _, way := range []struct {
		name   string
		signIn func(t *testing.T, w *world, email string) session
	}{
		{"http", withHTTP},
		{"auth-go", withAuthGo},
		{"supabase-go", withSupabaseGo},
	} {
		t.Run(way.name, func(t *testing.T) {
			w.p.hooks.take()
			s := way.signIn(t, w, w.email(way.name))
			require.Equal(t, w.email(way.name), s.User.Email)
			var called []string
			for _, c := range w.p.hooks.take() {
				called = append(called, c.hook)
			}
			require.Subset(t, called, []string{beforeUserCreated, sendEmail, afterUserCreated, customAccessToken})
			people = append(people, s.theirs())
			require.ElementsMatch(t, people, w.profiles(t), "before they have asked for anything")
			w.setUp(t, s.Token)
			require.ElementsMatch(t, people, w.profiles(t))
		})
	}
	t.Run("supabase-js", func(t *testing.T) {
		people = append(people, withSupabaseJS(t, w, w.email("supabase-js")))
		require.ElementsMatch(t, people, w.profiles(t))
	})
}

// setUp goes from the first request to the first unit.
func (w *world) setUp(t testing.TB, token string) {
	t.Helper()
	var me struct{ ID uuid.UUID }
	w.api(t, "GET", "/me", token, "").into(t, &me)
	unit := obj("name", "Flat 1")
	early := w.api(t, "POST", "/units", token, unit)
	require.Equal(t, http.StatusForbidden, early.status, early.text)
	require.Contains(t, early.text, `"onboarding_required"`)

	var progress struct{ Required bool }
	done := w.api(t, "PATCH", "/onboarding", token, obj(
		"fullName", "Ann One", "companyName", "Canal House", "country", "NL", "timeZone", "Europe/Amsterdam", "currency", "EUR", "locale", "en-GB"))
	require.Equal(t, http.StatusOK, done.status, done.text)
	done.into(t, &progress)
	require.False(t, progress.Required)

	made := w.api(t, "POST", "/units", token, unit)
	require.Equal(t, http.StatusCreated, made.status, made.text)
	var page struct{ Pagination struct{ Total int } }
	w.api(t, "GET", "/units", token, "").into(t, &page)
	require.Equal(t, 1, page.Pagination.Total, "theirs, and nobody else's")
}

func withHTTP(t *testing.T, w *world, email string) (s session) {
	t.Helper()
	signed := w.signUp(t, email)
	require.Equal(t, http.StatusOK, signed.status, signed.text)
	require.Equal(t, http.StatusBadRequest, w.signIn(t, email).status, "not confirmed")
	confirmed := w.confirm(t, email)
	require.Equal(t, http.StatusOK, confirmed.status, confirmed.text)
	w.signIn(t, email).into(t, &s)
	return s
}

func withAuthGo(t *testing.T, w *world, email string) (s session) {
	t.Helper()
	client := authgo.New("local", w.p.anonKey).WithCustomAuthURL(w.p.url + "/auth/v1")
	signed, err := client.Signup(authgotypes.SignupRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Empty(t, signed.AccessToken)
	_, _, code := w.mailTo(t, email)
	confirmed, err := client.VerifyForUser(authgotypes.VerifyForUserRequest{
		Type: authgotypes.VerificationTypeSignup, Email: email, Token: code, RedirectTo: siteURL,
	})
	require.NoError(t, err)
	require.NoError(t, client.WithToken(confirmed.AccessToken).Logout())
	in, err := client.SignInWithEmailPassword(email, password)
	require.NoError(t, err)
	s.Token, s.Refresh, s.User.ID, s.User.Email = in.AccessToken, in.RefreshToken, in.User.ID, in.User.Email
	return s
}

func withSupabaseGo(t *testing.T, w *world, email string) (s session) {
	t.Helper()
	client, err := supabase.NewClient(w.p.url, w.p.anonKey, nil)
	require.NoError(t, err)
	signed, err := client.Auth.Signup(types.SignupRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Empty(t, signed.AccessToken)
	hash, kind, _ := w.mailTo(t, email)
	followed, err := client.Auth.Verify(types.VerifyRequest{Type: types.VerificationType(kind), Token: hash, RedirectTo: siteURL})
	require.NoError(t, err)
	require.Empty(t, followed.Error)
	in, err := client.Auth.SignInWithEmailPassword(email, password)
	require.NoError(t, err)
	renewed, err := client.Auth.RefreshToken(in.RefreshToken)
	require.NoError(t, err)
	s.Token, s.Refresh, s.User.ID, s.User.Email = renewed.AccessToken, renewed.RefreshToken, renewed.User.ID, renewed.User.Email
	return s
}

// withSupabaseJS has a program do all of it, and tells it what is in the mail.
func withSupabaseJS(t *testing.T, w *world, email string) (p profile) {
	t.Helper()
	node, err := exec.LookPath("node")
	if _, missing := os.Stat("../supabase-js/node_modules"); err != nil || missing != nil {
		require.Empty(t, os.Getenv("CI"), "Node.js or tests/supabase-js/node_modules is missing")
		t.Skip("needs Node.js, and npm ci --prefix tests/supabase-js")
	}
	cmd := exec.CommandContext(t.Context(), node, "../supabase-js/journey.mjs", w.p.url, w.p.anonKey, w.app.url+"/api/v1", email, password)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "it has not signed up")
	hash, kind, _ := w.mailTo(t, email)
	_, err = io.WriteString(in, obj("token_hash", hash, "type", kind)+"\n")
	require.NoError(t, err)
	require.True(t, lines.Scan(), "it has not come to the end")
	last := lines.Text()
	require.NoError(t, cmd.Wait())
	require.NoError(t, json.Unmarshal([]byte(last), &p), last)
	return p
}
