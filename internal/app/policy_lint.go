package app

import (
	"context"
	"fmt"
	"io"

	"rowhouse/internal/config"
	"rowhouse/internal/policy"
)

// LintOptions says what LintPolicies checks and how it writes what it finds.
type LintOptions struct {
	URL     string // instead of MIGRATE_DATABASE_URL
	Format  string // text, json or sarif
	All     bool   // in text, the exceptions too
	Version string // of the program, for sarif
}

// LintPolicies checks the policies of a database and writes what it finds to w. An
// error or a warning among them is an error.
func LintPolicies(ctx context.Context, cfg config.Config, o LintOptions, w io.Writer) error {
	if o.URL == "" {
		if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
			return err
		}
		o.URL = cfg.MigrateDatabaseURL
	}
	report, err := policy.Lint(ctx, o.URL)
	if err != nil {
		return err
	}
	switch o.Format {
	case "json":
		err = report.WriteJSON(w)
	case "sarif":
		err = report.WriteSARIF(w, o.Version)
	default:
		err = report.WriteText(w, o.All)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if report.Failed() {
		return fmt.Errorf("policy lint: errors: %d, warnings: %d", report.Count(policy.Error), report.Count(policy.Warning))
	}
	return nil
}
