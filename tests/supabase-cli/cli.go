// Package supabasecli runs the command-line program of Supabase, as installed from
// the lock file beside it, on a project folder of the test's.
package supabasecli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Command prepares a run on the project in dir, which has a folder supabase. It
// skips the test where the program is not installed, and fails it in CI.
func Command(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	program := filepath.Join(filepath.Dir(here), "node_modules/@supabase/cli-linux-x64/bin/supabase")
	if _, err := os.Stat(program); err != nil {
		Missing(t, "the Supabase CLI is not installed: run npm ci --prefix tests/supabase-cli, on Linux x64")
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "--workdir", dir, "--agent", "no", "--yes")...)
	cmd.Dir = dir
	// without these it would report who runs it, ask for newer versions and look for a keyring
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"SUPABASE_TELEMETRY_DISABLED=1", "DO_NOT_TRACK=1", "SUPABASE_NO_UPDATE_NOTIFIER=1", "SUPABASE_NO_KEYRING=1",
	}
	return cmd
}

// Missing skips the test where this machine lacks what it needs, and fails it in CI.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("ROWHOUSE_TEST_CONTAINERS") == "required" {
		t.Fatal(what)
	}
	t.Skip(what)
}
