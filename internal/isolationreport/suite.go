package isolationreport

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// suite is a SuiteResult, and mutants are Mutants, as JSON in base64. The linker
// sets them (make build, if make has run what writes them); nothing else does.
var suite, mutants string

// readSuite says what embedded results mean for the build of this version.
func readSuite(suite, mutants, version string) Suite {
	if suite == "" {
		return Suite{Status: SuiteAbsent, InWords: "This build carries no result of the isolation suite."}
	}
	r, err := decode[SuiteResult](suite)
	if err != nil {
		return Suite{Status: SuiteAbsent, InWords: "This build carries a result of the isolation suite that cannot be read."}
	}
	s := Suite{Result: &r, Status: SuitePassed}
	s.InWords = fmt.Sprintf("The isolation suite ran on commit %s (%s, PostgreSQL %s): %s passed, %d failed, %d were skipped.",
		short(r.Commit), r.Go, r.Postgres, tests(r.Passed), r.Failed, r.Skipped)
	// what was tried on other code says nothing about this
	if m, err := decode[Mutants](mutants); err == nil && m.Commit == r.Commit && m.Modified == r.Modified && m.Judged > 0 {
		s.Mutants = &m
		s.InWords += fmt.Sprintf(" The database was weakened on purpose in %d of %d places, and the suite noticed %d times.", m.Judged, m.All, m.Killed)
	}
	switch {
	case r.Failed > 0 || r.Passed == 0 || s.Mutants != nil && s.Mutants.Survived > 0:
		s.Status = SuiteFailed
	case r.Modified:
		s.Status = SuiteOtherBuild
		s.InWords += " There were changes that are in no commit."
	case version == "" || !strings.HasPrefix(r.Commit, version):
		s.Status = SuiteOtherBuild
		s.InWords += fmt.Sprintf(" This build is another, %s.", version)
	}
	return s
}

func decode[T SuiteResult | Mutants](embedded string) (T, error) {
	var result T
	text, err := base64.StdEncoding.DecodeString(embedded)
	if err != nil {
		return result, fmt.Errorf("decode an embedded result: %w", err)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return result, fmt.Errorf("decode an embedded result: %w", err)
	}
	return result, nil
}

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
