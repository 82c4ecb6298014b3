// Package e2e runs the binary as an operator would: real processes, real ports, a
// real Postgres that is stopped under load.
//
// Nothing here reaches into the program; what it must do is seen in its answers,
// its output, its exit code and in the database.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// buildDir holds the binary. Root's Postgres runs as another user and has to pass.
var buildDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "rowhouse-e2e-") })

// build makes the binary once per test process.
var build = sync.OnceValues(func() (string, error) {
	dir, err := buildDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rowhouse")
	out, err := exec.Command("go", "build", "-o", path, "rowhouse/cmd/rowhouse").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := buildDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return dbtest.Main(m)
}

func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	require.NoError(t, err)
	return path
}

// tool finds a program that the tests need besides the binary. A newcomer's
// machine may lack it; CI may not.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("there is no %s here", name)
	}
	require.NoError(t, err)
	return path
}
