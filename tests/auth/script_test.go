package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

var update = flag.Bool("update", false, "write testdata/ as the real provider that SUPABASE_URL names answers")

// scripts are what a client and a mail reader may do at a provider, in parts that
// need nothing of each other.
var scripts = map[string]func(*transcript){
	"admin":        admin,
	"audience":     audience,
	"email-change": emailChange,
	"errors":       badRequests,
	"hooks":        hooks,
	"links":        links,
	"magic-link":   magicLink,
	"mfa":          mfa,
	"password":     passwords,
	"pkce":         pkce,
	"public":       public,
	"recovery":     recovery,
	"sessions":     sessions,
	"sign-up":      signUps,
}

// TestTranscripts: the provider answers, and calls the hooks, as the real one did
// when testdata/ was written. So does the stand-in, or it would stand for nothing.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTranscript(t, newProvider(t, dbtest.New(t)))
			script(s)
			file := filepath.Join("testdata", name+".jsonl")
			if *update {
				require.NotEmpty(t, os.Getenv("SUPABASE_URL"), "only the real one says how it is")
				writeFile(t, file, s.steps)
			}
			// - is what the real one does
			if found := differences(readFile(t, file), s.steps); len(found) > 0 {
				t.Errorf("%s", strings.Join(found[:min(len(found), 200)], "\n"))
			}
		})
	}
}

const password = "a long password"

// obj is JSON of pairs of a key and a value.
func obj(pairs ...any) string {
	object := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i].(string)] = pairs[i+1] //nolint:forcetypeassert // the tests write the keys
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // a test wrote what is no JSON
	}
	return string(text)
}

// mail is what the last call of the send-email hook in this step had to say.
type mail struct {
	Token        string
	TokenHash    string `json:"token_hash"`
	TokenNew     string `json:"token_new"`
	TokenHashNew string `json:"token_hash_new"`
}

// mailing sends a request, and returns the mail that it was the cause of.
func (s *transcript) mailing(method, path, body string, headers ...string) (said, mail) {
	s.t.Helper()
	var sent struct {
		Data mail `json:"email_data"`
	}
	s.p.hooks.put(except(sendEmail, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&sent) // then it stays empty
		agree(w, r)
	}, http.HandlerFunc(agree)))
	defer s.p.hooks.put(http.HandlerFunc(agree))
	a := s.send(method, path, body, headers...)
	return a, sent.Data
}

// user signs somebody up and confirms them; written down like all else.
func (s *transcript) user(name string) (session said) {
	s.t.Helper()
	_, m := s.mailing("POST", "/signup", obj("email", s.email(name), "password", password, "data", map[string]any{"full_name": "Ann"}))
	session = s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	require.NotEmpty(s.t, session.get("access_token"), session.text)
	return session
}

func (s *transcript) signIn(name, password string) said {
	s.t.Helper()
	return s.post("/token?grant_type=password", obj("email", s.email(name), "password", password))
}

func (s *transcript) refresh(token string) said {
	s.t.Helper()
	return s.post("/token?grant_type=refresh_token", obj("refresh_token", token))
}

func public(s *transcript) {
	s.send("GET", "/health", "")
	s.send("GET", "/.well-known/jwks.json", "")
	s.send("GET", "/nothing", "")
	s.send("GET", "/signup", "")
	s.send("GET", "/token", "")
}

