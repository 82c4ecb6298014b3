package localauth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

const (
	superuserPassword = "superuser-of-the-tests"
	servicePassword   = "it's the service's \\ password"
)

// clusterDir is the socket directory of the server that TestMain starts.
var clusterDir string

func TestMain(m *testing.M) {
	// Neither the machine's zone nor the server's may show in an answer.
	time.Local = time.FixedZone("UTC+9", 9*60*60)
	stop, err := startPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start Postgres:", err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

// startPostgres runs a server on a socket in a fresh directory. Started by root,
// it runs as the user postgres, because Postgres refuses root.
func startPostgres() (stop func(), err error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "localauth-")
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	password := filepath.Join(dir, "password")
	err = errors.Join(os.WriteFile(password, []byte(superuserPassword), 0o644), os.Chmod(dir, 0o755))
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		account, err := osuser.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync",
		"-A", "scram-sha-256", "--pwfile", password)
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "max_connections=300", "-c", "timezone=Asia/Kolkata")
	server.SysProcAttr, server.Dir = attr, dir
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	clusterDir = dir
	for range 100 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), dsn("postgres", superuserPassword, "postgres")); err == nil {
			return stop, conn.Close(context.Background())
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, err
}

func postgresBin() (string, error) {
	if bin := os.Getenv("PG_BIN"); bin != "" {
		return bin, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return "", errors.New("no server binaries under /usr/lib/postgresql; set PG_BIN")
	}
	return slices.Max(found), nil
}

func dsn(role, password, database string) string {
	quote := func(s string) string {
		out := "'"
		for _, r := range s {
			if r == '\'' || r == '\\' {
				out += `\`
			}
			out += string(r)
		}
		return out + "'"
	}
	return fmt.Sprintf("host=%s user=%s password=%s dbname=%s", clusterDir, role, quote(password), database)
}

// newDatabase returns a superuser's connection to a new, empty database.
func newDatabase(t *testing.T) (*pgx.Conn, string) {
	t.Helper()
	ctx := t.Context()
	root, err := pgx.Connect(ctx, dsn("postgres", superuserPassword, "postgres"))
	require.NoError(t, err)
	name := "t" + strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err = root.Exec(ctx, "create database "+name)
	require.NoError(t, err)
	require.NoError(t, root.Close(ctx))
	admin, err := pgx.Connect(ctx, dsn("postgres", superuserPassword, name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	return admin, name
}

// newPool returns a pool of supabase_auth_admin on a new database after Setup,
// and a superuser's connection to look behind it.
func newPool(t *testing.T) (*pgxpool.Pool, *pgx.Conn) {
	t.Helper()
	admin, name := newDatabase(t)
	require.NoError(t, Setup(t.Context(), admin, servicePassword))
	pool, err := pgxpool.New(t.Context(), dsn("supabase_auth_admin", servicePassword, name))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool, admin
}
