package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

const (
	// renewBefore is how long before its end a token is replaced, or a quarter of its
	// life if that is shorter.
	renewBefore = time.Minute
	// shortWait is how long a request with a token that still holds waits for the next.
	shortWait = 3 * time.Second
	// resetWithin is how long after a link a password may be set without the old one.
	resetWithin = 15 * time.Minute
)

var (
	errNoSession = errs.New(errs.Unauthenticated, "session_missing", "Sign in first.")
	errEnded     = errs.New(errs.Unauthenticated, "session_ended", "Your session has ended. Sign in again.")
)

// session is what the cookie holds, and what follows from it.
type session struct {
	authclient.Session
	began      time.Time // signed in
	renewed    time.Time // got these tokens
	resetUntil time.Time // may set a password without the old one; zero for never
}

// sealed is the form of a session in the cookie. What else there is to know stands in
// the access token.
type sealed struct {
	Access     string `json:"a"`
	Refresh    string `json:"r"`
	Second     bool   `json:"f,omitempty"`
	Began      int64  `json:"b"`
	Renewed    int64  `json:"n"`
	ResetUntil int64  `json:"p,omitempty"`
}

func (ss session) seal() []byte {
	out := sealed{Access: ss.AccessToken, Refresh: ss.RefreshToken, Second: ss.SecondFactor, Began: ss.began.Unix(), Renewed: ss.renewed.Unix()}
	if !ss.resetUntil.IsZero() {
		out.ResetUntil = ss.resetUntil.Unix()
	}
	data, _ := json.Marshal(out) // texts and numbers
	return data
}

func unseal(data []byte) (session, error) {
	var in sealed
	if err := json.Unmarshal(data, &in); err != nil {
		return session{}, err
	}
	tokens, err := authclient.NewSession(in.Access, in.Refresh, in.Second)
	if err != nil {
		return session{}, err
	}
	ss := session{Session: tokens, began: time.Unix(in.Began, 0), renewed: time.Unix(in.Renewed, 0)}
	if in.ResetUntil != 0 {
		ss.resetUntil = time.Unix(in.ResetUntil, 0)
	}
	return ss, nil
}

// next is the session with its next tokens.
func (ss session) next(tokens authclient.Session, now time.Time) session {
	ss.Session, ss.renewed = tokens, now
	return ss
}

// due is when the session's tokens are to be replaced: before they end, and often
// enough to tell from it when the session was used last.
func (s *Web) due(ss session) time.Time {
	due := ss.ExpiresAt.Add(-min(renewBefore, ss.ExpiresAt.Sub(ss.renewed)/4))
	if sooner := ss.renewed.Add(s.idle / 4); sooner.Before(due) {
		return sooner
	}
	return due
}

// end is when the session ends if it is not used any more.
func (s *Web) end(ss session) time.Time {
	idle, absolute := s.due(ss).Add(s.idle), ss.began.Add(s.lifetime)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// keep has the browser keep ss.
func (s *Web) keep(w http.ResponseWriter, r *http.Request, ss session) error {
	if err := s.sessions.Write(w, r, ss.seal(), s.end(ss).Sub(s.now())); err != nil {
		return errs.New(errs.Unprocessable, "session_too_large", "Your account carries too much data to sign in with a browser.").Because(err)
	}
	return nil
}

// open begins a session in the browser with tokens that the provider has just given.
func (s *Web) open(w http.ResponseWriter, r *http.Request, tokens authclient.Session, mayReset bool) (session, error) {
	now := s.now().Truncate(time.Second) // as the cookie keeps it
	ss := session{Session: tokens, began: now, renewed: now}
	if mayReset {
		ss.resetUntil = now.Add(resetWithin)
	}
	return ss, s.keep(w, r, ss)
}

// load returns the session that r came with, renewed if that is due. The error is
// errNoSession, errEnded, after which the browser has no session any more, or that the
// provider is away and the tokens have ended, after which it still has.
func (s *Web) load(w http.ResponseWriter, r *http.Request) (session, error) {
	data, err := s.sessions.Read(r)
	if errors.Is(err, http.ErrNoCookie) {
		return session{}, errNoSession
	}
	var came session
	if err == nil {
		came, err = unseal(data)
	}
	now := s.now()
	if err != nil || s.memory.hasEnded(came.ID) || !now.Before(s.end(came)) {
		s.sessions.Clear(w, r)
		return session{}, errEnded
	}
	ss := s.memory.newest(came)
	if !now.Before(s.due(ss)) {
		if ss, err = s.renewInTime(r.Context(), ss); err != nil {
			if errors.Is(err, errEnded) {
				s.sessions.Clear(w, r)
			}
			return session{}, err
		}
	}
	if ss.RefreshToken != came.RefreshToken {
		if err := s.keep(w, r, ss); err != nil {
			return session{}, err
		}
	}
	return ss, nil
}

// renewInTime renews ss, and goes on with it if that takes long or fails while its
// token holds.
func (s *Web) renewInTime(ctx context.Context, ss session) (session, error) {
	left := ss.ExpiresAt.Sub(s.now())
	wait := ctx
	if left > shortWait {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, shortWait)
		defer cancel()
	}
	next, err := s.renew(wait, ss)
	if err == nil || errors.Is(err, errEnded) || left <= 0 {
		return next, err
	}
	slog.WarnContext(ctx, "a session could not be renewed and goes on until its token ends", "left", left, "error", err)
	return ss, nil
}

// renew returns ss with its next tokens. Of all who ask for one session's at once,
// one asks the provider; who comes later with the old cookie gets what it said.
func (s *Web) renew(ctx context.Context, ss session) (session, error) {
	answered := s.renewing.DoChan(digest(ss), func() (any, error) {
		if next := s.memory.newest(ss); next.RefreshToken != ss.RefreshToken {
			return next, nil
		}
		// whoever asked first may go away: the others wait for the answer too
		next, err := s.askToRenew(context.WithoutCancel(ctx), ss)
		if err == nil {
			s.memory.follow(ss, next)
		}
		return next, err
	})
	select {
	case answer := <-answered:
		next, _ := answer.Val.(session)
		return next, answer.Err
	case <-ctx.Done():
		return session{}, authclient.Unavailable(context.Cause(ctx))
	}
}

// ended are the codes with which the provider says that there is no such session any
// more. Any other refusal may be a fault of ours or of something between: that ends
// nobody's session.
var ended = []string{
	"refresh_token_not_found", "refresh_token_already_used", "session_not_found", "session_expired",
	"user_banned", "user_not_found", "bad_jwt",
}

func (s *Web) askToRenew(ctx context.Context, ss session) (session, error) {
	var tokens authclient.Session
	var err error
	for range 2 { // another process may be renewing it: the provider then says conflict
		tokens, err = s.provider.As(ctx, "").Refresh(ss.RefreshToken)
		if refused, ok := errors.AsType[*authclient.Refused](err); !ok || refused.Status != http.StatusConflict {
			break
		}
	}
	switch {
	case err == nil && (tokens.UserID != ss.UserID || tokens.ID != ss.ID):
		return session{}, errEnded.Because(errors.New("the provider renewed another session"))
	case err == nil:
		return ss.next(tokens, s.now()), nil
	case isEnded(err):
		return session{}, errEnded
	}
	if refused, ok := errors.AsType[*authclient.Refused](err); ok {
		return session{}, authclient.Unavailable(refused)
	}
	return session{}, err
}

func isEnded(err error) bool {
	refused, ok := errors.AsType[*authclient.Refused](err)
	return ok && slices.Contains(ended, refused.Code)
}
