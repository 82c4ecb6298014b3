package localauth

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (w *world) asAdmin() []string {
	w.t.Helper()
	key, err := w.server.ServiceKey()
	require.NoError(w.t, err)
	return []string{"Authorization", "Bearer " + key}
}

func TestAdminNeedsAnAdminsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	anon, err := w.server.AnonKey()
	require.NoError(t, err)
	for _, path := range []string{"GET /admin/users", "POST /admin/users", "POST /invite", "POST /admin/generate_link", "DELETE /admin/users/x"} {
		var verb, to string
		_, err := fmt.Sscan(path, &verb, &to)
		require.NoError(t, err)
		require.Equal(t, 401, w.send(verb, to, `{}`).status, path)
		for _, headers := range [][]string{bearer(session), {"Authorization", "Bearer " + anon}} {
			got := w.send(verb, to, `{}`, headers...)
			require.Equal(t, 403, got.status, path)
			require.Equal(t, "not_admin", got.body["error_code"])
		}
	}
	require.Equal(t, 403, w.send("GET", "/user", "", w.asAdmin()...).status, "it is nobody")
}

func TestAdminUsers(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{}`))
	w := newWorld(t, func(c *Config) {
		c.Hooks.BeforeUserCreated, c.Hooks.AfterUserCreated, c.Hooks.SendEmail = rc.hook(), rc.hook(), rc.hook()
	})
	admin := w.asAdmin()
	made := w.post("/admin/users", `{"email":"Ann@example.com","password":"correct horse","email_confirm":true,"user_metadata":{"a":1},"app_metadata":{"plan":"x"},"id":"aaaaaaaa-0000-4000-8000-000000000001"}`, admin...)
	require.Equal(t, 200, made.status, made.text)
	require.Equal(t, "aaaaaaaa-0000-4000-8000-000000000001", made.body["id"])
	require.Equal(t, "authenticated", made.body["role"])
	require.Equal(t, map[string]any{"a": float64(1), "email_verified": true}, made.body["user_metadata"])
	require.Equal(t, map[string]any{"plan": "x", "provider": "email", "providers": []any{"email"}}, made.body["app_metadata"])
	require.Len(t, made.body["identities"], 1)
	require.NotContains(t, made.body, "confirmed_at", "generated, and not read again")
	require.Empty(t, rc.seen(), "no hook hears of it")
	session := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	require.Equal(t, 200, session.status)

	for body, want := range map[string]string{
		`{"email":"ANN@example.com"}`:          "email_exists",
		`{}`:                                   "validation_failed",
		`{"email":"bob@example.com","id":"x"}`: "validation_failed",
		`{"email":"bob@example.com","ban_duration":"x"}`:     "validation_failed",
		`{"email":"bob@example.com","password":"short"}`:     "weak_password",
		`{"email":"bob@example.com","phone":"155501000200"}`: "phone_provider_disabled",
	} {
		require.Equal(t, want, w.post("/admin/users", body, admin...).body["error_code"], body)
	}

	path := "/admin/users/" + made.body["id"].(string)
	require.Equal(t, "ann@example.com", w.send("GET", path, "", admin...).body["email"])
	banned := w.send("PUT", path, `{"ban_duration":"1h","user_metadata":{"a":null}}`, admin...)
	require.NotEmpty(t, banned.body["banned_until"])
	require.NotContains(t, banned.body["user_metadata"], "a")
	require.Equal(t, 400, w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).status)
	require.NotContains(t, w.send("PUT", path, `{"ban_duration":"none"}`, admin...).body, "banned_until")
	changed := w.send("PUT", path, `{"email":"anna@example.com","password":"another horse"}`, admin...)
	require.Equal(t, 200, changed.status, changed.text)
	require.Equal(t, "ann@example.com", changed.body["identities"].([]any)[0].(map[string]any)["email"], "as they were")
	require.Equal(t, "anna@example.com", w.send("GET", path, "", admin...).body["identities"].([]any)[0].(map[string]any)["email"])
	require.Equal(t, 403, w.send("GET", "/user", "", bearer(session)...).status, "a new password ends the sessions")
	require.Equal(t, 200, w.post("/token?grant_type=password", credentials("anna@example.com", "another horse")).status)

	require.Equal(t, 200, w.send("DELETE", path, "", admin...).status)
	require.Equal(t, "user_not_found", w.send("GET", path, "", admin...).body["error_code"])
	require.Equal(t, 404, w.send("DELETE", path, "", admin...).status)
	require.Equal(t, 404, w.send("GET", "/admin/users/x", "", admin...).status)
	require.Empty(t, rc.seen())
	require.Zero(t, w.count("select (select count(*) from auth.identities) + (select count(*) from auth.sessions)"))
}

func TestAdminSoftDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	path := "/admin/users/" + session.body["user"].(map[string]any)["id"].(string)
	require.Equal(t, 200, w.send("DELETE", path, `{"should_soft_delete":true}`, w.asAdmin()...).status)
	require.Equal(t, 1, w.count("select count(*) from auth.users where deleted_at is not null"))
	require.Equal(t, 403, w.send("GET", "/user", "", bearer(session)...).status)
	var row string
	require.NoError(t, w.admin.QueryRow(t.Context(), "select u::text || i::text from auth.users u, auth.identities i").Scan(&row))
	require.NotContains(t, row, "ann@")
	w.signUp("ann@example.com")
}

func TestAdminPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	for n := range 5 {
		w.signUp(fmt.Sprintf("u%d@example.com", n))
		w.advance(time.Second)
	}
	got := w.send("GET", "/admin/users?page=2&per_page=2", "", w.asAdmin()...)
	require.Equal(t, 200, got.status, got.text)
	require.Equal(t, "authenticated", got.body["aud"])
	var emails []any
	for _, u := range got.body["users"].([]any) {
		emails = append(emails, u.(map[string]any)["email"])
	}
	require.Equal(t, []any{"u2@example.com", "u1@example.com"}, emails, "newest first")
	require.Equal(t, "5", got.header.Get("X-Total-Count"))
	require.Contains(t, got.header.Get("Link"), `page=3&per_page=2>; rel="next"`)
	require.Len(t, w.send("GET", "/admin/users?filter=u3", "", w.asAdmin()...).body["users"], 1)
	require.Equal(t, 400, w.send("GET", "/admin/users?page=x", "", w.asAdmin()...).status)
	require.Equal(t, []any{}, w.send("GET", "/admin/users?page=9", "", w.asAdmin()...).body["users"])
}

func TestInvite(t *testing.T) {
	t.Parallel()
	before, after := newReceiver(t, says(200, `{}`)), newReceiver(t, says(200, `{}`))
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated, c.Hooks.AfterUserCreated = before.hook(), after.hook() })
	got := w.post("/invite?redirect_to=http://localhost/in", `{"email":"Ann@example.com","data":{"full_name":"Ann"}}`, w.asAdmin()...)
	require.Equal(t, 200, got.status, got.text)
	require.NotEmpty(t, got.body["invited_at"])
	require.Equal(t, map[string]any{"full_name": "Ann"}, got.body["user_metadata"])
	require.NotContains(t, before.seen()[0].raw, "invited_at", "the hook cannot tell it from a sign-up")
	mail := w.lastMail()
	require.Equal(t, "invite", mail.Action)

	require.Equal(t, 200, w.post("/invite", `{"email":"ann@example.com"}`, w.asAdmin()...).status, "again, without an interval")
	require.Len(t, before.seen(), 1)
	require.Len(t, after.seen(), 2)
	w.advance(time.Minute)
	repeated := w.post("/signup", credentials("ann@example.com", goodPassword))
	require.Equal(t, 200, repeated.status, repeated.text)
	require.Empty(t, repeated.body["user_metadata"], "what the inviter wrote is not for who signs up")

	w.advance(time.Minute)
	require.Equal(t, 200, w.post("/invite", `{"email":"ann@example.com"}`, w.asAdmin()...).status)
	target := w.follow(w.lastMail().Link)
	require.Contains(t, target.Fragment, "type=invite")
	fragment, err := url.ParseQuery(target.Fragment)
	require.NoError(t, err)
	me := w.send("GET", "/user", "", "Authorization", "Bearer "+fragment.Get("access_token"))
	require.NotContains(t, me.body, "confirmation_sent_at")
	require.Equal(t, 1, w.count("select count(*) from auth.users where encrypted_password <> ''"), "a password that nobody knows")
	require.Equal(t, "email_exists", w.post("/invite", `{"email":"ann@example.com"}`, w.asAdmin()...).body["error_code"])
}

func TestGenerateLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := func(body map[string]string) reply {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		return w.post("/admin/generate_link", string(text), w.asAdmin()...)
	}
	for _, kind := range []string{"recovery", "email_change_new"} {
		got := link(map[string]string{"type": kind, "email": "ann@example.com", "new_email": "new@example.com"})
		require.Equal(t, 404, got.status, kind)
	}
	require.Equal(t, 400, link(map[string]string{"type": "x", "email": "ann@example.com"}).status)
	require.Equal(t, 400, link(map[string]string{"type": "signup", "email": "ann@example.com"}).status, "no password")

	signup := link(map[string]string{"type": "signup", "email": "ann@example.com", "password": goodPassword, "redirect_to": "http://localhost/in"})
	require.Equal(t, 200, signup.status, signup.text)
	require.Equal(t, codeHash("ann@example.com", signup.body["email_otp"].(string)), signup.body["hashed_token"])
	require.Equal(t, "http://localhost/in", signup.body["redirect_to"])
	require.Contains(t, w.follow(signup.body["action_link"].(string)).Fragment, "access_token=")
	require.Empty(t, w.mails)

	for _, kind := range []string{"recovery", "magiclink"} {
		got := link(map[string]string{"type": kind, "email": "ann@example.com"})
		require.Equal(t, kind, got.body["verification_type"])
		require.Contains(t, w.follow(got.body["action_link"].(string)).Fragment, "type="+kind)
	}
	require.Equal(t, "email_exists", link(map[string]string{"type": "invite", "email": "ann@example.com"}).body["error_code"])
	stranger := link(map[string]string{"type": "magiclink", "email": "bob@example.com"})
	require.Equal(t, "signup", stranger.body["verification_type"])

	half := link(map[string]string{"type": "email_change_current", "email": "ann@example.com", "new_email": "new@example.com"})
	require.Contains(t, w.follow(half.body["action_link"].(string)).Fragment, "message=")
}
