package csvfile

import (
	"encoding/csv"
	"io"
	"strings"
)

// Writer writes rows that are safe to open in Excel: a cell that would be a formula
// gets an apostrophe in front. Reading them with this package takes it away again,
// and gives each cell exactly as it was.
type Writer struct {
	csv *csv.Writer
	out io.Writer
	any bool
}

// NewWriter returns a Writer of comma-separated UTF-8 with a byte order mark, by
// which Excel knows it. The caller must Flush it.
func NewWriter(w io.Writer) *Writer {
	return &Writer{csv: csv.NewWriter(w), out: w}
}

// Write writes a row.
func (w *Writer) Write(cells []string) error {
	if !w.any {
		w.any = true
		if _, err := io.WriteString(w.out, "\ufeff"); err != nil {
			return err
		}
	}
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = neutralise(cell)
	}
	return w.csv.Write(safe)
}

// Flush writes what is still buffered.
func (w *Writer) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

// neutralise puts an apostrophe in front of what some spreadsheet would run, and of
// what restore would otherwise take one from.
func neutralise(cell string) string {
	if isFormula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

// restore undoes neutralise, and takes away ="0012", by which people keep Excel from
// making 12 of it.
func restore(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && isFormula(strings.TrimLeft(rest, "'")) {
		return rest
	}
	if inner, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(inner, `"`) {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return cell
}

// isFormula goes by the first character. The wide ones are what an Asian keyboard
// writes, and Excel runs.
func isFormula(cell string) bool {
	for _, first := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(cell, first) {
			return true
		}
	}
	return false
}
