// Rowhouse is property management for landlords who share one database and never
// see each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"rowhouse/internal/app"
	"rowhouse/internal/config"
	"rowhouse/internal/seed"
	"rowhouse/internal/telemetry"
)

type cli struct {
	Dev     devCmd     `cmd:"" help:"Run the whole product on this machine: Postgres, auth, API and demo data."`
	Serve   serveCmd   `cmd:"" help:"Run the API against DATABASE_URL and SUPABASE_URL."`
	Worker  workerCmd  `cmd:"" help:"Do what is queued: mail tenants' invites. Runs beside serve; several may run."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this build's roles, schema, policies and seal keys."`
	Policy  struct {
		Plan    policyPlanCmd    `cmd:"" help:"Show what apply would change, as sentences and SQL."`
		Apply   policyApplyCmd   `cmd:"" help:"Make roles, policies, grants and functions those of this build, and take away all others."`
		Drift   policyDriftCmd   `cmd:"" help:"Tell by the exit status whether the database is as this build says."`
		Lint    policyLintCmd    `cmd:"" help:"Check policies, grants, functions and keys against the rules; with the SQL that mends what is found."`
		Matrix  policyMatrixCmd  `cmd:"" help:"Show who may do what on which rows, from the catalog of a database."`
		Explain policyExplainCmd `cmd:"" help:"Measure what the policies cost, on books made for it; never on a live database."`
	} `cmd:"" help:"Look after the policies."`
	Auth struct {
		Reconcile authReconcileCmd `cmd:"" help:"Compare the users of Supabase Auth with their profiles, and mend those."`
	} `cmd:"" help:"Look after what Supabase Auth tells of users."`
	Seed            seedCmd            `cmd:"" help:"Sign up demo landlords and fill their books."`
	MigrateLegacy   migrateLegacyCmd   `cmd:"" help:"Move the books of the old system in. Exit status 2: all done, but some rows are in the report."`
	Import          importCmd          `cmd:"" help:"Send a spreadsheet of units or tenants to a running server."`
	Isolation       isolationCmd       `cmd:"" help:"Try from outside whether a running server keeps two landlords apart."`
	IsolationVerify isolationVerifyCmd `cmd:"" help:"Check the signature of an isolation report."`
	Version         versionCmd         `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); errors.Is(err, errReported) {
		stop()
		os.Exit(2) //nolint:gocritic // stop has run
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "rowhouse:", err)
		stop()
		os.Exit(exitCode(err)) //nolint:gocritic // stop has run
	}
}

// exitCode is the exit status that err asks for, or 1.
func exitCode(err error) int {
	var coded kong.ExitCoder
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

func run(ctx context.Context) error {
	command := kong.Parse(&cli{},
		kong.Name("rowhouse"),
		kong.Description("Property management for landlords who share one database and never see each other."),
		kong.Help(helpWithEnvironment),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	cfg, err := config.Load()
	if err != nil {
		return notBegun(command.Command(), err)
	}
	handler, err := telemetry.NewHandler(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return notBegun(command.Command(), err)
	}
	slog.SetDefault(slog.New(handler))
	return command.Run(cfg)
}

// helpWithEnvironment adds to kong's help the variables that all commands read.
func helpWithEnvironment(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("\nEnvironment (NAME_FILE names a file to read a secret from):\n")
	for _, v := range config.Variables() {
		fmt.Fprintf(&b, "  %s", v.Name)
		if v.Default != "" {
			fmt.Fprintf(&b, " (default %s)", v.Default)
		}
		if v.Secret {
			b.WriteString(" (secret)")
		}
		fmt.Fprintf(&b, "\n      %s\n", v.Doc)
	}
	_, err := fmt.Fprint(ctx.Stdout, b.String())
	return err
}

type devCmd struct{}

func (devCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.Dev(ctx, cfg, version(), os.Stdout)
}

type serveCmd struct{}

func (serveCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.Serve(ctx, cfg, version())
}

type workerCmd struct{}

func (workerCmd) Run(ctx context.Context, cfg config.Config) error {
	return app.Worker(ctx, cfg, version())
}

type migrateCmd struct{}

func (migrateCmd) Run(ctx context.Context, cfg config.Config) error { return app.Migrate(ctx, cfg) }

type seedCmd struct {
	Landlords  int   `help:"Landlords to sign up." default:"2"`
	Properties int32 `help:"Properties of each landlord." default:"2"`
	Units      int32 `help:"Units in each property." default:"3"`
}

func (c seedCmd) Run(ctx context.Context, cfg config.Config) error {
	addresses, err := app.Seed(ctx, cfg, seed.Size{Landlords: c.Landlords, Properties: c.Properties, Units: c.Units})
	if err != nil {
		return err
	}
	fmt.Printf("Sign in with password %s as:\n  %s\n", seed.Password, strings.Join(addresses, "\n  "))
	return nil
}

// errReported says that migrate-legacy has left rows out and reported them.
var errReported = errors.New("rows were reported")

type migrateLegacyCmd struct {
	From   string `help:"The old database's URL." required:"" env:"LEGACY_DATABASE_URL" placeholder:"URL"`
	DryRun bool   `help:"Only show what would become of the rows."`
	Report string `help:"Where to list the rows that are not copied." default:"legacy-report.csv" placeholder:"FILE.csv"`
}

func (c migrateLegacyCmd) Run(ctx context.Context, cfg config.Config) error {
	counts, err := app.MigrateLegacy(ctx, cfg, c.From, c.Report, c.DryRun, os.Stderr)
	if err != nil {
		return err
	}
	table, reported := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight), int64(0)
	fmt.Fprintln(table, "table\tread\tcopied\tunchanged\treported\t")
	for _, n := range counts {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", n.Table, n.Read, n.Copied, n.Unchanged, n.Reported)
		reported += n.Reported
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if c.DryRun {
		fmt.Println("A dry run: nothing was changed.")
	}
	if reported > 0 {
		fmt.Printf("%d rows are not copied; %s says why.\n", reported, c.Report)
		return errReported
	}
	return nil
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("rowhouse", version())
	return err
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return strings.Trim(info.Main.Version, "()")
}
