// Package guard keeps a process from serving requests through a database that
// would not hold the wall between landlords.
package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/policies"
)

// Reason is one thing that is wrong, and the SQL that mends it.
type Reason struct {
	Reason string
	Remedy string
}

// Refusal is why a process must not serve.
type Refusal struct{ Reasons []Reason }

func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("refusing to serve requests: this database would not keep landlords apart")
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "\n  %s\n    %s", reason.Reason, reason.Remedy)
	}
	return b.String()
}

// safeMinors are the oldest minor releases without a known hole in row
// security: those of 2026-11-12, which fix CVE-2026-120154 and CVE-2026-116311.
// 15.20 is read off its release notes; the other branches were released the same
// day, their numbers as far behind as with every release before.
var safeMinors = map[int]int{15: 20, 16: 16, 17: 12, 18: 6}

// Check connects as the login that will serve and fails with a *Refusal that
// names every reason not to. Warnings are what a careful operator would mend
// soon. Any other error means that the database did not answer, and says nothing
// about it.
func Check(ctx context.Context, url string) (warnings []string, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, &Refusal{[]Reason{{"DATABASE_URL is not a valid Postgres URL", "-- postgres://rowhouse_api:password@host:5432/database"}}}
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // a pooler may stand between, and it is one query
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (strings.HasPrefix(pg.Code, "28") || pg.Code == "3D000") {
		// wrong user, password or database: waiting would not help
		return nil, &Refusal{[]Reason{{"Postgres refuses DATABASE_URL: " + pg.Message, "-- mend DATABASE_URL, or run: rowhouse migrate"}}}
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, policies.Guard())
	if err != nil {
		return nil, fmt.Errorf("policies/guard.sql: %w", err)
	}
	reasons, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Reason])
	if err != nil {
		return nil, fmt.Errorf("policies/guard.sql: %w", err)
	}
	if len(reasons) > 0 {
		return nil, &Refusal{reasons}
	}
	return VersionWarnings(conn.PgConn().ParameterStatus("server_version")), nil
}

// CheckSeal fails with a *Refusal when the database does not accept this
// process's seal key, or its login is not one that can become a persona: every
// request would see nothing, or fail. Any other error is one of Check's.
func CheckSeal(ctx context.Context, d *db.DB) error {
	nobody := uuid.New()
	var holds bool
	err := d.AsUser(auth.With(ctx, auth.Identity{UserID: nobody}), db.ReadOnly, func(tx *db.Tx) (err error) {
		holds, err = query.New().SealHolds(ctx, tx, nobody)
		return err
	})
	switch {
	case err != nil && (errs.KindOf(err) == errs.Unavailable || ctx.Err() != nil):
		return fmt.Errorf("check seal: %w", err)
	case err != nil:
		return &Refusal{[]Reason{{
			fmt.Sprintf("a transaction as rowhouse_user fails: %v", err),
			"-- connect as rowhouse_api; if it does: run rowhouse migrate",
		}}}
	case !holds:
		return &Refusal{[]Reason{{
			"the database does not know the first of SEAL_KEYS, expects seals of another kind (DATABASE_POOLER), or its clock is a minute off",
			"-- run: rowhouse migrate, with the same SEAL_KEYS and DATABASE_POOLER; compare: select now()",
		}}}
	}
	return nil
}

// IsRefusal reports whether err is a Refusal.
func IsRefusal(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}

// VersionWarnings is what an operator should know of a server of that version:
// that its minor release has known holes. It is empty if it has none.
func VersionWarnings(version string) []string {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return nil // a development version
	}
	if safe, known := safeMinors[major]; known && minor < safe {
		return []string{fmt.Sprintf("PostgreSQL %d.%d has known holes around row security; upgrade to %d.%d", major, minor, major, safe)}
	}
	return nil
}
