package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"rowhouse/internal/apiurl"
	"rowhouse/internal/config"
	"rowhouse/internal/probe"
	"rowhouse/internal/seed"
)

type isolationCmd struct {
	URL           string        `help:"Address of the server, without /api/v1. Other than this machine's must be https." default:"http://localhost:8080"`
	LandlordA     string        `help:"E-mail address of the landlord who attacks (default: the first demo landlord, on this machine)." placeholder:"EMAIL"`
	LandlordB     string        `help:"E-mail address of the landlord who is attacked (default: the second demo landlord, on this machine)." placeholder:"EMAIL"`
	Rate          float64       `help:"Requests a second; 0 for as many as the server takes. Servers allow a landlord ten unless told otherwise." default:"8"`
	Timeout       time.Duration `help:"How long to wait for one answer." default:"20s"`
	JSON          string        `name:"json" help:"Write the report to this file as JSON." placeholder:"FILE"`
	JUnit         string        `name:"junit" help:"Write the report to this file as JUnit XML." placeholder:"FILE"`
	HTML          string        `name:"html" help:"Write the report to this file as a page." placeholder:"FILE"`
	Schedule      time.Duration `help:"Go on until stopped, with a run at once and then this long after the start of the one before, such as 1h." placeholder:"DURATION"`
	MetricsListen string        `help:"With --schedule: where /metrics is served." default:"localhost:9464"`
}

// Help is what --help says beyond the flags.
func (isolationCmd) Help() string {
	return `Signs in as two landlords, gives each some rows, and tries every operation of the served OpenAPI document as landlord A on what is landlord B's. Then it deletes the rows.

Use two landlords who exist for this alone, in one run at a time. Their passwords come from ROWHOUSE_CANARY_A_PASSWORD and ROWHOUSE_CANARY_B_PASSWORD, the identity provider from SUPABASE_URL and SUPABASE_ANON_KEY. On this machine all of these default to what "rowhouse dev" has.

It leaves behind what the API lets nobody delete: one void invite and its archived tenant in each landlord's books, the same ones after every run; entries of the audit log; and the ticket numbers that were used.

Exit status: 0 nothing crossed and everything was tried; 1 something crossed; 2 the run could not start or not try everything.`
}

// verdictError ends the program with a verdict's exit status.
type verdictError struct {
	verdict probe.Verdict
	err     error
}

func (e verdictError) Error() string { return e.err.Error() }
func (e verdictError) Unwrap() error { return e.err }
func (e verdictError) ExitCode() int { return e.verdict.ExitCode() }

func (c isolationCmd) Run(ctx context.Context, cfg config.Config) error {
	options := c.options(cfg)
	if err := options.Check(); err != nil {
		return verdictError{probe.Incomplete, err}
	}
	if c.Schedule > 0 {
		err := probe.Schedule(ctx, options, probe.Timetable{
			Every: c.Schedule, MetricsAddr: c.MetricsListen, Report: c.write,
		})
		if err != nil {
			return verdictError{probe.Incomplete, err}
		}
		return nil
	}
	report := probe.Run(ctx, options)
	if err := c.write(report); err != nil {
		return verdictError{probe.Incomplete, err}
	}
	if report.Verdict != probe.Held {
		return verdictError{report.Verdict, fmt.Errorf("isolation: %s", report.Verdict)}
	}
	return nil
}

// options fills in what "rowhouse dev" has, on this machine.
func (c isolationCmd) options(cfg config.Config) probe.Options {
	o := probe.Options{
		URL: c.URL, SupabaseURL: cfg.SupabaseURL, AnonKey: cfg.SupabaseAnonKey, Rate: c.Rate, Timeout: c.Timeout,
		A: probe.Landlord{Email: c.LandlordA, Password: cfg.CanaryAPassword},
		B: probe.Landlord{Email: c.LandlordB, Password: cfg.CanaryBPassword},
	}
	if !apiurl.Loopback(c.URL) {
		return o
	}
	or := func(value *string, otherwise string) {
		if *value == "" {
			*value = otherwise
		}
	}
	or(&o.SupabaseURL, "http://localhost:9999")
	or(&o.AnonKey, "anon") // the stand-in for Supabase Auth asks for none
	or(&o.A.Email, "landlord-a@example.com")
	or(&o.B.Email, "landlord-b@example.com")
	or(&o.A.Password, seed.Password)
	or(&o.B.Password, seed.Password)
	return o
}

// write writes a report to standard output and to the files that were asked for.
func (c isolationCmd) write(report *probe.Report) error {
	err := report.WriteText(os.Stdout)
	for path, write := range map[string]func(string) error{c.JSON: report.WriteJSON, c.JUnit: report.WriteJUnit, c.HTML: report.WriteHTML} {
		if path != "" {
			err = errors.Join(err, write(path))
		}
	}
	return err
}
