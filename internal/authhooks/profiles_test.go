package authhooks_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/authhooks"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
)

func claimsOf(user object) object {
	return object{
		"iss": "http://127.0.0.1:9999", "sub": user["id"], "aud": "authenticated", "exp": 1795409230, "iat": 1795405630,
		"email": user["email"], "phone": "", "app_metadata": user["app_metadata"], "user_metadata": user["user_metadata"],
		"role": "authenticated", "aal": "aal1", "amr": []object{{"method": "password", "timestamp": 1795405630}},
		"session_id": uuid.NewString(), "is_anonymous": false,
	}
}

func tokenCall(user object) object {
	return object{
		"metadata": metadata("customize-access-token"), "user_id": user["id"], "claims": claimsOf(user), "authentication_method": "password",
	}
}

func TestAfterUserCreated(t *testing.T) {
	t.Parallel()
	r := serve(t)
	user := with(newUser("ann@example.com"), object{"role": "authenticated", "updated_at": "2026-01-02T03:04:05.678901Z"})
	for range 3 { // with every sign-up that is repeated, and every sign-in by OAuth
		r.consents(r.call("after-user-created", userCall("after-user-created", user)))
	}
	seen := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	got := r.profile(user["id"])
	require.Equal(t, &profile{Email: new("ann@example.com"), FullName: new("Ann One"), Version: 1, SeenAt: got.SeenAt}, got)
	require.True(t, seen.Equal(*got.SeenAt))

	for name, nobody := range map[string]object{
		"anonymous":        {"is_anonymous": true, "email": ""},
		"another audience": {"aud": "anything"},
		"no id":            {"id": uuid.Nil.String()},
	} {
		other := with(newUser("eve@example.com"), nobody)
		r.consents(r.call("after-user-created", userCall("after-user-created", other)))
		require.Nil(t, r.profile(other["id"]), name)
	}
	phone := with(newUser(""), object{"phone": "15550100200", "user_metadata": object{}})
	r.consents(r.call("after-user-created", userCall("after-user-created", phone)))
	require.Equal(t, &profile{Version: 1}, r.profile(phone["id"]), "without an address")
}

// TestNames: what people call themselves is taken if it is a name, once, and never
// instead of what they have chosen here.
func TestNames(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for _, c := range []struct{ given, want any }{
		{"Ann", "Ann"},
		{"  Ann  ", "Ann"},
		{strings.Repeat("é", 200), strings.Repeat("é", 200)},
		{"Ann \U0001F3E0", "Ann \U0001F3E0"},
		{"", nil},
		{" ", nil},
		{strings.Repeat("a", 201), nil},
		{"Ann\nBob", nil},
		{"Ann\x00", nil},
		{"\u0085", nil},
		{7, nil},
		{nil, nil},
		{[]string{"Ann"}, nil},
		{object{"a": "b"}, nil},
	} {
		user := with(newUser("ann@example.com"), object{"user_metadata": object{"full_name": c.given, "role": "admin", "sub": noSuchUser}})
		r.consents(r.call("after-user-created", userCall("after-user-created", user)))
		got := r.profile(user["id"]).FullName
		if c.want == nil {
			require.Nil(t, got, c.given)
		} else {
			require.Equal(t, c.want, *got)
		}
	}
	require.Nil(t, r.profile(noSuchUser))

	user := newUser("ann@example.com")
	r.consents(r.call("after-user-created", userCall("after-user-created", with(user, object{"updated_at": "2026-01-01T00:00:00Z"}))))
	r.Exec(t, "update app.users set full_name = null where id = $1::text::uuid", user["id"])
	r.consents(r.call("after-user-created", userCall("after-user-created", with(user, object{"updated_at": "2026-01-02T00:00:00Z"}))))
	require.Nil(t, r.profile(user["id"]).FullName, "they have none by choice")
}

const noSuchUser = "00000000-0000-4000-8000-000000000000"

