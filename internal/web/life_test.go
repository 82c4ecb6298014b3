package web_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/localauth"
	"rowhouse/internal/web"
)

// TestLife goes through what a person does, from registering to the end.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.get("/auth/session").refused(http.StatusUnauthorized, "session_missing")
	b.get("/api/v1/me").refused(http.StatusUnauthorized, "token_missing")

	came := b.signUp(" Ann@Example.com ", object{"fullName": "Ann One", "locale": "nl-NL", "next": "/properties?new=1#here"})
	require.Equal(t, "ann@example.com", came.body["email"])
	require.Equal(t, "aal1", came.body["aal"])
	require.Equal(t, "/properties?new=1#here", came.body["next"])
	require.True(t, b.signedIn())
	var name, locale string
	require.NoError(t, w.database.Admin.QueryRow(t.Context(), `select raw_user_meta_data->>'full_name', raw_user_meta_data->>'locale' from auth.users`).Scan(&name, &locale))
	require.Equal(t, []string{"Ann One", "nl-NL"}, []string{name, locale})

	session := b.get("/auth/session").ok(http.StatusOK)
	require.Equal(t, came.body["userId"], session.body["userId"])
	me := b.get("/api/v1/me").ok(http.StatusOK)
	require.Equal(t, came.body["userId"], me.body["id"])
	w.onboarded()
	b.post("/api/v1/properties", object{"name": "Canal House"}).ok(http.StatusCreated)

	before := b.copyOf()
	b.post("/auth/refresh", nil).ok(http.StatusOK)
	require.NotEqual(t, before.cookies[cookie], b.cookies[cookie])
	require.Equal(t, 1, w.provider.count("/token refresh_token"))

	b.post("/auth/sign-out", object{}).ok(http.StatusNoContent)
	require.Empty(t, b.cookies)
	b.get("/auth/session").refused(http.StatusUnauthorized, "session_missing")
	before.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended") // who kept a copy of the cookie
	require.Empty(t, before.cookies)

	b.post("/auth/sign-in", object{"email": "ann@example.com", "password": "wrong password"}).refused(http.StatusUnauthorized, "invalid_credentials")
	require.False(t, b.signedIn())
	in := b.signIn("ANN@example.com").ok(http.StatusOK)
	require.Equal(t, "/auth/account", in.body["next"])
	b.get("/api/v1/me").ok(http.StatusOK)
	logged.RequireWithout(t, append(w.provider.secrets(), password)...)
}

// TestSignUpOnThePage: with the provider of a developer's machine, where scripts sign up
// without a mail, the page keeps its word: the mail comes, and its link signs in.
func TestSignUpOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *localauth.Config, _ *web.Config) { c.Autoconfirm, c.MailLinks = true, true })
	b := w.browser()
	require.Equal(t, "/auth/sent", b.post("/auth/sign-up", url.Values{"email": {"ann@example.com"}, "password": {password}, "fullName": {"Ann"}}).
		ok(http.StatusSeeOther).header.Get("Location"))
	require.Contains(t, b.get("/auth/sent").ok(http.StatusOK).text, "a mail is on its way")
	m := w.mail("signup")
	require.Equal(t, "ann@example.com", m.To)
	b.signIn("ann@example.com").refused(http.StatusForbidden, "email_not_confirmed")

	require.Contains(t, b.get("/auth/confirm?"+url.Values{"token_hash": {m.TokenHash}, "type": {"signup"}, "redirect_to": {m.RedirectTo}}.Encode()).
		ok(http.StatusOK).text, m.TokenHash)
	require.Equal(t, "/auth/account", b.post("/auth/confirm", url.Values{"tokenHash": {m.TokenHash}, "type": {"signup"}, "next": {m.RedirectTo}}).
		ok(http.StatusSeeOther).header.Get("Location"))
	require.True(t, b.signedIn())
	b.get("/api/v1/me").ok(http.StatusOK)

	scripted, err := http.Post(w.provider.url+"/auth/v1/signup", "application/json", strings.NewReader(`{"email":"bob@example.com","password":"`+password+`"}`))
	require.NoError(t, err)
	require.NoError(t, scripted.Body.Close())
	w.browser().signIn("bob@example.com").ok(http.StatusOK)
	// whom the page told the same, and mails nothing
	w.browser().post("/auth/sign-up", object{"email": "bob@example.com", "password": password}).ok(http.StatusAccepted)
	w.browser().post("/auth/sign-up", object{"email": "cleo@example.com", "password": password}).ok(http.StatusAccepted)
	require.Equal(t, "cleo@example.com", w.mail("signup").To)
}

