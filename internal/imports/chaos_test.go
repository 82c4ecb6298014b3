package imports_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/jobs"
	"rowhouse/internal/seal"
)

const (
	// workerVariable makes this test's program a worker, on the database that it names.
	workerVariable = "ROWHOUSE_TEST_WORKER"
	// soakVariable asks for the whole of TestChaos.
	soakVariable = "ROWHOUSE_SOAK"

	chaosSeed = 20261129
)

// work is a worker that takes up what another left soon after that was killed.
func work() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
	}
	ctx, url := context.Background(), os.Getenv(workerVariable)
	seals, err := seal.ParseKeyring(dbtest.KeysText)
	check(err)
	d, err := db.Open(ctx, db.Config{URL: url, Keys: seals, MaxConns: 4, AcquireTimeout: 10 * time.Second})
	check(err)
	kind := imports.New(d).Kind()
	kind.Timeout = 3 * time.Second
	runner, err := jobs.Open(ctx, jobs.Config{
		URL: url, Kinds: []jobs.Kind{kind}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Poll: 20 * time.Millisecond, Rescue: 4 * time.Second, FirstRetry: 100 * time.Millisecond,
	})
	check(err)
	check(runner.Run(ctx, time.Second))
}

// TestChaos kills the worker again and again in the middle of an import, and of undoing
// it. In the end each row was taken once, and once taken back. `make soak` does so with
// the largest file.
func TestChaos(t *testing.T) {
	t.Parallel()
	count, kills := 3000, 3
	if os.Getenv(soakVariable) != "" {
		count, kills = 10_000, 20
	}
	d, random := newDesk(t), rand.New(rand.NewPCG(chaosSeed, 0))
	id := d.send(imports.Tenants, people(1, count))
	trail := `select count(*)::text from app.audit_log where table_name = 'tenants' and action = $1 and before ->> 'email' like 'renter-%' or
		table_name = 'tenants' and action = $1 and after ->> 'email' like 'renter-%'`

	d.start(id)
	d.survive(id, "COMPLETED", kills, random)
	require.Equal(t, fmt.Sprintf("COMPLETED create %d update 0 unchanged 0 skip 0 error 0", count), d.tiles(id))
	require.Equal(t, []string{fmt.Sprint(count)}, d.list(`select count(*)::text from app.tenants where email like 'renter-%'`))
	require.Equal(t, []string{fmt.Sprint(count)}, d.list(trail, "insert"), "each was made once, and no more")

	require.NoError(t, d.tx(func(tx *db.Tx) error { return d.im.Undo(d.ctx, tx, id) }))
	d.survive(id, "UNDONE", kills, random)
	require.Zero(t, d.batch(id).Kept)
	require.Equal(t, []string{"0"}, d.list(`select count(*)::text from app.tenants where email like 'renter-%'`))
	require.Equal(t, []string{fmt.Sprint(count)}, d.list(trail, "delete"))
}

// survive has workers do an import, and kills some of them at work, at random moments.
func (d *desk) survive(id any, state string, kills int, random *rand.Rand) {
	d.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	eventually := func(what, sql string, args ...any) {
		d.t.Helper()
		for ; len(d.list(sql, args...)) == 0; time.Sleep(5 * time.Millisecond) {
			require.True(d.t, time.Now().Before(deadline), what)
		}
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0]) // this program; see TestMain
		cmd.Env = append(os.Environ(), workerVariable+"="+d.URL("rowhouse_worker"))
		cmd.Stderr = os.Stderr
		require.NoError(d.t, cmd.Start())
		return cmd
	}
	for range kills {
		worker := start()
		eventually("a worker that is at it, or nothing left to do", `select 'at it' from pg_stat_activity
			where datname = current_database() and usename = 'rowhouse_worker' and state <> 'idle' and query ~ 'name: Import(Turn|Rows|Tenants)'
			union all select state from app.import_batches where id = $1 and state = $2`, id, state)
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // a random moment of its work
		_ = worker.Process.Kill()
		_ = worker.Wait()
	}
	last := start()
	defer func() {
		_ = last.Process.Kill()
		_ = last.Wait()
	}()
	eventually("the import ends", `select state from app.import_batches where id = $1 and state = $2`, id, state)
	eventually("and so does its job", `select 'done' where not exists (select from river.river_job where kind = 'import' and state <> 'completed')`)
}
