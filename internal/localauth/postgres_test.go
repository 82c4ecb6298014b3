package localauth

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

const servicePassword = "it's the service's \\ password"

func TestMain(m *testing.M) {
	// Neither the machine's zone nor the server's may show in an answer.
	time.Local = time.FixedZone("UTC+9", 9*60*60)
	os.Exit(dbtest.Main(m))
}

// login is the address of d for one of its roles.
func login(t *testing.T, d *dbtest.Database, role, password string) string {
	t.Helper()
	u, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	u.User = url.UserPassword(role, password)
	return u.String()
}

// newDatabase returns a new, empty database and a superuser's connection to it.
func newDatabase(t *testing.T) (*pgx.Conn, *dbtest.Database) {
	t.Helper()
	d := dbtest.Empty(t)
	d.Exec(t, "alter database "+d.Name()+" set timezone = 'Asia/Kolkata'")
	return d.Connect(t, "postgres"), d
}

// newPool returns a pool of supabase_auth_admin on a new database after Setup,
// and a superuser's connection to look behind it.
func newPool(t *testing.T) (*pgxpool.Pool, *pgx.Conn) {
	t.Helper()
	admin, d := newDatabase(t)
	require.NoError(t, Setup(t.Context(), admin, servicePassword))
	pool, err := pgxpool.New(t.Context(), login(t, d, "supabase_auth_admin", servicePassword))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool, admin
}