func signUps(s *transcript) {
	s.heading("somebody new")
	first, m := s.mailing("POST", "/signup", obj("email", "Ann-"+s.run+"@Example.com", "password", password, "data", map[string]any{"full_name": "Ann", "html": "<b>&"}))
	s.heading("not confirmed")
	s.signIn("ann", password)
	s.signIn("ann", "another password")
	s.heading("once more, not confirmed yet")
	_, m2 := s.mailing("POST", "/signup", obj("email", s.email("ann"), "password", "another password", "data", map[string]any{"full_name": "Eve"}))
	s.heading("the first code is void")
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	s.heading("confirmed")
	s.post("/verify", obj("type", "signup", "token_hash", m2.TokenHash))
	s.heading("a code works once")
	s.post("/verify", obj("type", "signup", "token_hash", m2.TokenHash))
	s.heading("signed in")
	s.signIn("ann", password)
	s.signIn("ann", "another password")
	s.heading("once more, confirmed")
	s.post("/signup", obj("email", s.email("ann"), "password", "another password", "data", map[string]any{"full_name": "Eve"}))
	s.heading("by address and code")
	_, m = s.mailing("POST", "/signup", obj("email", s.email("bob"), "password", password))
	s.post("/verify", obj("type", "signup", "email", s.email("bob"), "token", "000000"))
	s.post("/verify", obj("type", "signup", "email", s.email("ann"), "token", m.Token))
	s.post("/verify", obj("type", "signup", "email", s.email("bob"), "token", m.Token))
	s.heading("type email")
	_, m = s.mailing("POST", "/signup", obj("email", s.email("cid"), "password", password))
	s.post("/verify", obj("type", "email", "token_hash", m.TokenHash))
	s.heading("resend")
	_, _ = s.mailing("POST", "/signup", obj("email", s.email("dan"), "password", password))
	_, m = s.mailing("POST", "/resend", obj("type", "signup", "email", s.email("dan")))
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	s.post("/resend", obj("type", "signup", "email", s.email("dan")))
	s.post("/resend", obj("type", "signup", "email", s.email("nobody")))
	s.post("/resend", obj("type", "invite", "email", s.email("dan")))
	s.post("/resend", obj("type", "signup"))
	require.NotEmpty(s.t, first.get("id"))
}

func badRequests(s *transcript) {
	s.heading("sign-up")
	for _, body := range []string{
		`{`, `[]`, `"x"`, `null`, `{}`, obj("email", "nobody"), obj("email", "no body@example.com", "password", password),
		obj("email", s.email("x")), obj("email", s.email("x"), "password", ""), obj("email", s.email("x"), "password", "short"),
		obj("password", password), obj("email", s.email("x"), "phone", "1555", "password", password),
		obj("phone", "15550100200", "password", password), obj("email", 5, "password", password),
		obj("email", s.email("x"), "password", strings.Repeat("x", 73)),
		obj("email", s.email("x"), "password", password, "data", []int{1}),
		obj("email", s.email("x"), "password", password, "code_challenge", "short", "code_challenge_method", "s256"),
		obj("email", s.email("x"), "password", password, "code_challenge", strings.Repeat("c", 43)),
		obj("email", strings.Repeat("x", 250)+"@example.com", "password", password),
	} {
		s.post("/signup", body)
	}
	s.post("/signup", "email=x", "Content-Type", "application/x-www-form-urlencoded")
	s.heading("without the version header")
	s.post("/signup", obj("email", s.email("x"), "password", "short"), "X-Supabase-Api-Version", "")
	s.post("/signup", obj("email", s.email("x"), "password", "short"), "X-Supabase-Api-Version", "2023-01-01")
	s.send("GET", "/user", "", "X-Supabase-Api-Version", "")
	s.heading("token")
	for _, path := range []string{"/token", "/token?grant_type=magic"} {
		s.post(path, obj("email", s.email("x"), "password", password))
	}
	s.post("/token?grant_type=password", `{}`)
	s.post("/token?grant_type=password", obj("email", s.email("nobody"), "password", password))
	s.post("/token?grant_type=password", obj("email", "nobody", "password", password))
	s.post("/token?grant_type=password", obj("email", s.email("nobody")))
	s.refresh("")
	s.refresh("abcdefghijkl")
	s.post("/token?grant_type=pkce", obj("auth_code", "", "code_verifier", ""))
	s.post("/token?grant_type=pkce", obj("auth_code", "11111111-2222-4333-8444-555555555555", "code_verifier", strings.Repeat("v", 43)))
	s.post("/token?grant_type=pkce", obj("auth_code", "x", "code_verifier", strings.Repeat("v", 43)))
	s.heading("bearer")
	s.send("GET", "/user", "")
	s.send("GET", "/user", "", "Authorization", "Basic eDp5")
	s.send("GET", "/user", "", bearer("x")...)
	s.send("GET", "/user", "", bearer("a.b.c")...)
	s.send("GET", "/user", "", bearer(s.p.anonKey)...)
	s.post("/logout", "")
	s.heading("verify")
	for _, body := range []string{
		`{}`, obj("type", "signup"), obj("type", "signup", "token", "123456"), obj("type", "nothing", "token_hash", strings.Repeat("0", 56)),
		obj("type", "signup", "token_hash", strings.Repeat("0", 56)), obj("type", "recovery", "token_hash", "x"),
		obj("type", "signup", "email", s.email("nobody"), "token", "123456"), obj("type", "signup", "email", "nobody", "token", "123456"),
		obj("type", "signup", "email", s.email("nobody"), "token_hash", strings.Repeat("0", 56)),
		obj("type", "signup", "token", "123456", "token_hash", strings.Repeat("0", 56)),
		obj("token_hash", strings.Repeat("0", 56)),
	} {
		s.post("/verify", body)
	}
	s.heading("recover, otp, magic link")
	for _, path := range []string{"/recover", "/otp", "/magiclink"} {
		s.post(path, `{}`)
		s.post(path, obj("email", "nobody"))
	}
	s.post("/otp", obj("email", s.email("x"), "phone", "15550100200"))
	s.post("/otp", obj("phone", "15550100200"))
	s.heading("anonymous")
	s.post("/signup", `{"data":{}}`)
	s.heading("a provider that is off")
	s.send("GET", "/authorize?provider=nothing", "")
	s.send("GET", "/authorize", "")
}

