package main

import (
	"context"
	"os"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type policyMatrixCmd struct {
	URL    string `help:"Database to read, instead of MIGRATE_DATABASE_URL." placeholder:"URL"`
	Format string `help:"How to write it: ${enum}." enum:"markdown,html" default:"markdown"`
}

func (policyMatrixCmd) Help() string {
	return `Reads the catalog, in one read-only transaction, and writes for each table and role which commands it may give, on which
columns and rows, within which boundary, and whether a grant or a function is the reason; then functions, schemas and roles.
Any login can read it. What a freshly migrated database answers is kept in policies/MATRIX.md:

  rowhouse policy matrix | diff policies/MATRIX.md -      what this database allows otherwise (on PostgreSQL 15)
  rowhouse policy matrix --format html > matrix.html      one page that needs no other file`
}

func (c policyMatrixCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.WriteMatrix(ctx, cfg, c.URL, c.Format, os.Stdout)
}
