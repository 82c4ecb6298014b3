package localpg

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The scripts stand between the library and Postgres. Both enter the home, since
// the caller's directory may be closed to the server's account, and print a line
// that tells the library's log from others'.
const (
	// initdb works in a directory of its own, which the first pg_ctl start moves
	// into place: a killed initdb leaves nothing that looks like a data directory.
	// The library would have passwords sent in clear (-A password).
	initdbScript = `#!/bin/sh
set -e
cd %[1]s
echo %[2]s
%[3]s
exec %[4]s "$@" --auth=scram-sha-256 --pgdata=%[5]s %[6]s
`

	// Without -l the server would write to the library's log, a temporary file.
	// A second Ctrl-C must not kill a pg_ctl that is stopping the server.
	pgCtlScript = `#!/bin/sh
set -e
cd %[1]s
echo %[2]s
case "$1" in
start)
	if [ -n %[4]s ] && [ -d %[4]s ]; then mv %[4]s data; fi
	set -- "$@" -l %[5]s
	;;
stop)
	trap '' INT
	set -- "$@" -m fast -t 2
	;;
esac
exec %[3]s "$@"
`
)

// writeScripts puts initdb and pg_ctl where the library looks for them, and
// prepares the files that the server's account could not make itself: the home
// is closed to it for writing, because what root runs lies there.
func (p *place) writeScripts(binDir string, o Options) error {
	as, err := p.runAs()
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.log(), nil, 0o600); err != nil {
		return err
	}
	if err := p.own(p.log()); err != nil {
		return err
	}

	var fresh string
	if _, err := os.Lstat(p.data()); errors.Is(err, os.ErrNotExist) {
		if fresh, err = os.MkdirTemp(p.home, "initdb-"); err != nil {
			return err
		}
		if err := p.own(fresh); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(o.Log, "creating a database cluster in", p.home)
	}

	var handOver, options string
	if p.account != nil {
		// the library makes both, under our umask
		handOver = fmt.Sprintf("chmod 0755 run\nchown %d:%d run/pwfile", p.account.uid, p.account.gid)
	}
	if o.Throwaway {
		options = "--no-sync"
	}
	initdb := fmt.Sprintf(initdbScript, quote(p.home), quote(p.logLine()), handOver,
		as+quote(filepath.Join(binDir, "initdb")), quote(fresh), options)
	pgCtl := fmt.Sprintf(pgCtlScript, quote(p.home), quote(p.logLine()),
		as+quote(filepath.Join(binDir, "pg_ctl")), quote(fresh), quote(p.log()))

	if err := os.MkdirAll(p.path("bin"), 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(p.path("bin/initdb"), []byte(initdb), 0o755),
		os.WriteFile(p.path("bin/pg_ctl"), []byte(pgCtl), 0o755),
	)
}

// runAs is the beginning of a shell command that changes to the account.
func (p *place) runAs() (string, error) {
	if p.account == nil {
		return "", nil
	}
	if setpriv, err := exec.LookPath("setpriv"); err == nil {
		return fmt.Sprintf("%s --reuid %d --regid %d --clear-groups -- ", quote(setpriv), p.account.uid, p.account.gid), nil
	}
	if runuser, err := exec.LookPath("runuser"); err == nil {
		return fmt.Sprintf("%s -u \"$(id -nu %d)\" -- ", quote(runuser), p.account.uid), nil
	}
	return "", errors.New("root cannot run Postgres itself, and neither setpriv nor runuser is there to change the user")
}

func (p *place) logLine() string { return "data directory " + p.data() }

// removeLibraryLog deletes the temporary log that the library leaves behind at
// every start, and those of killed runs in the same home.
func (p *place) removeLibraryLog() {
	logs, err := filepath.Glob(filepath.Join(os.TempDir(), "embedded_postgres_log*"))
	if err != nil {
		return
	}
	for _, path := range logs {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		line, _ := bufio.NewReader(file).ReadString('\n')
		_ = file.Close()
		if strings.TrimSuffix(line, "\n") == p.logLine() {
			_ = os.Remove(path)
		}
	}
}

// quote makes a word for the shell.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
