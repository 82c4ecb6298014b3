package mutate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// result is what is known of a mutant.
type result struct {
	mutant
	compared verdict // by the comparison of the catalog
	attacked verdict // by the attacks
}

func (r *result) killed() bool { return r.compared.killer != "" || r.attacked.killer != "" }

// unmutated is no fault: what a test says of the database as it is.
var unmutated = mutant{family: "no mutation", mutation: "select"}

// run is one run over many mutants.
type run struct {
	t       *testing.T
	workers []*worker
	attacks []string // names of all tests that are no comparison
	since   time.Time
	all     int             // mutants that there are
	passed  map[string]bool // attacks, with their tables, that were seen to pass without a mutation
	faults  []error         // of the generator or of this program
	mutex   sync.Mutex
}

// TestMutants runs the suite on mutants and fails if one survives.
func TestMutants(t *testing.T) {
	if !*options.all && *options.sample == 0 {
		t.Skip("make mutate, or make mutate-sample")
	}
	r := newRun(t)
	r.requireIntact(t)
	all := enumerate(t, r.workers[0].conn)
	r.all = len(all)
	mutants := chosen(t, all)
	t.Logf("%d mutants, %d workers, -seed %d", len(mutants), len(r.workers), *options.seed)
	r.since = time.Now()
	results := make([]*result, len(mutants))
	for i, m := range mutants {
		results[i] = &result{mutant: m}
	}

	if *options.phase != "attacks" {
		r.each("compared with the expectations", results, func(w *worker, one *result) error { return r.compare(w, one) })
	}
	if *options.phase != "catalog" {
		attacked := slices.DeleteFunc(slices.Clone(results), func(one *result) bool {
			return *options.phase != "attacks" && !one.compared.ran || *options.sample > 0 && one.killed()
		})
		r.each("attacked", attacked, func(w *worker, one *result) error { return r.attack(w, one) })
	}
	r.requireIntact(t)
	report(t, r, results)
}

func newRun(t *testing.T) *run {
	t.Helper()
	suite := filepath.Join(t.TempDir(), "isolation.test")
	output, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", suite, suiteDir).CombinedOutput()
	require.NoError(t, err, "%s", output)
	list, err := exec.CommandContext(t.Context(), suite, "-test.list", "^Test").Output()
	require.NoError(t, err)
	r := &run{t: t, since: time.Now(), passed: map[string]bool{}}
	names := strings.Fields(string(list))
	for _, name := range comparisonTests {
		require.Contains(t, names, name)
	}
	for _, a := range attacks {
		require.Subset(t, names, a.tests)
	}
	r.attacks = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(comparisonTests, name) })
	for range *options.jobs {
		r.workers = append(r.workers, newWorker(t, suite))
	}
	return r
}

// requireIntact wants the comparisons to pass as long as nothing is mutated: before
// the first mutant, and after the last on the same servers.
func (r *run) requireIntact(t *testing.T) {
	t.Helper()
	var wait sync.WaitGroup
	for _, w := range r.workers {
		wait.Go(func() {
			v, err := w.test(t, unmutated, "", comparisonTests)
			switch {
			case err != nil:
				t.Error(err)
			case v.killer != "":
				t.Errorf("%s fails without a mutation: %s", v.killer, v.said)
			case fingerprint(t, w.conn) != w.intact:
				t.Error("roles have changed without a mutation")
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// requirePasses wants an attack that has noticed a mutant to pass without it. It is
// run for that once for each set of tables: most attacks never notice anything first.
func (r *run) requirePasses(w *worker, attack, tables string) error {
	r.mutex.Lock()
	passed := r.passed[attack+" "+tables]
	r.mutex.Unlock()
	if passed {
		return nil
	}
	v, err := w.test(r.t, unmutated, tables, []string{attack})
	if err != nil {
		return err
	}
	if v.killer != "" {
		return fmt.Errorf("%s fails without a mutation: %s", v.killer, v.said)
	}
	r.mutex.Lock()
	r.passed[attack+" "+tables] = true
	r.mutex.Unlock()
	return nil
}

// chosen are the mutants of this run, in its order: that of the catalog, or for a
// sample by turns of all families, drawn by the seed.
func chosen(t *testing.T, all []mutant) []mutant {
	t.Helper()
	only, err := regexp.Compile(*options.only)
	require.NoError(t, err)
	all = slices.DeleteFunc(all, func(m mutant) bool { return !only.MatchString(m.id()) })
	require.NotEmpty(t, all)
	if *options.all {
		return all
	}
	draw := rand.New(rand.NewPCG(*options.seed, 0))
	draw.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	turn, seen := map[string]int{}, map[string]int{}
	for _, m := range all {
		turn[m.id()] = seen[m.family]
		seen[m.family]++
	}
	slices.SortStableFunc(all, func(a, b mutant) int { return turn[a.id()] - turn[b.id()] })
	return all[:min(*options.sample, len(all))]
}

// each has the workers do something with each mutant.
func (r *run) each(what string, results []*result, do func(*worker, *result) error) {
	var next, done atomic.Int64
	var wait sync.WaitGroup
	for _, w := range r.workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(results); i = int(next.Add(1)) - 1 {
				if err := do(w, results[i]); err != nil {
					r.mutex.Lock()
					r.faults = append(r.faults, err)
					r.mutex.Unlock()
				}
				if n := done.Add(1); n%20 == 0 || int(n) == len(results) {
					fmt.Printf("%s: %d of %d %s\n", time.Since(r.since).Round(time.Second), n, len(results), what)
				}
			}
		})
	}
	wait.Wait()
}

// compare judges by the comparison that should know the mutant, and then by the
// others.
func (r *run) compare(w *worker, one *result) error {
	if err := w.changes(r.t, one.mutant); err != nil {
		return err
	}
	first := attackOn(one.mutant).compares
	if first == "" {
		one.compared.ran = true // the catalog says nothing about it
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(comparisonTests), func(name string) bool { return name == first })
	for _, names := range [][]string{{first}, others} {
		v, err := w.test(r.t, one.mutant, "", names)
		if err = errors.Join(err, w.undo(r.t, one.mutant)); err != nil {
			return err
		}
		one.compared = v
		if v.killer != "" {
			return nil
		}
	}
	fmt.Println("not noticed by the comparison:", one.id())
	return nil
}

// attack judges by the attacks of the mutant's family, one after the other, and by
// all others if nobody else has noticed.
func (r *run) attack(w *worker, one *result) error {
	own := attackOn(one.mutant).tests
	stages := [][]string{}
	for _, name := range own {
		stages = append(stages, []string{name})
	}
	if *options.deep || one.compared.ran && !one.killed() {
		stages = append(stages, slices.DeleteFunc(slices.Clone(r.attacks), func(name string) bool { return slices.Contains(own, name) }))
	}
	for _, names := range stages {
		v, err := w.test(r.t, one.mutant, narrowed(one.mutant), names)
		if err = errors.Join(err, w.undo(r.t, one.mutant)); err != nil {
			return err
		}
		one.attacked = v
		if v.killer != "" {
			return r.requirePasses(w, v.killer, narrowed(one.mutant))
		}
	}
	return nil
}