func sessions(s *transcript) {
	session := s.user("ann")
	token, refresh := session.get("access_token"), session.get("refresh_token")
	s.send("GET", "/user", "", bearer(token)...)
	s.heading("refresh")
	second := s.refresh(refresh)
	s.heading("the parent of the one in use gives the same")
	s.refresh(refresh)
	third := s.refresh(second.get("refresh_token"))
	s.heading("a grandparent, within the interval")
	s.refresh(refresh)
	s.refresh(third.get("refresh_token"))
	s.heading("sign out here")
	other := s.signIn("ann", password)
	s.post("/logout?scope=local", "", bearer(other.get("access_token"))...)
	s.send("GET", "/user", "", bearer(other.get("access_token"))...)
	s.refresh(other.get("refresh_token"))
	s.send("GET", "/user", "", bearer(token)...)
	s.heading("sign out elsewhere")
	other = s.signIn("ann", password)
	s.post("/logout?scope=others", "", bearer(other.get("access_token"))...)
	s.send("GET", "/user", "", bearer(token)...)
	s.send("GET", "/user", "", bearer(other.get("access_token"))...)
	s.heading("sign out everywhere")
	s.post("/logout?scope=nowhere", "", bearer(other.get("access_token"))...)
	s.post("/logout", "", bearer(other.get("access_token"))...)
	s.send("GET", "/user", "", bearer(other.get("access_token"))...)
	s.post("/logout", "", bearer(other.get("access_token"))...)
}

func passwords(s *transcript) {
	session := s.user("ann")
	auth := bearer(session.get("access_token"))
	s.heading("metadata")
	s.send("PUT", "/user", obj("data", map[string]any{"full_name": "Ann One", "email": "eve@example.com", "n": 1}), auth...)
	s.send("PUT", "/user", obj("data", map[string]any{"full_name": nil}), auth...)
	s.send("PUT", "/user", obj("app_metadata", map[string]any{"role": "admin"}), auth...)
	s.send("PUT", "/user", `{}`, auth...)
	s.send("PUT", "/user", `{"data":`, auth...)
	s.heading("password")
	s.send("PUT", "/user", obj("password", password), auth...)
	s.send("PUT", "/user", obj("password", "short"), auth...)
	s.send("PUT", "/user", obj("password", ""), auth...)
	s.send("PUT", "/user", obj("password", strings.Repeat("x", 73)), auth...)
	s.send("PUT", "/user", obj("password", "another password"), auth...)
	s.signIn("ann", password)
	s.signIn("ann", "another password")
	s.send("GET", "/user", "", auth...)
	s.heading("reauthenticate")
	_, m := s.mailing("GET", "/reauthenticate", "", auth...)
	s.send("PUT", "/user", obj("password", "a third password", "nonce", m.Token), auth...)
}

