package accounts_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/accounts"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/localauth"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

type profile struct {
	Email, FullName *string
	Version         int
	Seen, Gone      *time.Time
}

func read(t testing.TB, d *dbtest.Database, id uuid.UUID) *profile {
	t.Helper()
	rows, err := d.Admin.Query(t.Context(), `select email, full_name, version, provider_seen_at, provider_deleted_at from app.users where id = $1`, id)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[profile])
	require.NoError(t, err)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// TestKeep: what is later wins, in whatever order it comes, and what has no time only
// fills a gap.
func TestKeep(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	now := time.Now().Truncate(time.Microsecond)
	id := uuid.New()
	keep := func(email, name string, at time.Time) {
		t.Helper()
		_, err := accounts.Keep(t.Context(), d.DB, accounts.Account{ID: id, Email: email, Name: name, AsOf: at})
		require.NoError(t, err)
	}
	keep("lazy@example.com", "", time.Time{})
	require.Equal(t, &profile{Email: new("lazy@example.com"), Version: 1}, read(t, d, id))
	keep("other@example.com", "Ann", time.Time{})
	require.Equal(t, &profile{Email: new("lazy@example.com"), Version: 1}, read(t, d, id))
	keep("first@example.com", "Ann", now.Add(-time.Minute))
	require.Equal(t, "first@example.com", *read(t, d, id).Email)
	require.Equal(t, "Ann", *read(t, d, id).FullName, "there was none, and nobody has chosen to have none")
	keep("older@example.com", "Bob", now.Add(-time.Hour))
	keep("first@example.com", "Bob", now.Add(-time.Second))
	got := read(t, d, id)
	require.Equal(t, "first@example.com", *got.Email)
	require.Equal(t, "Ann", *got.FullName)
	require.Equal(t, 2, got.Version, "that the provider was heard of is no change")
	require.WithinDuration(t, now.Add(-time.Second), *got.Seen, 0)

	keep("ahead@example.com", "", now.Add(24*time.Hour))
	require.WithinDuration(t, time.Now(), *read(t, d, id).Seen, time.Minute, "a clock that is ahead shuts nothing out")
	time.Sleep(time.Millisecond) // until the next moment of the clock
	keep("next@example.com", "", time.Now())
	require.Equal(t, "next@example.com", *read(t, d, id).Email)
}

// TestStanding: how somebody stands is said with every call, and never taken from what
// they say of themselves later.
func TestStanding(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := uuid.New()
	keep := func(invited bool, at time.Time) accounts.Standing {
		t.Helper()
		standing, err := accounts.Keep(t.Context(), d.DB, accounts.Account{ID: id, Invited: invited, AsOf: at})
		require.NoError(t, err)
		return standing
	}
	now := time.Now()
	require.Equal(t, accounts.Standing{Renting: true}, keep(true, now.Add(-time.Minute)), "made")
	require.Equal(t, accounts.Standing{Renting: true}, keep(false, now.Add(-time.Hour)), "told too late")
	require.Equal(t, accounts.Standing{Renting: true}, keep(false, now), "brought up to date")
	require.Equal(t, accounts.Standing{Renting: true}, keep(false, time.Time{}), "only asked")
	ann := d.Landlord(t, "ann")
	standing, err := accounts.Keep(t.Context(), d.DB, accounts.Account{ID: ann.UserID, Invited: true, AsOf: now})
	require.NoError(t, err)
	require.Equal(t, accounts.Standing{Onboarded: true}, standing)
}

func TestGone(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	before := read(t, d, bob.UserID)
	now := time.Now().Truncate(time.Microsecond)
	require.NoError(t, accounts.Gone(t.Context(), d.DB, ann.UserID, now))
	require.NoError(t, accounts.Gone(t.Context(), d.DB, ann.UserID, now.Add(time.Hour)))
	require.WithinDuration(t, now, *read(t, d, ann.UserID).Gone, 0)
	require.Equal(t, before, read(t, d, bob.UserID))
	_, err := accounts.Keep(t.Context(), d.DB, accounts.Account{ID: ann.UserID, Email: "late@example.com", AsOf: now.Add(-time.Second)})
	require.NoError(t, err)
	require.Equal(t, ann.Email, *read(t, d, ann.UserID).Email)
	nobody := uuid.New()
	require.NoError(t, accounts.Gone(t.Context(), d.DB, nobody, now))
	require.Nil(t, read(t, d, nobody))
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id, now := uuid.New(), time.Now()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := accounts.Keep(t.Context(), d.DB, accounts.Account{
				ID: id, Email: fmt.Sprintf("ann%d@example.com", i), AsOf: now.Add(time.Duration(i-20) * time.Second),
			})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	require.Equal(t, "ann19@example.com", *read(t, d, id).Email)
}

