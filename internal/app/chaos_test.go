package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/jobs"
	"rowhouse/internal/seal"
)

const (
	// workerVariable makes this test's program a worker: the database of the queue and
	// that of the work, with a space between.
	workerVariable = "ROWHOUSE_TEST_WORKER"
	// soakVariable asks for the whole of TestChaos.
	soakVariable = "ROWHOUSE_SOAK"

	chaosSeed = 20261129
)

// work is a worker that runs imports as the product's does. One that was killed under
// it is taken up without the wait between attempts, which grows with each.
func work() {
	queue, books, _ := strings.Cut(os.Getenv(workerVariable), " ")
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	seals, err := seal.ParseKeyring(dbtest.KeysText)
	check(err)
	invites, err := invitetoken.ParseKeyring(dbtest.InviteKeysText)
	check(err)
	d, err := db.Open(ctx, db.Config{URL: books, Keys: seals, MaxConns: 8, AcquireTimeout: 10 * time.Second})
	check(err)
	runner, err := jobs.Open(ctx, jobs.Config{
		URL: queue, Kinds: []jobs.Kind{imports.New(d, invites).Kind(), imports.New(d, invites).PurgeKind()},
		Poll: 50 * time.Millisecond, FirstRetry: time.Microsecond,
	})
	check(err)
	check(runner.Run(ctx, time.Second))
}

// portfolio is the rows from first to last of a file in which every kind of row occurs,
// and what is to come of each where nobody was before.
func portfolio(first, last int) (file string, want []string) {
	var b strings.Builder
	b.WriteString("property,unit,first name,last name,email\n")
	for n := first; n <= last; n++ {
		action := imports.Create
		row := func(n int) string {
			return fmt.Sprintf("House %d,Flat %d,Jo,Renter %d,renter-%d@example.com\n", n/100, n, n, n)
		}
		switch text := row(n); n % 100 {
		case 50:
			b.WriteString(strings.Replace(text, "@", " at ", 1))
			action = imports.Failed
		case 51:
			b.WriteString(row(n - 2)) // again
			action = imports.Skipped
		case 52:
			b.WriteString("\n")
			action = imports.Skipped
		default:
			b.WriteString(text)
		}
		want = append(want, action)
	}
	return b.String(), want
}

// startImport sends a file as the API does, and starts the import.
func startImport(t testing.TB, d *dbtest.Database, l dbtest.Landlord, kind imports.Kind, text string) (id uuid.UUID) {
	t.Helper()
	file, err := csvfile.Parse([]byte(text))
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(text))
	im, ctx := imports.New(d.DB, dbtest.InviteKeys(t)), l.Context(t)
	require.NoError(t, d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		batch, err := im.Store(ctx, tx, imports.Upload{
			Kind: kind, FileName: "file.csv", SHA256: sum[:], File: file,
			Options: imports.Options{OnExisting: imports.Update, UnknownUnits: "error"},
		})
		id = batch.ID
		return err
	}))
	require.NoError(t, im.Check(ctx, id))
	require.NoError(t, d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return im.Start(ctx, tx, id) }))
	return id
}

