package isolationreport

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// suite is a SuiteResult as JSON in base64. The linker sets it (make build, after
// make isolation-result); nothing else does.
var suite string

// readSuite says what an embedded result means for the build of this version.
func readSuite(embedded, version string) Suite {
	if embedded == "" {
		return Suite{Status: SuiteAbsent, InWords: "This build carries no result of the isolation suite."}
	}
	text, err := base64.StdEncoding.DecodeString(embedded)
	var r SuiteResult
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return Suite{Status: SuiteAbsent, InWords: "This build carries a result of the isolation suite that cannot be read."}
	}
	s := Suite{Result: &r, Status: SuitePassed}
	s.InWords = fmt.Sprintf("The isolation suite ran on commit %s (%s, PostgreSQL %s): %s passed, %d failed, %d were skipped.",
		short(r.Commit), r.Go, r.Postgres, tests(r.Passed), r.Failed, r.Skipped)
	if m := r.Mutants; m != nil {
		s.InWords += fmt.Sprintf(" The database was weakened on purpose in %d of %d places, and the suite noticed %d times.", m.Judged, m.All, m.Killed)
	}
	switch {
	case r.Failed > 0 || r.Passed == 0 || r.Mutants != nil && r.Mutants.Survived > 0:
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

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
