package app

import (
	"context"
	"io"

	"rowhouse/internal/config"
	"rowhouse/internal/policy"
)

// ExplainOptions says what ExplainPolicies measures and how it writes it.
type ExplainOptions struct {
	Landlords, Rows int    // the size of the books
	Table, Persona  string // only these, unless empty
	Format          string // text or json
}

// ExplainPolicies measures what the policies of this build cost, on books made
// for it, and writes that to w. It tells what takes long to progress.
func ExplainPolicies(ctx context.Context, cfg config.Config, o ExplainOptions, w, progress io.Writer) error {
	costs, err := policy.Explain(ctx, policy.ExplainOptions{
		Size: policy.Size{Landlords: o.Landlords, Rows: o.Rows}, Table: o.Table, Persona: o.Persona,
		BinDir: cfg.PGBin, Progress: progress,
	})
	if err != nil {
		return err
	}
	if o.Format == "json" {
		return costs.WriteJSON(w)
	}
	return costs.WriteText(w)
}