// TestSignInTellsNothing: a stranger, a wrong password and somebody locked out are
// told the same.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.browser().signUp("ann@example.com")
	w.browser().signUp("banned@example.com")
	w.database.Exec(t, "update auth.users set banned_until = now() + interval '1 day' where email = 'banned@example.com'")
	w.browser().post("/auth/sign-up", object{"email": "new@example.com", "password": password}).ok(http.StatusAccepted)
	w.mail("signup")

	say := func(email, password string) (string, http.Header) {
		a := w.browser().post("/auth/sign-in", object{"email": email, "password": password}, "X-Request-Id: the-same-for-all")
		a.header.Del("Date")
		return a.text, a.header
	}
	text, header := say("stranger@example.com", password)
	require.Contains(t, text, "invalid_credentials")
	for _, who := range [][2]string{{"ann@example.com", "wrong password"}, {"banned@example.com", password}, {"banned@example.com", "wrong password"}, {"new@example.com", "wrong password"}} {
		otherText, otherHeader := say(who[0], who[1])
		require.Equal(t, text, otherText, who)
		require.Equal(t, header, otherHeader, who)
	}
	// only who knows the password learns that the address is not confirmed
	w.browser().signIn("new@example.com").refused(http.StatusForbidden, "email_not_confirmed")
}

// TestAnsweredBefore: what depends on whether an address is known is asked when the
// answer has arrived. The gate lets the question through only then.
func TestAnsweredBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *localauth.Config, c *web.Config) { c.Patience = time.Minute }) // longer than the gate is shut
	w.browser().signUp("ann@example.com")
	w.advance(2 * time.Minute) // the provider's least time between mails
	for path, in := range map[string]object{
		"/signup":  {"path": "/auth/sign-up", "password": password},
		"/recover": {"path": "/auth/forgot"},
		"/otp":     {"path": "/auth/magic-link"},
		"/resend":  {"path": "/auth/resend", "type": "signup"},
	} {
		var answers []string
		for _, email := range []string{"ann@example.com", "stranger@example.com"} {
			answered, asked := make(chan struct{}), make(chan bool, 1)
			w.provider.on(path, func(http.ResponseWriter, *http.Request) bool {
				select {
				case <-answered:
					asked <- true
				case <-time.After(20 * time.Second):
					asked <- false
				}
				return true
			})
			body := object{"email": email}
			for name, value := range in {
				if name != "path" {
					body[name] = value
				}
			}
			a := w.browser().post(in["path"].(string), body, "X-Request-Id: the-same-for-all").ok(http.StatusAccepted)
			close(answered)
			require.True(t, <-asked, "%s: the answer waits for the provider", path)
			a.header.Del("Date")
			answers = append(answers, fmt.Sprint(a.text, a.header))
			w.provider.on(path, nil)
		}
		require.Equal(t, answers[0], answers[1], path)
	}
}

