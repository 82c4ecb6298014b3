package db

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rowhouse/internal/errs"
)

var (
	away = &errs.Error{
		Kind: errs.Unavailable, Code: "database_unavailable", RetryAfter: 5 * time.Second,
		Message: "The database can't be reached. Nothing was changed; try again shortly.",
	}
	unknown = &errs.Error{
		Kind: errs.Unavailable, Code: "database_unavailable", RetryAfter: 5 * time.Second,
		Message: "The database went away while it was saving. Look whether the change is there; a create can be repeated with the same Idempotency-Key.",
	}
	busy = &errs.Error{
		Kind: errs.Unavailable, Code: "busy", RetryAfter: time.Second,
		Message: "Too much is going on at the moment. Nothing was changed; try again shortly.",
	}
	forbidden = &errs.Error{
		Kind: errs.Forbidden, Code: "forbidden",
		Message: "This does not exist, or it is not yours to change.",
	}
	secondFactor = &errs.Error{
		Kind: errs.Forbidden, Code: "mfa_required",
		Message: "This needs a second factor. Sign in with it, and repeat your request.",
	}
	notFound = &errs.Error{Kind: errs.NotFound, Code: "not_found", Message: "There is nothing here."}
)

// Forbidden is the answer to a change of something that is missing or another's.
func Forbidden() *errs.Error { return forbidden }

// NotFound is the answer to a read of something that is missing or another's.
func NotFound() *errs.Error { return notFound }

// Constraint returns the name of the unique or foreign key that refused a row,
// and the table that the row refers from; ok is false if none did.
func Constraint(err error) (name, table string, ok bool) {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || (pg.Code != "23505" && pg.Code != "23503") {
		return "", "", false
	}
	return pg.ConstraintName, pg.TableName, true
}

// rolledBackForAnother reports whether the server itself has undone the
// transaction, so that running it again cannot do anything twice.
func rolledBackForAnother(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	case "0A000": // a plan prepared before a migration; pgx has forgotten it by now
		return strings.Contains(pg.Routine, "RevalidateCachedQuery")
	}
	return false
}

// translate turns what Postgres says into what a caller may understand. What it
// does not know stays as it is, and callers see it as our fault.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*errs.Error](err); ours {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound.Because(err)
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return busy.Because(err)
		}
		return err
	}
	switch {
	case pg.Code == "42501" && pg.Routine == "ExecWithCheckOptions":
		return forbidden.Because(err) // a policy; any other 42501 is a grant that we lack
	case pg.Code == "23503":
		return forbidden.Because(err) // composite keys: a row that does not exist for this landlord
	case pg.Code == "RH409":
		return errs.New(errs.Conflict, "not_possible_now", "%s", pg.Message).Because(err) // a guard's own words
	case pg.Code == "RH403":
		return secondFactor.Because(err)
	case pg.Code == "23505":
		return errs.New(errs.Conflict, "already_exists", "Something with these values exists already.").Because(err)
	case pg.Code == "23514", strings.HasPrefix(pg.Code, "22"):
		return errs.New(errs.Invalid, "invalid_request", "The request holds a value that can't be stored.").Because(err)
	case rolledBackForAnother(err), pg.Code == "55P03", pg.Code == "57014", strings.HasPrefix(pg.Code, "53"):
		return busy.Because(err) // contention, lock timeout, statement timeout, out of resources
	case strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "08"), pg.Code == "25P03":
		return away.Because(err) // shutting down or starting, connection trouble, idle in transaction
	}
	return err
}
