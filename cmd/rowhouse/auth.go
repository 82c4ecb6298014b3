package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
)

type authReconcileCmd struct {
	DryRun bool `help:"Only count what would be mended."`
}

var errNotReconciled = errors.New("some profiles could not be reconciled; the log says why")

func (c authReconcileCmd) Run(ctx context.Context, cfg config.Config) error {
	n, err := app.Reconcile(ctx, cfg, c.DryRun)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "read\talike\tmade\tmended\tgone\tpassed\tfailed\t")
	fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", n.Read, n.Alike, n.Made, n.Mended, n.Gone, n.Passed, n.Failed)
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	if c.DryRun {
		fmt.Println("A dry run: nothing was changed.")
	}
	if n.Failed > 0 {
		return errNotReconciled
	}
	return nil
}
