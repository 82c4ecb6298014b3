package bench

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/seal"
	"rowhouse/sql/session"
)

// BenchmarkImport takes the largest file of tenants into empty books, and counts rows in
// a second. check is what the sending of a file waits for: it is stored, and run in a
// transaction that is rolled back. run is what the worker then does. copy is the least
// that Postgres takes to get such rows in: COPY into a temporary table, and one INSERT …
// SELECT from there as the landlord, under the same policies, triggers and keys. The
// three take turns, so that they see the same moments of the machine; run/copy is how
// much of the bare speed is left.
func BenchmarkImport(b *testing.B) {
	d := dbtest.New(kept{b})
	im, conn := imports.New(d.DB, dbtest.InviteKeys(b)), d.Connect(b, "postgres")
	ring := dbtest.Keyring(b, dbtest.KeysText)
	spent := map[string]time.Duration{}
	rounds := 0
	for b.Loop() {
		user := uuid.New()
		d.Exec(b, `insert into app.users (id, email, onboarding_step, onboarding_completed) values ($1::uuid, $1::text || '@example.com', 6, true)`, user)
		ctx := auth.With(b.Context(), auth.Identity{UserID: user})
		data := tenants(csvfile.MaxRows, "a", "second floor")

		began := time.Now()
		id := check(ctx, b, d, im, data)
		spent["check"] += time.Since(began)

		require.NoError(b, d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error { return im.Start(ctx, tx, id) }))
		began = time.Now()
		require.NoError(b, im.Run(ctx, id))
		spent["run"] += time.Since(began)

		other := uuid.New()
		d.Exec(b, `insert into app.users (id, email, onboarding_step, onboarding_completed) values ($1::uuid, $1::text || '@example.com', 6, true)`, other)
		began = time.Now()
		bare(b, conn, ring, other, data)
		spent["copy"] += time.Since(began)

		for _, who := range []uuid.UUID{user, other} {
			var made int
			require.NoError(b, d.Admin.QueryRow(b.Context(), `select count(*) from app.tenants where owner_user_id = $1`, who).Scan(&made))
			require.Equal(b, csvfile.MaxRows, made)
		}
		rounds++
	}
	rate := func(how string) float64 { return float64(rounds*csvfile.MaxRows) / spent[how].Seconds() }
	for how := range spent {
		b.ReportMetric(rate(how), how+"-rows/s")
	}
	b.ReportMetric(rate("run")/rate("copy"), "run/copy")
}

// check stores a file and says what would come of it.
func check(ctx context.Context, b *testing.B, d *dbtest.Database, im *imports.Importer, data []byte) (id uuid.UUID) {
	b.Helper()
	file, err := csvfile.Parse(data)
	require.NoError(b, err)
	sum := sha256.Sum256(data)
	require.NoError(b, d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		batch, err := im.Store(ctx, tx, imports.Upload{
			Kind: imports.Tenants, FileName: "tenants.csv", SHA256: sum[:], File: file,
			Options: imports.Options{OnExisting: imports.Update, UnknownUnits: "error"},
		})
		id = batch.ID
		return err
	}))
	require.NoError(b, im.Check(ctx, id))
	return id
}

// bare takes the file in without us. The session is a superuser's, who alone may make a
// temporary table; the rows go in as the landlord.
func bare(b *testing.B, conn *pgx.Conn, ring seal.Keyring, user uuid.UUID, data []byte) {
	b.Helper()
	require.NoError(b, pgx.BeginFunc(b.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(b.Context(), `create temporary table sent (first_name text, last_name text, email text, notes text) on commit drop;
			grant select, insert on sent to rowhouse_landlord`); err != nil {
			return err
		}
		const persona = "rowhouse_landlord"
		sealed := ring.Sign(persona, user, time.Now().Add(time.Minute), conn.PgConn().PID())
		if _, err := tx.Exec(b.Context(), session.Settings, persona, user.String(), sealed, "bench", "", "", "", "auto", "aal1"); err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().CopyFrom(b.Context(), strings.NewReader(string(data)),
			"copy pg_temp.sent from stdin with (format csv, header)"); err != nil {
			return err
		}
		_, err := tx.Exec(b.Context(), `insert into app.tenants (first_name, last_name, email, notes)
			select first_name, last_name, email, notes from pg_temp.sent on conflict (owner_user_id, lower(email)) where email is not null do nothing`)
		return err
	}))
}
