// Result reads what `go test -json ./tests/isolation` says on standard input and
// writes what a build carries of it, for the linker: an isolationreport.SuiteResult
// as JSON in base64. Only whole tests are counted, not their parts.
//
//	go test -json ./tests/isolation | go run ./tests/isolation/result -postgres 15.20
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"rowhouse/internal/isolationreport"
)

func main() {
	postgres := flag.String("postgres", "", "version of the Postgres that the suite ran on")
	flag.Parse()
	if err := run(*postgres); err != nil {
		fmt.Fprintln(os.Stderr, "result:", err)
		os.Exit(1)
	}
}

func run(postgres string) error {
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return fmt.Errorf("which commit is this: %w", err)
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil {
		return fmt.Errorf("what has changed since: %w", err)
	}
	result := isolationreport.SuiteResult{
		Commit: strings.TrimSpace(string(commit)), Modified: len(changes) > 0, FinishedAt: time.Now().UTC().Truncate(time.Second),
		Go: runtime.Version(), Postgres: postgres,
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Test string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return fmt.Errorf("not the output of go test -json: %w", err)
		}
		if event.Test == "" || strings.Contains(event.Test, "/") {
			continue
		}
		switch event.Action {
		case "pass":
			result.Passed++
		case "fail":
			result.Failed++
		case "skip":
			result.Skipped++
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the tests' output: %w", err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	_, err = fmt.Println(base64.StdEncoding.EncodeToString(text))
	return err
}
