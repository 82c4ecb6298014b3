package main

import (
	"context"
	"os"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type policyExplainCmd struct {
	Landlords int    `help:"Landlords who share the books, at least 2." default:"1000"`
	Rows      int    `help:"Rows that each has in most tables, at least 20." default:"200"`
	Table     string `help:"Only this table." placeholder:"TABLE"`
	Persona   string `help:"Only this persona: landlord, tenant, user …" placeholder:"PERSONA"`
	Format    string `help:"How to write the costs: ${enum}. In json with the whole plans." enum:"text,json" default:"text"`
}

func (policyExplainCmd) Help() string {
	return `Measures what the policies of this build cost. It starts a Postgres of its own in a temporary directory, migrates it, fills
books of the size asked for, and removes everything at the end. It never touches a live database: DATABASE_URL and
MIGRATE_DATABASE_URL are not read. The default size takes some 2 GB of disk and a few minutes.

Every role that may read a table asks for the first page in the order of its main index, for one row by its id, and for how
many rows there are, as a caller with a sealed identity, and the second of two runs is shown:

  INDEX     what is read; "all of" a table is a sequential scan
  LED       whether every scan begins with the owner or the person; NO reads the rows of other landlords; "all rows" is for
            roles from which no policy keeps rows
  REMOVED   rows that were read and then thrown away
  BUFFERS   pages of 8 KiB, with those that the policies' functions read`
}

func (c policyExplainCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.ExplainPolicies(ctx, cfg, app.ExplainOptions{
		Landlords: c.Landlords, Rows: c.Rows, Table: c.Table, Persona: c.Persona, Format: c.Format,
	}, os.Stdout, os.Stderr)
}
