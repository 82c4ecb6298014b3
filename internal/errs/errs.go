// Package errs is the vocabulary of failure shared by every layer.
//
// An Error speaks to two audiences. Code, Message and Fields are for the caller
// and cross the HTTP boundary unchanged. Err is for the operator: it is logged
// and never sent. An error that is not an *Error is a bug or an outage, and the
// caller learns only that something went wrong.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an Error is, and so which HTTP status it gets.
type Kind int

// The kinds, each with what the caller can do about it.
const (
	Internal           Kind = iota // our fault; report it with the request id
	Invalid                        // mend the request and send it again
	Unauthenticated                // sign in
	Forbidden                      // missing, or not the caller's: the answer does not say which
	NotFound                       // missing, or not the caller's: the answer does not say which
	Gone                           // it was here, and is not kept any longer
	Conflict                       // something else stands in the way; the message names it
	PreconditionFailed             // someone changed it meanwhile; read it again
	Unprocessable                  // well-formed, and contradicts what was said before
	TooLarge                       // send less
	UnsupportedMedia               // send another content type
	TooMany                        // wait for RetryAfter
	Unavailable                    // wait for RetryAfter
)

// Error is a failure that the caller is allowed to understand.
type Error struct {
	Kind    Kind
	Code    string // stable and snake_case, for programs; part of the public API
	Message string // a sentence for a person: no identifiers, no SQL
	Fields  []Field

	// RetryAfter is how long to wait before trying again; zero says nothing.
	RetryAfter time.Duration
	// ETag is the current version of what a precondition failed on.
	ETag string
	// Next is where the web app can put right what stands in the way: a path of it; empty
	// says nothing.
	Next string
	// Err is the cause, if any; for logs only.
	Err error
}

// Field is one part of a request that is to blame. Exactly one of Pointer,
// Parameter and Header is set.
type Field struct {
	Pointer   string // JSON pointer into the body (RFC 6901), for example /name
	Parameter string // name of a path or query parameter
	Header    string // name of a header
	Message   string // what to do about it; never the value itself, it may be a secret
}

// New returns an Error with a formatted message.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of e that records err as its cause.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// At returns a copy of e that blames fields.
func (e *Error) At(fields ...Field) *Error {
	c := *e
	c.Fields = fields
	return &c
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf reports the kind of the outermost Error in err's chain, Internal if
// there is none. It must not be asked about a nil error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