// users inserts what the provider knows, past the provider.
func users(t testing.TB, d *dbtest.Database, n int) {
	t.Helper()
	d.Exec(t, fmt.Sprintf(`insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data, is_anonymous, created_at, updated_at)
		select gen_random_uuid(), 'authenticated', 'authenticated', 'user' || i || '@example.com', '', '{}', '{"full_name":"Ann"}', false, now(), now()
		  from generate_series(1, %d) i`, n))
}

var setUp sync.Mutex

func provider(t testing.TB, d *dbtest.Database) *pgx.Conn {
	t.Helper()
	setUp.Lock() // the login is one for all tests
	defer setUp.Unlock()
	require.NoError(t, localauth.Setup(t.Context(), d.Connect(t, "postgres"), "auth"))
	return d.Connect(t, "postgres")
}

// TestReconcile: whatever was missed is found and mended, and nothing is twice.
func TestReconcile(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	conn := provider(t, d)
	reconcile := func(dryRun bool) accounts.Counts {
		t.Helper()
		counts, err := accounts.Reconcile(t.Context(), d.DB, conn, dryRun)
		require.NoError(t, err)
		return counts
	}
	require.Equal(t, accounts.Counts{}, reconcile(false))

	bystander := d.Landlord(t, "bob") // of whom the provider knows nothing
	before := read(t, d, bystander.UserID)
	users(t, d, 1203)
	require.Equal(t, accounts.Counts{Read: 1203, Made: 1203}, reconcile(true))
	require.Equal(t, 2, count(t, d, "select count(*) from app.users"), "a dry run writes nothing")
	require.Equal(t, accounts.Counts{Read: 1203, Made: 1203}, reconcile(false))
	require.Equal(t, accounts.Counts{Read: 1203, Alike: 1203}, reconcile(false))
	require.Zero(t, count(t, d, `select count(*) from auth.users u left join app.users p using (id, email) where p.full_name is distinct from 'Ann'`))

	// seven of them change while nobody hears
	d.Exec(t, `update auth.users set email = 'new' || email where email in ('user1@example.com', 'user2@example.com')`)
	d.Exec(t, `alter table auth.users alter email drop not null`) // as the provider itself has it
	d.Exec(t, `update auth.users set email = null where email = 'user3@example.com'`)
	d.Exec(t, `update auth.users set deleted_at = now(), email = 'hash' where email = 'user4@example.com'`)
	d.Exec(t, `update auth.users set is_anonymous = true where email = 'user5@example.com'`)
	d.Exec(t, `update auth.users set aud = 'other' where email = 'user6@example.com'`)
	d.Exec(t, `update app.users set provider_deleted_at = now() where email = 'user7@example.com'`)
	d.Exec(t, `delete from auth.users where email = 'user8@example.com'`)
	want := accounts.Counts{Read: 1202, Alike: 1195, Mended: 4, Gone: 1, Passed: 2}
	require.Equal(t, want, reconcile(true))
	require.Equal(t, want, reconcile(false))
	require.Equal(t, accounts.Counts{Read: 1202, Alike: 1200, Passed: 2}, reconcile(false))
	require.Equal(t, 1203+2, count(t, d, "select count(*) from app.users"), "nobody's profile goes")
	require.Equal(t, 2, count(t, d, "select count(*) from app.users where email like 'newuser%'"))
	require.Equal(t, 1, count(t, d, "select count(*) from app.users where email = 'user4@example.com' and provider_deleted_at is not null"))
	require.Zero(t, count(t, d, "select count(*) from app.users where email = 'user7@example.com' and provider_deleted_at is not null"))
	require.Equal(t, before, read(t, d, bystander.UserID))
}

// TestReconcileGoesOn: one that fails does not keep the others; without either database
// it says so.
func TestReconcileGoesOn(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	conn := provider(t, d)
	users(t, d, 5)
	d.Exec(t, `alter table app.users add constraint no_third check (email <> 'user3@example.com')`)
	counts, err := accounts.Reconcile(t.Context(), d.DB, conn, false)
	require.NoError(t, err)
	require.Equal(t, accounts.Counts{Read: 5, Made: 4, Failed: 1}, counts)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = accounts.Reconcile(ctx, d.DB, conn, false)
	require.ErrorIs(t, err, context.Canceled)

	away, err := db.Open(t.Context(), db.Config{URL: "postgres://127.0.0.1:1/x", Keys: dbtest.Keyring(t, dbtest.KeysText)})
	require.NoError(t, err)
	defer away.Close()
	again := d.Connect(t, "postgres") // what was stopped has closed the other
	counts, err = accounts.Reconcile(t.Context(), away, again, false)
	require.NoError(t, err)
	require.Equal(t, accounts.Counts{Read: 5, Failed: 5}, counts)

	// our own logins may not read the provider's users, and need not
	_, err = accounts.Reconcile(t.Context(), d.DB, d.Connect(t, "rowhouse_api"), false)
	require.ErrorContains(t, err, "read the provider's users")
}

func count(t testing.TB, d *dbtest.Database, sql string) (n int) {
	t.Helper()
	require.NoError(t, d.Admin.QueryRow(t.Context(), sql).Scan(&n))
	return n
}