// TestWrongOrder: the token first, the creation later, 20 at once: one profile, which
// says what was true last.
func TestWrongOrder(t *testing.T) {
	t.Parallel()
	r := serve(t)
	user := newUser("ann@example.com")
	older := with(user, object{"email": "old@example.com", "updated_at": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i%2 == 0 {
				require.Equal(t, http.StatusOK, r.call("custom-access-token", tokenCall(user)).status)
			} else {
				r.consents(r.call("after-user-created", userCall("after-user-created", older)))
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, r.profiles())
	require.Equal(t, "ann@example.com", *r.profile(user["id"]).Email)
	r.consents(r.call("after-user-created", userCall("after-user-created", older)))
	require.Equal(t, "ann@example.com", *r.profile(user["id"]).Email)
}

// TestNobodyElses: a call is about one user, and touches no other's profile.
func TestNobodyElses(t *testing.T) {
	t.Parallel()
	r := serve(t)
	bob := r.Landlord(t, "bob")
	before := r.profile(bob.UserID.String())
	user := with(newUser(bob.Email), object{"user_metadata": object{"sub": bob.UserID, "id": bob.UserID, "full_name": "Bob"}})
	r.consents(r.call("after-user-created", userCall("after-user-created", user)))
	call := tokenCall(user)
	call["claims"].(object)["sub"] = bob.UserID // another than whose token it is
	require.Contains(t, r.call("custom-access-token", call).text, `"rowhouse.dev/profile":false`)
	require.Equal(t, before, r.profile(bob.UserID.String()))
}

// answered is what the provider would sign, or the test fails as it would.
func (r *receivers) claims(a answer) map[string]json.RawMessage {
	r.t.Helper()
	require.Equal(r.t, http.StatusOK, a.status, a.text)
	require.Equal(r.t, "application/json", a.header.Get("Content-Type"))
	require.LessOrEqual(r.t, len(a.text), 204800)
	var got struct {
		Claims map[string]json.RawMessage
		Error  any
	}
	require.NoError(r.t, json.Unmarshal([]byte(a.text), &got))
	require.Nil(r.t, got.Error)
	for _, required := range []string{"aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"} {
		require.Contains(r.t, got.Claims, required)
	}
	return got.Claims
}

// TestClaims: all claims come back as they were, to the byte, but for aud and ours.
func TestClaims(t *testing.T) {
	t.Parallel()
	r := serve(t)
	id := uuid.NewString()
	const rest = `"exp":1795409230,"iat":1795405630,"email":"ann@example.com","phone":"",` +
		`"app_metadata":{"big":9007199254740993,"long":0.1000000000000000055511151231257827,"e":1E400,"z":-0},` +
		`"user_metadata":{ "b":1, "a":2,"rowhouse.dev/profile":true,"full_name":"\u0041nn \u2028<&>","":[{},null] },"role":"authenticated",` +
		`"aal":"aal1","amr":[{"method":"password","timestamp":1795405630}],"session_id":"5f7e8dc0-ef53-43a6-8f3a-6e25028c2a08",` +
		`"is_anonymous":false,"client_id":"x","scope":"openid","later":{"claim":[1,2.0]},"\u0065scaped":"\/"`
	for in, out := range map[string]string{
		`"authenticated"`:           `"authenticated"`,
		`["authenticated"]`:         `"authenticated"`,
		` [ "authenticated" ] `:     `"authenticated"`,
		`["authenticated","other"]`: `["authenticated","other"]`,
		`["other"]`:                 `"other"`,
		`[]`:                        `[]`,
		`[1]`:                       `[1]`,
		`""`:                        `""`,
	} {
		draft := `{"iss":"http://127.0.0.1:9999","sub":"` + id + `","aud":` + in + `,` + rest
		want := `{"claims":{"iss":"http://127.0.0.1:9999","sub":"` + id + `","aud":` + out + `,` + rest
		body := `{"metadata":{"uuid":"b8a06a85-ee43-46dc-82db-9f79c09313bc","time":"2026-11-23T03:47:10.534357922Z","name":"customize-access-token",` +
			`"ip_address":"127.0.0.1"},"user_id":"` + id + `","claims":` + draft + `},"authentication_method":"password"}`
		a := r.do(r.signed("custom-access-token", []byte(body)))
		r.claims(a)
		require.Equal(t, want+fmt.Sprintf(`,"rowhouse.dev/profile":%t}}`, strings.Contains(in, "authenticated")), a.text)
	}
	got := r.profile(id)
	require.Equal(t, "Ann \u2028<&>", *got.FullName)
	require.Equal(t, "ann@example.com", *got.Email)

	t.Run("ours is not theirs to say", func(t *testing.T) {
		call := tokenCall(newUser("ann@example.com"))
		call["claims"].(object)["rowhouse.dev/profile"] = "mine"
		a := r.call("custom-access-token", call)
		require.Equal(t, "true", string(r.claims(a)["rowhouse.dev/profile"]))
		require.Equal(t, 1, strings.Count(a.text, "rowhouse.dev/profile"))
	})
	t.Run("nothing to echo", func(t *testing.T) {
		for _, claims := range []any{nil, []any{}, "x"} {
			r.turnsAway(r.call("custom-access-token", with(tokenCall(newUser("ann@example.com")), object{"claims": claims})), http.StatusBadRequest, "")
		}
	})
}

// TestTokensOfNobody: who cannot sign in here gets the token as it is, and no profile.
func TestTokensOfNobody(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for name, change := range map[string]object{
		"anonymous":        {"is_anonymous": true, "email": ""},
		"another audience": {"aud": []string{"anything"}},
		"another role":     {"role": "service_role"},
		"no role":          {"role": ""},
		"claims of a kind": {"email": 7},
		"another user":     {"sub": uuid.NewString()},
	} {
		user := newUser("ann@example.com")
		call := tokenCall(user)
		call["claims"] = with(call["claims"].(object), change)
		require.Equal(t, "false", string(r.claims(r.call("custom-access-token", call))["rowhouse.dev/profile"]), name)
		require.Nil(t, r.profile(user["id"]), name)
	}
	user := with(newUser(""), object{"phone": "15550100200"})
	require.Equal(t, "true", string(r.claims(r.call("custom-access-token", tokenCall(user)))["rowhouse.dev/profile"]))
	require.Nil(t, r.profile(user["id"]).Email)
}

// TestLongMetadata: as long as the provider takes the answer, all comes back; what a
// user has written too much of keeps nobody from signing in.
func TestLongMetadata(t *testing.T) {
	t.Parallel()
	r := serve(t)
	token := func(size int) map[string]json.RawMessage {
		user := newUser("ann@example.com")
		user["user_metadata"] = object{"data": strings.Repeat("a", size)}
		return r.claims(r.call("custom-access-token", tokenCall(user)))
	}
	require.Contains(t, token(200_000), "user_metadata")
	for _, size := range []int{204_800, 900_000} {
		got := token(size)
		require.NotContains(t, got, "user_metadata")
		require.Contains(t, got, "app_metadata")
	}
}

// TestAddressFollowsToken: a token tells of an address that no hook told of; one that
// was made while the address changed tells nothing.
func TestAddressFollowsToken(t *testing.T) {
	t.Parallel()
	r := serve(t)
	user := newUser("ann@example.com")
	token := func(email string, at time.Time) {
		call := tokenCall(with(user, object{"email": email}))
		call["metadata"].(object)["time"] = at.UTC().Format(time.RFC3339Nano)
		r.claims(r.call("custom-access-token", call))
	}
	now := time.Now()
	token("ann@example.com", now.Add(-time.Hour))
	token("ann@example.org", now.Add(-30*time.Minute))
	require.Equal(t, "ann@example.org", *r.profile(user["id"]).Email)
	r.consents(r.changed("UPDATE", with(user, object{"email": "new@example.org", "updated_at": now.UTC().Format(time.RFC3339Nano)})))
	token("ann@example.org", now.Add(9*time.Second))
	require.Equal(t, "new@example.org", *r.profile(user["id"]).Email)
}

// TestDatabaseAway: a sign-in does without the database, whether it refuses, says
// nothing or falls silent, and the user's first request makes up for it.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(testing.TB, *dbtest.Database) (address string, goAway func()){
		"refuses":      func(t testing.TB, _ *dbtest.Database) (string, func()) { return nowhere(t), func() {} },
		"says nothing": func(t testing.TB, _ *dbtest.Database) (string, func()) { return silent(t), func() {} },
		"falls silent": freezable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := dbtest.New(t)
			address, goAway := away(t, there)
			r := serveOn(t, there, func(c *authhooks.Config) { c.DB, c.Patience = opened(t, address), 1500*time.Millisecond })
			// so that connections are open, if there can be any
			r.claims(r.call("custom-access-token", tokenCall(newUser("before@example.com"))))
			before := r.profiles()
			goAway()
			// connecting, and ending a transaction, are given 3 s
			impatient := http.Client{Timeout: 2500 * time.Millisecond}
			user := newUser("ann@example.com")
			for hook, payload := range map[string]object{"custom-access-token": tokenCall(user), "after-user-created": userCall("after-user-created", user)} {
				body, err := json.Marshal(payload)
				require.NoError(t, err)
				res, err := impatient.Do(r.signed(hook, body))
				require.NoError(t, err, hook)
				text, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				if hook == "custom-access-token" {
					require.Equal(t, "false", string(r.claims(answer{res.StatusCode, res.Header, string(text)})["rowhouse.dev/profile"]))
				} else {
					r.consents(answer{res.StatusCode, res.Header, string(text)})
				}
			}
			missed := missedOf(t, user["id"].(string))
			require.Len(t, missed, 2, "it is logged")
			require.Equal(t, missed[0]+1, missed[1], "and counted")
			require.Nil(t, r.profile(user["id"]))

			lazily(t, there, user["id"].(string))
			require.Equal(t, "ann@example.com", *r.profile(user["id"]).Email)
			require.Equal(t, before+1, r.profiles())
		})
	}
}

