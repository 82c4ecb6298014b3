package localauth

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// The secrets, the message and the signatures of the published test vector.
const (
	secretOne = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	secretTwo = "v1,whsec_c2Vjb25kLXNlY3JldC1vZi0yNC1ieXRlcw=="
)

func TestSignature(t *testing.T) {
	t.Parallel()
	body := []byte(`{"name":"before-user-created","note":"a\u0026b"}`)
	require.Len(t, body, 48)
	for secrets, want := range map[string]string{
		secretOne:                   "v1,v1ZX/1iJn2gOkdXZ9hA6ltJyng6ZR3WWTlxWJRo9Bno=",
		secretOne + "|" + secretTwo: "v1,v1ZX/1iJn2gOkdXZ9hA6ltJyng6ZR3WWTlxWJRo9Bno=, v1,hY9neXoFOcwFUd0nvyT1nEfPf38v6Dm2FUsr8IJxmcQ=",
	} {
		signers, err := (&Hook{URI: "https://hooks.example.com/", Secrets: secrets}).signers()
		require.NoError(t, err)
		got, err := signature(signers, "3f2c1a50-0000-4000-8000-000000000001", time.Unix(1700000000, 0), body)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// receiver records what it is sent and answers as told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recorded
}

type recorded struct {
	header http.Header
	body   map[string]any
	raw    string
	at     time.Time
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	rc := &receiver{}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		got := recorded{header: r.Header.Clone(), raw: string(raw), at: time.Now()}
		_ = json.Unmarshal(raw, &got.body)
		rc.mu.Lock()
		rc.requests = append(rc.requests, got)
		rc.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) hook() *Hook { return &Hook{URI: rc.URL, Secrets: secretOne + "|" + secretTwo} }

func (rc *receiver) seen() []recorded {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]recorded(nil), rc.requests...)
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
			if headers[i+1] == "" {
				w.Header()[headers[i]] = nil
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestWhatTheReceiversAnswerDoes(t *testing.T) {
	t.Parallel()
	pool, admin := newPool(t)
	big := func(n int) string { return `{"a":"` + strings.Repeat("a", n-8) + `"}` }
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		calls  int
		status int
		code   string
	}{
		"200 object":                   {says(200, `{}`), 1, 200, ""},
		"200 null":                     {says(200, `null`), 1, 200, ""},
		"200 unknown fields":           {says(200, `{"x":[1]}`), 1, 200, ""},
		"200 with charset":             {says(200, `{}`, "Content-Type", "application/json; charset=utf-8"), 1, 200, ""},
		"202 object":                   {says(202, `{}`), 1, 200, ""},
		"204":                          {says(204, ``, "Content-Type", ""), 1, 200, ""},
		"200 without type":             {says(200, `{}`, "Content-Type", ""), 1, 400, "hook_payload_invalid_content_type"},
		"200 text":                     {says(200, `{}`, "Content-Type", "text/plain"), 1, 400, "hook_payload_invalid_content_type"},
		"200 problem":                  {says(200, `{}`, "Content-Type", "application/problem+json"), 1, 400, "hook_payload_invalid_content_type"},
		"200 empty":                    {says(200, ``), 1, 500, "unexpected_failure"},
		"200 list":                     {says(200, `[]`), 1, 500, "unexpected_failure"},
		"201":                          {says(201, `{}`), 1, 500, "unexpected_failure"},
		"400":                          {says(400, `{}`), 1, 500, "unexpected_failure"},
		"401":                          {says(401, `{}`), 1, 500, "unexpected_failure"},
		"403":                          {says(403, `{"error":{"http_code":403,"message":"no"}}`), 1, 500, "unexpected_failure"},
		"404":                          {says(404, ``), 1, 500, "unexpected_failure"},
		"422":                          {says(422, ``), 1, 500, "unexpected_failure"},
		"429":                          {says(429, ``), 1, 500, "unexpected_failure"},
		"500":                          {says(500, ``), 1, 500, "unexpected_failure"},
		"500 retry":                    {says(500, ``, "Retry-After", "1"), 1, 500, "unexpected_failure"},
		"502":                          {says(502, ``), 1, 500, "unexpected_failure"},
		"503":                          {says(503, ``), 1, 500, "unexpected_failure"},
		"504":                          {says(504, ``), 1, 500, "unexpected_failure"},
		"429 retry":                    {says(429, ``, "Retry-After", "60"), 3, 500, "unexpected_failure"},
		"503 retry":                    {says(503, ``, "Retry-After", "true"), 3, 500, "unexpected_failure"},
		"answer of 204800 bytes":       {says(200, big(204800)), 1, 200, ""},
		"answer of 204801 bytes":       {says(200, big(204801)), 1, 422, "hook_payload_over_size_limit"},
		"refusal":                      {says(200, `{"error":{"http_code":403,"message":"by invitation only"}}`), 1, 403, "unknown"},
		"refusal, 202":                 {says(202, `{"error":{"http_code":409,"message":"no"}}`), 1, 409, "unknown"},
		"refusal without status":       {says(200, `{"error":{"message":"no"}}`), 1, 500, "unexpected_failure"},
		"refusal without message":      {says(200, `{"error":{"http_code":403}}`), 1, 200, ""},
		"refusal with empty message":   {says(200, `{"error":{"http_code":403,"message":""}}`), 1, 200, ""},
		"empty error":                  {says(200, `{"error":{}}`), 1, 200, ""},
		"error as text":                {says(200, `{"error":"no"}`), 1, 200, ""},
		"status as text":               {says(200, `{"error":{"http_code":"403","message":"no"}}`), 1, 200, ""},
		"refusal with status 302":      {says(200, `{"error":{"http_code":302,"message":"no"}}`), 1, 302, "unknown"},
		"refusal with status 999":      {says(200, `{"error":{"http_code":999,"message":"no"}}`), 1, 999, "unknown"},
		"refusal with status 99":       {says(200, `{"error":{"http_code":99,"message":"no"}}`), 1, 500, "unexpected_failure"},
		"refusal, negative status":     {says(200, `{"error":{"http_code":-1,"message":"no"}}`), 1, 500, "unexpected_failure"},
		"no answer":                    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1, 422, "hook_timeout"},
		"connection reset":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, 422, "hook_timeout_after_retry"},
		"answer that stops half-way":   {stalls, 1, 422, "hook_timeout"},
		"redirect to a good receiver":  {redirects(307), 2, 200, ""},
		"redirect that loses the body": {redirects(303), 2, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t, c.answer)
			w := newWorldOn(t, pool, admin, func(cfg *Config) { cfg.Hooks.BeforeUserCreated = rc.hook() })
			w.server.hooks.limit, w.server.hooks.pause = 400*time.Millisecond, 10*time.Millisecond
			email := strings.ToLower(rand.Text()) + "@example.com"
			got := w.post("/signup", credentials(email, goodPassword))
			require.Equal(t, c.status, got.status, got.text)
			require.Len(t, rc.seen(), c.calls)
			u, err := userByEmail(t.Context(), pool, email, audience)
			require.NoError(t, err)
			require.Equal(t, c.code == "", u != nil, "a row only on success")
			if c.code != "" {
				require.Equal(t, c.code, got.body["error_code"])
			}
		})
	}
}

