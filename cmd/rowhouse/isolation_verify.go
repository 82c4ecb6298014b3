package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"rowhouse/internal/apiurl"
	"rowhouse/internal/isolationreport"
)

type isolationVerifyCmd struct {
	File string `arg:"" help:"What GET /api/v1/security/isolation-report answered; - reads standard input." placeholder:"FILE"`
	Keys string `required:"" help:"The server's /.well-known/isolation-report-keys.json: its https address, or a file that was kept." placeholder:"URL"`
}

// Help is what --help says beyond the flags.
func (isolationVerifyCmd) Help() string {
	return `Exit status 0 says that one of the keys has signed exactly the report that the file shows; it prints the key's id, the time and the verdict. Anything else is exit status 1. It says nothing about whether the report is good: read the verdict.

A server could answer with keys of somebody else's. Keep the key's id, or the file of keys, from a day on which you trusted them.`
}

func (c isolationVerifyCmd) Run(ctx context.Context) error {
	answer, err := readAll(c.File)
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	keys, err := c.keys(ctx)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	report, keyID, err := isolationreport.Verify(answer, keys)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("signed with %s\nat %s\n%s: %s\n", keyID, report.GeneratedAt.Format(time.RFC3339), report.Status, report.Verdict)
	return err
}

// maxKeys bounds what is read of a set of keys, in bytes.
const maxKeys = 1 << 20

func (c isolationVerifyCmd) keys(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(c.Keys)
	if err != nil || !strings.Contains(c.Keys, "://") {
		return readAll(c.Keys)
	}
	if u.Scheme != "https" && !apiurl.Loopback(c.Keys) {
		return nil, errors.New("keys that come from elsewhere must come over https")
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Keys, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", c.Keys, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeys))
}

func readAll(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path) //nolint:gosec // whoever runs it names it
}