// TestForgot sets another password by mail, which ends the sessions elsewhere.
func TestForgot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.browser()
	elsewhere.signUp("ann@example.com")
	b := w.browser()
	b.post("/auth/reset", object{"password": "another horse battery"}).refused(http.StatusUnauthorized, "session_missing")
	elsewhere.post("/auth/reset", object{"password": "another horse battery"}).refused(http.StatusForbidden, "recovery_required")

	b.post("/auth/forgot", object{"email": "ann@example.com", "next": "/units"}).ok(http.StatusAccepted)
	m := w.mail("recovery")
	link := "/auth/confirm?" + url.Values{"token_hash": {m.TokenHash}, "type": {"recovery"}, "redirect_to": {m.RedirectTo}}.Encode()
	for range 3 { // a scanner opens it, and sends what it finds nowhere
		page := b.get(link).ok(http.StatusOK)
		require.Contains(t, page.text, m.TokenHash)
		require.Empty(t, b.cookies)
	}
	came := b.post("/auth/confirm", object{"tokenHash": m.TokenHash, "type": "recovery", "next": m.RedirectTo}).ok(http.StatusOK)
	require.Equal(t, "/auth/reset?next=%2Funits", came.body["next"])
	b.post("/auth/confirm", object{"tokenHash": m.TokenHash, "type": "recovery"}).refused(http.StatusBadRequest, "link_invalid")

	b.post("/auth/reset", object{"password": "short"}).refused(http.StatusBadRequest, "invalid_request", "#/password")
	b.post("/auth/reset", object{"password": password}).refused(http.StatusUnprocessableEntity, "same_password")
	late := b.copyOf()
	w.advance(16 * time.Minute)
	late.post("/auth/reset", object{"password": "another horse battery"}).refused(http.StatusForbidden, "recovery_required")
	w.advance(-16 * time.Minute)
	b.post("/auth/reset", object{"password": "another horse battery", "next": "/units"}).ok(http.StatusOK)
	b.post("/auth/reset", object{"password": "a third horse battery"}).refused(http.StatusForbidden, "recovery_required")
	b.get("/api/v1/me").ok(http.StatusOK)

	w.advance(time.Hour)
	elsewhere.get("/api/v1/me").refused(http.StatusUnauthorized, "session_ended")
	w.browser().signIn("ann@example.com").refused(http.StatusUnauthorized, "invalid_credentials")
	w.browser().post("/auth/sign-in", object{"email": "ann@example.com", "password": "another horse battery"}).ok(http.StatusOK)
}

func TestMagicLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.browser().signUp("ann@example.com")
	w.advance(2 * time.Minute)
	b := w.browser()
	b.post("/auth/magic-link", object{"email": "ann@example.com", "next": "/tickets"}).ok(http.StatusAccepted)
	m := w.mail("magiclink")
	came := b.post("/auth/confirm", object{"tokenHash": m.TokenHash, "type": "magiclink", "next": m.RedirectTo}).ok(http.StatusOK)
	require.Equal(t, "/tickets", came.body["next"])
	b.get("/api/v1/me").ok(http.StatusOK)

	b.post("/auth/magic-link", object{"email": "stranger@example.com"}).ok(http.StatusAccepted)
	require.NoError(t, w.web.Close(t.Context()))
	require.Empty(t, w.mails)
	var users int
	require.NoError(t, w.database.Admin.QueryRow(t.Context(), "select count(*) from auth.users").Scan(&users))
	require.Equal(t, 1, users, "a link is for who has an account")
}

func TestResend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.post("/auth/sign-up", object{"email": "ann@example.com", "password": password}).ok(http.StatusAccepted)
	first := w.mail("signup")
	w.advance(2 * time.Minute)
	b.post("/auth/resend", object{"email": "ann@example.com", "type": "signup"}).ok(http.StatusAccepted)
	second := w.mail("signup")
	b.post("/auth/confirm", object{"tokenHash": first.TokenHash, "type": "signup"}).refused(http.StatusBadRequest, "link_invalid")
	require.False(t, b.signedIn())
	b.post("/auth/confirm", object{"tokenHash": second.TokenHash, "type": "signup"}).ok(http.StatusOK)
}