func stalls(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"a":`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func redirects(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || r.URL.Path == "" {
			http.Redirect(w, r, "/elsewhere", status)
			return
		}
		says(200, `{}`)(w, r)
	}
}

func TestRefusalByHook(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{"error":{"http_code":403,"message":"By invitation only"}}`))
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = rc.hook() })
	old := w.post("/signup", credentials("ann@example.com", goodPassword))
	require.JSONEq(t, `{"code":403,"error_code":"unknown","msg":"By invitation only"}`, old.text)
	require.NotContains(t, old.header, "X-Sb-Error-Code")
	recent := w.post("/signup", credentials("ann@example.com", goodPassword), versionHeader, "2024-01-01")
	require.JSONEq(t, `{"code":"unknown","message":"By invitation only"}`, recent.text)
}

func TestReceiverRecovers(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	rc := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			says(503, "", "Retry-After", "30")(w, r)
			return
		}
		says(200, `{}`)(w, r)
	})
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = rc.hook() })
	require.Equal(t, 200, w.post("/signup", credentials("ann@example.com", goodPassword)).status)
	seen := rc.seen()
	require.Len(t, seen, 3)
	require.Less(t, seen[2].at.Sub(seen[0].at), time.Second, "at once, whatever Retry-After says")
	require.NotEqual(t, seen[0].header.Get("Webhook-Id"), seen[1].header.Get("Webhook-Id"), "an id per attempt")
	require.Equal(t, seen[0].raw, seen[1].raw, "the same body")
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	w := newWorld(t, func(c *Config) { c.Hooks.BeforeUserCreated = &Hook{URI: "http://" + addr, Secrets: secretOne} })
	start := time.Now()
	got := w.post("/signup", credentials("ann@example.com", goodPassword))
	require.Equal(t, "hook_timeout_after_retry", got.body["error_code"])
	require.Equal(t, 422, got.status)
	require.GreaterOrEqual(t, time.Since(start), 4*time.Second, "at 0, 2 and 4 seconds")
	require.Equal(t, 5*time.Second, w.server.hooks.limit)
}

