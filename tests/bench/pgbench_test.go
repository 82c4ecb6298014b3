package bench

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
	"rowhouse/internal/seal"
	"rowhouse/sql/session"
)

// BenchmarkPgbench is the transaction of BenchmarkUnitsPage without our server:
// pgbench logs in as rowhouse_api and sends the very statements. With
// pipeline=off each takes a round trip, as an ordinary client does it; with
// pipeline=on BEGIN to the page take one and COMMIT another, as ours do.
//
// It runs for the benchmark's time instead of b.N times: starting it and its
// connections would drown a small b.N, from which the next one is guessed.
//
// It knows its callers by their number and finds id and seal in a table, which
// costs it a look-up that our server does not need.
func BenchmarkPgbench(b *testing.B) {
	program, err := exec.LookPath("pgbench")
	if err != nil {
		b.Skip("there is no pgbench here")
	}
	for _, landlords := range sizes {
		for _, pipeline := range []string{"off", "on"} {
			for _, n := range clients {
				b.Run(fmt.Sprintf("landlords=%d/pipeline=%s/clients=%d", landlords, pipeline, n), func(b *testing.B) {
					d := open(b, landlords)
					d.registerCallers(b)
					script, variables := d.script(b, pipeline == "on")
					path := filepath.Join(b.TempDir(), "page.sql")
					require.NoError(b, os.WriteFile(path, []byte(script), 0o600))
					b.ResetTimer()
					b.ReportMetric(1e9/d.pgbench(b, program, path, variables, n), "ns/op")
				})
			}
		}
	}
}

// registerCallers puts ids and fresh seals where pgbench finds them. It cannot
// know its backend's id, so they are made with a key that is not bound to one.
func (d books) registerCallers(b *testing.B) {
	b.Helper()
	ring, err := seal.ParseKeyring("bench:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMzI=")
	require.NoError(b, err)
	inner, outer := ring.Keys()[0].Pads()
	conn, err := d.Admin.Acquire(b.Context())
	require.NoError(b, err)
	defer conn.Release()
	require.NoError(b, query.New().SealKeyPut(b.Context(), conn, query.SealKeyPutParams{
		ID: ring.Keys()[0].ID, InnerPad: inner, OuterPad: outer, BindsPid: false,
	}))
	_, err = conn.Exec(b.Context(), `create schema if not exists bench; grant usage on schema bench to rowhouse_api;
		create table if not exists bench.callers (n int primary key, user_id text not null, seal text not null);
		grant select on bench.callers to rowhouse_api; truncate bench.callers`)
	require.NoError(b, err)
	numbers := d.spread()
	_, err = conn.CopyFrom(b.Context(), pgx.Identifier{"bench", "callers"}, []string{"n", "user_id", "seal"},
		pgx.CopyFromSlice(len(numbers), func(i int) ([]any, error) {
			id := landlord(numbers[i])
			return []any{i + 1, id.String(), ring.Sign("rowhouse_landlord", id, time.Now().Add(4*time.Minute), 0)}, nil
		}))
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), "vacuum analyze bench.callers")
	require.NoError(b, err)
}

// script is the transaction in pgbench's language, with the variables to set.
func (d books) script(b *testing.B, pipelined bool) (script string, variables map[string]string) {
	b.Helper()
	page := d.statements(b)
	require.Len(b, page, 4, "BEGIN, settings, count and page")
	require.Contains(b, page[1].sql, "set_config('role', $1, true)")
	settings := strings.NewReplacer("$1", "'rowhouse_landlord'", "$2", "c.user_id", "$3", "c.seal", "$4", "'pgbench'",
		"$5", "''", "$6", "''", "$7", "''", "$8", "'force_custom_plan'", "$9", "'aal1'").
		Replace(session.Settings) + " from bench.callers c where c.n = :caller"

	d.mustSee(b, strings.Replace(settings, ":caller", "1", 1))

	variables = map[string]string{}
	lines := []string{fmt.Sprintf(`\set caller random(1, %d)`, len(d.spread()))}
	if pipelined {
		lines = append(lines, `\startpipeline`)
	}
	lines = append(lines, page[0].sql+";", settings+";", page[2].pgbench("count", variables)+";", page[3].pgbench("page", variables)+";")
	if pipelined {
		lines = append(lines, `\endpipeline`)
	}
	return strings.Join(append(lines, "commit;"), "\n") + "\n", variables
}

