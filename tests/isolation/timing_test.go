package isolation

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aclements/go-moremath/stats"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// comparedTimes is what came of asking one place of an operation for B's id and for
// ids that nobody has, by turns.
type comparedTimes struct {
	place            string
	foreign, nobodys float64 // medians in microseconds
	p                float64 // of times so different by chance
}

// BenchmarkTiming asks whether the time of an answer tells that an id exists. It
// puts an id of B's, and one that nobody has, in each place of each operation that
// takes one, by turns, b.N times each, and compares the times with the rank test of
// Mann and Whitney. It reports and does not judge: with so many places some p are
// small by chance, and what counts is a difference that comes again.
//
//	make timing
func BenchmarkTiming(b *testing.B) {
	s := newSite(b)
	var all []comparedTimes
	for _, o := range operations(b, s.api.Document()) {
		for _, place := range o.holes(b) {
			foreign := s.idOf(b, o, place, s.b)
			ask := func(id string) float64 {
				values := s.own(b, o)
				values[place] = id
				q, _ := s.build(b, request{operation: o, values: values, headers: map[string]string{"If-Match": `"77"`}, token: s.caller(o)})
				begun := time.Now()
				recorder := s.serve(q)
				took := time.Since(begun)
				require.Less(b, recorder.Code, http.StatusInternalServerError)
				return float64(took.Nanoseconds()) / 1000
			}
			var times [2][]float64
			for range b.N {
				times[0] = append(times[0], ask(foreign))
				times[1] = append(times[1], ask(uuid.NewString()))
			}
			one := comparedTimes{place: o.OperationID + " " + fmt.Sprint(place), p: 1}
			if test, err := stats.MannWhitneyUTest(times[0], times[1], stats.LocationDiffers); err == nil {
				one.p = test.P
			}
			one.foreign, one.nobodys = median(times[0]), median(times[1])
			all = append(all, one)
		}
	}
	s.unharmed(b, "asking for B's ids many times")
	if b.N == 1 {
		return // the run that finds out how long one takes
	}
	slices.SortFunc(all, func(x, y comparedTimes) int { return cmp.Compare(x.p, y.p) })
	fmt.Printf("\n%d requests each, %d places; one of p < %.5f stands out among so many\n", b.N, len(all), 0.01/float64(len(all)))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "B's µs\tnobody's µs\tdifference\tp\tplace\t")
	for _, one := range all {
		fmt.Fprintf(w, "%.0f\t%.0f\t%+.1f %%\t%.4f\t%s\t\n", one.foreign, one.nobodys, 100*(one.foreign/one.nobodys-1), one.p, one.place)
	}
	_ = w.Flush() // to the benchmark's own output
	b.ReportMetric(float64(len(slices.DeleteFunc(slices.Clone(all), func(c comparedTimes) bool { return c.p >= 0.01/float64(len(all)) }))), "standing-out")
}

func median(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/2]
}
