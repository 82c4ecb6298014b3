package mutate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/isolationreport"
)

// tally counts the mutants of a family.
type tally struct {
	family                                    string
	mutants, compared, attacked, tried, alive int
}

// report prints the table and writes it with what a build carries of it, and fails the test if a mutant
// has survived or could not be judged.
func report(t *testing.T, r *run, results []*result) {
	t.Helper()
	var judged, survivors, unnoticed []*result
	families := map[string]*tally{}
	total := &tally{family: "all"}
	for _, one := range results {
		if !one.compared.ran && !one.attacked.ran {
			continue // it could not be judged, which is among the faults
		}
		judged = append(judged, one)
		if families[one.family] == nil {
			families[one.family] = &tally{family: one.family}
		}
		for _, sum := range []*tally{families[one.family], total} {
			sum.mutants++
			if one.compared.killer != "" {
				sum.compared++
			}
			if one.attacked.ran {
				sum.tried++
			}
			if one.attacked.killer != "" {
				sum.attacked++
			}
			if !one.killed() {
				sum.alive++
			}
		}
		switch {
		case !one.killed():
			survivors = append(survivors, one)
		case one.attacked.ran && one.attacked.killer == "":
			unnoticed = append(unnoticed, one)
		}
	}
	for _, list := range [][]*result{judged, survivors, unnoticed} {
		slices.SortFunc(list, func(a, b *result) int { return strings.Compare(a.id(), b.id()) })
	}
	rows := []*tally{}
	for _, family := range families {
		rows = append(rows, family)
	}
	slices.SortFunc(rows, func(a, b *tally) int { return strings.Compare(a.family, b.family) })
	rows = append(rows, total)

	head := fmt.Sprintf("%d of %d mutants judged in %s, -seed %d: %d killed, %d survived",
		len(judged), r.all, time.Since(r.since).Round(time.Second), *options.seed, len(judged)-len(survivors), len(survivors))
	fmt.Print(plain(head, rows, survivors))
	require.NoError(t, os.MkdirAll(*options.report, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(*options.report, "mutation.md"), []byte(markdown(head, rows, judged, survivors, unnoticed)), 0o644))

	hash, modified := strings.CutSuffix(*options.commit, "-dirty")
	carried, err := json.Marshal(isolationreport.Mutants{
		Commit: hash, Modified: modified,
		All: r.all, Judged: len(judged), Killed: len(judged) - len(survivors), Survived: len(survivors),
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(*options.report, "isolation-mutants.json"), append(carried, '\n'), 0o644))

	for _, fault := range r.faults {
		t.Error(fault)
	}
	for _, one := range survivors {
		t.Errorf("survived: %s\n%s", one.id(), one.mutation)
	}
	require.NotEmpty(t, judged)
}

func plain(head string, rows []*tally, survivors []*result) string {
	var b strings.Builder
	b.WriteString(head + "\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "mutants\tby comparison\tby attack\tof attacked\tsurvived\tfamily\t\n")
	for _, row := range rows {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%s\t\n", row.mutants, row.compared, row.attacked, row.tried, row.alive, row.family)
	}
	_ = w.Flush() // into memory
	for _, one := range survivors {
		b.WriteString("\nsurvived: " + one.id())
	}
	return b.String() + "\n"
}

func markdown(head string, rows []*tally, judged, survivors, unnoticed []*result) string {
	var b strings.Builder
	b.WriteString("# Mutation of the policies\n\n" + head + ".\n\n" +
		"| family | mutants | killed by comparison | killed by attack | of those attacked | survived |\n|---|--:|--:|--:|--:|--:|\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", row.family, row.mutants, row.compared, row.attacked, row.tried, row.alive)
	}
	b.WriteString("\n## Survived\n\n")
	if len(survivors) == 0 {
		b.WriteString("None.\n")
	}
	for _, one := range survivors {
		fmt.Fprintf(&b, "- %s\n\n  ```sql\n  %s\n  ```\n", one.id(), strings.ReplaceAll(one.mutation, "\n", "\n  "))
	}
	b.WriteString("\n## Noticed by the comparison alone\n\nThe attacks of the family see nothing of these, each for the reason given.\n")
	family := ""
	for _, one := range unnoticed {
		if one.family != family {
			family = one.family
			fmt.Fprintf(&b, "\n### %s\n\nWhy: %s.\n\n", family, attackOn(one.mutant).otherwise)
		}
		fmt.Fprintf(&b, "- %s\n", one.id())
	}
	b.WriteString("\n## All\n\n| mutant | comparison | attack |\n|---|---|---|\n")
	for _, one := range judged {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(one.id()), cell(one.compared.killer), cell(noted(one.attacked)))
	}
	return b.String()
}

func noted(v verdict) string {
	switch {
	case !v.ran:
		return ""
	case v.killer == "":
		return "not noticed"
	default:
		return v.killer + ": " + v.said
	}
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "`", "'", "<", "&lt;").Replace(text)
}
