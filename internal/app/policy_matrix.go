package app

import (
	"context"
	"io"

	"rowhouse/internal/config"
	"rowhouse/internal/policy"
)

// WriteMatrix writes to w who may do what in the database at url, or at
// MIGRATE_DATABASE_URL if that is empty. Format is markdown or html.
func WriteMatrix(ctx context.Context, cfg config.Config, url, format string, w io.Writer) error {
	if url == "" {
		if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
			return err
		}
		url = cfg.MigrateDatabaseURL
	}
	matrix, err := policy.ReadMatrix(ctx, url)
	if err != nil {
		return err
	}
	if format == "html" {
		return matrix.WriteHTML(w)
	}
	return matrix.WriteMarkdown(w)
}
