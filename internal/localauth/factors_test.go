package localauth

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// totpCode is what an authenticator would show on the world's clock.
func (w *world) totpCode(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.now())
	require.NoError(w.t, err)
	return code
}

// enrolled makes an unverified factor and returns its id and secret.
func (w *world) enrolled(session reply, name string) (id, secret string) {
	w.t.Helper()
	got := w.post("/factors", `{"factor_type":"totp","friendly_name":"`+name+`"}`, bearer(session)...)
	require.Equal(w.t, 200, got.status, got.text)
	return got.body["id"].(string), got.body["totp"].(map[string]any)["secret"].(string)
}

func (w *world) challenged(session reply, factor string) string {
	w.t.Helper()
	got := w.post("/factors/"+factor+"/challenge", "", bearer(session)...)
	require.Equal(w.t, 200, got.status, got.text)
	require.Equal(w.t, "totp", got.body["type"])
	return got.body["id"].(string)
}

func (w *world) verified(session reply, factor, challenge, code string) reply {
	w.t.Helper()
	return w.post("/factors/"+factor+"/verify", fmt.Sprintf(`{"challenge_id":%q,"code":%q}`, challenge, code), bearer(session)...)
}

// lifted takes a session to aal2 with a new factor.
func (w *world) lifted(session reply, name string) (lifted reply, factor, secret string) {
	w.t.Helper()
	factor, secret = w.enrolled(session, name)
	lifted = w.verified(session, factor, w.challenged(session, factor), w.totpCode(secret))
	require.Equal(w.t, 200, lifted.status, lifted.text)
	return lifted, factor, secret
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	got := w.post("/factors", `{"factor_type":"totp","friendly_name":"phone"}`, bearer(session)...)
	require.Equal(t, 200, got.status, got.text)
	require.Equal(t, "totp", got.body["type"])
	body := got.body["totp"].(map[string]any)
	key, err := otp.NewKeyFromURL(body["uri"].(string))
	require.NoError(t, err)
	require.Equal(t, body["secret"], key.Secret())
	require.Equal(t, "site.example.com", key.Issuer())
	require.Equal(t, "ann@example.com", key.AccountName())
	image := body["qr_code"].(string)
	require.Greater(t, len(image), 200_000, "a client has to take the size that the real answer has")
	require.Less(t, len(image), 600_000)
	for decoder := xml.NewDecoder(strings.NewReader(image)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}

	user := w.send("GET", "/user", "", bearer(session)...)
	factor := user.body["factors"].([]any)[0].(map[string]any)
	require.Equal(t, "unverified", factor["status"])
	require.Equal(t, "phone", factor["friendly_name"])
	require.Equal(t, "totp", factor["factor_type"])
	require.NotContains(t, user.text, key.Secret())
	require.Equal(t, "aal1", w.claims(session)["aal"])
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	w.signUp("ann@example.com")
	elsewhere := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	session := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	w.enrolled(session, "never finished")
	factor, secret := w.enrolled(session, "phone")
	challenge := w.challenged(session, factor)

	code := w.totpCode(secret)
	wrong := w.verified(session, factor, challenge, "x"+code[1:])
	require.Equal(t, 422, wrong.status)
	require.Equal(t, "mfa_verification_failed", wrong.body["error_code"])
	lifted := w.verified(session, factor, challenge, code)
	require.Equal(t, 200, lifted.status, lifted.text)
	require.NotContains(t, lifted.header, "Sb-Auth-Session-Id")
	claims := w.claims(lifted)
	require.Equal(t, "aal2", claims["aal"])
	require.Equal(t, w.claims(session)["session_id"], claims["session_id"], "the same session")
	methods := map[any]bool{}
	for _, entry := range claims["amr"].([]any) {
		methods[entry.(map[string]any)["method"]] = true
	}
	require.Equal(t, map[any]bool{"password": true, "totp": true}, methods)
	factors := lifted.body["user"].(map[string]any)["factors"].([]any)
	require.Len(t, factors, 1, "the unverified one is gone")
	require.Equal(t, "verified", factors[0].(map[string]any)["status"])

	require.Equal(t, 403, w.send("GET", "/user", "", bearer(elsewhere)...).status, "sessions without a second factor end")
	require.Equal(t, "mfa_ip_address_mismatch", w.verified(lifted, factor, challenge, code).body["error_code"], "a challenge works once")
	renewed := w.refresh(lifted.body["refresh_token"])
	require.Equal(t, "aal2", w.claims(renewed)["aal"], "it outlives a refresh")

	again := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	require.Equal(t, "aal1", w.claims(again)["aal"])
	for _, change := range []string{`{"password":"another horse"}`, `{"email":"new@example.com"}`} {
		got := w.send("PUT", "/user", change, bearer(again)...)
		require.Equal(t, 401, got.status)
		require.Equal(t, "insufficient_aal", got.body["error_code"])
	}
	require.Equal(t, 200, w.send("PUT", "/user", `{"data":{"a":1}}`, bearer(again)...).status)
	require.Equal(t, 403, w.post("/factors", `{"factor_type":"totp","friendly_name":"second"}`, bearer(again)...).status)
	refused := w.send("DELETE", "/factors/"+factor, "", bearer(again)...)
	require.Equal(t, 422, refused.status)
	require.Equal(t, "insufficient_aal", refused.body["error_code"])

	gone := w.send("DELETE", "/factors/"+factor, "", bearer(renewed)...)
	require.JSONEq(t, `{"id":"`+factor+`"}`, gone.text)
	fallen := w.claims(w.refresh(renewed.body["refresh_token"]))
	require.Equal(t, "aal1", fallen["aal"])
	require.Len(t, fallen["amr"], 1)
}

