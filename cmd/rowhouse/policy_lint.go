package main

import (
	"context"
	"os"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type policyLintCmd struct {
	URL    string `help:"Database to check, instead of MIGRATE_DATABASE_URL." placeholder:"URL"`
	Format string `help:"How to write the findings: ${enum}." enum:"text,json,sarif" default:"text"`
	All    bool   `help:"In text, also list the findings that are declared exceptions, with their reasons."`
}

func (policyLintCmd) Help() string {
	return `Reads the catalog, in one read-only transaction, and compares it with the rules in policies/README.md: row security,
policies, keys and indexes, functions, grants, roles, views and what else shows rows, and how the files of policies/ are
written. Each finding has an id that stays, a severity, the object, why it matters, and the SQL that mends it.

Exit status 1 if there is an error or a warning. Exceptions stand in policies/lint/exceptions.sql, each with its reason;
one that is needed no longer is a finding too.`
}

func (c policyLintCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.LintPolicies(ctx, cfg, app.LintOptions{URL: c.URL, Format: c.Format, All: c.All, Version: version()}, os.Stdout)
}