// invite has a landlord invite tess@example.com, and returns the token of the mail.
func (w *world) invite() string {
	w.t.Helper()
	landlord := w.browser()
	landlord.signUp("landlord@example.com")
	landlord.get("/api/v1/me").ok(http.StatusOK)
	w.onboarded()
	landlord.post("/api/v1/tenants/invite", object{"firstName": "Tess", "lastName": "Two", "email": "tess@example.com"}).ok(http.StatusCreated)
	var owner, mail uuid.UUID
	require.NoError(w.t, w.database.Admin.QueryRow(w.t.Context(), `select (args ->> 'ownerId')::uuid, (args ->> 'id')::uuid from river.river_job where kind = 'invite_mail'`).Scan(&owner, &mail))
	keys := dbtest.InviteKeys(w.t)
	token, err := keys.Token(owner, mail, keys.Mint(owner).Key)
	require.NoError(w.t, err)
	return token
}

// TestInvite: who signs up with an invite's token comes back to the invite, as a
// tenant, and claims it, even where nobody else can sign up.
func TestInvite(t *testing.T) {
	t.Parallel()
	const secret = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	var theirs *localauth.Config
	w := newWorld(t, func(c *localauth.Config, _ *web.Config) { theirs = c })
	token := w.invite()

	// from here on the provider calls our hooks, and they let nobody else sign up
	var err error
	w.hooks, err = authhooks.New(authhooks.Config{DB: w.database.DB, Secrets: secret, SignupsClosed: true, PublicURL: w.origin, Patience: time.Minute})
	require.NoError(t, err)
	hook := func(name string) *localauth.Hook {
		return &localauth.Hook{URI: w.url + "/hooks/auth/" + name, Secrets: secret}
	}
	theirs.Hooks = localauth.Hooks{
		BeforeUserCreated: hook("before-user-created"), AfterUserCreated: hook("after-user-created"), CustomAccessToken: hook("custom-access-token"),
	}
	w.restartProvider(*theirs)
	w.config.SignupsClosed = true
	w.start(w.config)

	tess := w.browser()
	tess.get("/api/v1/invites/" + token).ok(http.StatusOK)
	came := tess.signUp("tess@example.com", object{"invite": token, "next": "/elsewhere"})
	require.Equal(t, "/invite#"+token, came.body["next"])
	var as string
	require.NoError(t, w.database.Admin.QueryRow(t.Context(), `select signed_up_as from app.users where email = 'tess@example.com'`).Scan(&as))
	require.Equal(t, "TENANT", as)
	claimed := tess.post("/api/v1/invites/"+token+"/claim", nil).ok(http.StatusOK)
	require.Equal(t, "CLAIMED", claimed.body["state"])
	require.Contains(t, tess.get("/api/v1/me").ok(http.StatusOK).body["roles"], "TENANT")
	logged.RequireWithout(t, token)
}

