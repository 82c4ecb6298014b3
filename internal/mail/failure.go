package mail

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Error says why a mail did not leave. Err may quote the recipient and the
// server: it is for logs of the operator, and Reason for the landlord.
type Error struct {
	// Permanent tells that sending it again would fail again. All else is worth
	// another try: a server that is away or busy, and whatever is wrong with our
	// own account there.
	Permanent bool
	Reason    string // a sentence for a person, without the address
	Err       error
}

func (e *Error) Error() string {
	if e.Permanent {
		return fmt.Sprintf("not sent, for good: %s (%v)", e.Reason, e.Err)
	}
	return fmt.Sprintf("not sent, for now: %s (%v)", e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// IsPermanent tells whether sending again would fail again.
func IsPermanent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Permanent
}

// Reason is a sentence for a person on why a mail did not leave.
func Reason(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return unreachable
}

const (
	unreachable = "The mail service does not answer at the moment."
	refusesUs   = "The mail service does not take mail from us at the moment."
)

// failure puts in words what sending came to. What a server says of the recipient
// or the mail holds; what it says of us (greeting, TLS, login, sender) is for the
// operator to mend, and mails wait for that.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	send, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		if _, answered := errors.AsType[*textproto.Error](err); answered {
			return &Error{Reason: refusesUs, Err: err}
		}
		return &Error{Reason: unreachable, Err: err}
	}
	code, enhanced := send.ErrorCode(), send.EnhancedStatusCode()
	switch send.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
	case gomail.ErrSMTPMailFrom:
		if code != 0 {
			return &Error{Reason: refusesUs, Err: err}
		}
		return &Error{Reason: unreachable, Err: err}
	default:
		return &Error{Reason: unreachable, Err: err}
	}
	switch {
	case code == 0:
		return &Error{Reason: unreachable, Err: err}
	case code == 421:
		return &Error{Reason: refusesUs, Err: err}
	case code == 530 || code == 535 || code == 538:
		return &Error{Reason: refusesUs, Err: err} // we have not signed in
	case code < 500:
		return &Error{Reason: "The recipient's mail server asks to try again later.", Err: err}
	}
	return &Error{Permanent: true, Reason: refusal(code, enhanced, send.Reason), Err: err}
}

// refusal reads a 5xx. Servers differ in how they use the codes; the enhanced ones
// (RFC 3463) say more where they are given.
func refusal(code int, enhanced string, at gomail.SendErrReason) string {
	switch {
	case strings.HasPrefix(enhanced, "5.1."):
		return "There is no mailbox with this address."
	case enhanced == "5.2.2" || code == 552 && at == gomail.ErrSMTPRcptTo:
		return "The recipient's mailbox is full."
	case strings.HasPrefix(enhanced, "5.2."):
		return "The recipient's mailbox does not take mail."
	case strings.HasPrefix(enhanced, "5.7."):
		return "The recipient's mail server does not let mail of ours through."
	case at == gomail.ErrSMTPRcptTo && (code == 550 || code == 551 || code == 553):
		return "There is no mailbox with this address."
	}
	return "The recipient's mail server refused the mail."
}
