package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the findings for reading, and with all the exceptions too.
func (r Report) WriteText(w io.Writer, all bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s\n  %s\n    %s\n", f.Severity, f.ID, f.Object, f.Why, f.Remedy)
	}
	if all {
		for _, e := range r.Exceptions {
			fmt.Fprintf(&b, "exception %s %s\n  %s\n", e.ID, e.Object, e.Reason)
		}
	}
	fmt.Fprintf(&b, "%s, %s, %s", plural(r.Count(Error), "error"), plural(r.Count(Warning), "warning"), plural(len(r.Exceptions), "exception"))
	if len(r.Exceptions) > 0 && !all {
		b.WriteString(" (--all shows them)")
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
