package isolationreport

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// keptFor bounds how often the database is looked at.
	keptFor = time.Minute
	// lookFor bounds how long that may take.
	lookFor = 12 * time.Second
)

// Config is what New needs. What is empty is reported as not known.
type Config struct {
	DatabaseURL string // as the login that serves
	Version     string // of this build
	Keys        Keys   // without one, reports are not signed

	ProbeFile   string        // what rowhouse isolation --json writes
	ProbeMaxAge time.Duration // after which a probe says nothing of today

	// Now tells the time; nil means time.Now.
	Now func() time.Time

	suite, mutants string // instead of those in this build, for tests
}

// Reporter makes reports, at most one a minute.
type Reporter struct {
	config Config
	flight singleflight.Group

	mu   sync.Mutex
	last *Signed
}

// Signed is a report and its signature.
type Signed struct {
	Report Report
	JWS    string // compact; empty without a key
}

// New returns a Reporter.
func New(c Config) *Reporter {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.suite == "" {
		c.suite, c.mutants = suite, mutants
	}
	return &Reporter{config: c}
}

// Keys are those that reports are signed with.
func (r *Reporter) Keys() Keys { return r.config.Keys }

// Current returns the report of this minute. The first to ask for it waits until the
// database has been looked at, and others wait with them. It fails only when ctx
// ends or the report cannot be signed: what cannot be checked stands in the report.
func (r *Reporter) Current(ctx context.Context) (*Signed, error) {
	if kept := r.kept(); kept != nil {
		return kept, nil
	}
	made := r.flight.DoChan("", func() (any, error) {
		if kept := r.kept(); kept != nil {
			return kept, nil
		}
		// for everybody, so not until the first one leaves
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookFor)
		defer cancel()
		signed, err := r.make(ctx)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = signed
		return signed, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-made:
		if result.Err != nil {
			return nil, fmt.Errorf("isolation report: %w", result.Err)
		}
		return result.Val.(*Signed), nil
	}
}

func (r *Reporter) kept() *Signed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil || r.config.Now().Sub(r.last.Report.GeneratedAt) >= keptFor {
		return nil
	}
	return r.last
}

func (r *Reporter) make(ctx context.Context) (*Signed, error) {
	now := r.config.Now().UTC().Truncate(time.Millisecond)
	report := Report{
		GeneratedAt: now,
		Version:     r.config.Version,
		Policies:    readPolicies(ctx, r.config.DatabaseURL),
		Checks:      runChecks(ctx, r.config.DatabaseURL),
		Suite:       readSuite(r.config.suite, r.config.mutants, r.config.Version),
		Probe:       readProbe(ctx, r.config.ProbeFile, r.config.ProbeMaxAge, r.config.Version, now),
	}
	report.conclude(r.config.Keys.CanSign())
	if report.Status == Failed {
		slog.ErrorContext(ctx, "the isolation report has failed", "verdict", report.Verdict)
	}
	signed := &Signed{Report: report}
	if r.config.Keys.CanSign() {
		jws, err := r.config.Keys.sign(report)
		if err != nil {
			return nil, err
		}
		signed.JWS = jws
	}
	return signed, nil
}

// conclude sets the status and the verdict.
func (r *Report) conclude(signed bool) {
	var wrong, unknown []string
	counts := map[CheckStatus]int{}
	for _, c := range r.Checks {
		counts[c.Status]++
	}
	count := func(into *[]string, n int, one, many string) {
		switch {
		case n == 1:
			*into = append(*into, one)
		case n > 1:
			*into = append(*into, fmt.Sprintf(many, n))
		}
	}
	count(&wrong, counts[CheckFailed], "One check of the live database has failed.", "%d checks of the live database have failed.")
	count(&unknown, counts[CheckWarning], "One check of the live database has a warning.", "%d checks of the live database have warnings.")
	count(&unknown, counts[CheckNotRun], "One check of the live database could not be run.", "%d checks of the live database could not be run.")
	if !r.Policies.Read {
		unknown = append(unknown, "The policies could not be read.")
	}
	switch r.Suite.Status {
	case SuitePassed:
	case SuiteFailed:
		wrong = append(wrong, r.Suite.InWords)
	default:
		unknown = append(unknown, r.Suite.InWords)
	}
	switch r.Probe.Status {
	case ProbeHeld:
	case ProbeCrossed:
		wrong = append(wrong, r.Probe.InWords)
	default:
		unknown = append(unknown, r.Probe.InWords)
	}
	switch {
	case len(wrong) > 0:
		r.Status, r.Verdict = Failed, "Something is wrong with what keeps landlords apart. "+strings.Join(append(wrong, unknown...), " ")
	case len(unknown) > 0:
		r.Status, r.Verdict = Incomplete, "Nothing was found wrong, but not everything is known. "+strings.Join(unknown, " ")
	default:
		r.Status, r.Verdict = Held, "Landlords are kept apart: every check of the live database passed, the isolation suite passed on this build, and the last probe from outside found nothing."
	}
	if !signed {
		r.Verdict += " This report is not signed: the server has no key for it."
	}
}
