package authhooks

import (
	"context"
	"crypto/sha256"
	_ "embed" // the list
	"net/http"
	"strings"
	"sync"

	"rowhouse/internal/db"
	"rowhouse/internal/mail"
	"rowhouse/internal/query"
)

// gate says who may sign up.
type gate struct {
	closed     bool // to all without an invite
	disposable bool // addresses that are made to be thrown away are let in
}

//go:embed disposable.txt
var disposableList string

var disposableDomains = sync.OnceValue(func() map[string]bool {
	domains := map[string]bool{}
	for line := range strings.Lines(disposableList) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			domains[line] = true
		}
	}
	return domains
})

// isDisposable looks for domain and for those that it is under.
func isDisposable(domain string) bool {
	for {
		if disposableDomains()[domain] {
			return true
		}
		_, above, ok := strings.Cut(domain, ".")
		if !ok {
			return false
		}
		domain = above
	}
}

func forbid(message string) error {
	return &refusal{Status: http.StatusForbidden, Message: message}
}

// beforeUserCreated allows or refuses a sign-up, and writes nothing: the id that comes
// here may not become the user's, and the one who signs up may be nobody, with an
// address of somebody else.
//
// Closed sign-ups stay open to whoever brings the invite of a landlord, in the member
// invite_token of what they say about themselves, and signs up with the address that it
// went to: a landlord who is here already can go on. The operator lets others in with
// the provider's POST /admin/users, which calls no hook.
func (h *hooks) beforeUserCreated(ctx context.Context, p userPayload) (any, error) {
	u := p.User
	switch {
	case u.Audience != audience:
		return nil, forbid("You can't sign up this way.")
	case u.IsAnonymous:
		return nil, forbid("You can't sign up without an e-mail address.")
	case u.Email == "":
		return nil, forbid("Sign up with an e-mail address.")
	}
	address, err := mail.ParseAddress(u.Email)
	if err != nil {
		return nil, &refusal{Status: http.StatusUnprocessableEntity, Message: mail.Reason(err)}
	}
	if _, domain, _ := strings.Cut(address, "@"); !h.gate.disposable && isDisposable(domain) {
		return nil, &refusal{
			Status:  http.StatusUnprocessableEntity,
			Message: "This address is one to be thrown away. Use one that you will keep: tenants and mail reach you there.",
		}
	}
	if !h.gate.closed {
		return struct{}{}, nil
	}
	invited, err := h.invited(ctx, readHints(u.Metadata).inviteToken, u.Email)
	switch {
	case err != nil:
		return nil, errLater{err}
	case !invited:
		return nil, forbid("Sign-ups are closed at the moment.")
	}
	return struct{}{}, nil
}

// invited tells whether token opens an invite that is open and went to email.
func (h *hooks) invited(ctx context.Context, token, email string) (bool, error) {
	if token == "" {
		return false, nil
	}
	found := make(chan bool, 1) // nobody may be waiting for it any more
	err := h.within(ctx, func(ctx context.Context) error {
		invitee := db.Invitee{TokenHash: sha256.Sum256([]byte(token))}
		var open bool
		err := h.db.AsInvitee(ctx, db.ReadOnly, invitee, func(tx *db.Tx) (err error) {
			open, err = query.New().InviteOpenTo(ctx, tx, email)
			return err
		})
		found <- open
		return err
	})
	if err != nil {
		return false, err
	}
	return <-found, nil
}
