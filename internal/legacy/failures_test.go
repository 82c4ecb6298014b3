package legacy_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/legacy"
)

// TestFailures leave everything as it was, and say what is wrong without the URL.
func TestFailures(t *testing.T) {
	t.Parallel()
	to := dbtest.New(t)
	before, empty := walls(t, to), content(t, to)
	good := small(t)
	options := func(from *dbtest.Database) legacy.Options {
		return legacy.Options{
			From: from.URL("postgres"), To: to.URL("rowhouse_migrator"), Report: io.Discard, Progress: io.Discard,
			Logger: slog.New(slog.DiscardHandler),
		}
	}
	for name, c := range map[string]struct {
		options func() legacy.Options
		says    string
	}{
		"no table": {func() legacy.Options { return options(dbtest.Empty(t)) }, "no table public.users"},
		"no column": {func() legacy.Options {
			d := small(t)
			d.Exec(t, `alter table tenants drop column user_id`)
			return options(d)
		}, "public.tenants has no column user_id"},
		"another schema": {func() legacy.Options {
			o := options(good)
			o.From += "&schema=elsewhere&connection_limit=5"
			return o
		}, "no table elsewhere.users"},
		"no URL": {func() legacy.Options {
			o := options(good)
			o.From = "postgres://ann:secret@:x/"
			return o
		}, "not a valid Postgres URL"},
		"a login that may not migrate": {func() legacy.Options {
			o := options(good)
			o.To = to.URL("rowhouse_api")
			return o
		}, "permission denied"},
		"rows that policies of the old database hide": {func() legacy.Options {
			d := small(t)
			d.Exec(t, `alter table units enable row level security; grant select on all tables in schema public to rowhouse_worker;
				grant usage on schema public to rowhouse_worker`)
			o := options(d)
			o.From = d.URL("rowhouse_worker")
			return o
		}, "row-level security"},
		"a report that cannot be written": {func() legacy.Options {
			o := options(good)
			o.Report = fullDisk{}
			return o
		}, "write the report"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := legacy.Migrate(t.Context(), c.options())
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "secret")
			require.Equal(t, empty, content(t, to))
			require.Equal(t, before, walls(t, to))
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestMeanwhile: while the owner is past the policies nobody else is, and a
// table in use is waited for.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	from, to := small(t, `insert into tenants (id, first_name, last_name, email, unit_id) values ('t', 'F', 'L', 't@example.com', $A)`), dbtest.New(t)
	carl := to.Landlord(t, "carl")

	busy, err := to.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = busy.Exec(t.Context(), "select count(*) from app.units")
	require.NoError(t, err)

	report := &pause{reached: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := legacy.Migrate(t.Context(), legacy.Options{
			From: from.URL("postgres"), To: to.URL("rowhouse_migrator"), Report: report, Progress: io.Discard, Logger: slog.New(slog.DiscardHandler),
		})
		done <- err
	}()
	select {
	case <-report.reached:
		t.Fatal("the table in use was not waited for")
	case err := <-done:
		t.Fatal(err)
	case <-time.After(2 * time.Second):
	}
	require.NoError(t, busy.Rollback(t.Context()))
	<-report.reached

	// all is written and not committed, and force is lifted: landlords wait and see nothing
	err = to.AsLandlord(carl.Context(t), db.ReadOnly, func(tx *db.Tx) error {
		var n int
		return tx.QueryRow(t.Context(), "select count(*) from app.tenants").Scan(&n)
	})
	require.Error(t, err)
	require.Equal(t, "true", one[string](t, to, "select relforcerowsecurity::text from pg_class where oid = to_regclass('app.tenants')"))
	close(report.goOn)
	require.NoError(t, <-done)
	require.Equal(t, 2, seen(t, to, carl.UserID))
	require.Equal(t, 1, seen(t, to, ann))
}

// pause is a report that waits when it is written to.
type pause struct{ reached, goOn chan struct{} }

func (p *pause) Write(b []byte) (int, error) {
	close(p.reached)
	<-p.goOn
	return len(b), nil
}