// TestDatabaseBusy: calls wait for a connection no longer than a sign-in is worth, and
// those that are held up by a slow one do not take the API's connections.
func TestDatabaseBusy(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) { c.Patience = 2 * time.Second })
	user := newUser("ann@example.com")
	require.Equal(t, "true", string(r.claims(r.call("custom-access-token", tokenCall(user)))["rowhouse.dev/profile"]))
	lock, err := r.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), "select from app.users where id = $1::text::uuid for update", user["id"])
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			require.Equal(t, "false", string(r.claims(r.call("custom-access-token", tokenCall(user)))["rowhouse.dev/profile"]))
		})
	}
	wg.Wait()
	require.NoError(t, lock.Rollback(t.Context()))
	require.Eventually(t, func() bool {
		return string(r.claims(r.call("custom-access-token", tokenCall(user)))["rowhouse.dev/profile"]) == "true"
	}, 20*time.Second, 10*time.Millisecond)
}

// nowhere is a database's address where nobody listens, silent one where nobody speaks.
func nowhere(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	return "postgres://rowhouse_api@" + ln.Addr().String() + "/x"
}

func silent(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return "postgres://rowhouse_api@" + ln.Addr().String() + "/x"
}

// freezable is the address of d by a way that goAway closes: what is sent by it then
// gets nowhere, and no connection ends.
func freezable(t testing.TB, d *dbtest.Database) (address string, goAway func()) {
	t.Helper()
	u, err := url.Parse(d.URL("rowhouse_api"))
	require.NoError(t, err)
	target := u.Host
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u.Host = ln.Addr().String()
	var frozen atomic.Bool
	pass := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if !frozen.Load() {
				_, _ = to.Write(buffer[:n])
			}
		}
	}
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			t.Cleanup(func() { _, _ = near.Close(), far.Close() })
			go pass(far, near)
			go pass(near, far)
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
	return u.String(), func() { frozen.Store(true) }
}

