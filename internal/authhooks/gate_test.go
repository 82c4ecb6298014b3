package authhooks_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// TestGate: who may sign up, and that nothing is written whoever wants to.
func TestGate(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for name, c := range map[string]struct {
		change object
		status int // 0 for consent
	}{
		"an address":            {object{}, 0},
		"with a plus":           {object{"email": "ann+house@sub.example.co.uk"}, 0},
		"international domain":  {object{"email": "ann@bücher.example"}, 0},
		"by OAuth":              {object{"app_metadata": object{"provider": "keycloak"}, "user_metadata": object{"email": "kay@example.com", "email_verified": true, "custom_claims": object{"groups": []string{"admins"}}}}, 0},
		"metadata of any kind":  {object{"user_metadata": []any{1, "x"}}, 0},
		"no metadata":           {object{"user_metadata": nil}, 0},
		"another audience":      {object{"aud": "anything"}, http.StatusForbidden}, // X-JWT-AUD: anybody, with a victim's address
		"no audience":           {object{"aud": ""}, http.StatusForbidden},
		"anonymous":             {object{"email": "", "is_anonymous": true, "app_metadata": object{}}, http.StatusForbidden},
		"anonymous, with one":   {object{"is_anonymous": true}, http.StatusForbidden},
		"by phone":              {object{"email": "", "phone": "15550100200"}, http.StatusForbidden},
		"no address":            {object{"email": "ann"}, http.StatusUnprocessableEntity},
		"no dot":                {object{"email": "ann@localhost"}, http.StatusUnprocessableEntity},
		"an IP address":         {object{"email": "ann@127.0.0.1"}, http.StatusUnprocessableEntity},
		"a name":                {object{"email": "Ann <ann@example.com>"}, http.StatusUnprocessableEntity},
		"two addresses":         {object{"email": "ann@example.com,eve@example.com"}, http.StatusUnprocessableEntity},
		"a line break":          {object{"email": "ann@example.com\r\nBcc: eve@example.com"}, http.StatusUnprocessableEntity},
		"thrown away":           {object{"email": "ann@mailinator.com"}, http.StatusUnprocessableEntity},
		"under one thrown away": {object{"email": "ann@mx.deep.mailinator.com"}, http.StatusUnprocessableEntity},
		"only ends alike":       {object{"email": "ann@notmailinator.com"}, 0},
		"only begins alike":     {object{"email": "ann@mailinator.com.example"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.t = t
			a := r.call("before-user-created", userCall("before-user-created", with(newUser("ann@example.com"), c.change)))
			if c.status == 0 {
				r.consents(a)
				return
			}
			require.NotContains(t, r.refuses(a, c.status), "ann")
		})
	}
	require.Zero(t, r.profiles())
}

func TestDisposableAllowed(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) { c.DisposableAllowed = true })
	r.consents(r.call("before-user-created", userCall("before-user-created", newUser("ann@mailinator.com"))))
}

// TestSignupsClosed: only who brings an open invite, and has its address, gets in.
func TestSignupsClosed(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) { c.SignupsClosed = true })
	a, b := r.Landlord(t, "ann"), r.Landlord(t, "bob")
	signUp := func(email string, token any) answer {
		return r.call("before-user-created", userCall("before-user-created", with(newUser(email), object{"user_metadata": object{"invite_token": token}})))
	}
	for _, refused := range []answer{
		r.call("before-user-created", userCall("before-user-created", newUser("ann@example.com"))),
		signUp("ann-invitee@example.com", ""),
		signUp("ann-invitee@example.com", "no such token"),
		signUp("ann-invitee@example.com", []string{a.InviteToken}),
		signUp("eve@example.com", a.InviteToken),
		signUp("ann-invitee@example.com", b.InviteToken),
	} {
		require.Equal(t, "Sign-ups are closed at the moment.", r.refuses(refused, http.StatusForbidden))
	}
	r.consents(signUp("ann-invitee@example.com", a.InviteToken))
	r.consents(signUp("ann-invitee@example.com", a.InviteToken)) // it is not used up
	for _, end := range []string{"revoked_at = now()", "expires_at = now()", "claimed_at = now(), claimed_by_user_id = '" + a.UserID.String() + "'"} {
		conn := r.Connect(t, "postgres")
		r.Exec(t, "update app.tenant_invites set "+end)
		r.refuses(signUp("ann-invitee@example.com", a.InviteToken), http.StatusForbidden)
		_, err := conn.Exec(t.Context(), "update app.tenant_invites set revoked_at = null, claimed_at = null, claimed_by_user_id = null, expires_at = now() + interval '1 day'")
		require.NoError(t, err)
		r.consents(signUp("ann-invitee@example.com", a.InviteToken))
	}
}

// TestSignupsClosedWithoutDatabase: nobody gets in for want of an answer; the provider
// asks again.
func TestSignupsClosedWithoutDatabase(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) {
		c.SignupsClosed, c.DB = true, opened(t, nowhere(t))
	})
	user := with(newUser("ann@example.com"), object{"user_metadata": object{"invite_token": "token"}})
	a := r.call("before-user-created", userCall("before-user-created", user))
	r.turnsAway(a, http.StatusServiceUnavailable, "")
	require.NotEmpty(t, a.header.Get("Retry-After"), "or the provider does not ask again")
	r.refuses(r.call("before-user-created", userCall("before-user-created", newUser("ann@example.com"))), http.StatusForbidden)
}

func opened(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: url, Keys: dbtest.Keyring(t, dbtest.KeysText), MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return d
}