func recovery(s *transcript) {
	s.user("ann")
	s.post("/recover", obj("email", s.email("nobody")))
	_, m := s.mailing("POST", "/recover", obj("email", s.email("ann")))
	s.heading("the wrong type")
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	s.post("/verify", obj("type", "magiclink", "token_hash", m.TokenHash))
	s.heading("the right one")
	_, m = s.mailing("POST", "/recover", obj("email", s.email("ann")))
	session := s.post("/verify", obj("type", "recovery", "token_hash", m.TokenHash))
	s.send("PUT", "/user", obj("password", "another password"), bearer(session.get("access_token"))...)
	s.signIn("ann", "another password")
	s.heading("somebody who has not confirmed")
	s.mailing("POST", "/signup", obj("email", s.email("bob"), "password", password))
	_, m = s.mailing("POST", "/recover", obj("email", s.email("bob")))
	if m.TokenHash != "" {
		s.post("/verify", obj("type", "recovery", "token_hash", m.TokenHash))
		s.signIn("bob", password)
	}
}

func magicLink(s *transcript) {
	s.user("ann")
	for _, path := range []string{"/otp", "/magiclink"} {
		s.heading(path + ", known")
		_, m := s.mailing("POST", path, obj("email", s.email("ann")))
		s.post("/verify", obj("type", "magiclink", "token_hash", m.TokenHash))
		_, m = s.mailing("POST", path, obj("email", s.email("ann")))
		s.post("/verify", obj("type", "email", "email", s.email("ann"), "token", m.Token))
	}
	s.heading("nobody is made")
	s.post("/otp", obj("email", s.email("nobody"), "create_user", false))
	s.heading("somebody is made")
	_, m := s.mailing("POST", "/otp", obj("email", s.email("bob"), "create_user", true, "data", map[string]any{"full_name": "Bob"}))
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	_, m = s.mailing("POST", "/magiclink", obj("email", s.email("cid")))
	s.post("/verify", obj("type", "magiclink", "token_hash", m.TokenHash))
	s.heading("unconfirmed")
	s.mailing("POST", "/signup", obj("email", s.email("dan"), "password", password))
	_, m = s.mailing("POST", "/otp", obj("email", s.email("dan"), "create_user", false))
	s.post("/verify", obj("type", "email", "token_hash", m.TokenHash))
}

func emailChange(s *transcript) {
	session := s.user("ann")
	auth := bearer(session.get("access_token"))
	s.user("bob")
	s.heading("taken, malformed, the same")
	s.send("PUT", "/user", obj("email", s.email("bob")), auth...)
	s.send("PUT", "/user", obj("email", "nobody"), auth...)
	s.send("PUT", "/user", obj("email", s.email("ann")), auth...)
	s.heading("asked for")
	_, m := s.mailing("PUT", "/user", obj("email", s.email("anna")), auth...)
	s.send("GET", "/user", "", auth...)
	s.heading("sent again")
	_, again := s.mailing("POST", "/resend", obj("type", "email_change", "email", s.email("ann")))
	if again.TokenHash != "" {
		m = again
	}
	s.heading("one half, then the other")
	s.post("/verify", obj("type", "email_change", "token_hash", m.TokenHashNew))
	s.send("GET", "/user", "", auth...)
	s.post("/verify", obj("type", "email_change", "token_hash", m.TokenHash))
	s.send("GET", "/user", "", auth...)
	s.signIn("ann", password)
	s.signIn("anna", password)
	s.heading("by code")
	_, m = s.mailing("PUT", "/user", obj("email", s.email("annb")), auth...)
	s.post("/verify", obj("type", "email_change", "email", s.email("annb"), "token", m.TokenNew))
	s.post("/verify", obj("type", "email_change", "email", s.email("anna"), "token", m.Token))
	s.heading("none is pending")
	s.post("/resend", obj("type", "email_change", "email", s.email("annb")))
	s.post("/resend", obj("type", "email_change", "email", s.email("nobody")))
}

