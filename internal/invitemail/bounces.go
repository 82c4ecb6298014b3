package invitemail

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/problem"
	"rowhouse/internal/query"
)

const (
	// BouncesPath is where a mail provider says that a mail came back.
	BouncesPath = "/hooks/mail/bounced"

	minSecret  = 32
	maxReport  = 64 << 10
	maxMessage = 1000 // characters of a Message-ID that is looked at
)

// BouncesConfig is what Bounces needs, all of it.
type BouncesConfig struct {
	DB     *db.DB
	Keys   invitetoken.Keyring
	Secret string // what the provider's requests carry, of 32 characters at least
}

// report is what a provider, or a small script between it and us, posts. Members that
// are not here are ignored.
type report struct {
	// MessageID is the header of the mail that came back, with or without its brackets.
	MessageID string `json:"messageId"`
	// Type is "bounce" for a mail that will not arrive, "complaint" for one that the
	// recipient marked as unwanted, "delay" for one that may yet arrive.
	Type string `json:"type"`
}

// reasons are what a landlord reads. The provider's own words may quote anything.
var reasons = map[string]string{
	"bounce":    "The mail came back: the address does not take it.",
	"complaint": "The recipient marked the mail as unwanted.",
	"delay":     "",
}

// Bounces answers POST /hooks/mail/bounced, with the secret as a bearer token:
//
//	curl https://…/hooks/mail/bounced -H "Authorization: Bearer $MAIL_HOOK_SECRET" \
//	  -H "Content-Type: application/json" -d '{"messageId": "<…>", "type": "bounce"}'
//
// The answer is 204, also for a mail that is none of ours or has been heard of: there
// is nothing to send again. The Message-ID says whose invite it is, and the change is
// made as that landlord.
func Bounces(c BouncesConfig) (http.Handler, error) {
	if len(c.Secret) < minSecret {
		return nil, errors.New("MAIL_HOOK_SECRET: want 32 characters or more")
	}
	want := sha256.Sum256([]byte(c.Secret))
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+BouncesPath, func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		if !ok || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			problem.Write(w, r, errs.New(errs.Unauthenticated, "unauthenticated", "The secret is missing or wrong."))
			return
		}
		mail, err := read(http.MaxBytesReader(w, r.Body, maxReport))
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		if err := c.bounced(r, mail); err != nil {
			problem.Write(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, errs.New(errs.NotFound, "not_found", "There is nothing here."))
	})
	return mux, nil
}

func read(body io.Reader) (report, error) {
	var given report
	raw, err := io.ReadAll(body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return given, errs.New(errs.TooLarge, "too_large", "The body is longer than %d KiB.", tooLarge.Limit>>10)
	} else if err != nil {
		return given, errs.New(errs.Invalid, "invalid_request", "The body did not arrive.").Because(err)
	}
	if err := json.Unmarshal(raw, &given); err != nil {
		return given, errs.New(errs.Invalid, "invalid_request", "The body is not a JSON object of the documented form.").Because(err)
	}
	if _, known := reasons[given.Type]; !known {
		return given, errs.New(errs.Invalid, "invalid_request", "The request has errors.").
			At(errs.Field{Pointer: "/type", Message: "expected one of bounce, complaint, delay"})
	}
	if given.MessageID == "" || len(given.MessageID) > maxMessage {
		return given, errs.New(errs.Invalid, "invalid_request", "The request has errors.").
			At(errs.Field{Pointer: "/messageId", Message: "expected the Message-ID of a mail"})
	}
	return given, nil
}

func (c BouncesConfig) bounced(r *http.Request, given report) error {
	landlord, mail, ours := c.Keys.ParseMessageID(given.MessageID)
	if !ours || landlord == uuid.Nil || reasons[given.Type] == "" {
		return nil
	}
	ctx := auth.With(r.Context(), auth.Identity{UserID: landlord})
	return c.DB.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		_, err := query.New().InviteMailBounced(ctx, tx, query.InviteMailBouncedParams{MailID: mail, Reason: reasons[given.Type]})
		return err
	})
}
