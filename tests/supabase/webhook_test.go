package supabase

import (
	"net/url"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/localauth"
	"rowhouse/internal/policy"
	supabasecli "rowhouse/tests/supabase-cli"
)

const webhookSecret = "a-secret-of-the-webhook"

// hosted makes of d what a hosted project is, as far as our SQL looks at it.
func hosted(t testing.TB, d *dbtest.Database) {
	t.Helper()
	admin := d.Connect(t, "postgres")
	require.NoError(t, localauth.Setup(t.Context(), admin, uuid.NewString()))
	stubs, err := os.ReadFile("hosted.sql")
	require.NoError(t, err)
	_, err = admin.PgConn().Exec(t.Context(), string(stubs)).ReadAll()
	require.NoError(t, err)
}

// migrate has the program put the secrets and our SQL into d, as the project's owner.
func migrate(t testing.TB, d *dbtest.Database) {
	t.Helper()
	address, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	address.User = url.UserPassword("project_owner", "project_owner")
	query := address.Query()
	query.Set("sslmode", "disable")
	address.RawQuery = query.Encode()
	cmd := supabasecli.Command(t, project(t), "db", "push", "--remote="+address.String())
	cmd.Env = append(cmd.Env, "AUTH_HOOK_SECRETS="+hookSecrets, "AUTH_WEBHOOK_SECRET="+webhookSecret)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NotContains(t, string(output), "WARN")
}

type user struct {
	ID, Aud, Role, Email string
	EmailConfirmedAt     *string `json:"email_confirmed_at"`
}

type request struct {
	URL     string
	Headers map[string]string
	Body    struct {
		Type, Schema, Table string
		Record              *user
		OldRecord           *user `json:"old_record"`
	}
	Text string // the body as it is
}

// told returns what Rowhouse was told since the last call.
func told(t testing.TB, d *dbtest.Database) []request {
	t.Helper()
	rows, err := d.Admin.Query(t.Context(), `
		with taken as (delete from net.requests returning *)
		select url, headers, body, body::text as text from taken order by id`)
	require.NoError(t, err)
	requests, err := pgx.CollectRows(rows, pgx.RowToStructByName[request])
	require.NoError(t, err)
	return requests
}

// asAuth runs statements as the Auth server does.
func asAuth(t testing.TB, d *dbtest.Database, statements ...string) {
	t.Helper()
	conn := d.Connect(t, "postgres")
	for _, sql := range slices.Concat([]string{"set role supabase_auth_admin"}, statements) {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
}

const (
	ann    = "5a1f0c9e-31b4-4f0e-9d0c-0a6d2f2f7b11"
	insert = `insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
		values ('` + ann + `', 'authenticated', 'authenticated', 'ann@example.com', '$2a$10$hash', '{}', '{"full_name":"Ann"}', now(), now())`
)

// TestWebhook: what the folder's SQL has the project tell Rowhouse, and when.
func TestWebhook(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	hosted(t, d)
	before := findings(t, d)
	migrate(t, d)
	migrate(t, d) // as often as one likes
	require.Equal(t, before, findings(t, d), "our own checks of the database have nothing against it")

	asAuth(t, d, insert)
	got := told(t, d)
	require.Len(t, got, 1)
	require.Equal(t, app+"/hooks/auth/user-changed", got[0].URL)
	require.Equal(t, map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + webhookSecret}, got[0].Headers)
	require.Equal(t, []string{"INSERT", "auth", "users"}, []string{got[0].Body.Type, got[0].Body.Schema, got[0].Body.Table})
	require.Equal(t, &user{ID: ann, Aud: "authenticated", Role: "authenticated", Email: "ann@example.com"}, got[0].Body.Record)
	require.Nil(t, got[0].Body.OldRecord)
	for _, secret := range []string{"hash", "password", "full_name", "meta_data"} {
		require.NotContains(t, got[0].Text, secret)
	}

	asAuth(t, d, "update auth.users set last_sign_in_at = now(), updated_at = now() + '1s', encrypted_password = 'other', recovery_sent_at = now()")
	require.Empty(t, told(t, d), "a sign-in is nothing to us")

	asAuth(t, d, "update auth.users set email_confirmed_at = now(), email = 'ann@example.org'")
	got = told(t, d)
	require.Len(t, got, 1)
	require.Equal(t, "UPDATE", got[0].Body.Type)
	require.Equal(t, []string{"ann@example.com", "ann@example.org"}, []string{got[0].Body.OldRecord.Email, got[0].Body.Record.Email})
	require.NotNil(t, got[0].Body.Record.EmailConfirmedAt)

	asAuth(t, d, "begin", "delete from auth.users", "rollback")
	require.Empty(t, told(t, d), "it did not happen")
	asAuth(t, d, "delete from auth.users")
	got = told(t, d)
	require.Len(t, got, 1)
	require.Equal(t, "DELETE", got[0].Body.Type)
	require.Equal(t, ann, got[0].Body.OldRecord.ID)
	require.Nil(t, got[0].Body.Record)

	t.Run("another secret", func(t *testing.T) {
		d.Exec(t, "set role project_owner; select vault.update_secret(id, 'another-secret') from vault.secrets where name = 'rowhouse_user_changed_secret'; reset role")
		asAuth(t, d, insert)
		require.Equal(t, "Bearer another-secret", told(t, d)[0].Headers["Authorization"])
	})
	t.Run("nobody else can call it", func(t *testing.T) {
		for _, role := range []string{"anon", "authenticated", "service_role", "supabase_auth_admin", "rowhouse_api", "rowhouse_landlord"} {
			var may bool
			require.NoError(t, d.Admin.QueryRow(t.Context(), "select has_function_privilege($1, 'rowhouse_hooks.user_changed()', 'execute')"+
				" or has_schema_privilege($1, 'rowhouse_hooks', 'usage')", role).Scan(&may))
			require.False(t, may, role)
		}
	})
	// Sign-ups go on, come what may. Rowhouse mends what it was not told.
	for name, fault := range map[string]string{
		"no secret":      "delete from vault.secrets where name = 'rowhouse_user_changed_secret'",
		"no vault":       "drop schema vault cascade",
		"pg_net is gone": "drop schema net cascade",
	} {
		t.Run(name, func(t *testing.T) {
			conn := d.Connect(t, "postgres")
			for _, sql := range []string{"begin", fault, "set local role supabase_auth_admin", "delete from auth.users", insert, "rollback"} {
				_, err := conn.Exec(t.Context(), sql)
				require.NoError(t, err, sql)
			}
		})
	}
}

// findings is what our own checks have against the database.
func findings(t testing.TB, d *dbtest.Database) policy.Report {
	t.Helper()
	report, err := policy.Lint(t.Context(), d.URL("postgres"))
	require.NoError(t, err)
	return report
}
