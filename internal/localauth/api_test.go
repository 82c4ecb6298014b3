package localauth

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	anon, err := w.server.AnonKey()
	require.NoError(t, err)
	longest := strings.Repeat("x", 72)
	require.Equal(t, 200, w.post("/signup", credentials("max@example.com", longest)).status)

	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               string
	}{
		"no token":                   {"GET", "/user", "", nil, 401, "no_authorization"},
		"basic instead of bearer":    {"GET", "/user", "", []string{"Authorization", "Basic eDp5"}, 401, "no_authorization"},
		"garbage token":              {"GET", "/user", "", []string{"Authorization", "Bearer x.y.z"}, 403, "bad_jwt"},
		"API key as token":           {"GET", "/user", "", []string{"Authorization", "Bearer " + anon}, 403, "bad_jwt"},
		"sign up twice":              {"POST", "/signup", credentials("ANN@example.com", goodPassword), nil, 422, "user_already_exists"},
		"short password":             {"POST", "/signup", credentials("bob@example.com", "12345"), nil, 422, "weak_password"},
		"long password":              {"POST", "/signup", credentials("bob@example.com", longest+"x"), nil, 400, "validation_failed"},
		"no password":                {"POST", "/signup", credentials("bob@example.com", ""), nil, 400, "validation_failed"},
		"no address":                 {"POST", "/signup", `{}`, nil, 422, "anonymous_provider_disabled"},
		"not an address":             {"POST", "/signup", credentials("Bob <bob@example.com>", goodPassword), nil, 400, "validation_failed"},
		"NUL in address":             {"POST", "/signup", credentials("bob\x00@example.com", goodPassword), nil, 400, "validation_failed"},
		"NUL in metadata":            {"POST", "/signup", `{"email":"bob@example.com","password":"correct horse","data":{"a":"\u0000"}}`, nil, 400, "validation_failed"},
		"challenge without method":   {"POST", "/signup", `{"email":"bob@example.com","password":"correct horse","code_challenge":"` + strings.Repeat("x", 43) + `"}`, nil, 400, "validation_failed"},
		"method without challenge":   {"POST", "/otp", `{"email":"bob@example.com","code_challenge_method":"s256"}`, nil, 400, "validation_failed"},
		"short challenge":            {"POST", "/recover", `{"email":"bob@example.com","code_challenge":"x","code_challenge_method":"s256"}`, nil, 400, "validation_failed"},
		"long challenge":             {"POST", "/magiclink", `{"email":"bob@example.com","code_challenge":"` + strings.Repeat("x", 129) + `","code_challenge_method":"s256"}`, nil, 400, "validation_failed"},
		"challenge with a space":     {"POST", "/otp", `{"email":"bob@example.com","code_challenge":"` + strings.Repeat("x ", 22) + `","code_challenge_method":"s256"}`, nil, 400, "validation_failed"},
		"code without verifier":      {"POST", "/token?grant_type=pkce", `{"auth_code":"x"}`, nil, 400, "validation_failed"},
		"the field of old clients":   {"POST", "/token?grant_type=pkce", `{"code":"x","code_verifier":"y"}`, nil, 400, "validation_failed"},
		"unknown code":               {"POST", "/token?grant_type=pkce", `{"auth_code":"x","code_verifier":"y"}`, nil, 404, "flow_state_not_found"},
		"otp, nobody to create":      {"POST", "/otp", `{"email":"bob@example.com","create_user":false}`, nil, 422, "otp_disabled"},
		"otp, no address to create":  {"POST", "/otp", `{"email":"bob","create_user":false}`, nil, 422, "otp_disabled"},
		"otp without an address":     {"POST", "/otp", `{"create_user":false}`, nil, 400, "validation_failed"},
		"otp by phone":               {"POST", "/otp", `{"phone":"15550100200"}`, nil, 400, "phone_provider_disabled"},
		"magic link, no address":     {"POST", "/magiclink", `{}`, nil, 422, "validation_failed"},
		"resend without an address":  {"POST", "/resend", `{"type":"email_change"}`, nil, 400, "validation_failed"},
		"resend by phone":            {"POST", "/resend", `{"type":"sms","phone":"15550100200"}`, nil, 400, "phone_provider_disabled"},
		"no verify type":             {"POST", "/verify", `{"token_hash":"y"}`, nil, 400, "validation_failed"},
		"link without type":          {"GET", "/verify?token=y", "", nil, 400, "validation_failed"},
		"link without token":         {"GET", "/verify?type=signup", "", nil, 400, "validation_failed"},
		"reauthenticate, no token":   {"GET", "/reauthenticate", "", nil, 401, "no_authorization"},
		"wrong type":                 {"POST", "/signup", `{"email":5}`, nil, 400, "bad_json"},
		"empty body":                 {"POST", "/signup", "", nil, 400, "bad_json"},
		"form":                       {"POST", "/signup", credentials("bob@example.com", goodPassword), []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}, 400, "bad_json"},
		"body over 1 MiB":            {"POST", "/signup", `{"data":{"a":"` + strings.Repeat("a", 1<<20) + `"}}`, nil, 413, "request_entity_too_large"},
		"wrong password":             {"POST", "/token?grant_type=password", credentials("ann@example.com", "wrong horse"), nil, 400, "invalid_credentials"},
		"stranger":                   {"POST", "/token?grant_type=password", credentials("bob@example.com", goodPassword), nil, 400, "invalid_credentials"},
		"another audience":           {"POST", "/token?grant_type=password", credentials("ann@example.com", goodPassword), []string{"X-JWT-AUD", "other"}, 400, "invalid_credentials"},
		"unknown grant":              {"POST", "/token?grant_type=magic", `{}`, nil, 400, "invalid_credentials"},
		"unknown refresh token":      {"POST", "/token?grant_type=refresh_token", `{"refresh_token":"aaaaaaaaaaaa"}`, nil, 400, "refresh_token_not_found"},
		"no refresh token":           {"POST", "/token?grant_type=refresh_token", `{}`, nil, 400, "validation_failed"},
		"same password":              {"PUT", "/user", `{"password":"correct horse"}`, bearer(session), 422, "same_password"},
		"empty password":             {"PUT", "/user", `{"password":""}`, bearer(session), 422, "weak_password"},
		"address and phone":          {"POST", "/signup", `{"email":"bob@example.com","phone":"15550100200","password":"correct horse"}`, nil, 400, "validation_failed"},
		"app_metadata":               {"PUT", "/user", `{"app_metadata":{"admin":true}}`, bearer(session), 403, "not_admin"},
		"address of somebody else":   {"PUT", "/user", `{"email":"MAX@example.com"}`, bearer(session), 422, "email_exists"},
		"change to no address":       {"PUT", "/user", `{"email":"max"}`, bearer(session), 400, "validation_failed"},
		"unknown logout scope":       {"POST", "/logout?scope=world", "", bearer(session), 400, "validation_failed"},
		"unknown verify type":        {"POST", "/verify", `{"type":"x","token_hash":"y"}`, nil, 400, "validation_failed"},
		"wrong code":                 {"POST", "/verify", `{"type":"signup","email":"ann@example.com","token":"000000"}`, nil, 403, "otp_expired"},
		"wrong hash":                 {"POST", "/verify", `{"type":"email_change","token_hash":"00"}`, nil, 403, "otp_expired"},
		"code without an address":    {"POST", "/verify", `{"type":"signup","token":"000000"}`, nil, 400, "validation_failed"},
		"hash with an address":       {"POST", "/verify", `{"type":"signup","token_hash":"00","email":"ann@example.com"}`, nil, 400, "validation_failed"},
		"neither code nor hash":      {"POST", "/verify", `{"type":"signup"}`, nil, 400, "validation_failed"},
		"resend of unknown type":     {"POST", "/resend", `{"type":"x","email":"ann@example.com"}`, nil, 400, "validation_failed"},
		"recover without address":    {"POST", "/recover", `{}`, nil, 400, "validation_failed"},
		"sign in without address":    {"POST", "/token?grant_type=password", `{"password":"correct horse"}`, nil, 400, "validation_failed"},
		"sign in, password too long": {"POST", "/token?grant_type=password", credentials("max@example.com", longest+"x"), nil, 400, "invalid_credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			old := w.send(c.method, c.path, c.body, c.headers...)
			require.Equal(t, c.status, old.status, old.text)
			require.Equal(t, float64(c.status), old.body["code"])
			require.Equal(t, c.code, old.body["error_code"])
			require.NotEmpty(t, old.body["msg"])
			require.Equal(t, c.code, old.header.Get("X-Sb-Error-Code"))
			require.Empty(t, old.header.Get(versionHeader))

			recent := w.send(c.method, c.path, c.body, append(c.headers, versionHeader, "2026-05-01")...)
			require.Equal(t, c.status, recent.status)
			require.Equal(t, c.code, recent.body["code"])
			require.Equal(t, old.body["msg"], recent.body["message"])
			require.NotContains(t, recent.body, "error_code")
			inHeader := c.code
			if c.code == "weak_password" {
				inHeader = ""
			}
			require.Equal(t, inHeader, recent.header.Get("X-Sb-Error-Code"))
			require.Equal(t, "2024-01-01", recent.header.Get(versionHeader))
		})
	}
}

func TestErrorForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := credentials("ann@example.com", "short")
	for _, version := range []string{"2023-12-31", "tomorrow", ""} {
		got := w.post("/signup", body, versionHeader, version)
		require.Equal(t, float64(422), got.body["code"], version)
	}
	reasons := map[string]any{"reasons": []any{"length"}}
	require.Equal(t, reasons, w.post("/signup", body).body["weak_password"])
	require.Equal(t, reasons, w.post("/signup", body, versionHeader, "2024-01-01").body["weak_password"])

	for _, path := range []string{"/sso", "/nothing", "/user/identities"} {
		got := w.send("GET", path, "")
		require.Equal(t, 404, got.status)
		require.Nil(t, got.body, "not JSON")
	}
	require.Equal(t, 405, w.send("GET", "/signup", "").status)
}

func TestServerFaultHasAnID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.admin.Exec(t.Context(), "drop table auth.one_time_tokens")
	require.NoError(t, err)
	got := w.post("/signup", credentials("ann@example.com", goodPassword))
	require.Equal(t, 500, got.status)
	require.Equal(t, "unexpected_failure", got.body["error_code"])
	require.Contains(t, w.log.String(), got.body["error_id"].(string))
	require.NotContains(t, got.text, "one_time_tokens")
	require.Zero(t, w.count("select count(*) from auth.users"))
}

func TestSignupHidesWhoIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.post("/signup", `{"email":"ann@example.com","password":"correct horse","data":{"n":1}}`)
	require.Equal(t, 200, first.status, first.text)

	require.Equal(t, 429, w.post("/signup", credentials("ann@example.com", goodPassword)).status, "a mail a minute")
	w.advance(w.server.cfg.MailInterval)
	again := w.post("/signup", `{"email":"ann@example.com","password":"another horse","data":{"n":2}}`)
	require.Equal(t, first.body["id"], again.body["id"], "not confirmed yet: the real user")
	require.Equal(t, float64(1), again.body["user_metadata"].(map[string]any)["n"])

	require.Equal(t, 200, w.post("/verify", `{"type":"signup","token_hash":"`+w.lastMail().TokenHash+`"}`).status)
	require.Equal(t, 400, w.post("/token?grant_type=password", credentials("ann@example.com", "another horse")).status)
	confirmed := w.post("/signup", `{"email":"ann@example.com","password":"another horse","data":{"n":2}}`)
	stranger := w.post("/signup", `{"email":"bob@example.com","password":"another horse","data":{"n":2}}`)
	require.Equal(t, 200, confirmed.status)
	require.NotEqual(t, first.body["id"], confirmed.body["id"])
	require.Equal(t, "", confirmed.body["role"])
	require.Empty(t, confirmed.body["identities"])
	for key := range stranger.body {
		require.Contains(t, confirmed.body, key)
	}
	require.Equal(t, 2, w.count("select count(*) from auth.users"))
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	w.signUp("ann@example.com")
	elsewhere := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	here := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	require.Contains(t, here.body, "weak_password")
	require.Nil(t, here.body["weak_password"])

	got := w.send("PUT", "/user", `{"data":{"a":1,"b":{"c":2}},"role":"service_role","id":"x"}`, bearer(here)...)
	require.Equal(t, 200, got.status, got.text)
	require.Equal(t, "authenticated", got.body["role"])
	got = w.send("PUT", "/user", `{"data":{"a":null,"d":3}}`, bearer(here)...)
	metadata := got.body["user_metadata"].(map[string]any)
	require.NotContains(t, metadata, "a")
	require.Equal(t, map[string]any{"c": float64(2)}, metadata["b"])
	require.Equal(t, float64(3), metadata["d"])

	require.Equal(t, 200, w.send("GET", "/user", "", bearer(elsewhere)...).status)
	require.Equal(t, 200, w.send("PUT", "/user", `{"password":"another horse"}`, bearer(here)...).status)
	require.Equal(t, 403, w.send("GET", "/user", "", bearer(elsewhere)...).status, "other sessions end")
	require.Equal(t, 200, w.send("GET", "/user", "", bearer(here)...).status)
	require.Equal(t, 400, w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).status)
}

func TestLogoutScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	for scope, alive := range map[string]struct{ here, there int }{
		"local": {403, 200}, "others": {200, 403}, "global": {403, 403},
	} {
		there := w.signUp(scope + "@example.com")
		here := w.post("/token?grant_type=password", credentials(scope+"@example.com", goodPassword))
		require.Equal(t, 204, w.send("POST", "/logout?scope="+scope, "", bearer(here)...).status)
		require.Equal(t, alive.here, w.send("GET", "/user", "", bearer(here)...).status, scope)
		require.Equal(t, alive.there, w.send("GET", "/user", "", bearer(there)...).status, scope)
	}
}

func TestStatesInTheDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	session := w.signUp("ann@example.com")
	w.advance(w.server.cfg.AccessTokenTTL)
	expired := w.send("GET", "/user", "", bearer(session)...)
	require.Equal(t, "bad_jwt", expired.body["error_code"])

	session = w.refresh(session.body["refresh_token"])
	require.Equal(t, 200, session.status)
	_, err := w.admin.Exec(t.Context(), "update auth.users set banned_until = now() + interval '1 year'")
	require.NoError(t, err)
	require.Equal(t, "user_banned", w.send("GET", "/user", "", bearer(session)...).body["error_code"])
	require.Equal(t, "user_banned", w.refresh(session.body["refresh_token"]).body["error_code"])
	require.Equal(t, "user_banned", w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).body["error_code"])

	_, err = w.admin.Exec(t.Context(), "delete from auth.users")
	require.NoError(t, err)
	require.Equal(t, "user_not_found", w.send("GET", "/user", "", bearer(session)...).body["error_code"])
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	var walk func(value any)
	times := 0
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				if text, ok := inner.(string); ok && strings.HasSuffix(key, "_at") {
					require.True(t, strings.HasSuffix(text, "Z"), "%s is %s", key, text)
					times++
				}
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	session := w.signUp("ann@example.com")
	walk(session.body["user"])
	require.Equal(t, 8, times)
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/signup", credentials("ann@example.com", goodPassword))
	w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	mail := w.lastMail()
	w.send("GET", "/verify?type=signup&token="+mail.TokenHash+"&redirect_to=http://localhost", "")
	session := w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword))
	next := w.refresh(session.body["refresh_token"])
	w.send("GET", "/user", "", bearer(next)...)
	w.send("GET", "/user", "", "Authorization", "Bearer "+next.body["access_token"].(string)+"x")
	_, err := w.admin.Exec(t.Context(), "drop table auth.refresh_tokens")
	require.NoError(t, err)
	require.Equal(t, 500, w.refresh(next.body["refresh_token"]).status)
	require.Equal(t, 500, w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).status)

	log := w.log.String()
	require.Contains(t, log, "path=/verify")
	for _, secret := range []any{
		goodPassword, mail.Code, mail.TokenHash, session.body["access_token"], session.body["refresh_token"],
		next.body["access_token"], next.body["refresh_token"], "ann@example.com",
	} {
		require.NotContains(t, log, secret)
	}
}

func TestPasswordsAndTokensAreHashed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm, func(c *Config) { c.HashCost = 0 })
	session := w.signUp("ann@example.com")
	var dump string
	require.NoError(t, w.admin.QueryRow(t.Context(), `
		select (select json_agg(u)::text from auth.users u) || (select json_agg(s)::text from auth.sessions s)
			|| (select json_agg(r)::text from auth.refresh_tokens r)`).Scan(&dump))
	require.Contains(t, dump, "$2a$10$")
	require.NotContains(t, dump, goodPassword)
	require.NotContains(t, dump, session.body["refresh_token"])
	require.NotContains(t, dump, session.body["access_token"])
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm)
	got := w.send("GET", "/settings", "")
	text, err := json.Marshal(got.body)
	require.NoError(t, err)
	require.JSONEq(t, `{"external":{"email":true,"phone":false,"anonymous_users":false},"disable_signup":false,"mailer_autoconfirm":true,
		"phone_autoconfirm":false,"sms_provider":"","saml_enabled":false,"saml_private_key_next_configured":false,"passkeys_enabled":false}`, string(text))
	require.Equal(t, http.StatusOK, w.send("GET", "/health", "").status)
}