func TestHookRequest(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{}`))
	w := newWorld(t, func(c *Config) {
		c.Hooks.BeforeUserCreated, c.Hooks.AfterUserCreated, c.Hooks.SendEmail = rc.hook(), rc.hook(), rc.hook()
	})
	got := w.post("/signup?redirect_to=http://localhost/in", `{"email":"Ann@Example.com","password":"correct horse","data":{"note":"a<b&c","role":"owner"}}`,
		"X-Forwarded-For", "unknown, 203.0.113.7, 10.0.0.1")
	require.Equal(t, 200, got.status, got.text)
	seen := rc.seen()
	require.Len(t, seen, 3)

	before, mail, after := seen[0], seen[1], seen[2]
	for i, name := range []string{"before-user-created", "send-email", "after-user-created"} {
		r := seen[i]
		verifier, err := webhooks.NewWebhook(strings.TrimPrefix(secretTwo, "v1,"))
		require.NoError(t, err)
		require.NoError(t, verifier.Verify([]byte(r.raw), r.header))
		require.Equal(t, "application/json", r.header.Get("Content-Type"))
		require.Equal(t, "identity", r.header.Get("Accept-Encoding"))
		require.Empty(t, r.header.Get("Authorization"))
		metadata := r.body["metadata"].(map[string]any)
		require.Equal(t, name, metadata["name"])
		require.Equal(t, "203.0.113.7", metadata["ip_address"])
		require.NotEmpty(t, metadata["uuid"])
		at, err := time.Parse(time.RFC3339Nano, metadata["time"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		require.NotContains(t, r.raw, goodPassword)
		require.NotContains(t, r.raw, "$2a$")
	}

	draft := before.body["user"].(map[string]any)
	id := draft["id"]
	require.Equal(t, map[string]any{
		"id": id, "aud": "authenticated", "role": "", "email": "ann@example.com", "phone": "",
		"app_metadata":  map[string]any{"provider": "email", "providers": []any{"email"}},
		"user_metadata": map[string]any{"note": "a<b&c", "role": "owner"}, "identities": []any{},
		"created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z", "is_anonymous": false,
	}, draft)
	require.Equal(t, id, got.body["id"])
	require.Contains(t, before.raw, `a\u003cb\u0026c`)

	data := mail.body["email_data"].(map[string]any)
	require.Len(t, data, 11)
	require.Equal(t, "signup", data["email_action_type"])
	require.Equal(t, w.url, data["site_url"])
	require.Equal(t, "http://localhost/in", data["redirect_to"])
	require.Equal(t, codeHash("ann@example.com", data["token"].(string)), data["token_hash"])
	require.Empty(t, w.mails, "with the hook on, nothing else sends")

	created := after.body["user"].(map[string]any)
	require.Equal(t, "authenticated", created["role"])
	require.Len(t, created["identities"], 1)
	require.Equal(t, 200, w.post("/verify", `{"type":"email","email":"ann@example.com","token":"`+data["token"].(string)+`"}`).status)
}

func TestWhereHooksRun(t *testing.T) {
	t.Parallel()
	rows := make(chan int, 4)
	var w *world
	counting := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			var n int
			_ = w.admin.QueryRow(r.Context(), "select count(*) from auth.users").Scan(&n)
			rows <- n
			says(status, body)(rw, r)
		}
	}
	mail := newReceiver(t, counting(200, `{}`))
	after := newReceiver(t, counting(200, `{"error":{"http_code":403,"message":"too late"}}`))
	w = newWorld(t, func(c *Config) { c.Hooks.SendEmail, c.Hooks.AfterUserCreated = mail.hook(), after.hook() })
	got := w.post("/signup", credentials("ann@example.com", goodPassword))
	require.Equal(t, 0, <-rows, "send-email runs before the commit")
	require.Equal(t, 1, <-rows, "after-user-created runs after it")
	require.Equal(t, 500, got.status)
	require.NotContains(t, got.text, "too late")
	require.Equal(t, 1, w.count("select count(*) from auth.users"), "and cannot undo it")

	w.advance(time.Minute)
	require.Equal(t, 500, w.post("/signup", credentials("ann@example.com", goodPassword)).status)
	require.Len(t, after.seen(), 2, "called again for who is not confirmed")
}

func TestFailedMailUndoesTheSignup(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{"error":{"http_code":429,"message":"enough mail"}}`))
	w := newWorld(t, func(c *Config) { c.Hooks.SendEmail = rc.hook() })
	require.Equal(t, 429, w.post("/signup", credentials("ann@example.com", goodPassword)).status)
	require.Zero(t, w.count("select count(*) from auth.users"))
}

