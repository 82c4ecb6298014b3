package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"rowhouse/internal/config"
	"rowhouse/internal/legacy"
)

// MigrateLegacy moves the books of the old system at the URL from into ours, and
// writes to the file called report a CSV line for each row that it did not copy. It
// tells its progress to progress. When nothing was copied because of an error, the
// report of an earlier run is still there.
func MigrateLegacy(ctx context.Context, cfg config.Config, from, report string, dryRun bool, progress io.Writer) ([]legacy.Count, error) {
	if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
		return nil, err
	}
	file, err := createReport(report)
	if err != nil {
		return nil, fmt.Errorf("open the report: %w", err)
	}
	counts, err := legacy.Migrate(ctx, legacy.Options{
		From: from, To: cfg.MigrateDatabaseURL, DryRun: dryRun, Report: file, Progress: progress, Logger: slog.Default(),
	})
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := errors.Join(file.Close(), os.Rename(file.Name(), report)); err != nil {
		return nil, fmt.Errorf("all is done, but the report stays in %s: %w", file.Name(), err)
	}
	return counts, nil
}

// createReport creates a file beside name, which takes its place when it is whole.
func createReport(name string) (*os.File, error) {
	switch info, err := os.Stat(name); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file that can be replaced", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
}
