package probe

import (
	"encoding/xml"
	"fmt"
	"strings"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Time      float64     `xml:"time,attr"` // seconds
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitResult `xml:"failure,omitempty"`
	Error   *junitResult `xml:"error,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit puts the report into a file as JUnit XML: a case for each operation,
// a failure for one that crossed, an error for one that was not covered.
func (r *Report) WriteJUnit(path string) error {
	suite := junitSuite{
		Name: "rowhouse isolation", Timestamp: r.StartedAt.Format("2006-01-02T15:04:05"),
		Time: r.FinishedAt.Sub(r.StartedAt).Seconds(), Tests: len(r.Operations) + 1,
	}
	whole := junitCase{Class: "isolation", Name: "the run"}
	if r.Error != "" || len(r.NotDeleted) > 0 {
		suite.Errors++
		whole.Error = &junitResult{Message: "the run did not end as it should", Text: strings.Join(append([]string{r.Error}, r.NotDeleted...), "\n")}
	}
	suite.Cases = append(suite.Cases, whole)
	for _, o := range r.Operations {
		c := junitCase{Class: "isolation", Name: fmt.Sprintf("%s (%s %s)", o.ID, o.Method, o.Path)}
		switch o.Outcome {
		case OperationCrossed:
			suite.Failures++
			c.Failure = &junitResult{Message: "lets through what is another landlord's", Text: r.crossingsOf(o.ID)}
		case OperationNotCovered:
			suite.Errors++
			c.Error = &junitResult{Message: "not covered", Text: strings.Join(o.Reasons, "\n")}
		case OperationHeld:
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return replace(path, append([]byte(xml.Header), append(text, '\n')...))
}

func (r *Report) crossingsOf(operation string) string {
	var lines []string
	for _, c := range r.Crossings {
		if c.Operation == operation {
			lines = append(lines, "not true that "+c.Check, c.Request, "  "+strings.Join(c.Leaked, "\n  "))
		}
	}
	return strings.Join(lines, "\n")
}