// mustSee fails unless a transaction with these settings sees a landlord's units:
// pgbench would measure an empty page without a word.
func (d books) mustSee(b *testing.B, settings string) {
	b.Helper()
	var units int
	require.NoError(b, pgx.BeginFunc(b.Context(), d.Connect(b, "rowhouse_api"), func(tx pgx.Tx) error {
		if _, err := tx.Exec(b.Context(), settings); err != nil {
			return err
		}
		return tx.QueryRow(b.Context(), "select count(*) from app.units").Scan(&units)
	}))
	require.Equal(b, unitsEach, units)
}

// statement is what our server has sent, with its parameters.
type statement struct {
	sql  string
	args []any
}

// statements records what our server sends for a page of units.
func (d books) statements(b *testing.B) []statement {
	b.Helper()
	var seen recorder
	one := d.Open(b, db.Config{MaxConns: 1, Configure: func(c *pgxpool.Config) { c.ConnConfig.Tracer = &seen }})
	ctx := auth.With(b.Context(), auth.Identity{UserID: landlord(1)})
	require.NoError(b, one.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) error {
		unarchived := false
		units, _, err := query.New().UnitsPageWithCount(ctx, tx, query.UnitsPageParams{Archived: &unarchived, Sort: "name", RowLimit: pageSize})
		require.Len(b, units, pageSize)
		return err
	}))
	return seen.statements
}

// recorder implements pgx.QueryTracer and pgx.BatchTracer.
type recorder struct{ statements []statement }

func (*recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.statements = append(r.statements, statement{data.SQL, data.Args})
}
func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	comment   = regexp.MustCompile(`(?m)^\s*--.*\n`)
)

// pgbench is the statement with parameters for pgbench to send, as ours are: a
// constant in the text would spare Postgres work. pgbench has neither NULL nor
// an empty string, so a tilde stands for them.
func (s statement) pgbench(prefix string, variables map[string]string) string {
	return parameter.ReplaceAllStringFunc(comment.ReplaceAllString(s.sql, ""), func(place string) string {
		number, _ := strconv.Atoi(place[1:]) // digits, by the pattern
		name, arg := prefix+place[1:], reflect.ValueOf(s.args[number-1])
		if arg.Kind() != reflect.Pointer {
			variables[name] = cmp.Or(fmt.Sprint(arg.Interface()), "~")
			if arg.Kind() == reflect.String {
				return "ltrim(:" + name + ", '~')"
			}
			return ":" + name
		}
		variables[name] = "~"
		if !arg.IsNil() {
			variables[name] = fmt.Sprint(arg.Elem().Interface())
		}
		kind := map[string]string{"*string": "text", "*bool": "boolean", "*uuid.UUID": "uuid"}[arg.Type().String()]
		return fmt.Sprintf("nullif(:%s, '~')::%s", name, kind)
	})
}

// benchSeconds is -benchtime in whole seconds, or one where that is a count.
func benchSeconds() int {
	d, err := time.ParseDuration(flag.Lookup("test.benchtime").Value.String())
	if err != nil {
		return 1
	}
	return max(1, int(d.Seconds()))
}

var (
	perSecond = regexp.MustCompile(`tps = ([0-9.]+) \(without`)
	failures  = regexp.MustCompile(`number of failed transactions: (\d+)`)
)

// pgbench runs transactions and returns how many went through in a second.
func (d books) pgbench(b *testing.B, program, script string, variables map[string]string, clients int) float64 {
	b.Helper()
	u, err := url.Parse(d.URL("rowhouse_api"))
	require.NoError(b, err)
	password, _ := u.User.Password()
	args := []string{
		"--no-vacuum", "--protocol=prepared", "--file=" + script, "--client=" + strconv.Itoa(clients), "--jobs=" + strconv.Itoa(min(clients, 2)),
		"--time=" + strconv.Itoa(benchSeconds()),
		"--host=" + u.Hostname(), "--port=" + u.Port(), "--username=" + u.User.Username(),
	}
	for name, value := range variables {
		args = append(args, "--define="+name+"="+value)
	}
	command := exec.CommandContext(b.Context(), program, append(args, strings.TrimPrefix(u.Path, "/"))...)
	command.Env = append(os.Environ(), "PGPASSWORD="+password)
	output, err := command.CombinedOutput()
	require.NoError(b, err, "%s", output)
	failed := failures.FindSubmatch(output)
	require.True(b, failed == nil || string(failed[1]) == "0", "%s", output)
	tps := perSecond.FindSubmatch(output)
	require.NotNil(b, tps, "%s", output)
	rate, err := strconv.ParseFloat(string(tps[1]), 64)
	require.NoError(b, err)
	return rate
}