func TestHooksNotCalled(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, `{}`))
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.AfterUserCreated, c.Hooks.SendEmail = rc.hook(), rc.hook() })
	w.signUp("ann@example.com")
	require.Empty(t, rc.seen(), "neither is called when the sign-up is confirmed at once")

	before := newReceiver(t, says(200, `{}`))
	w = newWorld(t, autoconfirm, func(c *Config) { c.Hooks.BeforeUserCreated = before.hook() })
	w.signUp("ann@example.com")
	require.Equal(t, 422, w.post("/signup", credentials("ann@example.com", goodPassword)).status)
	require.Len(t, before.seen(), 1, "not for an address that is there")
	got := w.post("/signup", credentials("ann@example.com", goodPassword), "X-JWT-AUD", "other")
	require.Equal(t, 500, got.status)
	require.Len(t, before.seen(), 2, "but for another audience, where the address then collides")
}

func TestParallelSignups(t *testing.T) {
	t.Parallel()
	var met sync.WaitGroup
	met.Add(5)
	rc := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		met.Done()
		met.Wait()
		says(200, `{}`)(w, r)
	})
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.BeforeUserCreated = rc.hook() })
	got := make([]int, 5)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = w.post("/signup", credentials("ann@example.com", goodPassword)).status })
	}
	all.Wait()
	require.ElementsMatch(t, []int{200, 500, 500, 500, 500}, got)
	ids := map[any]bool{}
	for _, r := range rc.seen() {
		ids[r.body["user"].(map[string]any)["id"]] = true
	}
	require.Len(t, ids, 5, "five drafts, of which one became a user")
	require.Equal(t, 1, w.count("select count(*) from auth.users"))
}

