package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Verdict is what a run has found.
type Verdict string

// The verdicts.
const (
	Held       Verdict = "HELD"       // every operation was tried, and none let through what is another's
	Crossed    Verdict = "CROSSED"    // at least one did
	Incomplete Verdict = "INCOMPLETE" // none did, and not every one could be tried
)

// ExitCode is the exit status of a command that ends with the verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case Held:
		return 0
	case Crossed:
		return 1
	}
	return 2
}

// Outcome is what came of one operation.
type Outcome string

// The outcomes.
const (
	OperationHeld       Outcome = "held"
	OperationCrossed    Outcome = "crossed"
	OperationNotCovered Outcome = "not_covered"
)

// Report is what a run has found. It holds no token, no password and no body of an
// answer.
type Report struct {
	Verdict    Verdict     `json:"verdict"`
	Target     string      `json:"target"`  // base URL
	Version    string      `json:"version"` // of the API, as its document says
	RunID      string      `json:"runId"`
	StartedAt  time.Time   `json:"startedAt"`
	FinishedAt time.Time   `json:"finishedAt"`
	Requests   int         `json:"requests"`
	Error      string      `json:"error,omitempty"` // why the run ended early
	Crossings  []Crossing  `json:"crossings"`
	Operations []Operation `json:"operations"`
	// Leftovers counts the rows of earlier runs that were deleted at the start.
	Leftovers int `json:"leftovers"`
	// Kept are rows that the API does not let anybody delete. Every run uses the
	// same ones.
	Kept []string `json:"kept"`
	// NotDeleted are rows that the run made and could not delete.
	NotDeleted []string `json:"notDeleted"`
}

// Operation is one operation of the document.
type Operation struct {
	ID      string   `json:"id"`
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Outcome Outcome  `json:"outcome"`
	Checks  int      `json:"checks"`            // answers that were judged
	Reasons []string `json:"reasons,omitempty"` // why it is not covered
	Notes   []string `json:"notes,omitempty"`   // what limits the proof
}

// Crossing is an answer that it should not have given.
type Crossing struct {
	Operation string   `json:"operation"`
	Check     string   `json:"check"`
	Request   string   `json:"request"`
	Leaked    []string `json:"leaked"` // JSON pointers and names of headers, without values
}

// Count is how many operations had an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for _, operation := range r.Operations {
		if operation.Outcome == o {
			n++
		}
	}
	return n
}

func (r *Report) crossed(operation string) bool {
	return slices.ContainsFunc(r.Crossings, func(c Crossing) bool { return c.Operation == operation })
}

// conclude sets the outcomes and the verdict.
func (r *Report) conclude() {
	for i, o := range r.Operations {
		switch {
		case r.crossed(o.ID):
			r.Operations[i].Outcome = OperationCrossed
		case len(o.Reasons) > 0 || o.Checks == 0:
			r.Operations[i].Outcome = OperationNotCovered
			if len(o.Reasons) == 0 {
				r.Operations[i].Reasons = []string{"the run did not get to it"}
			}
		default:
			r.Operations[i].Outcome = OperationHeld
		}
	}
	switch {
	case len(r.Crossings) > 0:
		r.Verdict = Crossed
	case r.Error != "" || len(r.Operations) == 0 || r.Count(OperationNotCovered) > 0 || len(r.NotDeleted) > 0:
		r.Verdict = Incomplete
	default:
		r.Verdict = Held
	}
}

// WriteJSON puts the report into a file, all of it at once: a reader sees this
// report or the one before.
func (r *Report) WriteJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return replace(path, append(text, '\n'))
}

func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer os.Remove(f.Name()) // nothing there once it is renamed
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644) //nolint:gosec // a report is for others to read
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
