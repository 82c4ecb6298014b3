package app

import (
	"context"
	"log/slog"

	"rowhouse/internal/config"
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