// missedOf are the counts that the log says of profiles of id that were not kept.
func missedOf(t testing.TB, id string) (counts []int) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		var entry struct {
			Msg, UserID string
			SinceStart  int
		}
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry.UserID == id && strings.HasPrefix(entry.Msg, "a profile was not kept") {
			counts = append(counts, entry.SinceStart)
		}
	}
	return counts
}

// lazily makes a first request to the API as id.
func lazily(t testing.TB, d *dbtest.Database, id string) {
	t.Helper()
	const issuer, secret = "https://project.example.com/auth/v1", "a secret that only the tests' provider knows"
	tokens, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: issuer, LegacySecret: []byte(secret)})
	require.NoError(t, err)
	t.Cleanup(tokens.Close)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = files.Close() })
	hooks, err := authhooks.New(authhooks.Config{DB: d.DB, Secrets: secretOne, Patience: time.Minute})
	require.NoError(t, err)
	api, err := httpapi.New(httpapi.Config{DB: d.DB, Tokens: tokens, Version: "test", Files: files, InviteKeys: dbtest.InviteKeys(t), Mounts: map[string]http.Handler{"/hooks/auth": hooks}})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	payload, err := json.Marshal(object{
		"iss": issuer, "aud": "authenticated", "role": "authenticated", "sub": id, "email": "ann@example.com",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	require.NoError(t, err)
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, []byte(secret)))
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/me", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+string(token))
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)

	// and the hooks are where the provider looks for them
	r := &receivers{Database: d, t: t, url: server.URL + "/hooks/auth"}
	r.consents(r.call("before-user-created", userCall("before-user-created", newUser("ann@example.com"))))
	r.turnsAway(r.do(r.signed("before-user-created", []byte("{}"), secretTwo)), http.StatusUnauthorized, "")
}
