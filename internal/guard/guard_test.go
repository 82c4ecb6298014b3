package guard_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/guard"
	"rowhouse/internal/policy"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// TestCheck harms a good database in one way after another. Each harm is named
// with the object, and what is printed mends it.
func TestCheck(t *testing.T) {
	t.Parallel()
	d := dbtest.NewOn(t, dbtest.StartServer(t)) // roles are shared by all databases of a server
	_, err := guard.Check(t.Context(), d.URL("rowhouse_api"))
	require.NoError(t, err)

	tests := []struct{ harm, reason string }{
		{"alter role rowhouse_api superuser", "rowhouse_api is a superuser"},
		{"alter role rowhouse_api bypassrls", "rowhouse_api has BYPASSRLS"},
		{"alter table app.units owner to rowhouse_api", "rowhouse_api owns app.units"},
		{"grant rowhouse_owner to rowhouse_api", "rowhouse_api may become rowhouse_owner"},
		{"grant service_role to rowhouse_api", "rowhouse_api may become service_role"},
		{"grant select (name) on app.units to rowhouse_api", "rowhouse_api itself has rights on app.units"},
		{"grant delete on app.users to public", "rowhouse_api itself has rights on app.users"},
		{"alter role rowhouse_landlord bypassrls", "the role rowhouse_landlord may not"},
		{"alter role rowhouse_owner bypassrls", "the role rowhouse_owner may not"},
		{"alter table app.units disable row level security", "not enabled on app.units"},
		{"alter table app.properties no force row level security", "not forced on app.properties"},
		{"create table app.forgotten (id int); alter table app.forgotten owner to rowhouse_owner", "not enabled on app.forgotten"},
		{"grant usage on schema app to service_role", "service_role can look into the schema app"},
	}
	for _, tt := range tests {
		t.Run(tt.harm, func(t *testing.T) {
			d.Exec(t, tt.harm)
			_, err := guard.Check(t.Context(), d.URL("rowhouse_api"))
			require.ErrorContains(t, err, tt.reason)
			refusal, ok := errors.AsType[*guard.Refusal](err)
			require.True(t, ok)
			for _, reason := range refusal.Reasons {
				sql, comment, _ := strings.Cut(reason.Remedy, "--")
				if strings.TrimSpace(sql) != "" {
					d.Exec(t, sql)
				}
				if strings.Contains(comment, "rowhouse policy apply") {
					_, err := policy.Apply(t.Context(), d.URL("postgres"), policy.ApplyOptions{AllowWidening: true})
					require.NoError(t, err)
				}
			}
			if strings.Contains(tt.harm, "forgotten") {
				_, err = guard.Check(t.Context(), d.URL("rowhouse_api"))
				require.ErrorContains(t, err, "app.forgotten has no policy")
				d.Exec(t, "drop table app.forgotten")
			}
			_, err = guard.Check(t.Context(), d.URL("rowhouse_api"))
			require.NoError(t, err)
		})
	}

	t.Run("no table at all", func(t *testing.T) {
		d.Exec(t, "alter schema app rename to elsewhere")
		_, err := guard.Check(t.Context(), d.URL("rowhouse_api"))
		require.ErrorContains(t, err, "rowhouse migrate")
	})
}

func TestOthersLogins(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	_, err := guard.Check(t.Context(), d.URL("postgres"))
	require.ErrorContains(t, err, "is a superuser")
	_, err = guard.Check(t.Context(), d.URL("rowhouse_migrator"))
	require.ErrorContains(t, err, "may become rowhouse_owner")
	_, err = guard.Check(t.Context(), d.URL("rowhouse_worker"))
	require.NoError(t, err)
}

func TestCheckSeal(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	require.NoError(t, guard.CheckSeal(t.Context(), d.DB))
	stranger := d.Open(t, db.Config{Keys: dbtest.Keyring(t, "other:dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtMzI=")})
	require.True(t, guard.IsRefusal(guard.CheckSeal(t.Context(), stranger)))
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	_, err := guard.Check(t.Context(), strings.Replace(d.URL("rowhouse_api"), "rowhouse_api:api", "rowhouse_api:wrong", 1))
	require.True(t, guard.IsRefusal(err), "%v", err)
}

// TestAway: silence is no refusal, or a server would not start before its
// database.
func TestAway(t *testing.T) {
	t.Parallel()
	_, err := guard.Check(t.Context(), "postgres://rowhouse_api@127.0.0.1:1/rowhouse?connect_timeout=2")
	require.Error(t, err)
	require.False(t, guard.IsRefusal(err))
}
