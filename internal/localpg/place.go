package localpg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"rowhouse/internal/portcheck"
)

// pointer is the symlink in Options.Dir that leads to a home elsewhere.
const pointer = "server"

// place is where a server lives, held by a lock as long as we run.
type place struct {
	dir     string   // Options.Dir, absolute
	home    string   // dir, or where dir/server points; owned by whoever starts the server
	account *account // nil if the server runs as we do
	stale   bool     // home was left by a dir that somebody has deleted since
	lock    *os.File
}

// account is an unprivileged user that the server of root runs as.
type account struct{ uid, gid int }

// settle makes dir, decides whom the server runs as and where it lives, and locks that.
func settle(ctx context.Context, dir string) (*place, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}

	p := &place{dir: dir, home: dir}
	if os.Getuid() == 0 {
		if p.account, err = unprivileged(p.data()); err != nil {
			return nil, err
		}
		if err := p.chooseHome(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.acquire(); err != nil {
		return nil, err
	}
	if p.home != p.dir {
		if err := p.point(); err != nil {
			p.release()
			return nil, err
		}
	}
	return p, nil
}

func (p *place) path(name string) string { return filepath.Join(p.home, name) }
func (p *place) data() string            { return p.path("data") }
func (p *place) log() string             { return p.path("postgres.log") }

// unprivileged picks the user for a server that root starts: the owner of
// existing data, else postgres, else nobody.
func unprivileged(data string) (*account, error) {
	var owner syscall.Stat_t
	if err := syscall.Stat(data, &owner); err == nil && owner.Uid != 0 {
		return &account{uid: int(owner.Uid), gid: int(owner.Gid)}, nil
	}

	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &account{uid: uid, gid: gid}, nil
		}
	}
	return nil, errors.New("root cannot run Postgres itself, and there is neither a user postgres nor nobody")
}

// run runs a command as the account; its error is the account's.
func (a *account) run(ctx context.Context, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)},
	}
	return command.Run()
}

func (a *account) reaches(ctx context.Context, dir string) bool {
	return a.run(ctx, "/bin/sh", "-c", `cd "$0"`, dir) == nil
}

// chooseHome moves the server elsewhere if its account cannot reach dir, as in a
// clone under /root: a directory above it is closed to others, and opening that
// is not ours to do.
func (p *place) chooseHome(ctx context.Context) error {
	if target, err := os.Readlink(filepath.Join(p.dir, pointer)); err == nil {
		p.home = target
		if owner, err := unprivileged(p.data()); err == nil {
			p.account = owner
		}
		return makeHome(p.home)
	}
	if p.account.reaches(ctx, p.dir) {
		return nil
	}
	if _, err := os.Stat(p.data()); err == nil {
		return fmt.Errorf("user %d, who owns %s, cannot enter it: a directory above it is closed to others", p.account.uid, p.data())
	}

	name := fmt.Sprintf("%x", sha256.Sum256([]byte(p.dir)))[:16]
	for _, home := range []string{"/var/lib/rowhouse/" + name, "/var/tmp/rowhouse-" + name} {
		if makeHome(home) == nil && p.account.reaches(ctx, home) {
			p.home, p.stale = home, true
			return nil
		}
	}
	return fmt.Errorf("user %d, who is to run the server, can reach neither %s nor a directory under /var/lib or /var/tmp", p.account.uid, p.dir)
}

// makeHome makes a directory that others can enter, whatever our umask. In
// /var/tmp somebody else may have laid it out for us; then it is refused, as
// root runs scripts from there.
func makeHome(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, made := range []string{filepath.Dir(dir), dir} {
		info, err := os.Lstat(made)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() {
			return fmt.Errorf("%s is not a directory of ours", made)
		}
	}
	if filepath.Base(filepath.Dir(dir)) == "rowhouse" {
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

// acquire locks the home. The lock ends with this process, however it ends.
func (p *place) acquire() error {
	lock, err := os.OpenFile(p.path("lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = lock.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", lock.Name(), err)
		}
		holder := "another process"
		content, _ := os.ReadFile(lock.Name())
		if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil {
			holder = portcheck.Process(pid)
		}
		return fmt.Errorf("it is in use by %s", holder)
	}

	p.lock = lock
	if err := os.WriteFile(lock.Name(), fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		p.release()
		return err
	}
	return nil
}

func (p *place) release() {
	_ = p.lock.Close() // nothing was written through it
}

// point leaves a symlink in dir, so that people find the data and so that
// deleting dir means deleting the data.
func (p *place) point() error {
	err := os.Symlink(p.home, filepath.Join(p.dir, pointer))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// clear removes what must not survive an earlier run: an initdb that did not
// finish, and the data if dir was deleted since.
func (p *place) clear() error {
	if p.stale {
		if err := os.RemoveAll(p.data()); err != nil {
			return fmt.Errorf("remove the data of a deleted directory: %w", err)
		}
	}
	unfinished, err := filepath.Glob(p.path("initdb-*"))
	if err != nil {
		return err
	}
	for _, dir := range unfinished {
		_ = os.RemoveAll(dir) // its initdb may still be writing; the next start tries again
	}
	return nil
}

// forget deletes a home elsewhere if nothing came of it.
func (p *place) forget() {
	if !p.stale {
		return
	}
	if _, err := os.Lstat(p.data()); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(filepath.Join(p.dir, pointer))
		_ = os.RemoveAll(p.home)
	}
}

// remove deletes what the server has made.
func (p *place) remove() error {
	if p.home != p.dir {
		return errors.Join(os.RemoveAll(p.home), os.RemoveAll(p.dir))
	}
	return os.RemoveAll(p.dir)
}

// own hands a file or directory to the account that the server runs as.
func (p *place) own(path string) error {
	if p.account == nil {
		return nil
	}
	return os.Chown(path, p.account.uid, p.account.gid)
}

// logTail returns the end of the server's log, for error messages.
func (p *place) logTail() string {
	const most = 2000
	content, err := os.ReadFile(p.log())
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(content[max(0, len(content)-most):]))
}
