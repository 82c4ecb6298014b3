package authhooks

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rowhouse/internal/accounts"
	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// minWebhookSecret is the least number of bytes of a secret of the webhook.
const minWebhookSecret = 16

// change is what Supabase's database webhooks send of a row of auth.users. Whether it
// has all columns is up to the project; those named here are all that is needed.
type change struct {
	Type      string `json:"type"`
	Schema    string `json:"schema"`
	Table     string `json:"table"`
	Record    row    `json:"record"`     // of INSERT and UPDATE
	OldRecord row    `json:"old_record"` // of UPDATE and DELETE
}

type row struct {
	user
	DeletedAt   time.Time      `json:"deleted_at"` // removed but for the row
	RawMetadata jsontext.Value `json:"raw_user_meta_data"`
}

func webhookSecrets(text string) ([][]byte, error) {
	var digests [][]byte
	for secret := range strings.SplitSeq(text, "|") {
		if secret = strings.TrimSpace(secret); len(secret) < minWebhookSecret {
			return nil, errors.New("auth hooks: the secret of user-changed has less than 16 bytes")
		}
		digest := sha256.Sum256([]byte(secret))
		digests = append(digests, digest[:])
	}
	return digests, nil
}

// userChanged follows what becomes of a user of the provider: another address, or
// removal. It is told once, or never, and what is told first may come last; what is
// older than what we know is passed over.
func (h *hooks) userChanged(w http.ResponseWriter, r *http.Request) {
	if !h.knows(r.Header.Get("Authorization")) {
		slog.WarnContext(r.Context(), "a call of the webhook is not the provider's")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := h.readChange(w, r)
	if err == nil {
		err = h.follow(r.Context(), body)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	write(w, struct{}{})
}

// knows compares digests, so that neither length nor text of a secret can be timed.
func (h *hooks) knows(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	given := sha256.Sum256([]byte(token))
	match := 0
	for _, secret := range h.secrets {
		match |= subtle.ConstantTimeCompare(given[:], secret)
	}
	return ok && match == 1
}

var errChange = errs.New(errs.Invalid, "invalid_request", "This is no change of a row of auth.users.")

func (h *hooks) readChange(w http.ResponseWriter, r *http.Request) (c change, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return c, errs.New(errs.TooLarge, "too_large", "The body is larger than 4 MiB.")
	}
	if err != nil {
		return c, errChange
	}
	if json.Unmarshal(body, &c, tolerant) != nil || c.Schema != "auth" || c.Table != "users" {
		return c, errChange
	}
	return c, nil
}

func (h *hooks) follow(ctx context.Context, c change) error {
	u := c.Record
	switch {
	case c.Type == "DELETE" && c.OldRecord.ID != uuid.Nil:
		return h.gone(ctx, c.OldRecord.ID)
	case (c.Type != "INSERT" && c.Type != "UPDATE") || u.ID == uuid.Nil:
		return errChange
	case !u.DeletedAt.IsZero():
		return h.gone(ctx, u.ID)
	case !u.ours():
		return nil
	}
	u.Metadata = u.RawMetadata // as its column is called
	account := u.account()
	return h.within(ctx, func(ctx context.Context) error {
		_, err := accounts.Keep(ctx, h.db, account)
		return err
	})
}

func (h *hooks) gone(ctx context.Context, id uuid.UUID) error {
	return h.within(ctx, func(ctx context.Context) error { return accounts.Gone(ctx, h.db, id, h.now()) })
}
