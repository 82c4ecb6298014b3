package localauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const halfConfirmed = "Confirmation link accepted. Please proceed to confirm link sent to the other email"

type verifyRequest struct {
	Type       string `json:"type"`
	Token      string `json:"token"`
	TokenHash  string `json:"token_hash"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	RedirectTo string `json:"redirect_to"`
}

// proof is what shows that somebody got a mail: its hash, or the code typed in
// beside the address.
type proof struct {
	kind    string // the type that the client names
	hashes  []string
	email   string // empty for a hash alone
	aud     string
	expired string // what to say when there is no such code
}

func (q *verifyRequest) proof(aud string) (proof, error) {
	invalid := func(text string) (proof, error) {
		return proof{}, fail(http.StatusBadRequest, "validation_failed", "%s", text)
	}
	switch {
	case q.Type == "":
		return invalid("Verify requires a verification type")
	case (q.Token == "") == (q.TokenHash == ""):
		return invalid("Verify requires either a token or a token hash")
	case q.TokenHash != "" && (q.Email != "" || q.Phone != "" || q.RedirectTo != ""):
		return invalid("Only the token_hash and type should be provided")
	case q.TokenHash != "":
		return hashProof(q.Type, q.TokenHash), nil
	case q.Email == "" || q.Phone != "":
		return invalid("Only an email address or phone number should be provided on verify")
	}
	email, err := normalEmail(q.Email)
	if err != nil {
		return proof{}, fail(http.StatusUnprocessableEntity, "validation_failed", "Invalid email format")
	}
	hash := codeHash(email, q.Token)
	return proof{
		kind: q.Type, hashes: []string{hash, pkcePrefix + hash}, email: email, aud: aud, expired: "Token has expired or is invalid",
	}, nil
}

func hashProof(kind, hash string) proof {
	return proof{kind: kind, hashes: []string{hash}, expired: "Email link is invalid or has expired"}
}

// verifyCode trades a code with its address, or a hash alone, for a session.
func (s *Server) verifyCode(w http.ResponseWriter, r *http.Request) error {
	var q verifyRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	p, err := q.proof(requestAudience(r))
	if err != nil {
		return err
	}
	var answer *sessionAnswer
	err = pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) error {
		u, err := s.redeem(r.Context(), tx, p)
		if err != nil || u == nil {
			return err
		}
		answer, err = s.openSession(w.Header(), r, tx, u, byCode)
		return err
	})
	if err != nil {
		return err
	}
	if answer == nil {
		writeJSON(w, http.StatusOK, map[string]string{"code": strconv.Itoa(http.StatusOK), "msg": halfConfirmed})
		return nil
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// followLink is the GET of a mail's link. Session and error alike travel in the
// fragment of a redirect, where no server sees them; with PKCE a code, and the
// error too, in the query.
func (s *Server) followLink(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	kind, hash := query.Get("type"), query.Get("token")
	if kind == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Verify requires a verification type")
	}
	if hash == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Verify requires a token or a token hash")
	}
	pkce := strings.HasPrefix(hash, pkcePrefix)
	var answer *sessionAnswer
	var code string
	err := pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) error {
		u, err := s.redeem(r.Context(), tx, hashProof(kind, hash))
		switch {
		case err != nil || u == nil:
		case pkce:
			code, err = s.issueCode(r.Context(), tx, u, methodOfLink(kind))
		default:
			answer, err = s.openSession(w.Header(), r, tx, u, byCode)
		}
		return err
	})
	target := s.redirectTarget(r)
	f, refused := errors.AsType[*failure](err)
	switch {
	case refused:
		s.logFailure(r, f)
		target = errorRedirect(target, f, pkce)
	case err != nil:
		return err
	case pkce && code != "":
		target = addToQuery(target, url.Values{"code": {code}})
	case answer != nil:
		target = answer.redirect(target, url.Values{"type": {kind}})
	default:
		message := url.Values{"message": {halfConfirmed}}
		if pkce {
			target = addToQuery(target, message)
		}
		message.Set("sb", "")
		target = setFragment(target, message)
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// methodOfLink is the authentication method under which a flow that began with a
// mail of this type is remembered.
func methodOfLink(kind string) string {
	if strings.HasSuffix(kind, "signup") {
		return bySignup
	}
	return kind
}

// redeem uses a code up, does what it was mailed for and returns its user; no
// user and no error after the first half of a change of address.
func (s *Server) redeem(ctx context.Context, tx pgx.Tx, p proof) (*user, error) {
	var types []string
	switch p.kind {
	case "signup", "invite":
		types = []string{confirmationToken}
	case "recovery", "magiclink":
		types = []string{recoveryToken}
	case "email":
		types = []string{confirmationToken, recoveryToken}
	case "email_change":
		types = []string{emailChangeCurrent, emailChangeNew}
	default:
		return nil, fail(http.StatusBadRequest, "validation_failed", "Invalid email verification type")
	}
	u, found, err := s.takeCode(ctx, tx, p, types)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, fail(http.StatusForbidden, "otp_expired", "%s", p.expired)
	}
	if u.banned(s.now()) {
		return nil, fail(http.StatusForbidden, "user_banned", "User is banned")
	}
	if p.kind == "email_change" {
		done, err := s.changeEmail(ctx, tx, u)
		if err != nil || !done {
			return nil, err
		}
	} else if err := s.proveAddress(ctx, tx, u, found); err != nil {
		return nil, err
	}
	if found == confirmationToken && u.InvitedAt != nil && u.Password == "" {
		// The invited get a password that nobody knows, which voids what was mailed.
		hash, err := s.hashPassword(rand.Text() + rand.Text())
		if err != nil {
			return nil, err
		}
		if err := s.setPassword(ctx, tx, u, hash); err != nil {
			return nil, err
		}
	}
	// One proof voids every other code of the user.
	if _, err := tx.Exec(ctx, oneTimeTokensClearSQL, pgx.NamedArgs{"user_id": u.ID}); err != nil {
		return nil, fmt.Errorf("clear codes: %w", err)
	}
	if _, err := tx.Exec(ctx, userSetProvidersSQL, pgx.NamedArgs{"id": u.ID, "now": s.now()}); err != nil {
		return nil, fmt.Errorf("note providers: %w", err)
	}
	return reloaded(ctx, tx, u)
}

// proveAddress: whoever reads the mails of an address has proven it, by either
// code; the identity learns of it only from a confirmation.
func (s *Server) proveAddress(ctx context.Context, tx pgx.Tx, u *user, found string) error {
	if err := s.confirm(ctx, tx, u); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	if found != confirmationToken {
		return nil
	}
	if _, err := tx.Exec(ctx, identityVerifySQL, pgx.NamedArgs{"user_id": u.ID, "now": s.now()}); err != nil {
		return fmt.Errorf("verify identity: %w", err)
	}
	return nil
}

// changeEmail takes one half of a change of address, and makes the change with
// the second. Where sign-ups are confirmed at once, or where there was no
// address, one half is enough.
func (s *Server) changeEmail(ctx context.Context, tx pgx.Tx, u *user) (done bool, err error) {
	args := pgx.NamedArgs{"id": u.ID, "user_id": u.ID, "email": u.NewEmail, "now": s.now()}
	if !s.cfg.Autoconfirm && u.EmailChangeHalves == 0 && u.Email != "" {
		if _, err := tx.Exec(ctx, userEmailChangeHalfSQL, args); err != nil {
			return false, fmt.Errorf("note half of the change: %w", err)
		}
		return false, nil
	}
	changed, err := tx.Exec(ctx, identitySetEmailSQL, args)
	if err != nil {
		return false, fmt.Errorf("change identity: %w", err)
	}
	if changed.RowsAffected() == 0 {
		claims := emailClaims(&user{ID: u.ID, Email: u.NewEmail})
		claims["email_verified"] = true
		if err := s.insertIdentity(ctx, tx, u, "email", claims); err != nil {
			return false, fmt.Errorf("add identity: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, userEmailChangeDoneSQL, args); err != nil {
		return false, fmt.Errorf("change address: %w", err)
	}
	return true, s.confirm(ctx, tx, u)
}

// takeCode removes a code and returns whose it was, locked, or nil if there is
// none or it is too old.
func (s *Server) takeCode(ctx context.Context, tx pgx.Tx, p proof, types []string) (*user, string, error) {
	var userID uuid.UUID
	var found string
	var made time.Time
	err := tx.QueryRow(ctx, oneTimeTokenTakeSQL, pgx.NamedArgs{
		"token_hashes": p.hashes, "token_types": types, "email": p.email, "aud": p.aud,
	}).Scan(&userID, &found, &made)
	if errors.Is(err, pgx.ErrNoRows) || (err == nil && s.now().After(made.Add(codeLife))) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("take code: %w", err)
	}
	if _, err := tx.Exec(ctx, userLockSQL, pgx.NamedArgs{"id": userID}); err != nil {
		return nil, "", fmt.Errorf("lock user: %w", err)
	}
	u, err := userByID(ctx, tx, userID)
	return u, found, err
}
