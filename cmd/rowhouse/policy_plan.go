package main

import (
	"context"
	"os"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type policyPlanCmd struct {
	Format string `help:"How to write the plan: ${enum}." enum:"text,json" default:"text"`
	Out    string `help:"Also write the plan, as JSON, to this file for policy apply --plan." placeholder:"FILE.json"`
}

func (policyPlanCmd) Help() string {
	return `Compares the roles, grants, policies, functions, triggers and row security of the database at MIGRATE_DATABASE_URL with
those of this build, and writes what policy apply would change: as sentences, first of all those by which somebody may get
more than they have, and as SQL. Where a condition is replaced by another, nobody but you can tell whether it lets in more;
such a change stands among the first.

It reads the catalog and locks nothing that anybody could wait for. Any login will do.`
}

func (c policyPlanCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.PlanPolicies(ctx, cfg, app.PlanOptions{Format: c.Format, Out: c.Out}, os.Stdout)
}

type policyApplyCmd struct {
	Plan          string `help:"Refuse to do anything else than this plan, which policy plan --out has written." placeholder:"FILE.json"`
	AllowWidening bool   `help:"Allow changes by which somebody may get more than they have."`
}

func (policyApplyCmd) Help() string {
	return `Does what policy plan shows, in one transaction: all of it or nothing. Only tables whose rules differ are locked; if a
long transaction holds one for 1.5 seconds, it gives up. It looks again before it commits, and does not if anything would
still differ. What the login lacks the right for is written as SQL for a DBA, and nothing is changed.

It mends no table, column or constraint: that is for rowhouse migrate, which also applies all policies of this build.`
}

func (c policyApplyCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.ApplyPolicies(ctx, cfg, app.ApplyOptions{Plan: c.Plan, AllowWidening: c.AllowWidening}, os.Stdout)
}