// TestAccount changes the password and the address, and ends sessions elsewhere.
func TestAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.signUp("ann@example.com")
	other := w.browser()
	other.signIn("ann@example.com").ok(http.StatusOK)

	list := b.get("/auth/account/sessions").ok(http.StatusOK)
	require.Len(t, list.body["sessions"], 1)
	require.Equal(t, false, list.body["complete"])
	b.post("/auth/sign-out", object{"scope": "others"}).ok(http.StatusNoContent)
	other.post("/auth/refresh", nil).refused(http.StatusUnauthorized, "session_ended")
	require.Empty(t, other.cookies)
	b.post("/auth/refresh", nil).ok(http.StatusOK)

	change := object{"currentPassword": "wrong password", "password": "another horse battery"}
	b.post("/auth/account/password", change).refused(http.StatusForbidden, "password_wrong")
	change["currentPassword"] = password
	sessions := func() (n int) {
		require.NoError(t, w.database.Admin.QueryRow(t.Context(), "select count(*) from auth.sessions").Scan(&n))
		return n
	}
	require.Equal(t, 1, sessions())
	b.post("/auth/account/password", change).ok(http.StatusOK)
	require.Equal(t, 1, sessions(), "the session that checked the password is gone")
	b.post("/auth/refresh", nil).ok(http.StatusOK)
	w.browser().signIn("ann@example.com").refused(http.StatusUnauthorized, "invalid_credentials")

	w.advance(2 * time.Minute)
	b.post("/auth/account/email", object{"email": "anna@example.com", "currentPassword": password}).refused(http.StatusForbidden, "password_wrong")
	b.post("/auth/account/email", object{"email": "anna@example.com", "currentPassword": "another horse battery"}).ok(http.StatusAccepted)
	mails := map[string]string{}
	for range 2 {
		m := w.mail("email_change")
		mails[m.To] = m.TokenHash
	}
	half := b.post("/auth/confirm", object{"tokenHash": mails["ann@example.com"], "type": "email_change"}).ok(http.StatusOK)
	require.NotContains(t, half.body, "email")
	require.Equal(t, "ann@example.com", b.get("/auth/session").body["email"])
	b.post("/auth/confirm", object{"tokenHash": mails["anna@example.com"], "type": "email_change"}).ok(http.StatusOK)
	require.Equal(t, "anna@example.com", b.get("/auth/session").body["email"])

	b.post("/auth/account/reauthenticate", nil).ok(http.StatusAccepted)
	require.Equal(t, "anna@example.com", w.mail("reauthentication").To)

	b.post("/auth/sign-out", object{"scope": "all"}).ok(http.StatusNoContent)
	require.Zero(t, sessions())
}

// TestUsersNeverMix: many people at once, each through the one web app, are each
// themselves.
func TestUsersNeverMix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := []string{"ann@example.com", "bob@example.com", "cyd@example.com", "dee@example.com"}
	for _, email := range people {
		w.browser().signUp(email)
	}
	done := make(chan error, len(people))
	for _, email := range people {
		go func() {
			done <- func() error {
				b := w.browser()
				b.signIn(email)
				for range 5 {
					b.post("/auth/refresh", nil)
					for _, path := range []string{"/auth/session", "/api/v1/me"} {
						if a := b.get(path); a.body["email"] != email {
							return fmt.Errorf("%s is %s at %s", email, a.text, path)
						}
					}
				}
				return nil
			}()
		}()
	}
	for range people {
		require.NoError(t, <-done)
	}
}

// TestSignedInWithout: what needs a session says so to who has none.
func TestSignedInWithout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := "0f0e0d0c-0b0a-4908-8706-050403020100"
	for path, body := range map[string]object{
		"/auth/refresh": {}, "/auth/reset": {"password": password},
		"/auth/mfa/enroll": {}, "/auth/mfa/challenge": {"factorId": id}, "/auth/mfa/unenroll": {"factorId": id},
		"/auth/mfa/verify":             {"factorId": id, "challengeId": id, "code": "123456"},
		"/auth/account/email":          {"email": "a@example.com", "currentPassword": password},
		"/auth/account/password":       {"currentPassword": password, "password": password},
		"/auth/account/reauthenticate": {},
	} {
		w.browser().post(path, body).refused(http.StatusUnauthorized, "session_missing")
	}
	for _, path := range []string{"/auth/session", "/auth/mfa/factors", "/auth/account/sessions"} {
		w.browser().get(path).refused(http.StatusUnauthorized, "session_missing")
	}
	w.browser().post("/auth/sign-out", nil).ok(http.StatusNoContent)
	require.Zero(t, w.provider.count("/logout"))
}

// claims are those of the newest access token that the provider has given.
func (w *world) claims() object {
	w.t.Helper()
	all := w.provider.secrets()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(all[len(all)-2], ".")[1])
	require.NoError(w.t, err)
	var claims object
	require.NoError(w.t, json.Unmarshal(payload, &claims))
	return claims
}
