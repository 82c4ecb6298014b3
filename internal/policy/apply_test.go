package policy_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/migrate"
	"rowhouse/internal/policy"
)

// TestApplyRefusesWidening: what gives somebody more has to be allowed, and
// nothing else is done either.
func TestApplyRefusesWidening(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, "drop policy tenant_select_tenants on app.tenants; grant select on app.users to anon")
	before := plan(t, d, "rowhouse_migrator")

	refused, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
	require.ErrorIs(t, err, policy.ErrWidens)
	require.Equal(t, []string{"policy: tenant_select_tenants on app.tenants"}, named(refused.Widening()))
	require.Equal(t, before, plan(t, d, "rowhouse_migrator"))
	printed := text(t, refused)
	require.Less(t, strings.Index(printed, "rowhouse_tenant could read"), strings.Index(printed, "anon could no longer"), "what widens comes first")

	_, err = policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{AllowWidening: true})
	require.NoError(t, err)
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
}

// TestApplyRefusesAnotherPlan: what is done is what was looked at.
func TestApplyRefusesAnotherPlan(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, "grant select on app.users to anon")
	var file bytes.Buffer
	require.NoError(t, plan(t, d, "rowhouse_migrator").WriteJSON(&file))
	agreed, err := policy.ReadJSON(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)

	d.Exec(t, "grant select on app.units to anon")
	apply := func() error {
		_, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{Agreed: &agreed})
		return err
	}
	require.ErrorIs(t, apply(), policy.ErrStale)
	require.Len(t, plan(t, d, "rowhouse_migrator").Changes, 2)

	d.Exec(t, "revoke select on app.units from anon")
	require.NoError(t, apply())
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
	require.ErrorIs(t, apply(), policy.ErrStale, "twice")

	_, err = policy.ReadJSON(strings.NewReader(strings.ReplaceAll(file.String(), "revoke select", "grant select")))
	require.ErrorContains(t, err, "its statements are not those")
	_, err = policy.ReadJSON(strings.NewReader("not a plan"))
	require.Error(t, err)
}

// TestApplyIsWholeOrNothing: behind a long transaction, and where a statement
// fails after others have run, nothing is changed.
func TestApplyIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	harm := "grant select on app.users to anon; create policy stray on app.units to public using (true)"
	d.Exec(t, harm)
	before := plan(t, d, "rowhouse_migrator")
	require.Len(t, before.Changes, 2)
	require.NoError(t, pgx.BeginFunc(t.Context(), d.Admin, func(reader pgx.Tx) error {
		_, err := reader.Exec(t.Context(), "select * from app.units")
		require.NoError(t, err)
		_, err = policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
		require.ErrorContains(t, err, "in use by a long transaction")
		return nil
	}))
	require.Equal(t, before, plan(t, d, "rowhouse_migrator"))

	// somebody's view hangs on a function that goes
	d.Exec(t, "create function app.stray() returns int language sql as 'select 1'; create view public.hangs as select app.stray()")
	before = plan(t, d, "rowhouse_migrator")
	require.Len(t, before.Changes, 4, "the function, and that PUBLIC may call it")
	_, err := policy.Apply(t.Context(), d.URL("postgres"), policy.ApplyOptions{})
	require.ErrorContains(t, err, "other objects depend on it")
	require.Equal(t, before, plan(t, d, "rowhouse_migrator"))
}

// TestApplyLocksWhatDiffers: a reader of another table keeps nobody waiting.
func TestApplyLocksWhatDiffers(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, "create policy stray on app.units to public using (true)")
	require.NoError(t, pgx.BeginFunc(t.Context(), d.Admin, func(writer pgx.Tx) error {
		_, err := writer.Exec(t.Context(), "lock table app.tenants, app.tickets, app.properties in row exclusive mode")
		require.NoError(t, err)
		_, err = policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
		require.NoError(t, err)
		return nil
	}))
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
}

// TestApplyTakesTurns: while a migration runs, it waits.
func TestApplyTakesTurns(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, "create policy stray on app.units to public using (true)")
	done := make(chan error, 1)
	require.NoError(t, migrate.AsOwner(t.Context(), d.URL("rowhouse_migrator"), func(pgx.Tx) error {
		go func() {
			_, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
			done <- err
		}()
		for waits := false; !waits; {
			require.Empty(t, done, "it did not wait")
			require.NoError(t, d.Admin.QueryRow(t.Context(),
				`select exists (select from pg_locks l join pg_database d on d.oid = l.database
				where l.locktype = 'advisory' and not l.granted and d.datname = current_database())`).Scan(&waits))
		}
		require.Len(t, plan(t, d, "rowhouse_migrator").Changes, 1)
		return nil
	}))
	require.NoError(t, <-done)
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
}

// TestApplyNamesWhatADBAHasToDo: all that the login may not do, as a script.
func TestApplyNamesWhatADBAHasToDo(t *testing.T) {
	t.Parallel()
	d := dbtest.Clone(t, dbtest.StartServer(t)) // roles are shared by all databases of a server
	d.Exec(t, `alter role rowhouse_landlord bypassrls; grant rowhouse_landlord to anon;
		alter table app.landlord_cards owner to postgres; create policy stray on app.units to public using (true)`)
	before := plan(t, d, "rowhouse_migrator")
	require.Len(t, before.Changes, 4)
	_, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{AllowWidening: true})
	missing, ok := errors.AsType[*migrate.MissingRights](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, before, plan(t, d, "rowhouse_migrator"), "nothing is half done")

	d.Exec(t, strings.Join(missing.SQL, ";"))
	require.Equal(t, []string{"policy: stray on app.units"}, named(plan(t, d, "rowhouse_migrator").Changes))
	_, err = policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
	require.NoError(t, err)
	require.True(t, plan(t, d, "rowhouse_migrator").Clean())
}

// TestLookFails: a database that does not answer, or that is being altered, has no
// state that could be clean.
func TestLookFails(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	u, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	u.Path = "/absent"
	_, err = policy.Make(t.Context(), u.String())
	require.ErrorContains(t, err, "does not exist")
	_, err = policy.Make(t.Context(), "postgres://user:hunter2@[::1/x")
	require.ErrorContains(t, err, "not a valid Postgres URL")
	require.NotContains(t, err.Error(), "hunter2")

	migration, err := d.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = migration.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = migration.Exec(t.Context(), "lock table app.units in access exclusive mode")
	require.NoError(t, err)
	_, err = policy.Make(t.Context(), d.URL("rowhouse_migrator"))
	require.ErrorContains(t, err, "lock timeout")
}

// TestApplyLooksAgain: what the statements leave undone undoes them all. Here
// somebody's event trigger gives back what is revoked.
func TestApplyLooksAgain(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.Exec(t, `grant select on app.users to anon; create policy stray on app.units to public using (true);
		create function public.give_back() returns event_trigger language plpgsql security definer as
			$$ begin grant select on app.users to anon; end $$;
		create event trigger give_back on ddl_command_end when tag in ('REVOKE') execute function public.give_back();
		grant usage on schema public to public`)
	before := plan(t, d, "rowhouse_migrator")
	require.Len(t, before.Changes, 2)
	_, err := policy.Apply(t.Context(), d.URL("rowhouse_migrator"), policy.ApplyOptions{})
	require.ErrorContains(t, err, "the plan would not suffice, so nothing was changed; left would be: anon could no longer read table app.users")
	require.Equal(t, before, plan(t, d, "rowhouse_migrator"))
}
