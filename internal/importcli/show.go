package importcli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
)

// shownErrors is how many rows that are not taken are shown; all are in the file.
const shownErrors = 10

// showTiles shows how many rows come to what.
func (r *run) showTiles(b batch) {
	heading := fmt.Sprintf("%s: %d rows", plain(r.File), b.Rows.Total)
	if b.State != "CHECKED" {
		heading += ", " + plain(b.State)
	}
	table := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(r.Out, heading)
	_, _ = fmt.Fprintln(table, "create\tupdate\tunchanged\tskip\terror\twarning\t")
	_, _ = fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t\n", b.Rows.Create, b.Rows.Update, b.Rows.Unchanged, b.Rows.Skip, b.Rows.Error, b.Rows.Warning)
	_ = table.Flush()
	if r.SendInvites {
		r.say("%d invites", b.Invited)
	}
}

// showErrors shows the first rows that would not be taken.
func (r *run) showErrors(ctx context.Context, b batch) error {
	if b.Rows.Error == 0 {
		return nil
	}
	rows, err := r.client.errors(ctx, b.ID, shownErrors)
	if err != nil {
		return fmt.Errorf("ask what is wrong with the rows: %w", err)
	}
	table := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "LINE\tFIELD\tCODE\tWHAT IS WRONG")
	for _, row := range rows {
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", row.Line, plain(row.Field), plain(row.Code), plain(row.Message))
	}
	if more := b.Rows.Error - len(rows); more > 0 {
		_, _ = fmt.Fprintf(table, "…\tand %d more\t\t\n", more)
	}
	return table.Flush()
}

// showColumns shows what the server makes of the columns.
func (r *run) showColumns(b batch) {
	table := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "COLUMN\tIS TAKEN FOR\tMAY BE")
	for _, c := range b.Columns {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", plain(c.Heading), plain(c.Field), plain(c.Suggested))
	}
	_ = table.Flush()
	for _, field := range b.Missing {
		r.say("There is no column %s.", plain(field))
	}
}

// bar shows how far an import is: as a bar in a terminal, and elsewhere as a line now
// and then.
type bar struct {
	run      *run
	total    int
	terminal *progressbar.ProgressBar
	said     time.Time
}

// sayEvery is how often a line says how far it is.
const sayEvery = 5 * time.Second

func (r *run) newBar(total int) *bar {
	b := &bar{run: r, total: total}
	if r.Terminal {
		b.terminal = progressbar.NewOptions(total, progressbar.OptionSetWriter(r.Progress), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish())
	}
	b.show(0)
	return b
}

func (b *bar) show(done int) {
	if b.terminal != nil {
		_ = b.terminal.Set(done)
		return
	}
	if now := time.Now(); now.Sub(b.said) >= sayEvery || done == b.total {
		b.said = now
		_, _ = fmt.Fprintln(b.run.Progress, strconv.Itoa(done)+" of "+strconv.Itoa(b.total)+" rows")
	}
}

func (b *bar) end() {
	if b.terminal != nil {
		_ = b.terminal.Exit()
		_ = b.terminal.Clear()
	}
}
