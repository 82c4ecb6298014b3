package localauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authgo "github.com/supabase-community/auth-go"
	"github.com/supabase-community/auth-go/types"
)

func TestLifeWithAuthGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google)
	key, err := w.server.AnonKey()
	require.NoError(t, err)
	client := authgo.New("local", key).WithCustomAuthURL(w.url)

	// Sign up by link, the code typed in.
	require.NoError(t, client.OTP(types.OTPRequest{Email: "ann@example.com", CreateUser: true}))
	session, err := client.VerifyForUser(types.VerifyForUserRequest{
		Type: types.VerificationTypeSignup, Email: "ann@example.com", Token: w.lastMail().Code, RedirectTo: "http://localhost/in",
	})
	require.NoError(t, err)
	ann := client.WithToken(session.AccessToken)

	// A first password, then another address by both codes.
	password := goodPassword
	_, err = ann.UpdateUser(types.UpdateUserRequest{Password: &password})
	require.NoError(t, err)
	asked, err := ann.UpdateUser(types.UpdateUserRequest{Email: "new@example.com"})
	require.NoError(t, err)
	require.Equal(t, "new@example.com", asked.EmailChange)
	toNew, toOld := w.mails[len(w.mails)-2], w.mails[len(w.mails)-1]
	half, err := client.VerifyForUser(types.VerifyForUserRequest{Type: types.VerificationTypeEmailChange, Email: toNew.To, Token: toNew.Code, RedirectTo: siteURL})
	require.NoError(t, err)
	require.Empty(t, half.AccessToken, "no session before both have confirmed")
	done, err := client.VerifyForUser(types.VerifyForUserRequest{Type: types.VerificationTypeEmailChange, Email: toOld.To, Token: toOld.Code, RedirectTo: siteURL})
	require.NoError(t, err)
	require.Equal(t, "new@example.com", done.User.Email)
	in, err := client.SignInWithEmailPassword("new@example.com", goodPassword)
	require.NoError(t, err)

	// A second factor.
	ann = client.WithToken(in.AccessToken)
	factor, err := ann.EnrollFactor(types.EnrollFactorRequest{FactorType: types.FactorTypeTOTP, FriendlyName: "phone", Issuer: "Rowhouse"})
	require.NoError(t, err)
	challenged, err := ann.ChallengeFactor(types.ChallengeFactorRequest{FactorID: factor.ID})
	require.NoError(t, err)
	lifted, err := ann.VerifyFactor(types.VerifyFactorRequest{FactorID: factor.ID, ChallengeID: challenged.ID, Code: w.totpCode(factor.TOTP.Secret)})
	require.NoError(t, err)
	ann = client.WithToken(lifted.AccessToken)
	me, err := ann.GetUser()
	require.NoError(t, err)
	require.Equal(t, "verified", me.Factors[0].Status)
	_, err = ann.UnenrollFactor(types.UnenrollFactorRequest{FactorID: factor.ID})
	require.NoError(t, err)
	require.NoError(t, ann.Reauthenticate())

	// An OAuth provider, with PKCE.
	begun, err := client.Authorize(types.AuthorizeRequest{Provider: types.ProviderGoogle, FlowType: types.FlowPKCE, RedirectTo: "http://localhost/in"})
	require.NoError(t, err)
	page, err := url.Parse(begun.AuthorizationURL)
	require.NoError(t, err)
	typed := kay()
	typed.Set("provider", page.Query().Get("provider"))
	typed.Set("state", page.Query().Get("state"))
	back := w.returns(w.post(strings.TrimPrefix(page.Path, "/auth/v1"), typed.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
	kays, err := client.Token(types.TokenRequest{GrantType: "pkce", Code: back.Query().Get("code"), CodeVerifier: begun.Verifier})
	require.NoError(t, err)
	require.Equal(t, "kay@example.com", kays.User.Email)

	// The admin's side.
	service, err := w.server.ServiceKey()
	require.NoError(t, err)
	admin := client.WithToken(service)
	invited, err := admin.Invite(types.InviteRequest{Email: "bob@example.com"})
	require.NoError(t, err)
	require.NotNil(t, invited.InvitedAt)
	link, err := admin.AdminGenerateLink(types.AdminGenerateLinkRequest{Type: types.LinkTypeRecovery, Email: "kay@example.com", RedirectTo: "http://localhost/in"})
	require.NoError(t, err)
	require.Equal(t, codeHash("kay@example.com", link.EmailOTP), link.HashedToken)
	all, err := admin.AdminListUsers(types.AdminListUsersRequest{})
	require.NoError(t, err)
	require.Len(t, all.Users, 3)
	require.NoError(t, admin.AdminDeleteUser(types.AdminDeleteUserRequest{UserID: invited.ID}))
	_, err = client.AdminListUsers(types.AdminListUsersRequest{})
	require.Error(t, err)
	require.Equal(t, http.StatusForbidden, w.send("GET", "/admin/users", "", "Authorization", "Bearer "+key).status)
}
