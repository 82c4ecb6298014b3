package localauth

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// posts runs the webhook's worker beside the world until the test ends.
func (w *world) posts() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.RunWebhook(ctx) }()
	w.t.Cleanup(func() {
		stop()
		require.NoError(w.t, <-done)
	})
	require.Eventually(w.t, func() bool {
		return w.count("select count(*) from pg_trigger where tgname = 'queue_webhook'") == 1
	}, 5*time.Second, 10*time.Millisecond)
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	w := newWorld(t, autoconfirm, func(c *Config) {
		c.Webhook = &Webhook{URL: rc.URL, Header: http.Header{"x-webhook-secret": {"s3cret"}}}
	})
	w.posts()
	id := w.signUp("ann@example.com").body["user"].(map[string]any)["id"]
	_, err := w.admin.Exec(t.Context(), "update auth.users set email = 'new@example.com'")
	require.NoError(t, err)
	_, err = w.admin.Exec(t.Context(), "delete from auth.users")
	require.NoError(t, err)
	last := func() map[string]any {
		seen := rc.seen()
		if len(seen) == 0 {
			return nil
		}
		return seen[len(seen)-1].body
	}
	require.Eventually(t, func() bool { return last()["type"] == "DELETE" }, 5*time.Second, 10*time.Millisecond,
		"a refusal is not tried again and stops nothing")

	seen := rc.seen()
	first := seen[0]
	require.Equal(t, "s3cret", first.header.Get("X-Webhook-Secret"))
	require.Equal(t, "application/json", first.header.Get("Content-Type"))
	require.Equal(t, "INSERT", first.body["type"])
	require.Equal(t, "users", first.body["table"])
	require.Equal(t, "auth", first.body["schema"])
	require.Contains(t, first.body, "old_record")
	require.Nil(t, first.body["old_record"])
	record := first.body["record"].(map[string]any)
	require.Equal(t, id, record["id"])
	require.Equal(t, "", record["role"], "as a trigger on the real table sees it")
	require.Contains(t, record, "raw_user_meta_data")
	require.Contains(t, record, "email_change_token_current")

	change := seen[len(seen)-2].body
	require.Equal(t, "UPDATE", change["type"])
	require.Equal(t, "ann@example.com", change["old_record"].(map[string]any)["email"])
	require.Equal(t, "new@example.com", change["record"].(map[string]any)["email"])
	require.Nil(t, last()["record"])
	require.Equal(t, id, last()["old_record"].(map[string]any)["id"])
	require.Zero(t, w.count("select count(*) from auth.webhook_requests"))
}

func TestWebhookIsSilentAboutWhatWasUndone(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t, says(200, ``))
	mail := newReceiver(t, says(500, ``))
	w := newWorld(t, func(c *Config) { c.Webhook, c.Hooks.SendEmail = &Webhook{URL: rc.URL}, mail.hook() })
	w.posts()
	require.Equal(t, 500, w.post("/signup", credentials("ann@example.com", goodPassword)).status)
	_, err := w.admin.Exec(t.Context(), `insert into auth.users (id, aud, role, encrypted_password, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
		values (gen_random_uuid(), 'x', '', '', '{}', '{}', now(), now())`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(rc.seen()) > 0 }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "x", rc.seen()[0].body["record"].(map[string]any)["aud"])
}

func TestWebhookIsOffUnlessConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t, autoconfirm, func(c *Config) { c.Webhook = &Webhook{URL: "http://localhost:1"} })
	w.posts()
	w.server.cfg.Webhook = nil
	require.NoError(t, w.server.RunWebhook(t.Context()))
	require.Zero(t, w.count("select count(*) from pg_class where relname = 'webhook_requests'"))
	w.signUp("ann@example.com")
}
