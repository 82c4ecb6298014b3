package localauth

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	versionHeader = "X-Supabase-Api-Version"
	newErrorsFrom = "2024-01-01"
)

// failure is an error as the client sees it.
type failure struct {
	status  int
	code    string // empty for what a hook refused: sent as "unknown", without the header
	message string
	reasons []string // of a weak password
	cause   error    // for the log only
	oauth   string   // an OAuth provider's own error, passed on
	id      string   // under which a 5xx is in the log
}

func fail(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func (f *failure) because(err error) *failure {
	f.cause = err
	return f
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.message
	}
	return f.message + ": " + f.cause.Error()
}

func (f *failure) Unwrap() error { return f.cause }

// failureOf translates any error; what it does not know is our own fault.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "55P03": // lock_timeout
			return fail(http.StatusConflict, "conflict", "Too many concurrent token refresh requests on the same session or refresh token").because(err)
		case "22P05", "22021": // a NUL character, in JSON or in text
			return fail(http.StatusBadRequest, "validation_failed", "The request contains a character that cannot be stored").because(err)
		}
	}
	return fail(http.StatusInternalServerError, "unexpected_failure", "Unexpected failure, please check server logs for more information").because(err)
}

// writeFailure answers in the form that the request's API version asks for and
// returns the id under which a 5xx can be found in the log.
func writeFailure(w http.ResponseWriter, r *http.Request, f *failure) string {
	code := f.code
	if code != "" {
		w.Header().Set("X-Sb-Error-Code", code)
	} else {
		code = "unknown"
		if f.status == http.StatusInternalServerError {
			code = "unexpected_failure"
		}
	}
	body := map[string]any{}
	if len(f.reasons) > 0 {
		body["weak_password"] = map[string]any{"reasons": f.reasons}
	}
	if version, err := time.Parse(time.DateOnly, r.Header.Get(versionHeader)); err == nil && version.Format(time.DateOnly) >= newErrorsFrom {
		w.Header().Set(versionHeader, newErrorsFrom)
		if len(f.reasons) > 0 { // of this kind of error the real service forgets it
			w.Header().Del("X-Sb-Error-Code")
		}
		body["code"], body["message"] = code, f.message
		writeJSON(w, f.status, body)
		return ""
	}
	var id string
	body["code"], body["error_code"], body["msg"] = f.status, code, f.message
	if f.status >= http.StatusInternalServerError {
		id = uuid.NewString()
		body["error_id"] = id
	}
	writeJSON(w, f.status, body)
	return id
}
