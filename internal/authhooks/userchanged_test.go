package authhooks_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/dbtest"
)

// changed tells of a user as the provider's database does.
func (r *receivers) changed(kind string, user object) answer {
	r.t.Helper()
	payload := object{"type": kind, "schema": "auth", "table": "users", "record": user, "old_record": nil}
	if kind == "DELETE" {
		payload["record"], payload["old_record"] = nil, user
	}
	return r.tell(payload, "Bearer "+webhookSecret)
}

func (r *receivers) tell(payload any, authorization string) answer {
	r.t.Helper()
	body, err := json.Marshal(payload)
	require.NoError(r.t, err)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+"/user-changed", strings.NewReader(string(body)))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header["Authorization"] = []string{authorization}
	return r.do(req)
}

// inserted is a row of auth.users, with the columns that our trigger sends.
func inserted(email string) object {
	return object{
		"id": uuid.NewString(), "aud": "authenticated", "role": "", "email": email, "email_confirmed_at": nil, "phone": nil,
		"is_anonymous": false, "is_sso_user": false, "created_at": at1, "updated_at": at1, "deleted_at": nil,
	}
}

// Times as Postgres writes them into JSON.
const (
	at1 = "2026-11-23T03:47:11.395624+00:00"
	at2 = "2026-11-23T04:47:11.4+01:00" // a moment later
	at3 = "2026-11-23T03:50:00+00:00"
	at4 = "2026-11-23T03:51:00+00:00"
)

func TestUserChanged(t *testing.T) {
	t.Parallel()
	r := serve(t)
	user := inserted("ann@example.com")
	email := func() string { return *r.profile(user["id"]).Email }
	at := func(email, at string) object { return with(user, object{"email": email, "updated_at": at}) }

	r.consents(r.changed("INSERT", user))
	require.Equal(t, "ann@example.com", email())
	r.consents(r.changed("UPDATE", at("ann@example.org", at2)))
	require.Equal(t, "ann@example.org", email())
	version := r.profile(user["id"]).Version

	r.consents(r.changed("INSERT", user)) // late, and again
	r.consents(r.changed("UPDATE", at("ann@example.net", at1)))
	require.Equal(t, "ann@example.org", email())
	r.consents(r.changed("UPDATE", at("ann@example.org", at3)))
	require.Equal(t, version, r.profile(user["id"]).Version, "nothing has changed of the profile")
	r.consents(r.changed("UPDATE", at("between@example.org", at2)))
	require.Equal(t, "ann@example.org", email(), "it was another for a while")
	r.consents(r.changed("UPDATE", with(user, object{"email": nil, "updated_at": at4})))
	require.Nil(t, r.profile(user["id"]).Email)

	t.Run("all columns", func(t *testing.T) {
		full := with(inserted("bob@example.com"), object{
			"encrypted_password": "$2a$10$hash", "raw_user_meta_data": object{"full_name": "Bob"}, "raw_app_meta_data": object{}, "banned_until": nil,
		})
		r.consents(r.changed("INSERT", full))
		require.Equal(t, "Bob", *r.profile(full["id"]).FullName)
		require.NotContains(t, logged.String(), "$2a$10$hash")
	})
	t.Run("an UPDATE alone", func(t *testing.T) {
		late := inserted("cat@example.com")
		r.consents(r.changed("UPDATE", late))
		require.Equal(t, "cat@example.com", *r.profile(late["id"]).Email)
	})
	t.Run("nobody of ours", func(t *testing.T) {
		for _, change := range []object{{"is_anonymous": true}, {"aud": "anything"}, {"aud": nil}} {
			other := with(inserted("eve@example.com"), change)
			r.consents(r.changed("INSERT", other))
			require.Nil(t, r.profile(other["id"]))
		}
	})
	t.Run("20 at once", func(t *testing.T) {
		one := inserted("dan@example.com")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { r.consents(r.changed("INSERT", one)) })
		}
		wg.Wait()
		require.Equal(t, "dan@example.com", *r.profile(one["id"]).Email)
	})
}

