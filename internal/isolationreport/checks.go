package isolationreport

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"rowhouse/internal/guard"
	"rowhouse/internal/policy"
)

var errNoDatabase = errors.New("no database is configured")

// ruleGroup is a kind of lint's rules, by the digit after RH.
type ruleGroup struct {
	digit         byte
	name, meaning string
}

var ruleGroups = []ruleGroup{
	{'0', "tables", "Every table of landlords' data says whose each row is, has row security that binds even its owner, a policy and a boundary, and refers to others only within one landlord's rows."},
	{'1', "policies", "Every policy is for a named kind of caller, compares with the proven identity, and uses nothing that could tell of another's rows."},
	{'2', "functions", "Functions that use another role's rights are few, declared, and cannot be led astray."},
	{'3', "grants", "Nobody has a right that is not declared, and nobody can change whose a row is."},
	{'4', "objects", "Nothing leads around the policies: no view, copy, publication or extension, and the database server has no known hole in row security."},
	{'9', "roles", "The database's roles cannot bypass row security, can become only what they must, and have none of the shared means that reach across landlords."},
}

// runChecks looks at the live database, and at its catalog alone.
func runChecks(ctx context.Context, url string) []Check {
	checks := []Check{
		checkServing(ctx, url),
		checkDrift(ctx, url),
	}
	return append(checks, checkLint(ctx, url)...)
}

func checkServing(ctx context.Context, url string) Check {
	c := Check{
		Name:    "serving",
		Meaning: "The login that serves requests is bound by the policies and owns nothing, row security is on and forced for every table, and keys that leak from the identity provider open nothing.",
	}
	err := errNoDatabase
	if url != "" {
		_, err = guard.Check(ctx, url)
	}
	refusal, refused := errors.AsType[*guard.Refusal](err)
	if refused {
		slog.ErrorContext(ctx, "isolation report: the start-up guard refuses this database", "error", err)
		return c.found(CheckFailed, len(refusal.Reasons))
	}
	return c.unless(ctx, err)
}

func checkDrift(ctx context.Context, url string) Check {
	c := Check{
		Name:    "as_written",
		Meaning: "Policies, grants, functions and keys in the database are to the letter those that this build was tested with.",
	}
	var plan policy.Plan
	err := errNoDatabase
	if url != "" {
		plan, err = policy.Make(ctx, url)
	}
	if err == nil && !plan.Clean() {
		differences := slices.Concat(plan.Changes, plan.Unmended)
		slog.ErrorContext(ctx, "isolation report: the database is not as this build says; see rowhouse policy plan", "differences", differences)
		return c.found(CheckFailed, len(differences))
	}
	return c.unless(ctx, err)
}

func checkLint(ctx context.Context, url string) []Check {
	var found policy.Report
	err := errNoDatabase
	if url != "" {
		found, err = policy.Lint(ctx, url)
	}
	checks := make([]Check, len(ruleGroups))
	for i, g := range ruleGroups {
		checks[i] = Check{Name: g.name, Meaning: g.meaning}.unless(ctx, err)
	}
	for _, f := range found.Findings {
		if f.Severity == policy.Info {
			continue
		}
		slog.ErrorContext(ctx, "isolation report: lint", "rule", f.ID, "object", f.Object, "why", f.Why)
		// one of a group that is not known here must not go unseen
		i := max(0, slices.IndexFunc(ruleGroups, func(g ruleGroup) bool { return len(f.ID) > 2 && g.digit == f.ID[2] }))
		status := CheckFailed
		if f.Severity == policy.Warning && checks[i].Status != CheckFailed {
			status = CheckWarning
		}
		checks[i] = checks[i].found(status, checks[i].Findings+1, f.ID)
	}
	return checks
}

func (c Check) found(status CheckStatus, findings int, rules ...string) Check {
	c.Status, c.Findings = status, findings
	for _, rule := range rules {
		if !slices.Contains(c.Rules, rule) {
			c.Rules = append(c.Rules, rule)
		}
	}
	if c.Rules == nil {
		c.Rules = []string{}
	}
	return c
}

// unless is c passed, or not run because of err.
func (c Check) unless(ctx context.Context, err error) Check {
	if err != nil {
		slog.WarnContext(ctx, "isolation report: a check could not be run", "check", c.Name, "error", err)
		return c.found(CheckNotRun, 0)
	}
	return c.found(CheckPassed, 0)
}