// echo answers with the claims that it was sent, changed.
func echo(change func(claims map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Claims map[string]any `json:"claims"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		change(in.Claims)
		text, _ := json.Marshal(map[string]any{"claims": in.Claims})
		says(200, string(text))(w, r)
	}
}

func TestTokenHook(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, echo(func(claims map[string]any) {
		claims["plan"] = "pro"
		delete(claims, "user_metadata")
	}))
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.CustomAccessToken = rc.hook() })
	first := w.signUp("ann@example.com")
	second := w.refresh(first.body["refresh_token"])
	require.Equal(t, 200, second.status, second.text)

	for i, answer := range []reply{first, second} {
		payload, err := w.server.keys.verify(answer.body["access_token"].(string))
		require.NoError(t, err)
		var claims map[string]any
		require.NoError(t, json.Unmarshal(payload, &claims))
		require.Equal(t, "pro", claims["plan"])
		require.NotContains(t, claims, "user_metadata")
		require.Equal(t, []any{[]any{"authenticated"}, "authenticated"}[i], claims["aud"], "a list the first time")
	}
	seen := rc.seen()
	require.Equal(t, "customize-access-token", seen[0].body["metadata"].(map[string]any)["name"])
	require.Equal(t, "password", seen[0].body["authentication_method"])
	require.Equal(t, "token_refresh", seen[1].body["authentication_method"])
	require.Equal(t, first.header.Get("Sb-Auth-User-Id"), seen[0].body["user_id"])
}

func TestTokenHookRefuses(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[http.HandlerFunc]
	rc := newReceiver(t, func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) })
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.CustomAccessToken = rc.hook() })
	for name, a := range map[string]http.HandlerFunc{
		"empty object": says(200, `{}`), "no content": says(204, ``), "null claims": says(200, `{"claims":null}`),
		"claims as list": says(200, `{"claims":[]}`), "claims missing": says(200, `{"claims":{"sub":"x"}}`),
		"wrong types": says(200, `{"claims":{"aud":1,"exp":"1","iat":1.5,"sub":1,"email":null,"phone":1,"role":1,"aal":1,"session_id":1,"is_anonymous":0,"amr":[1],"iss":1,"nbf":"x","app_metadata":[],"user_metadata":""}}`),
	} {
		answer.Store(&a)
		got := w.post("/signup", credentials("ann@example.com", goodPassword))
		require.Equal(t, 500, got.status, name)
		require.Equal(t, "unexpected_failure", got.body["error_code"], name)
		if name != "claims as list" {
			require.NotContains(t, got.header, "X-Sb-Error-Code", name)
		}
		if name == "wrong types" {
			for _, field := range []string{"aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "amr", "iss", "nbf", "app_metadata", "user_metadata"} {
				require.Regexp(t, `(?m)^- `+field+`(: Invalid type\. Expected: |\.0: Must validate)`, got.body["msg"])
			}
			require.NotContains(t, got.body["msg"], "is_anonymous")
		}
		require.Equal(t, 1, w.count("select count(*) from auth.users"), "the user of a confirmed sign-up stays")
		require.Zero(t, w.count("select count(*) from auth.sessions"), "the session does not")
		_, err := w.admin.Exec(t.Context(), "delete from auth.users")
		require.NoError(t, err)
	}
}

func TestRefusedRefreshKeepsTheToken(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	rc := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse.Load() {
			says(200, `{"claims":{},"error":{"http_code":403,"message":"paused"}}`)(w, r)
			return
		}
		echo(func(map[string]any) {})(w, r)
	})
	w := newWorld(t, autoconfirm, func(c *Config) { c.Hooks.CustomAccessToken = rc.hook() })
	session := w.signUp("ann@example.com")
	refuse.Store(true)
	require.Equal(t, 403, w.refresh(session.body["refresh_token"]).status)
	require.Equal(t, 403, w.post("/token?grant_type=password", credentials("ann@example.com", goodPassword)).status)
	require.Equal(t, 1, w.count("select count(*) from auth.sessions"))
	refuse.Store(false)
	require.Equal(t, 1, w.count("select count(*) from auth.refresh_tokens where not revoked"))
	require.Equal(t, 200, w.refresh(session.body["refresh_token"]).status)
}
