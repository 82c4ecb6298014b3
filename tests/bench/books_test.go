// Package bench measures requests through the whole stack, and beside them the
// same transactions sent by pgbench to the same server: what Postgres alone
// would do. Nothing here passes or fails by its time.
//
// Onboarding, Import, Invites and Memory are about what comes in bulk; Onboarding and
// Memory run the binary itself.
//
// Compare runs with benchstat. The sub-benchmarks' names say how many landlords
// share the database and how many clients ask at a time; roundtrips/op is
// counted on the wire between the server and Postgres.
package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/telemetry"
)

const (
	unitsEach = 100
	pageSize  = 50
	creators  = 32 // landlords beyond the others, whose units the benchmarks of creating make and remove
	callers   = 1000
)

func TestMain(m *testing.M) {
	// Logging is part of a request's work; reading it is not.
	handler, err := telemetry.NewHandler(io.Discard, "info", "text")
	if err != nil {
		panic(err) // the arguments are constants
	}
	slog.SetDefault(slog.New(handler))
	os.Exit(dbtest.Main(m))
}

// books are a database with some landlords of 100 units each.
type books struct {
	*dbtest.Database
	landlords int
}

// loaded are the books of this process: loading a million rows for each round
// of each benchmark would take longer than the rounds.
var loaded struct {
	sync.Mutex
	byLandlords map[int]books
}

// kept is a testing.TB whose cleanups never run: what is made for it lasts as
// long as the process, and ends with its server.
type kept struct{ testing.TB }

func (kept) Cleanup(func())           {}
func (kept) Context() context.Context { return context.Background() }

// open returns the books with that many landlords.
func open(b *testing.B, landlords int) books {
	b.Helper()
	loaded.Lock()
	defer loaded.Unlock()
	if found, ok := loaded.byLandlords[landlords]; ok {
		return found
	}
	made := books{dbtest.New(kept{b}), landlords}
	made.fill(b)
	if loaded.byLandlords == nil {
		loaded.byLandlords = map[int]books{}
	}
	loaded.byLandlords[landlords] = made
	return made
}

// fill inserts unit by unit over all landlords, so that the rows of one lie
// scattered over the table as they do after years.
func (d books) fill(b *testing.B) {
	b.Helper()
	conn, err := d.Admin.Acquire(b.Context())
	require.NoError(b, err)
	defer conn.Release()
	for _, sql := range []string{
		"set session_replication_role = replica", // no foreign key to check a million times
		"set maintenance_work_mem = '256MB'",
		// the indexes in one go at the end: a third of the time
		"update pg_index set indisready = false, indisvalid = false where indrelid = 'app.units'::regclass",
		fmt.Sprintf(`insert into app.users (id, email, onboarding_step)
			select %s, 'landlord-' || n || '@example.com', 6 from generate_series(1, %d) n`, idSQL, d.landlords+creators),
		fmt.Sprintf(`insert into app.units (owner_user_id, name, kind, status, address1, city, postal_code, country,
				bedrooms, area_m2, created_by)
			select %[1]s, 'Flat ' || k, 'apartment', case when k %% 4 = 0 then 'VACANT' else 'OCCUPIED' end,
				k || ' Canal Street', 'Utrecht', '3511 AB', 'NL', (1 + k %% 3)::smallint, 40 + k %% 50, %[1]s
			from generate_series(1, %[2]d) k cross join generate_series(1, %[3]d) n`, idSQL, unitsEach, d.landlords),
		"update pg_index set indisready = true, indisvalid = true where indrelid = 'app.units'::regclass",
		"reindex table app.units",
		"reset session_replication_role",
		"vacuum analyze app.users",
		"vacuum analyze app.units",
		"checkpoint",
	} {
		_, err := conn.Exec(b.Context(), sql)
		require.NoError(b, err, sql)
	}
}

// idSQL is landlord for the number n.
const idSQL = `('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid`

// landlord is the id of the nth landlord, from 1.
func landlord(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// spread picks up to a thousand landlords from all over the books.
func (d books) spread() []int {
	count := min(d.landlords, callers)
	numbers := make([]int, count)
	for i := range numbers {
		numbers[i] = 1 + i*(d.landlords/count)
	}
	return numbers
}
