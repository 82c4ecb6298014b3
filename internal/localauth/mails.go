package localauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Kinds of codes: values of auth.one_time_token_type.
const (
	confirmationToken     = "confirmation_token"
	recoveryToken         = "recovery_token"
	reauthenticationToken = "reauthentication_token"
	emailChangeNew        = "email_change_token_new"
	emailChangeCurrent    = "email_change_token_current"
)

// tokenTypeOf is the kind of code that a mail for action carries. A change of
// address has two mails and is not among them.
func tokenTypeOf(action string) string {
	switch action {
	case "signup", "invite":
		return confirmationToken
	case "recovery", "magiclink":
		return recoveryToken
	default:
		return reauthenticationToken
	}
}

// lastSent is when the last mail went out that counts against the interval of
// one for action. Invitations have none.
func lastSent(u *user, action string) *time.Time {
	switch action {
	case "signup":
		return u.ConfirmationSentAt
	case "recovery", "magiclink":
		return u.RecoverySentAt
	case "reauthentication":
		return u.ReauthSentAt
	case "email_change":
		return u.EmailChangeSentAt
	}
	return nil
}

func (s *Server) checkInterval(u *user, action string) error {
	sent := lastSent(u, action)
	if sent == nil || !s.now().Before(sent.Add(s.cfg.MailInterval)) {
		return nil
	}
	left := int(sent.Add(s.cfg.MailInterval).Sub(s.now()).Seconds())
	return fail(http.StatusTooManyRequests, "over_email_send_rate_limit", "For security purposes, you can only request this after %d seconds.", left)
}

// sendCode replaces the user's code for action by a new one and hands it to the
// send-email hook, else to Deliver. Both run inside the transaction, before it
// is sure to commit; their error undoes it.
func (s *Server) sendCode(r *http.Request, tx pgx.Tx, u *user, action string, c challenge) error {
	if err := s.checkInterval(u, action); err != nil {
		return err
	}
	code, hash, err := newCode(u.Email)
	if err != nil {
		return err
	}
	hash = c.tokenHash(hash)
	if err := s.storeCode(r.Context(), tx, u, tokenTypeOf(action), u.Email, hash); err != nil {
		return err
	}
	if hook := s.cfg.Hooks.SendEmail; hook != nil {
		err = s.hooks.mailHook(r, hook, u, emailData{
			Token: code, TokenHash: hash, RedirectTo: s.redirectTarget(r), Action: action, SiteURL: s.cfg.ExternalURL,
		})
	} else {
		err = s.deliver(r, u.Email, action, code, hash)
	}
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return s.noteSent(r.Context(), tx, u, action)
}

// sendEmailChange mails a code to each of the two addresses. The hook's data pair
// each code with the other's hash, as the real service's do: the code of the
// current address goes with TokenHashNew, that of the new one with TokenHash.
func (s *Server) sendEmailChange(r *http.Request, tx pgx.Tx, u *user, email string, c challenge) error {
	ctx := r.Context()
	if err := s.checkInterval(u, "email_change"); err != nil {
		return err
	}
	newCodeText, newHash, err := newCode(email)
	if err != nil {
		return err
	}
	code, hash, err := newCode(u.Email)
	if err != nil {
		return err
	}
	newHash, hash = c.tokenHash(newHash), c.tokenHash(hash)
	if err := s.storeCode(ctx, tx, u, emailChangeNew, email, newHash); err != nil {
		return err
	}
	if u.Email != "" {
		if err := s.storeCode(ctx, tx, u, emailChangeCurrent, u.Email, hash); err != nil {
			return err
		}
	} else {
		code, hash = newCodeText, ""
	}
	u.NewEmail = email
	if hook := s.cfg.Hooks.SendEmail; hook != nil {
		data := emailData{Token: code, TokenHash: newHash, RedirectTo: s.redirectTarget(r), Action: "email_change", SiteURL: s.cfg.ExternalURL}
		if u.Email != "" {
			data.TokenNew, data.TokenHashNew = newCodeText, hash
		}
		err = s.hooks.mailHook(r, hook, u, data)
	} else {
		err = s.deliver(r, email, "email_change", newCodeText, newHash)
		if err == nil && u.Email != "" {
			err = s.deliver(r, u.Email, "email_change", code, hash)
		}
	}
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	_, err = tx.Exec(ctx, userEmailChangeAskSQL, pgx.NamedArgs{"id": u.ID, "email": email, "now": s.now()})
	if err != nil {
		return fmt.Errorf("note the new address: %w", err)
	}
	return nil
}

func (s *Server) deliver(r *http.Request, to, action, code, hash string) error {
	redirect := s.redirectTarget(r)
	return s.cfg.Deliver(r.Context(), Mail{
		To: to, Action: action, Code: code, TokenHash: hash, Link: s.actionLink(action, hash, redirect), RedirectTo: redirect,
	})
}

// actionLink escapes where the link ends up only if the rest of the link would be
// lost otherwise, as the real service does.
func (s *Server) actionLink(action, hash, redirect string) string {
	if strings.ContainsAny(redirect, "&=#") {
		redirect = url.QueryEscape(redirect)
	}
	return s.cfg.ExternalURL + "/verify?token=" + url.QueryEscape(hash) + "&type=" + url.QueryEscape(action) + "&redirect_to=" + redirect
}

// newCode draws a code for an address and returns it with its hash.
func newCode(email string) (code, hash string, err error) {
	number, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", "", fmt.Errorf("draw code: %w", err)
	}
	code = fmt.Sprintf("%06d", number)
	return code, codeHash(email, code), nil
}

// codeHash is the form of a code in links and in the database: SHA-224 in hex.
func codeHash(email, code string) string {
	sum := sha256.Sum224([]byte(email + code))
	return hex.EncodeToString(sum[:])
}

// storeCode replaces the user's code of this kind.
func (s *Server) storeCode(ctx context.Context, tx pgx.Tx, u *user, kind, email, hash string) error {
	_, err := tx.Exec(ctx, oneTimeTokenPutSQL, pgx.NamedArgs{
		"id": uuid.New(), "user_id": u.ID, "token_type": kind, "token_hash": hash, "email": email, "now": s.now(),
	})
	if err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	return nil
}

func (s *Server) noteSent(ctx context.Context, tx pgx.Tx, u *user, action string) error {
	if _, err := tx.Exec(ctx, userCodeSentSQL, pgx.NamedArgs{"id": u.ID, "action": action, "now": s.now()}); err != nil {
		return fmt.Errorf("note the mail: %w", err)
	}
	return nil
}
