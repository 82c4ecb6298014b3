package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// maxBody is more than any form here can fill.
const maxBody = 16 << 10

// call is one request to an endpoint.
type call struct {
	*Web
	w http.ResponseWriter
	r *http.Request
}

// outcome is what an endpoint answers.
type outcome struct {
	status int    // 0 means 200
	body   any    // as JSON; nil for none
	to     string // where the answer to a form leads
}

// input is what an endpoint takes.
type input interface {
	// check returns what is wrong with it.
	check() []errs.Field
}

// nothing is the input of an endpoint that takes none.
type nothing struct{}

func (nothing) check() []errs.Field { return nil }

// get makes an endpoint of do.
func get(s *Web, do func(*call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := do(&call{s, w, r})
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, body)
	}
}

// post makes an endpoint of do that takes a JSON object, or a form from the page of
// that name if there is one; the answer is of the same kind.
func post[In input](s *Web, page string, do func(*call, In) (outcome, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		values, err := read(w, r, page != "", &in)
		var out outcome
		if err == nil {
			out, err = do(&call{s, w, r}, in)
		}
		switch {
		case values != nil && err != nil:
			s.again(w, r, page, values, err)
		case values != nil:
			http.Redirect(w, r, out.to, http.StatusSeeOther)
		case err != nil:
			problem.Write(w, r, err)
		case out.body == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			writeJSON(w, max(out.status, http.StatusOK), out.body)
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // our own types
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the caller may be gone
}

// read fills in from the body. Of a form it returns the values, even with an error.
func read[In input](w http.ResponseWriter, r *http.Request, forms bool, in *In) (map[string]string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := forms && kind == "application/x-www-form-urlencoded"
	unsupported := errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send the body as application/json and say so in Content-Type.")
	if r.Header.Get("Content-Encoding") != "" {
		return nil, unsupported
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if form {
		values, err := readForm(r)
		if err != nil {
			return map[string]string{}, err
		}
		data, err := json.Marshal(values)
		if err != nil {
			return map[string]string{}, invalid(errs.Field{Message: "is not text"})
		}
		return values, fill(data, in)
	}
	data, tooLarge := io.ReadAll(r.Body)
	switch {
	case tooLarge != nil:
		return nil, bodyError(tooLarge)
	case len(data) == 0:
		data = []byte("{}")
	case err != nil || kind != "application/json":
		return nil, unsupported
	}
	return nil, fill(data, in)
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errs.New(errs.TooLarge, "too_large", "The request is larger than %d bytes.", maxBody)
	}
	return errs.New(errs.Invalid, "invalid_request", "The request did not arrive whole.").Because(err)
}

func readForm(r *http.Request) (map[string]string, error) {
	if err := r.ParseForm(); err != nil {
		return nil, bodyError(err)
	}
	values := map[string]string{}
	for name, all := range r.PostForm {
		if len(all) > 1 {
			return nil, invalid(errs.Field{Message: "a field stands twice"})
		}
		if all[0] != "" { // forms send what was left empty
			values[name] = all[0]
		}
	}
	return values, nil
}

func fill[In input](data []byte, in *In) error {
	if err := json.Unmarshal(data, in, json.RejectUnknownMembers(true)); err != nil {
		return invalid(blame(err))
	}
	if fields := (*in).check(); len(fields) > 0 {
		return invalid(fields...)
	}
	return nil
}

func invalid(fields ...errs.Field) error {
	return errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").At(fields...)
}

// blame says what is wrong with a body, without the value, which may be a password.
func blame(err error) errs.Field {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return errs.Field{Pointer: string(syntax.JSONPointer), Message: "not valid JSON"}
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		message := "not a value that fits here"
		if errors.Is(err, json.ErrUnknownName) {
			message = "unexpected property"
		}
		return errs.Field{Pointer: string(semantic.JSONPointer), Message: message}
	}
	return errs.Field{Message: "not valid JSON"}
}

// as asks the provider in the name of a session.
func (c *call) as(ss session) *authclient.Client { return c.provider.As(c.r.Context(), ss.AccessToken) }

// nobody asks the provider in nobody's name.
func (c *call) nobody() *authclient.Client { return c.provider.As(c.r.Context(), "") }

// session is the session of the caller.
func (c *call) session() (session, error) { return c.load(c.w, c.r) }

// ask asks the provider in the name of the caller's session, and ends that here if the
// provider says that it has ended.
func (c *call) ask(question func(*authclient.Client, session) error) (session, error) {
	ss, err := c.session()
	if err != nil {
		return ss, err
	}
	return ss, c.endIfEnded(ss, question(c.as(ss), ss))
}

func (c *call) endIfEnded(ss session, err error) error {
	if !isEnded(err) {
		return err
	}
	c.memory.end(ss.ID)
	c.sessions.Clear(c.w, c.r)
	return errEnded
}

// afterwards asks the provider something whose answer tells whether an address is
// known. So the answer is given before: it says that the provider is there, or that it
// is not, and nothing else that comes of the question.
func (c *call) afterwards(ss *session, question func(*authclient.Client) error) error {
	token := ""
	if ss != nil {
		token = ss.AccessToken
	}
	select {
	case c.slots <- struct{}{}:
	default:
		e := errs.New(errs.Unavailable, "busy", "Too much is going on at the moment. Try again shortly.")
		e.RetryAfter = time.Second
		return e
	}
	ctx := c.r.Context()
	if err := c.nobody().Healthy(); err != nil {
		<-c.slots
		return explain(err)
	}
	c.waiting.Go(func() {
		defer func() { <-c.slots }()
		<-ctx.Done() // the server ends it when the answer is out
		detached := context.WithoutCancel(ctx)
		if err := question(c.provider.As(detached, token)); err != nil {
			slog.WarnContext(detached, "the identity provider did not do what was answered before", "route", c.r.URL.Path, "error", err)
		}
	})
	return nil
}

// explain words a refusal of the provider for which an endpoint has no words.
func explain(err error) error {
	refused, ok := errors.AsType[*authclient.Refused](err)
	if !ok {
		return err
	}
	if e, ok := explained[refused.Code]; ok {
		return e.Because(refused)
	}
	if refused.Status == http.StatusTooManyRequests {
		e := errs.New(errs.TooMany, "rate_limited", "That was tried too often. Wait a little.").Because(refused)
		e.RetryAfter = time.Minute
		return e
	}
	return errs.New(errs.Unprocessable, "refused", "The sign-in service does not accept this.").Because(refused)
}

var explained = map[string]*errs.Error{
	"weak_password":                 errs.New(errs.Unprocessable, "weak_password", "This password is too easy to guess. Choose a longer one."),
	"same_password":                 errs.New(errs.Unprocessable, "same_password", "This is the password that you have. Choose another."),
	"insufficient_aal":              errs.New(errs.Forbidden, "aal2_required", "Enter a code of your second factor first."),
	"reauthentication_needed":       errs.New(errs.Forbidden, "reauthentication_needed", "Ask for a code by mail first, and send it along."),
	"reauthentication_not_valid":    errs.New(errs.Unprocessable, "code_wrong", "The code is wrong or too old."),
	"mfa_verification_failed":       errs.New(errs.Unprocessable, "code_wrong", "The code is wrong or too old."),
	"mfa_verification_rejected":     errs.New(errs.Forbidden, "code_wrong", "The code is not accepted."),
	"mfa_challenge_expired":         errs.New(errs.Unprocessable, "challenge_expired", "That took too long. Begin again."),
	"mfa_factor_not_found":          errs.New(errs.NotFound, "not_found", "There is nothing here."),
	"mfa_factor_name_conflict":      errs.New(errs.Conflict, "factor_name_taken", "You have a second factor of that name."),
	"too_many_enrolled_mfa_factors": errs.New(errs.Conflict, "too_many_factors", "You have as many second factors as there can be. Remove one first."),
	"mfa_totp_enroll_not_enabled":   errs.New(errs.Forbidden, "mfa_disabled", "Second factors are switched off here."),
	"mfa_verified_factor_exists":    errs.New(errs.Forbidden, "aal2_required", "Enter a code of your second factor first."),
	"email_address_invalid":         errs.New(errs.Unprocessable, "email_invalid", "Mails to this address cannot be sent."),
}
