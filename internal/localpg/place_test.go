package localpg

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirOutOfReach(t *testing.T) {
	t.Parallel()
	needRoot(t)
	// t.TempDir is closed to all but root, like a clone under /root.
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	options := Options{Dir: filepath.Join(closed, "postgres"), Throwaway: true}

	failing := options
	failing.BinDir = closed
	_, err := Start(t.Context(), failing)
	require.ErrorContains(t, err, "no Postgres server")
	left, err := filepath.Glob(filepath.Join(options.Dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)

	server := start(t, options)
	home, err := os.Readlink(filepath.Join(options.Dir, "server"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(home)) })
	require.True(t, strings.HasPrefix(home, "/var/lib/rowhouse/"), home)
	require.Equal(t, filepath.Join(home, "data"), server.DataDir())
	query(t, server, "create table kept as select 'yes' as answer; select 'done'")
	require.NoError(t, server.Stop())

	server = start(t, options)
	require.Equal(t, "yes", query(t, server, "select answer from kept"))
	require.NoError(t, server.Stop())

	// Whoever deletes the directory wants the data gone.
	require.NoError(t, os.RemoveAll(options.Dir))
	server = start(t, options)
	require.Equal(t, "0", query(t, server, "select count(*) from pg_class where relname = 'kept'"))

	require.NoError(t, server.Remove())
	require.NoDirExists(t, home)
	require.NoDirExists(t, options.Dir)
}

func TestBinariesOutOfReach(t *testing.T) {
	t.Parallel()
	needRoot(t)
	installed := installed(t.Context())
	require.NotEmpty(t, installed)

	// Links are as unreachable as copies, and Debian's server finds its files
	// from neither; what counts is where the programs are taken from.
	closed := t.TempDir()
	require.NoError(t, os.Chmod(closed, 0o700))
	bin := filepath.Join(closed, "pgsql", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o700))
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		script := "#!/bin/sh\nexec " + filepath.Join(installed[0].dir, program) + ` "$@"` + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(script), 0o700))
	}

	dir := openDir(t)
	server := start(t, Options{Dir: dir, BinDir: filepath.Dir(bin), Throwaway: true})
	require.True(t, strings.HasPrefix(server.BinDir(), dir), server.BinDir())
	require.Equal(t, "1", query(t, server, "select '1'"))
}

func TestUnprivilegedStarter(t *testing.T) {
	t.Parallel()
	needRoot(t)
	nobody, err := user.Lookup("nobody") // root's first choice is another one
	require.NoError(t, err)
	uid := must(strconv.Atoi(nobody.Uid))
	gid := must(strconv.Atoi(nobody.Gid))

	dir := openDir(t)
	require.NoError(t, os.Chown(dir, uid, gid))
	serving := serve(t, dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)})
	require.NoError(t, serving.Process.Kill())
	_ = serving.Wait()

	// Root goes on with it, as the same user.
	server := start(t, Options{Dir: dir, Throwaway: true})
	require.Equal(t, "1", query(t, server, "select '1'"))
	owner, err := os.Stat(server.DataDir())
	require.NoError(t, err)
	require.EqualValues(t, uid, owner.Sys().(*syscall.Stat_t).Uid)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root starts a server as somebody else")
	}
}
