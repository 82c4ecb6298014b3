package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rowhouse/internal/localpg"
)

// local is a server that runs as a process of this machine.
type local struct {
	options localpg.Options
	running *localpg.Server
}

func newLocal(ctx context.Context, binDir string) (*Server, error) {
	dir, err := os.MkdirTemp("", "rowhouse-test-")
	if err != nil {
		return nil, fmt.Errorf("dbtest: %w", err)
	}
	// The server of root runs as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("dbtest: %w", err)
	}

	l := &local{options: localpg.Options{
		Dir:       dir,
		BinDir:    binDir,
		Password:  rand.Text(),
		Settings:  settings,
		Throwaway: true,
	}}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("dbtest: %w", err), os.RemoveAll(dir))
	}
	l.options.Port = l.running.Port()
	return serve(fmt.Sprintf("local Postgres %s from %s", l.running.Version(), l.running.BinDir()), l)
}

func (l *local) url(database string) string { return l.running.URL(database) }

func (l *local) start(ctx context.Context) error {
	running, err := localpg.Start(ctx, l.options)
	if err != nil {
		return err
	}
	l.running = running
	return nil
}

func (l *local) stop(context.Context) error { return l.running.Stop() }

func (l *local) remove(context.Context) error { return l.running.Remove() }

func (l *local) afterlife() []string {
	data := l.running.DataDir()
	return []string{
		"/bin/sh", "-c",
		`pid=$(head -n 1 "$1/postmaster.pid") && kill -QUIT "$pid" && sleep 1; rm -rf "$2" "$3"`,
		"clear-up", data, filepath.Dir(data), l.options.Dir,
	}
}