func links(s *transcript) {
	follow := func(query string) { s.send("GET", "/verify?"+query, "") }
	_, m := s.mailing("POST", "/signup?redirect_to="+url.QueryEscape(siteURL+"/welcome?a=b&c=d"), obj("email", s.email("ann"), "password", password))
	s.heading("expired, missing")
	follow("type=signup&token=" + strings.Repeat("0", 56) + "&redirect_to=" + url.QueryEscape(siteURL+"/welcome"))
	follow("type=signup&token=" + strings.Repeat("0", 56) + "&redirect_to=https://evil.example.com/x")
	follow("type=signup&token=" + strings.Repeat("0", 56))
	follow("type=signup")
	follow("")
	s.heading("good")
	follow("type=signup&token=" + m.TokenHash + "&redirect_to=" + url.QueryEscape(siteURL+"/welcome?a=b"))
	follow("type=signup&token=" + m.TokenHash + "&redirect_to=" + url.QueryEscape(siteURL+"/welcome?a=b"))
	s.heading("another origin")
	s.mailing("POST", "/recover?redirect_to=https://evil.example.com/x", obj("email", s.email("ann")))
	s.mailing("POST", "/recover", obj("email", s.email("ann")), "Referer", siteURL+"/forgot")
	_, m = s.mailing("POST", "/recover", obj("email", s.email("ann")), "redirect_to", siteURL+"/reset")
	follow("type=recovery&token=" + m.TokenHash + "&redirect_to=//evil.example.com")
}

func pkce(s *transcript) {
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	with := func(pairs ...any) string {
		return obj(append(pairs, "code_challenge", challenge, "code_challenge_method", "s256")...)
	}
	exchange := func(code, verifier string) {
		s.post("/token?grant_type=pkce", obj("auth_code", code, "code_verifier", verifier))
	}
	follow := func(kind, hash string) string {
		a := s.send("GET", "/verify?type="+kind+"&token="+hash+"&redirect_to="+url.QueryEscape(siteURL+"/back"), "")
		location, err := url.Parse(a.header.Get("Location"))
		require.NoError(s.t, err)
		return location.Query().Get("code")
	}
	s.heading("sign-up by link")
	_, m := s.mailing("POST", "/signup", with("email", s.email("ann"), "password", password))
	code := follow("signup", m.TokenHash)
	exchange(code, strings.Repeat("w", 43))
	exchange(code, "short")
	exchange(code, verifier)
	exchange(code, verifier)
	s.heading("recovery by link")
	_, m = s.mailing("POST", "/recover", with("email", s.email("ann")))
	exchange(follow("recovery", m.TokenHash), verifier)
	s.heading("magic link")
	_, m = s.mailing("POST", "/otp", with("email", s.email("ann")))
	exchange(follow("magiclink", m.TokenHash), verifier)
	s.heading("the hash, by POST")
	_, m = s.mailing("POST", "/recover", with("email", s.email("ann")))
	s.post("/verify", obj("type", "recovery", "token_hash", m.TokenHash))
	s.heading("resend")
	s.mailing("POST", "/signup", with("email", s.email("bob"), "password", password))
	_, m = s.mailing("POST", "/resend", with("type", "signup", "email", s.email("bob")))
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	s.heading("change of address")
	session := s.signIn("ann", password)
	_, m = s.mailing("PUT", "/user", with("email", s.email("anna")), bearer(session.get("access_token"))...)
	s.post("/verify", obj("type", "email_change", "token_hash", m.TokenHash))
	s.post("/verify", obj("type", "email_change", "token_hash", m.TokenHashNew))
}

