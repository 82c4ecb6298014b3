package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Plan is what would make a database's state that of this build.
type Plan struct {
	// Changes in the order in which people should read them: first those that
	// widen access.
	Changes []Change `json:"changes"`
	// Unmended are differences that no policy mends: a table that this build does
	// not know, a constraint that is missing.
	Unmended []Change `json:"unmended"`
	// Statements are the SQL of all changes, in order, for one transaction.
	Statements []string `json:"statements"`
	// Hash is the SHA-256 of Statements, in hex: two plans with the same one do the
	// same.
	Hash string `json:"hash"`

	steps []step
}

// Change is one fact that would be made, undone or replaced by another.
type Change struct {
	Kind      string   `json:"kind"`
	Object    string   `json:"object"`
	Sentences []string `json:"sentences"` // what it would mean
	// Widens says that somebody may get more than they have, or that nobody can
	// tell that they do not: whether one condition lets in more rows than another
	// is for a person to judge.
	Widens bool `json:"widens"`
}

// step is statements that are run, or refused, together.
type step struct {
	order      int32
	statements []string
}

// Make plans for the database at url. It reads the catalog and locks nothing that
// anybody could wait for.
func Make(ctx context.Context, url string) (Plan, error) {
	desired, err := Desired()
	if err != nil {
		return Plan{}, err
	}
	live, err := Look(ctx, url)
	if err != nil {
		return Plan{}, err
	}
	return Compare(desired, live), nil
}

// Compare plans how live becomes desired.
func Compare(desired, live []Fact) Plan {
	type key struct{ kind, object string }
	lives := map[key]Fact{}
	for _, l := range live {
		lives[key{l.Kind, l.Object}] = l
	}
	var (
		plan      Plan
		undo, do  []step
		isDesired = map[key]bool{}
	)
	add := func(c Change, undone, done step) {
		if len(undone.statements)+len(done.statements) == 0 {
			plan.Unmended = append(plan.Unmended, c)
			return
		}
		plan.Changes = append(plan.Changes, c)
		undo, do = append(undo, undone), append(do, done)
	}
	for _, d := range desired {
		k := key{d.Kind, d.Object}
		isDesired[k] = true
		l, isLive := lives[k]
		switch {
		case isLive && l.Fact == d.Fact:
		case isLive && d.Replaces:
			add(Change{d.Kind, d.Object, sentences(d.Made), d.WidensMade && !slices.Contains(d.Widest, l.Fact)}, step{}, step{d.Step, d.Make})
		case isLive:
			widens := (d.WidensMade || l.WidensUnmade) && !slices.Contains(d.Widest, l.Fact)
			add(Change{d.Kind, d.Object, sentences(d.Made, l.Unmade), widens}, step{l.Step, l.Unmake}, step{d.Step, d.Make})
		case d.Kind != "owner": // what is missing gets its owner when it is made
			add(Change{d.Kind, d.Object, sentences(d.Made), d.WidensMade}, step{}, step{d.Step, d.Make})
		}
	}
	for _, l := range live {
		if !isDesired[key{l.Kind, l.Object}] && l.Kind != "owner" {
			add(Change{l.Kind, l.Object, sentences(l.Unmade), l.WidensUnmade}, step{l.Step, l.Unmake}, step{})
		}
	}
	slices.SortStableFunc(plan.Changes, func(a, b Change) int {
		switch {
		case a.Widens == b.Widens:
			return 0
		case a.Widens:
			return -1
		default:
			return 1
		}
	})
	// what depends on something else has the higher step
	slices.SortStableFunc(undo, func(a, b step) int { return int(b.order - a.order) })
	slices.SortStableFunc(do, func(a, b step) int { return int(a.order - b.order) })
	plan.steps = slices.DeleteFunc(append(undo, do...), func(s step) bool { return len(s.statements) == 0 })
	plan.Statements = flatten(plan.steps)
	plan.Hash = hash(plan.Statements)
	return plan
}

// Clean reports whether the database's state is this build's.
func (p Plan) Clean() bool { return len(p.Changes) == 0 && len(p.Unmended) == 0 }

// Widening returns the changes that may give somebody more than they have.
func (p Plan) Widening() []Change {
	i := slices.IndexFunc(p.Changes, func(c Change) bool { return !c.Widens })
	if i < 0 {
		return p.Changes
	}
	return p.Changes[:i]
}

// WriteText writes the plan as an SQL script that opens with what it means.
func (p Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	section := func(title string, changes []Change) {
		if len(changes) == 0 {
			return
		}
		fmt.Fprintf(&b, "-- %s\n", title)
		for _, c := range changes {
			for _, sentence := range c.Sentences {
				fmt.Fprintf(&b, "--   %s\n", sentence)
			}
		}
		b.WriteString("\n")
	}
	widening := p.Widening()
	section("Somebody may get more than they have:", widening)
	section("Everything else:", p.Changes[len(widening):])
	section("Not mended by this; run rowhouse migrate, or mend it by hand:", p.Unmended)
	if len(p.Statements) > 0 {
		fmt.Fprintf(&b, "%s;\n", strings.Join(script(p.Statements), ";\n"))
	} else {
		b.WriteString("-- Nothing to change.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the plan for programs, and for ReadJSON.
func (p Plan) WriteJSON(w io.Writer) error {
	p.Changes, p.Unmended = orEmpty(p.Changes), orEmpty(p.Unmended)
	p.Statements = orEmpty(p.Statements)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Clean bool `json:"clean"`
		Plan
	}{p.Clean(), p})
}

// ReadJSON reads a plan that WriteJSON wrote. It can be compared with another, and
// not be applied itself.
func ReadJSON(r io.Reader) (Plan, error) {
	var p Plan
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("read the plan: %w", err)
	}
	if p.Hash != hash(p.Statements) {
		return Plan{}, errors.New("read the plan: its statements are not those that it was written with")
	}
	return p, nil
}

// sentences are those that are not empty, each a line: an object's name may hold
// line breaks, and what follows one would be no comment in a script.
func sentences(texts ...string) (found []string) {
	for _, text := range texts {
		if text != "" {
			found = append(found, strings.Join(strings.Fields(text), " "))
		}
	}
	return found
}

// flatten is the statements of steps without the roles that are set in vain.
func flatten(steps []step) (statements []string) {
	role := ""
	for _, s := range steps {
		for _, sql := range s.statements {
			if !strings.HasPrefix(sql, "set local role ") {
				statements = append(statements, sql)
			} else if sql != role {
				role, statements = sql, append(statements, sql)
			}
		}
	}
	return statements
}

// script is statements as a transaction that can be run elsewhere.
func script(statements []string) []string {
	return slices.Concat([]string{"begin"}, preamble, statements, []string{"commit"})
}

func hash(statements []string) string {
	h := sha256.New()
	for _, sql := range statements {
		fmt.Fprintf(h, "%d %s", len(sql), sql)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