// TestChaos runs two imports of files that overlap, on two workers at once, and kills
// both workers again and again at messages of theirs to Postgres, before it hears them
// or just after; once it is Postgres itself that stops, and starts again. In the end each
// row has come to one thing, the books hold each of them once, and progress has never gone
// back. `make soak` does so with the largest file, 20 kills and 4 stops of Postgres.
func TestChaos(t *testing.T) {
	t.Parallel()
	size, kills, stops := 1500, 4, 1
	if os.Getenv(soakVariable) != "" {
		size, kills, stops = csvfile.MaxRows, 20, 4
	}
	server := dbtest.StartServer(t)
	d, random := dbtest.NewOn(t, server), rand.New(rand.NewPCG(chaosSeed, 0))
	line := listen(t, d.URL("rowhouse_worker"))
	landlord := d.Landlord(t, "ann")
	ranges := [][2]int{{1, size}, {size/200*100 + 1, size + size/4}}
	var ids []uuid.UUID
	var wants [][]string
	for _, r := range ranges {
		file, want := portfolio(r[0], r[1])
		ids, wants = append(ids, startImport(t, d, landlord, imports.Portfolio, file)), append(wants, want)
	}
	watched := watch(t, d)

	var workers []*exec.Cmd
	start := func() {
		workers = nil
		for range 2 {
			cmd := exec.Command(os.Args[0]) // this program; see TestMain
			cmd.Env = append(os.Environ(), workerVariable+"="+d.URL("rowhouse_worker")+" "+line.url)
			cmd.Stderr = os.Stderr
			require.NoError(t, cmd.Start())
			workers = append(workers, cmd)
		}
	}
	kill := func() {
		for _, cmd := range workers {
			_ = cmd.Process.Kill() // SIGKILL
			_ = cmd.Wait()
		}
		workers = nil
	}
	t.Cleanup(kill)
	arm := func() (strike func(what func())) {
		hit, release := line.strike(1+random.IntN(24), random.IntN(2) == 0)
		return func(what func()) {
			defer release()
			select {
			case <-hit:
				what()
			case <-time.After(2 * time.Minute):
				t.Fatal("the workers do nothing")
			}
		}
	}
	start()
	for n := range kills {
		strike := arm()
		if every := kills / stops; n%every == every/2 {
			strike(func() { server.Stop(t) })
			strike = arm() // while nothing goes on
			server.Start(t)
			d.Admin.Reset() // our own connections have died too
		}
		strike(kill)
		forget(t, d)
		start()
	}
	running := len(ids)
	for deadline := time.Now().Add(5 * time.Minute); running > 0; time.Sleep(20 * time.Millisecond) {
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from app.import_batches where state = 'RUNNING'`).Scan(&running))
		require.True(t, time.Now().Before(deadline), "%d imports are still running", running)
	}
	t.Logf("%d and %d rows, %d kills, %d stops of Postgres, seen at %d stages", len(wants[0]), len(wants[1]), kills, stops, watched())

	for _, job := range list(t, d, `select kind from river.river_job where attempt > $1`, kills+2) {
		t.Errorf("waiting for Postgres, or for the other import, has cost attempts of the %s", job)
	}
	created := map[string]int{}
	for i, id := range ids {
		got := list(t, d, `select concat_ws(' ', action, cells ->> 4) from app.import_rows where batch_id = $1 and done_at is not null order by n`, id)
		require.Len(t, got, len(wants[i]), "each row is done")
		for n, want := range wants[i] {
			action, email, _ := strings.Cut(got[n], " ")
			if want == imports.Create && action == imports.Unchanged { // the other file came first
				continue
			}
			require.Equal(t, want, action, "row %d of file %d", n+1, i+1)
			if action == imports.Create {
				created[email]++
			}
		}
		require.Equal(t, []string{"PARTIAL"}, list(t, d, `select state from app.import_batches where id = $1`, id))
	}
	_, all := portfolio(1, ranges[1][1])
	var emails []string
	for i, want := range all {
		if want == imports.Create {
			emails = append(emails, fmt.Sprintf("renter-%d@example.com", i+1))
		}
	}
	require.Len(t, created, len(emails))
	for _, email := range emails {
		require.Equal(t, 1, created[email], "%s was created by one row of the two files", email)
	}
	const of = ` and owner_user_id = $1`
	for what, sql := range map[string]string{
		"tenants": `select email from app.tenants where email like 'renter-%@example.com'` + of,
		"who live where the file says, from one day on": `select t.email from app.tenancies y
			join app.tenants t on t.id = y.tenant_id and t.unit_id = y.unit_id join app.units u on u.id = y.unit_id
			join app.properties p on p.id = u.property_id
			where u.name = replace(t.last_name, 'Renter', 'Flat') and p.name like 'House %' and y.owner_user_id = $1`,
		"the trail of tenants": `select after ->> 'email' from app.audit_log
			where table_name = 'tenants' and action = 'insert' and after ->> 'email' like 'renter-%@example.com'` + of,
	} {
		require.ElementsMatch(t, emails, list(t, d, sql, landlord.UserID), what)
	}
	require.Len(t, list(t, d, `select name from app.units where name like 'Flat %'`+of, landlord.UserID), len(emails), "units")
	require.Len(t, list(t, d, `select name from app.properties where name like 'House %'`+of, landlord.UserID), ranges[1][1]/100+1, "properties")
}

// watch looks at the imports as a landlord does, again and again: how many rows are done
// never falls, and what the rows came to adds up to the file. The result ends it, and
// says how many different counts it saw.
func watch(t testing.TB, d *dbtest.Database) (end func() int) {
	ctx, stop := context.WithCancel(context.Background())
	seen, latest := 0, map[uuid.UUID]int{}
	var wait sync.WaitGroup
	wait.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			rows, err := d.Admin.Query(ctx, `select id, done, row_count - created - updated - unchanged - skipped - failed
				from app.import_batches where state <> 'CHECKED'`)
			if err != nil {
				continue // Postgres is away
			}
			var id uuid.UUID
			var done, missing int
			if _, err := pgx.ForEachRow(rows, []any{&id, &done, &missing}, func() error {
				if missing != 0 || done < latest[id] {
					t.Errorf("%d rows are done after %d, and %d have come to nothing", done, latest[id], missing)
				}
				if done > latest[id] {
					seen++
				}
				latest[id] = done
				return nil
			}); err != nil {
				continue
			}
		}
	})
	end = sync.OnceValue(func() int {
		stop()
		wait.Wait()
		return seen
	})
	t.Cleanup(func() { end() })
	return end
}

func list(t testing.TB, d *dbtest.Database, sql string, args ...any) []string {
	t.Helper()
	rows, err := d.Admin.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return texts
}

// forget makes it as if the time had passed after which others take up what a dead worker
// had. It waits for Postgres to notice that the worker is dead.
func forget(t testing.TB, d *dbtest.Database) {
	t.Helper()
	sessions := 1
	for deadline := time.Now().Add(time.Minute); sessions > 0; time.Sleep(5 * time.Millisecond) {
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and usename = 'rowhouse_worker'`).Scan(&sessions))
		require.True(t, time.Now().Before(deadline), "a dead worker has %d sessions", sessions)
	}
	d.Exec(t, `update river.river_job set attempted_at = attempted_at - interval '1 hour' where state = 'running'`)
	d.Exec(t, `delete from river.river_leader`)
}
