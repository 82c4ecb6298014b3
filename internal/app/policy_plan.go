package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"rowhouse/internal/config"
	"rowhouse/internal/policy"
)

// ErrDrift says that a database's rules are not this build's.
var ErrDrift = errors.New("the database differs from this build's files")

// PlanOptions says how PlanPolicies writes a plan.
type PlanOptions struct {
	Format string // text or json
	Out    string // a file for ApplyPolicies, or none
}

// PlanPolicies writes to w what ApplyPolicies would change.
func PlanPolicies(ctx context.Context, cfg config.Config, o PlanOptions, w io.Writer) error {
	plan, err := makePlan(ctx, cfg)
	if err != nil {
		return err
	}
	if o.Out != "" {
		if err := savePlan(plan, o.Out); err != nil {
			return err
		}
	}
	return writePlan(plan, o.Format, w)
}

// Drift writes to w how the database differs from this build. That it does is
// ErrDrift; any other error means that nobody knows.
func Drift(ctx context.Context, cfg config.Config, format string, w io.Writer) error {
	plan, err := makePlan(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writePlan(plan, format, w); err != nil {
		return err
	}
	if !plan.Clean() {
		return ErrDrift
	}
	return nil
}

// ApplyOptions says what ApplyPolicies may do.
type ApplyOptions struct {
	Plan          string // a file of PlanPolicies: do this or nothing
	AllowWidening bool   // give somebody more than they have
}

// ApplyPolicies makes the database's roles, policies, grants and functions those
// of this build, and writes to w what that changes, done or refused.
func ApplyPolicies(ctx context.Context, cfg config.Config, o ApplyOptions, w io.Writer) error {
	if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
		return err
	}
	options := policy.ApplyOptions{AllowWidening: o.AllowWidening}
	if o.Plan != "" {
		agreed, err := loadPlan(o.Plan)
		if err != nil {
			return err
		}
		options.Agreed = &agreed
	}
	plan, err := policy.Apply(ctx, cfg.MigrateDatabaseURL, options)
	if plan.Hash == "" { // there is none to show
		return err
	}
	if writing := plan.WriteText(w); writing != nil {
		return errors.Join(err, fmt.Errorf("write the plan: %w", writing))
	}
	if errors.Is(err, policy.ErrWidens) {
		return fmt.Errorf("%w: read what stands first above, then use --allow-widening", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "-- Done: %d changes.\n", len(plan.Changes))
	return err
}

func makePlan(ctx context.Context, cfg config.Config) (policy.Plan, error) {
	if err := cfg.Require("MIGRATE_DATABASE_URL"); err != nil {
		return policy.Plan{}, err
	}
	return policy.Make(ctx, cfg.MigrateDatabaseURL)
}

func writePlan(plan policy.Plan, format string, w io.Writer) error {
	write := plan.WriteText
	if format == "json" {
		write = plan.WriteJSON
	}
	if err := write(w); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

func savePlan(plan policy.Plan, name string) (err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return plan.WriteJSON(file)
}

func loadPlan(name string) (policy.Plan, error) {
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return policy.Plan{}, fmt.Errorf("load the plan: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	return policy.ReadJSON(file)
}
