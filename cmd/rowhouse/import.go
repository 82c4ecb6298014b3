package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"rowhouse/internal/config"
	"rowhouse/internal/importcli"
)

type importCmd struct {
	Kind         string `arg:"" help:"What the rows are: units, tenants, or portfolio for units and who lives in them." enum:"units,tenants,portfolio"`
	File         string `arg:"" help:"The spreadsheet, as CSV."`
	URL          string `help:"Address of the server, without /api/v1. Other than this machine's must be https." default:"http://localhost:8080"`
	TokenFile    string `help:"File with your access token (default: ROWHOUSE_TOKEN in the environment)." placeholder:"FILE"`
	DryRun       bool   `help:"Only show what would come of the rows."`
	OnExisting   string `help:"What to do with what is in your books already: skip it, fill in what is empty there, or update it." enum:"skip,fill,update" default:"update"`
	UnknownUnits string `help:"Whether a tenant's unit that is not in your books is made: error or create." enum:"error,create" default:"error"`
	SendInvites  bool   `help:"Invite the tenants by mail: those with an address whom nobody has invited before."`
}

// Help is what --help says beyond the flags.
func (importCmd) Help() string {
	return `Sends the file to the server, shows what would come of its rows and what is wrong with the first of those that are not taken, and runs the import. Rows that are not taken are written to FILE.failed.csv, to mend and send again.

Ctrl-C stops the import: what was done by then stays, and can be undone in the web app. The token is never taken from the command line, where others on this machine could read it.

Exit status: 0 all rows are in; 2 some rows are not, and FILE.failed.csv says why; 1 not begun, stopped, or failed. With --dry-run: would be, and would not be.`
}

// rowsError ends the program as one does that has left rows out.
type rowsError struct{ error }

func (rowsError) ExitCode() int { return 2 }

func (c importCmd) Run(ctx context.Context, cfg config.Config) error {
	token := cfg.Token
	if c.TokenFile != "" {
		var err error
		if token, err = readToken(c.TokenFile); err != nil {
			return err
		}
	}
	if token == "" {
		return errors.New("name a file with your access token with --token-file, or set ROWHOUSE_TOKEN")
	}
	err := importcli.Run(ctx, importcli.Options{
		Kind: c.Kind, File: c.File, URL: c.URL, Token: token, OnExisting: c.OnExisting, UnknownUnits: c.UnknownUnits, SendInvites: c.SendInvites, DryRun: c.DryRun,
		Out: os.Stdout, Progress: os.Stderr, Terminal: term.IsTerminal(int(os.Stderr.Fd())),
	})
	if errors.Is(err, importcli.ErrRows) {
		return rowsError{err}
	}
	return err
}

// maxToken is more than any access token has.
const maxToken = 16 << 10

func readToken(name string) (string, error) {
	file, err := os.Open(name) //nolint:gosec // whoever runs the command names it
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(text) > maxToken || strings.ContainsAny(token, " \t\r\n") {
		return "", errors.New("--token-file: this is not an access token")
	}
	return token, nil
}