// TestUserRemoved: a landlord's rows stay, and so does the profile, which says so.
func TestUserRemoved(t *testing.T) {
	t.Parallel()
	r := serve(t)
	ann := r.Landlord(t, "ann")
	user := with(inserted(ann.Email), object{"id": ann.UserID.String()})
	rows := func() (n int) {
		require.NoError(t, r.Admin.QueryRow(context.Background(), `select (select count(*) from app.units) + (select count(*) from app.tenants)
			+ (select count(*) from app.tickets) + (select count(*) from app.users)`).Scan(&n))
		return n
	}
	before := rows()
	r.consents(r.changed("UPDATE", user))
	for range 2 {
		r.consents(r.changed("DELETE", user))
	}
	gone := r.profile(user["id"])
	require.NotNil(t, gone.GoneAt)
	require.Equal(t, ann.Email, *gone.Email)
	require.Equal(t, before, rows())

	r.consents(r.changed("UPDATE", with(user, object{"email": "late@example.com", "updated_at": at2})))
	r.consents(r.changed("INSERT", user))
	require.Equal(t, gone, r.profile(user["id"]), "what came before the removal comes after it")

	t.Run("without a profile", func(t *testing.T) {
		other := inserted("eve@example.com")
		r.consents(r.changed("DELETE", other))
		require.Nil(t, r.profile(other["id"]))
	})
	t.Run("but for the row", func(t *testing.T) {
		bob := inserted("bob@example.com")
		r.consents(r.changed("INSERT", bob))
		r.consents(r.changed("UPDATE", with(bob, object{"email": "hash-of-the-address", "updated_at": at2, "deleted_at": at2})))
		got := r.profile(bob["id"])
		require.NotNil(t, got.GoneAt)
		require.Equal(t, "bob@example.com", *got.Email)
	})
	t.Run("and back", func(t *testing.T) { // the operator has restored them: they sign in
		at := time.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano)
		call := tokenCall(with(newUser(ann.Email), object{"id": user["id"]}))
		call["metadata"].(object)["time"] = at
		r.claims(r.call("custom-access-token", call))
		require.Nil(t, r.profile(user["id"]).GoneAt)
	})
}

func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) { c.WebhookSecret = "an older secret of it | " + webhookSecret })
	user := inserted("ann@example.com")
	payload := object{"type": "INSERT", "schema": "auth", "table": "users", "record": user}
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", webhookSecret, "Basic " + webhookSecret, "Bearer " + webhookSecret + "x", "Bearer " + webhookSecret[1:],
		"Bearer another secret of it", "Bearer  " + webhookSecret, "Bearer " + secretOne, "Bearer an older secret of it | " + webhookSecret,
	} {
		r.turnsAway(r.tell(payload, authorization), http.StatusUnauthorized, authorization)
	}
	body, err := json.Marshal(payload)
	require.NoError(t, err)
	r.turnsAway(r.do(r.signed("user-changed", body)), http.StatusUnauthorized, "signed as a hook is")
	for name, change := range map[string]object{
		"another table": {"table": "sessions"}, "another schema": {"schema": "public"}, "another verb": {"type": "TRUNCATE"},
		"no verb": {"type": ""}, "no row": {"record": nil}, "no id": {"record": object{"aud": "authenticated"}},
		"a bad id": {"record": object{"id": "x"}}, "a bad time": {"record": with(user, object{"updated_at": "yesterday"})},
		"a DELETE of what": {"type": "DELETE"}, "a list": {"record": []any{user}},
	} {
		a := r.tell(with(payload, change), "Bearer "+webhookSecret)
		require.Equal(t, http.StatusBadRequest, a.status, name)
		require.NotContains(t, a.text, "example.com", name)
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, r.tell(with(payload, object{"x": strings.Repeat("a", 4<<20)}), "Bearer "+webhookSecret).status)
	require.Zero(t, r.profiles())
	r.consents(r.tell(payload, "Bearer "+webhookSecret))
	r.consents(r.tell(payload, "Bearer an older secret of it"))
	require.Equal(t, 1, r.profiles())
}

// TestWebhookWithoutDatabase: the sender learns that it was not heard.
func TestWebhookWithoutDatabase(t *testing.T) {
	t.Parallel()
	r := serveOn(t, dbtest.New(t), func(c *authhooks.Config) { c.DB = opened(t, silent(t)) })
	a := r.changed("INSERT", inserted("ann@example.com"))
	require.Equal(t, http.StatusServiceUnavailable, a.status, a.text)
	require.NotEmpty(t, a.header.Get("Retry-After"))
}

// TestOnlyTheWebhook: without secrets of the hooks there are none.
func TestOnlyTheWebhook(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *authhooks.Config) { c.Secrets = "" })
	require.Equal(t, http.StatusNotFound, r.call("before-user-created", userCall("before-user-created", newUser("ann@example.com"))).status)
	r.consents(r.changed("INSERT", inserted("ann@example.com")))
}
