package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"rowhouse/internal/config"
	"rowhouse/internal/legacy"
	"rowhouse/internal/migrate"
	"rowhouse/internal/seed"
)

// Migrate brings the database to this build's roles, schema, policies and seal
// keys.
func Migrate(ctx context.Context, cfg config.Config) error {
	if err := cfg.Require("MIGRATE_DATABASE_URL", "SEAL_KEYS"); err != nil {
		return err
	}
	return migrate.Up(ctx, cfg.MigrateDatabaseURL, migrate.Options{
		Keys: cfg.SealKeys, Pooler: cfg.DatabasePooler, Passwords: cfg.Passwords(), Logger: slog.Default(),
	})
}

// Seed makes demo landlords and returns their addresses.
func Seed(ctx context.Context, cfg config.Config, size seed.Size) ([]string, error) {
	if err := cfg.Require("DATABASE_URL", "SEAL_KEYS", "SUPABASE_URL", "SUPABASE_ANON_KEY"); err != nil {
		return nil, err
	}
	d, err := openDB(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return seed.Run(ctx, d, cfg.SupabaseURL, cfg.SupabaseAnonKey, size)
}

// MigrateLegacy moves the books of the old system at the URL from into ours, and
// writes to the file called report a CSV line for each row that it did not copy. It
// tells its progress to progress.
func MigrateLegacy(ctx context.Context, cfg config.Config, from, report string, dryRun bool, progress io.Writer) (counts []legacy.Count, err error) {
	if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(report, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("open the report: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return legacy.Migrate(ctx, legacy.Options{
		From: from, To: cfg.MigrateDatabaseURL, DryRun: dryRun, Report: file, Progress: progress, Logger: slog.Default(),
	})
}