func TestTokenHookSeesTheSecondFactor(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, echo(func(map[string]any) {}))
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.CustomAccessToken = rc.hook() })
	w.lifted(w.signUp("ann@example.com"), "phone")
	seen := rc.seen()
	require.Equal(t, "totp", seen[len(seen)-1].body["authentication_method"])
	require.Equal(t, "aal2", seen[len(seen)-1].body["claims"].(map[string]any)["aal"])
}

func TestChallengesEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	factor, secret := w.enrolled(session, "phone")
	challenge := w.challenged(session, factor)
	w.advance(challengeLife + time.Second)
	require.Equal(t, "mfa_challenge_expired", w.verified(session, factor, challenge, w.totpCode(secret)).body["error_code"])

	challenge = w.challenged(session, factor)
	body := fmt.Sprintf(`{"challenge_id":%q,"code":%q}`, challenge, w.totpCode(secret))
	got := w.post("/factors/"+factor+"/verify", body, append(bearer(session), "X-Forwarded-For", "203.0.113.9")...)
	require.Equal(t, "mfa_ip_address_mismatch", got.body["error_code"])

	old := w.totpCode(secret)
	w.advance(90 * time.Second)
	require.Equal(t, "mfa_verification_failed", w.verified(session, factor, challenge, old).body["error_code"], "two steps late")
}

func TestFactorLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	other := w.signUp("bob@example.com")
	enroll := func(body string) (int, any) {
		got := w.post("/factors", body, bearer(session)...)
		return got.status, got.body["error_code"]
	}
	for body, want := range map[string]string{
		`{"factor_type":"phone","phone":"+15550100200"}`: "mfa_phone_enroll_not_enabled",
		`{"factor_type":"webauthn"}`:                     "mfa_webauthn_enroll_not_enabled",
		`{"factor_type":"x"}`:                            "validation_failed",
	} {
		_, code := enroll(body)
		require.Equal(t, want, code)
	}
	first, _ := w.enrolled(session, "0")
	_, code := enroll(`{"factor_type":"totp","friendly_name":"0"}`)
	require.Equal(t, "mfa_factor_name_conflict", code)
	for n := 1; n < maxFactors; n++ {
		w.enrolled(session, fmt.Sprint(n))
	}
	status, code := enroll(`{"factor_type":"totp","friendly_name":"one more"}`)
	require.Equal(t, 422, status)
	require.Equal(t, "too_many_enrolled_mfa_factors", code)

	for _, path := range []string{"/challenge", "/verify"} {
		got := w.post("/factors/"+first+path, `{"code":"000000","challenge_id":"`+first+`"}`, bearer(other)...)
		require.Equal(t, 404, got.status, "somebody else's")
		require.Equal(t, "mfa_factor_not_found", got.body["error_code"])
	}
	require.Equal(t, 404, w.send("DELETE", "/factors/"+first, "", bearer(other)...).status)
	require.Equal(t, "validation_failed", w.send("DELETE", "/factors/x", "", bearer(session)...).body["error_code"])
	require.Equal(t, "mfa_factor_not_found", w.verified(session, first, first, "000000").body["error_code"], "no such challenge")

	w.advance(factorLife + time.Second)
	w.enrolled(session, "0")
	require.Equal(t, 1, w.count("select count(*) from auth.mfa_factors"), "those that nobody finished are gone")
}
