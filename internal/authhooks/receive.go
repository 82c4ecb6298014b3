package authhooks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rowhouse/internal/peer"
)

const (
	// maxBody is the most that a call may bring. The provider lets a user write 1 MiB
	// about themselves, and passes it on with some of it escaped.
	maxBody = 4 << 20
	// smallBody is the most that is read from a network that sends forged calls. It is
	// enough for nearly every user.
	smallBody = 16 << 10
)

// refusal is an answer that the provider shows to whoever signs up or in.
type refusal struct {
	Status  int    `json:"http_code"` // of the 4xx
	Message string `json:"message"`   // a sentence for them; the provider takes an empty one for consent
}

func (r *refusal) Error() string { return r.Message }

// errMalformed is a call of the provider that says nothing sensible.
var errMalformed = errors.New("malformed")

// errLater asks the provider to call again. It does so at once, up to three times.
type errLater struct{ error }

func (e errLater) Unwrap() error { return e.error }

// tolerant reads what others write: what is not known is passed over.
var tolerant = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// hook is a call's payload.
type hook interface{ about() metadata }

// receive returns the receiver of calls that name themselves name. Handle returns what
// goes into the answer, if not an empty object; its error may be a refusal.
//
// The signature is checked before anything of the body is looked at. To a call that is
// not the provider's nothing is said, not even what is wrong with it.
func receive[P hook](h *hooks, name string, handle func(context.Context, P) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := h.read(w, r)
		var payload P
		if err == nil {
			payload, err = decode[P](r, name, body)
		}
		var result any = struct{}{}
		if err == nil {
			result, err = handle(r.Context(), payload)
		}
		answer(w, r, result, err)
	}
}

// read returns the body of a call that the provider has made.
func (h *hooks) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	network, err := peer.Network(r)
	if err != nil {
		return nil, errForged{"it comes from nowhere"}
	}
	body, err := h.readVerified(w, r, network)
	if _, forged := errors.AsType[errForged](err); forged {
		h.forged.OnLimit(w, r, network)
	}
	return body, err
}

func (h *hooks) readVerified(w http.ResponseWriter, r *http.Request, network string) ([]byte, error) {
	claim, err := h.verifier.read(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := h.readBody(w, r, network)
	if err != nil {
		return nil, err
	}
	return body, h.verifier.verify(claim, body)
}

// readBody reads no more than a call may bring, or than one from a network that has
// sent many forged ones. Those are not turned away: the provider may come by the same
// proxy, and whoever forges calls would keep everybody from signing in.
func (h *hooks) readBody(w http.ResponseWriter, r *http.Request, network string) ([]byte, error) {
	limit := int64(maxBody)
	if _, rate, err := h.forged.Status(network); err != nil || rate >= forgedPerMinute {
		limit = smallBody
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

func decode[P hook](r *http.Request, name string, body []byte) (payload P, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return payload, errors.Join(errMalformed, errors.New("it is not application/json"))
	}
	if err := json.Unmarshal(body, &payload, tolerant); err != nil {
		return payload, errors.Join(errMalformed, errors.New("it is no JSON of its shape")) // the cause might quote it
	}
	// one hook's call is none of another's, whoever sends it there
	if got := payload.about().Name; got != name {
		return payload, errors.Join(errMalformed, errors.New("it is a call of another hook"))
	}
	return payload, nil
}

// answer says in the provider's way what came of a call: anything but 200 is an
// outage there, and only the text of a refusal is shown.
func answer(w http.ResponseWriter, r *http.Request, result any, err error) {
	ctx := r.Context()
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	refused, isRefused := errors.AsType[*refusal](err)
	_, isForged := errors.AsType[errForged](err)
	_, isLater := errors.AsType[errLater](err)
	switch {
	case err == nil:
		write(w, result)
	case isRefused:
		slog.InfoContext(ctx, "hook refused", "status", refused.Status, "message", refused.Message)
		write(w, struct {
			Error *refusal `json:"error"`
		}{refused})
	case isForged:
		slog.WarnContext(ctx, "a call of a hook is not the provider's", "error", err)
		w.WriteHeader(http.StatusUnauthorized)
	case isTooLarge:
		slog.WarnContext(ctx, "a call of a hook is too large", "limit", tooLarge.Limit)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(err, errMalformed):
		slog.ErrorContext(ctx, "a call of a hook is malformed", "error", err)
		w.WriteHeader(http.StatusBadRequest)
	case isLater:
		slog.WarnContext(ctx, "hook asks to be called again", "error", err)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	default: // the caller went away, or it is our fault
		slog.ErrorContext(ctx, "hook failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// raw is an answer that goes out as it is.
type raw []byte

func write(w http.ResponseWriter, result any) {
	body, ok := result.(raw)
	if !ok {
		var err error
		if body, err = json.Marshal(result); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the provider may be gone
}
