// Result reads what `go test -json ./tests/isolation` says on standard input, tells
// how far it is, and writes what a build carries of it, an
// isolationreport.SuiteResult. Only whole tests are counted, not their parts. Its
// exit status is 1 if the suite has failed.
//
//	go test -json ./tests/isolation | go run ./tests/isolation/result -commit "$(git describe --always --dirty --abbrev=40 --exclude '*')" -o build/isolation-suite.json
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"rowhouse/internal/isolationreport"
)

func main() {
	commit := flag.String("commit", "", "what git describe says of the tree, with -dirty at its end if that is no commit's")
	file := flag.String("o", "", "the file to write")
	flag.Parse()
	if err := run(os.Stdin, *commit, *file); err != nil {
		fmt.Fprintln(os.Stderr, "isolation suite:", err)
		os.Exit(1)
	}
}

// event is a line of go test -json; see go doc test2json.
type event struct{ Action, Test, Output string }

// runsOn is what TestServer tells.
var runsOn = regexp.MustCompile(`the suite runs on PostgreSQL ([0-9.]+)`)

func run(input io.Reader, commit, file string) error {
	hash, modified := strings.CutSuffix(commit, "-dirty")
	result := isolationreport.SuiteResult{Commit: hash, Modified: modified, Go: runtime.Version()}
	outputs := map[string]string{} // of tests that have not ended, and of the package
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 16<<20)
	broken := false // the package, which may be so without a failed test
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("not the output of go test -json: %w", err)
		}
		name, _, part := strings.Cut(e.Test, "/")
		outputs[name] += e.Output
		if version := runsOn.FindStringSubmatch(e.Output); version != nil {
			result.Postgres = version[1]
		}
		switch {
		case part:
			continue
		case name == "":
			broken = broken || e.Action == "fail" || e.Action == "build-fail"
			continue
		case e.Action == "pass":
			result.Passed++
		case e.Action == "skip":
			result.Skipped++
		case e.Action == "fail":
			result.Failed++
			fmt.Print(outputs[name])
		default:
			continue
		}
		fmt.Println(e.Action, name)
		delete(outputs, name)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the tests' output: %w", err)
	}
	result.FinishedAt = time.Now().UTC().Truncate(time.Second)
	if result.Failed == 0 && broken || result.Passed == 0 {
		for _, output := range outputs {
			fmt.Print(output)
		}
		return errors.New("it did not run to its end")
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	fmt.Printf("isolation suite on PostgreSQL %s: %d tests passed, %d failed, %d were skipped\n", result.Postgres, result.Passed, result.Failed, result.Skipped)
	if result.Failed > 0 {
		return errors.New("it failed")
	}
	return nil
}
