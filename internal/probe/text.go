package probe

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes the report for a terminal: the verdict, then what is wrong, then
// a line for each operation that was not simply held.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Verdict, r.Sentence())
	fmt.Fprintf(&b, "  %s, version %s, run %s, %d requests in %s\n", r.Target, r.Version, r.RunID, r.Requests, r.Took())
	if r.Error != "" {
		fmt.Fprintf(&b, "\nThe run ended early: %s\n", r.Error)
	}
	for _, c := range r.Crossings {
		fmt.Fprintf(&b, "\nCROSSED %s: not true that %s\n  %s\n", c.Operation, c.Check, c.Request)
		for _, at := range c.Leaked {
			fmt.Fprintf(&b, "    %s\n", at)
		}
	}
	for _, o := range r.Operations {
		if o.Outcome == OperationNotCovered {
			fmt.Fprintf(&b, "\nNOT COVERED %s (%s %s)\n  %s\n", o.ID, o.Method, o.Path, strings.Join(o.Reasons, "\n  "))
		}
	}
	for _, group := range r.limits() {
		fmt.Fprintf(&b, "\nHeld, but %s:\n  %s\n", group.Note, strings.Join(group.Operations, ", "))
	}
	for _, group := range []struct {
		title string
		rows  []string
	}{{"Not deleted:", r.NotDeleted}, {"Kept, as always:", r.Kept}} {
		if len(group.rows) > 0 {
			fmt.Fprintf(&b, "\n%s\n  %s\n", group.title, strings.Join(group.rows, "\n  "))
		}
	}
	if r.Leftovers > 0 {
		fmt.Fprintf(&b, "\n%d rows of an earlier run were deleted at the start.\n", r.Leftovers)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Sentence is the verdict in a sentence.
func (r *Report) Sentence() string {
	switch r.Verdict {
	case Crossed:
		return fmt.Sprintf("%d of %d operations let through what is another landlord's.", r.Count(OperationCrossed), len(r.Operations))
	case Held:
		return fmt.Sprintf("all %d operations were tried, and none lets through what is another landlord's.", len(r.Operations))
	}
	switch missed := r.Count(OperationNotCovered); {
	case len(r.Operations) == 0:
		return "nothing could be tried."
	case missed > 0:
		return fmt.Sprintf("nothing crossed in what was tried, but %d of %d operations were not covered.", missed, len(r.Operations))
	case len(r.NotDeleted) > 0:
		return fmt.Sprintf("nothing crossed, but %d rows of the run were not deleted.", len(r.NotDeleted))
	}
	return "nothing crossed in what was tried, but the run ended early."
}

// Took is how long the run took.
func (r *Report) Took() time.Duration {
	return r.FinishedAt.Sub(r.StartedAt).Round(100 * time.Millisecond)
}

// limit is something that limits the proof for some operations.
type limit struct {
	Note       string
	Operations []string
}

// limits are the notes of the operations that were held, the same ones together.
func (r *Report) limits() []limit {
	var all []limit
	for _, o := range r.Operations {
		for _, note := range o.Notes {
			if o.Outcome == OperationHeld {
				all = gathered(all, note, o.ID)
			}
		}
	}
	return all
}

func gathered(all []limit, note, operation string) []limit {
	for i := range all {
		if all[i].Note == note {
			all[i].Operations = append(all[i].Operations, operation)
			return all
		}
	}
	return append(all, limit{note, []string{operation}})
}
