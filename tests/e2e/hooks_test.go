package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/localauth"
)

// TestHooksOfServe: they are there with a secret and not without, and a secret that
// nobody can sign with keeps the server from starting.
func TestHooksOfServe(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	status := func(base, hook string) int {
		res, err := http.Post(base+"/hooks/auth/"+hook, "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	p, base := serve(t, forServe(t, d))
	require.Equal(t, http.StatusNotFound, status(base, "before-user-created"))
	require.Contains(t, p.output.tail(), "AUTH_HOOK_SECRETS is not set")

	const secret = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	_, base = serve(t, forServe(t, d).with(environment{
		"AUTH_HOOK_SECRETS": secret, "AUTH_WEBHOOK_SECRET": "a secret of the webhook",
		"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "no-reply@rowhouse.example", "PUBLIC_URL": "https://rowhouse.example",
	}))
	for _, hook := range []string{"before-user-created", "after-user-created", "custom-access-token", "send-email", "user-changed"} {
		require.Equal(t, http.StatusUnauthorized, status(base, hook), hook)
	}

	code, output := outcome(t, forServe(t, d).with(environment{"AUTH_HOOK_SECRETS": "v1a,whpk_AAAA:whsk_AAAA"}), "serve")
	require.Equal(t, 1, code)
	require.Contains(t, output, "it is a pair of keys (v1a), with which Supabase Auth cannot sign")
	require.NotContains(t, output, "whsk_AAAA")
}

func TestAuthReconcile(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	require.NoError(t, localauth.Setup(t.Context(), d.Connect(t, "postgres"), "auth"))
	d.Exec(t, `insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data, is_anonymous, created_at, updated_at)
		select gen_random_uuid(), 'authenticated', 'authenticated', 'ann' || i || '@example.com', '', '{}', '{}', false, now(), now() from generate_series(1, 3) i`)
	env := environment{"DATABASE_URL": d.URL("rowhouse_api"), "SEAL_KEYS": dbtest.KeysText, "AUTH_DATABASE_URL": d.URL("postgres")}
	reconcile := func(args ...string) (code int, words []string) {
		code, output := outcome(t, env, append([]string{"auth", "reconcile"}, args...)...)
		return code, strings.Fields(output)
	}
	code, words := reconcile("--dry-run")
	require.Zero(t, code, words)
	require.Equal(t, strings.Fields("read alike made mended gone passed failed 3 0 3 0 0 0 0 A dry run: nothing was changed."), words)
	_, words = reconcile()
	require.Equal(t, strings.Fields("read alike made mended gone passed failed 3 0 3 0 0 0 0"), words)
	_, words = reconcile()
	require.Equal(t, strings.Fields("read alike made mended gone passed failed 3 3 0 0 0 0 0"), words)

	env["AUTH_DATABASE_URL"] = "postgres://someone:a-password@127.0.0.1:1/x"
	code, words = reconcile()
	require.Equal(t, 1, code)
	require.NotContains(t, words, "a-password")
}
