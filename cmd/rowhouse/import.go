package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"rowhouse/internal/importclient"
)

type importCmd struct {
	Kind string `arg:"" enum:"units,tenants,portfolio" help:"What the rows are: units, tenants or portfolio, which is both."`
	File string `arg:"" type:"existingfile" help:"The spreadsheet, as CSV."`

	URL          string `required:"" name:"url" help:"The server, such as https://rowhouse.example.com."`
	TokenFile    string `required:"" type:"existingfile" help:"A file with your access token, and nothing else."`
	OnExisting   string `enum:"skip,fill,update" default:"update" help:"What to do with what is in your books already: skip, fill or update it."`
	UnknownUnits string `enum:"error,create" default:"error" help:"Whether to create units that only tenants name."`
	DryRun       bool   `help:"Show what would come of each row, and change nothing."`
}

// Exit statuses besides 0, all rows were taken, and 1.
const (
	someRowsFailed = 2
	notMapped      = 3
)

// exitError ends the program with an exit status of its own.
type exitError struct {
	error
	status int
}

func (e exitError) Unwrap() error { return e.error }

// ExitCode implements kong.ExitCoder.
func (e exitError) ExitCode() int { return e.status }

// Help is what kong shows below the flags.
func (importCmd) Help() string {
	return "Exit status 0: every row was taken or says nothing new. 2: some were not; they are in FILE.failed.csv beside the file, " +
		"with what is wrong, and can be sent again. 3: the headings do not say what the columns are. 1: anything else."
}

func (c importCmd) Run(ctx context.Context) error {
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return err
	}
	result, err := importclient.Run(ctx, importclient.Config{
		URL: c.URL, Token: strings.TrimSpace(string(token)), Kind: c.Kind, File: c.File,
		OnExisting: c.OnExisting, UnknownUnits: c.UnknownUnits, DryRun: c.DryRun, Out: os.Stderr,
	})
	switch {
	case errors.Is(err, importclient.ErrNotMapped):
		return exitError{err, notMapped}
	case err != nil:
		return err
	case result.Error > 0:
		return exitError{fmt.Errorf("%d of %d rows were not taken", result.Error, result.Total), someRowsFailed}
	}
	return nil
}
