package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// The supported majors, with the version of each that can be downloaded.
var downloads = map[int]embeddedpostgres.PostgresVersion{
	15: embeddedpostgres.V15,
	16: embeddedpostgres.V16,
	17: embeddedpostgres.V17,
	18: embeddedpostgres.V18,
}

const newestDownload = 18

// binaries are the programs of one Postgres version.
type binaries struct {
	dir          string
	version      string // "15.20"
	major, minor int
}

// chooseBinaries finds the programs to run the data of this place with: those
// asked for, else the newest installed ones, else downloaded ones. Existing data
// narrows the choice to its own major version.
func chooseBinaries(ctx context.Context, o Options, p *place) (binaries, error) {
	wanted, err := dataVersion(p.data())
	if err != nil {
		return binaries{}, err
	}

	if o.BinDir != "" {
		found, err := inspect(ctx, o.BinDir)
		if err != nil {
			return binaries{}, err
		}
		if wanted != 0 && wanted != found.major {
			return binaries{}, fmt.Errorf("the data in %s is of Postgres %d and %s has Postgres %s: "+
				"use the binaries of %d, or delete %s to begin with empty data", p.data(), wanted, found.dir, found.version, wanted, p.dir)
		}
		return p.reachable(ctx, found)
	}

	for _, found := range installed(ctx) {
		if wanted == 0 || wanted == found.major {
			return p.reachable(ctx, found)
		}
	}

	if wanted == 0 {
		wanted = newestDownload
	}
	version, ok := downloads[wanted]
	if !ok {
		return binaries{}, fmt.Errorf("the data in %s is of Postgres %d, which is not supported: "+
			"delete %s to begin with empty data", p.data(), wanted, p.dir)
	}
	downloaded, err := download(ctx, o, version)
	if err != nil {
		return binaries{}, err
	}
	return p.reachable(ctx, downloaded)
}

// dataVersion returns the major version of a data directory, 0 if there is none.
func dataVersion(data string) (int, error) {
	content, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		// The library would delete it and make a new one.
		if _, err := os.Lstat(data); err == nil {
			return 0, fmt.Errorf("%s is not a Postgres data directory; move it away or delete it", data)
		}
		return 0, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return 0, fmt.Errorf("the data belongs to another user, start as that user or as root: %w", err)
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("version of %s: %w", data, err)
	}
	return major, nil
}

// installed lists the servers on this machine that we support, newest first.
func installed(ctx context.Context) []binaries {
	var candidates []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",          // Debian
		"/usr/pgsql-*/bin",                   // Red Hat
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // the patterns are well-formed
		candidates = append(candidates, matches...)
	}
	if output, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(output)))
	}

	var found []binaries
	for _, dir := range candidates {
		b, err := inspect(ctx, dir)
		if err != nil { // client programs alone, for example
			continue
		}
		if _, ok := downloads[b.major]; ok {
			found = append(found, b)
		}
	}
	slices.SortStableFunc(found, func(a, b binaries) int {
		if a.major != b.major {
			return b.major - a.major
		}
		return b.minor - a.minor
	})
	return found
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`)

// inspect looks at a directory with the programs, or the one above it.
func inspect(ctx context.Context, dir string) (binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err == nil {
		dir = filepath.Join(dir, "bin")
	}
	for _, program := range []string{"initdb", "pg_ctl"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return binaries{}, fmt.Errorf("no Postgres server: %w", err)
		}
	}
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("no Postgres server: %w", err)
	}
	match := versionPattern.FindStringSubmatch(string(output))
	if match == nil {
		return binaries{}, fmt.Errorf("%s/postgres has an unknown version: %q", dir, output)
	}

	found := binaries{dir: dir, version: strings.TrimSuffix(match[1]+"."+match[2], ".")}
	found.major, _ = strconv.Atoi(match[1]) // digits, by the pattern
	found.minor, _ = strconv.Atoi(match[2])
	return found, nil
}

// reachable copies binaries that the server's account cannot run, as in a clone
// under /root, into the home. They find their libraries by their own location,
// so the directory above comes along.
func (p *place) reachable(ctx context.Context, b binaries) (binaries, error) {
	if p.account == nil || p.account.run(ctx, filepath.Join(b.dir, "postgres"), "--version") == nil {
		return b, nil
	}

	copied := p.path("pgsql-" + b.version + "-copy")
	if err := os.RemoveAll(copied); err != nil {
		return binaries{}, err
	}
	command := exec.CommandContext(ctx, "/bin/sh", "-c", `cp -R "$0" "$1" && chmod -R a+rX "$1"`, filepath.Dir(b.dir), copied)
	if output, err := command.CombinedOutput(); err != nil {
		return binaries{}, fmt.Errorf("copy %s to where user %d can run it: %w: %s", b.dir, p.account.uid, err, output)
	}
	b.dir = filepath.Join(copied, "bin")
	return b, nil
}

// download has the library fetch a version, once per user of this machine. The
// library does that only on the way to a start, so a start is asked for that
// must fail right after: initdb refuses the locale (and refuses root anyway).
func download(ctx context.Context, o Options, version embeddedpostgres.PostgresVersion) (binaries, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return binaries{}, fmt.Errorf("no place for downloaded binaries: %w", err)
	}
	final := filepath.Join(cache, "rowhouse", "pgsql-"+string(version))
	if found, err := inspect(ctx, final); err == nil {
		return found, nil
	}

	_, _ = fmt.Fprintf(o.Log, "no installed Postgres found; downloading %s for %s/%s\n", version, runtime.GOOS, runtime.GOARCH)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return binaries{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(final), "download-")
	if err != nil {
		return binaries{}, err
	}
	fetched := filepath.Join(work, "pgsql")
	config := embeddedpostgres.DefaultConfig().
		Version(version).
		BinariesPath(fetched).
		RuntimePath(filepath.Join(work, "run")).
		DataPath(filepath.Join(work, "data")).
		CachePath(filepath.Join(work, "cache")).
		Locale("none").
		Port(0).
		Logger(nil)
	if o.repository != "" {
		config = config.BinaryRepositoryURL(o.repository)
	}

	// The download cannot be interrupted. At the end of ctx it is left to itself,
	// with nothing to come after it.
	result := make(chan error, 1)
	clearUp := func() { _ = os.RemoveAll(work) }
	go func() {
		err := embeddedpostgres.NewDatabase(config).Start()
		if ctx.Err() != nil {
			clearUp()
		}
		result <- err
	}()
	select {
	case err = <-result:
	case <-ctx.Done():
		return binaries{}, ctx.Err()
	}
	defer clearUp()

	if _, statErr := os.Stat(filepath.Join(fetched, "bin", "pg_ctl")); statErr != nil {
		return binaries{}, fmt.Errorf("download Postgres %s: %w; or install a Postgres server (15 to 18) or name one in PG_BIN", version, err)
	}
	if err := os.Rename(fetched, final); err != nil && !errors.Is(err, fs.ErrExist) {
		return binaries{}, err
	}
	return inspect(ctx, final) // another process's, if that was faster
}
