package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"rowhouse/internal/guard"
	"rowhouse/policies"
)

// Severities of a finding. An error or a warning fails the lint.
const (
	Error   = "error"
	Warning = "warning"
	Info    = "info"
)

// Finding is one thing that is wrong with a database or with policies/.
type Finding struct {
	ID       string `json:"id"` // what kind of thing; stable, such as RH001
	Severity string `json:"severity"`
	Object   string `json:"object"`
	Why      string `json:"why"`    // one sentence for a DBA
	Remedy   string `json:"remedy"` // SQL that mends it; from "--" on it is words
}

// Exception is a finding that is meant to be.
type Exception struct {
	ID     string `json:"id"`
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Report is what Lint found.
type Report struct {
	Findings   []Finding   `json:"findings"`
	Exceptions []Exception `json:"exceptions"` // those that kept a finding out
}

// Count returns how many findings are of a severity.
func (r Report) Count(severity string) (n int) {
	for _, f := range r.Findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// Failed reports whether there is an error or a warning.
func (r Report) Failed() bool { return r.Count(Error)+r.Count(Warning) > 0 }

// secret matches what looks like a key or a password in the source of a function
// or a default. It is a pattern of Postgres.
const secret = `'(?=[^']*[0-9])[A-Za-z0-9+/=_-]{32,}'` +
	`|-----BEGIN|'eyJ[A-Za-z0-9_-]{10,}|'sk_(live|test)_|postgres(ql)?://[^:/@'\s]+:[^@/'\s]+@` +
	`|(password|passwd|secret|api_?key)\s*(:=|=>|=)\s*'[^']{6,}'`

// Lint checks the catalog of the database at url and the files of policies/
// against the rules in policies/README.md. It reads the catalog only, in one
// read-only transaction, and takes no lock that a statement would wait for.
func Lint(ctx context.Context, url string) (Report, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return Report{}, errors.New("database URL: not a valid Postgres URL") // the cause would quote the password
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Report{}, fmt.Errorf("connect to lint: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var report Report
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		report, err = lint(ctx, tx)
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("lint: %w", err)
	}
	return report, nil
}

func lint(ctx context.Context, tx pgx.Tx) (Report, error) {
	// What Postgres prints of an expression depends on search_path. Compiling these
	// queries takes longer than running them.
	if _, err := tx.Exec(ctx, "set local search_path = pg_catalog, pg_temp; set local jit = off"); err != nil {
		return Report{}, err
	}
	var migrated bool
	if err := tx.QueryRow(ctx, "select to_regnamespace('app') is not null and to_regrole('rowhouse_clerk') is not null").Scan(&migrated); err != nil {
		return Report{}, err
	}
	if !migrated {
		return Report{}, errors.New("the database has no schema app: run rowhouse migrate first")
	}
	fromCatalog, err := lintCatalog(ctx, tx)
	if err != nil {
		return Report{}, err
	}
	fromCluster, err := lintCluster(ctx, tx)
	if err != nil {
		return Report{}, err
	}
	exceptions, err := collect[Exception](ctx, tx, "lint/exceptions.sql", policies.LintExceptions())
	if err != nil {
		return Report{}, err
	}
	found := slices.Concat(lintSources(policies.Files()), fromCatalog, fromCluster)
	for _, warning := range guard.VersionWarnings(tx.Conn().PgConn().ParameterStatus("server_version")) {
		found = append(found, Finding{"RH407", Warning, "server", warning + ".", "-- upgrade the server's packages and restart it"})
	}
	return except(found, exceptions), nil
}

func lintCatalog(ctx context.Context, tx pgx.Tx) (found []Finding, err error) {
	var tables []string
	for _, file := range policies.Files() {
		tables = append(tables, strings.TrimSuffix(file.Name, ".sql"))
	}
	args := pgx.NamedArgs{"files": tables, "definers": policies.Definers(), "secret": secret}
	for _, query := range policies.Lint() {
		rows, err := collect[Finding](ctx, tx, query.Name, query.SQL, args)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

// lintCluster takes what policies/cluster.sql misses for findings.
func lintCluster(ctx context.Context, tx pgx.Tx) (found []Finding, err error) {
	type missing struct {
		Step     int32
		Required bool
		Remedy   string
	}
	rows, err := collect[missing](ctx, tx, "cluster.sql", policies.Cluster())
	if err != nil {
		return nil, err
	}
	for _, m := range rows {
		severity := Warning
		if m.Required {
			severity = Error
		}
		found = append(found, Finding{
			ID: fmt.Sprintf("RH9%02d", m.Step), Severity: severity, Object: subject(m.Remedy),
			Why: whyMissing(m.Step), Remedy: m.Remedy + ";",
		})
	}
	return found, nil
}

var named = regexp.MustCompile(`\b(?:role|database|schema) ("[^"]+"|\w+)`)

// subject is what a statement of policies/cluster.sql changes: what it names, or
// whom it grants to.
func subject(statement string) string {
	if m := named.FindString(statement); m != "" {
		return m
	}
	words := strings.Fields(strings.TrimSuffix(strings.TrimSuffix(statement, " with set true"), " with inherit false"))
	return "role " + words[len(words)-1]
}

// whyMissing says what the steps of policies/cluster.sql are for.
func whyMissing(step int32) string {
	switch {
	case step < 30:
		return "The roles exist, cannot bypass row security, and have nothing that they were not granted."
	case step < 50:
		return "What a login may become is the reach of SQL injected into it."
	case step < 60:
		return "A login without its limits lets one slow or idle session hold up every landlord."
	case step < 70:
		return "The schemas exist and are rowhouse_owner's."
	case step < 80:
		return "Nothing that is made in our schemas is anybody's by default."
	default:
		return "Postgres gives this to every role, and it reaches across the landlords' wall."
	}
}

// except keeps out what is meant to be, and finds the exceptions that except
// nothing.
func except(found []Finding, exceptions []Exception) Report {
	report := Report{Findings: []Finding{}, Exceptions: []Exception{}}
	used := map[Exception]bool{}
	for _, f := range found {
		i := slices.IndexFunc(exceptions, func(e Exception) bool { return e.ID == f.ID && e.Object == f.Object })
		if i < 0 {
			report.Findings = append(report.Findings, f)
			continue
		}
		used[exceptions[i]] = true
	}
	for _, e := range exceptions {
		if used[e] {
			report.Exceptions = append(report.Exceptions, e)
			continue
		}
		report.Findings = append(report.Findings, Finding{
			"RH000", Warning, e.ID + " " + e.Object,
			"It is declared an exception and found no longer; the next one to find it would be let through.",
			"-- take the line out of policies/lint/exceptions.sql",
		})
	}
	slices.SortFunc(report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Why, b.Why), cmp.Compare(a.Remedy, b.Remedy))
	})
	return report
}

func collect[T any](ctx context.Context, tx pgx.Tx, file, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join("policies", file), err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join("policies", file), err)
	}
	return all, nil
}