func mfa(s *transcript) {
	session := s.user("ann")
	auth := bearer(session.get("access_token"))
	s.heading("bad requests")
	s.post("/factors", `{}`, auth...)
	s.post("/factors", obj("factor_type", "totp"))
	s.post("/factors", obj("factor_type", "phone", "phone", "15550100200"), auth...)
	s.heading("enrol")
	factor := s.post("/factors", obj("factor_type", "totp", "friendly_name", "phone", "issuer", "Rowhouse"), auth...)
	s.post("/factors", obj("factor_type", "totp", "friendly_name", "phone", "issuer", "Rowhouse"), auth...)
	path := "/factors/" + factor.get("id")
	s.send("GET", "/user", "", auth...)
	s.heading("challenge and verify")
	challenge := s.post(path+"/challenge", `{}`, auth...)
	s.post(path+"/verify", obj("challenge_id", challenge.get("id"), "code", "000000"), auth...)
	s.post(path+"/verify", obj("challenge_id", "11111111-2222-4333-8444-555555555555", "code", "000000"), auth...)
	s.post("/factors/11111111-2222-4333-8444-555555555555/challenge", `{}`, auth...)
	code, err := totp.GenerateCode(factor.get("totp", "secret"), time.Now())
	require.NoError(s.t, err)
	strong := s.post(path+"/verify", obj("challenge_id", challenge.get("id"), "code", code), auth...)
	s.refresh(strong.get("refresh_token"))
	s.heading("in a weaker session")
	weak := s.signIn("ann", password)
	s.send("DELETE", path, "", bearer(weak.get("access_token"))...)
	s.send("PUT", "/user", obj("password", "another password"), bearer(weak.get("access_token"))...)
	s.post("/factors", obj("factor_type", "totp", "friendly_name", "tablet"), bearer(weak.get("access_token"))...)
	s.heading("remove")
	s.send("DELETE", path, "", bearer(strong.get("access_token"))...)
	s.send("GET", "/user", "", bearer(strong.get("access_token"))...)
	s.refresh(strong.get("refresh_token"))
}

func audience(s *transcript) {
	s.heading("another audience, by header")
	_, m := s.mailing("POST", "/signup", obj("email", s.email("ann"), "password", password), "X-JWT-AUD", "other")
	s.post("/verify", obj("type", "signup", "token_hash", m.TokenHash))
	s.signIn("ann", password)
	s.post("/token?grant_type=password", obj("email", s.email("ann"), "password", password), "X-JWT-AUD", "other")
	s.heading("somebody's address, with another audience")
	s.user("bob")
	s.post("/signup", obj("email", s.email("bob"), "password", "another password"), "X-JWT-AUD", "other")
}

func admin(s *transcript) {
	if s.p.adminKey == "" {
		s.t.Skip("there is no SUPABASE_SERVICE_ROLE_KEY")
	}
	auth := bearer(s.p.adminKey)
	s.heading("who is no administrator")
	session := s.user("ann")
	s.send("GET", "/admin/users/11111111-2222-4333-8444-555555555555", "")
	s.send("GET", "/admin/users/11111111-2222-4333-8444-555555555555", "", bearer(session.get("access_token"))...)
	s.post("/invite", obj("email", s.email("ivy")), bearer(session.get("access_token"))...)
	s.heading("invite")
	_, m := s.mailing("POST", "/invite", obj("email", s.email("ivy"), "data", map[string]any{"full_name": "Ivy"}), auth...)
	s.signIn("ivy", password)
	session = s.post("/verify", obj("type", "invite", "token_hash", m.TokenHash))
	s.send("PUT", "/user", obj("password", password), bearer(session.get("access_token"))...)
	s.post("/invite", obj("email", s.email("ivy")), auth...)
	s.heading("create")
	made := s.post("/admin/users", obj("email", s.email("joe"), "password", password, "email_confirm", true, "user_metadata", map[string]any{"full_name": "Joe"}), auth...)
	s.post("/admin/users", obj("email", s.email("joe"), "password", password), auth...)
	path := "/admin/users/" + made.get("id")
	s.send("GET", path, "", auth...)
	s.signIn("joe", password)
	s.heading("update")
	s.send("PUT", path, obj("app_metadata", map[string]any{"plan": "x"}), auth...)
	s.send("PUT", path, obj("email", s.email("joey"), "email_confirm", true), auth...)
	banned := s.send("PUT", path, obj("ban_duration", "1h"), auth...)
	require.Equal(s.t, http.StatusOK, banned.status)
	s.signIn("joey", password)
	s.send("PUT", path, obj("ban_duration", "none"), auth...)
	s.heading("link")
	s.post("/admin/generate_link", obj("type", "magiclink", "email", s.email("joey")), auth...)
	s.post("/admin/generate_link", obj("type", "recovery", "email", s.email("nobody")), auth...)
	s.heading("delete")
	session = s.signIn("joey", password)
	s.send("DELETE", path, "", auth...)
	s.send("DELETE", path, "", auth...)
	s.send("GET", path, "", auth...)
	s.send("GET", "/user", "", bearer(session.get("access_token"))...)
	s.refresh(session.get("refresh_token"))
}
