package main

import (
	"context"
	"errors"
	"os"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type policyDriftCmd struct {
	Format string `help:"How to write what differs: ${enum}." enum:"text,json" default:"text"`
}

func (policyDriftCmd) Help() string {
	return `Compares as policy plan does, for cron and CI. What differs is what policy apply would change, and tables and constraints
that are not those of this build.

Exit status 0: nothing differs. 1: something does, and is written. 3: the database could not be looked at.`
}

func (c policyDriftCmd) Run(ctx context.Context, cfg config.Config) error {
	err := app.Drift(ctx, cfg, c.Format, os.Stdout)
	if err != nil && !errors.Is(err, app.ErrDrift) {
		return notLooked{err}
	}
	return err
}

// notLooked is why nobody knows whether a database differs.
type notLooked struct{ error }

func (notLooked) ExitCode() int   { return 3 }
func (e notLooked) Unwrap() error { return e.error }

// notBegun is err, which kept command from running at all.
func notBegun(command string, err error) error {
	if command == "policy drift" {
		return notLooked{err}
	}
	return err
}
