package localauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sessionAnswer is what every way of signing in returns.
type sessionAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	ExpiresAt    int64  `json:"expires_at"`
	RefreshToken string `json:"refresh_token"`
	User         *user  `json:"user"`

	// Of the OAuth provider, where one was asked.
	ProviderToken        string `json:"provider_token,omitempty"`
	ProviderRefreshToken string `json:"provider_refresh_token,omitempty"`
}

// refreshToken is a row of auth.refresh_tokens. Hash and Parent are digests.
type refreshToken struct {
	ID        int64
	Hash      string `db:"token"`
	Parent    string
	Revoked   bool
	UpdatedAt time.Time
	SessionID uuid.UUID
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Query().Get("grant_type") {
	case "password":
		return s.passwordGrant(w, r)
	case "refresh_token":
		return s.refreshGrant(w, r)
	case "pkce":
		return s.pkceGrant(w, r)
	}
	return fail(http.StatusBadRequest, "invalid_credentials", "unsupported_grant_type")
}

func (s *Server) passwordGrant(w http.ResponseWriter, r *http.Request) error {
	var q struct{ Email, Phone, Password string }
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.Email == "" && q.Phone != "" {
		return fail(http.StatusUnprocessableEntity, "phone_provider_disabled", "Phone logins are disabled")
	}
	if q.Email == "" {
		return fail(http.StatusBadRequest, "validation_failed", "missing email or phone")
	}
	var u *user
	if email, err := normalEmail(q.Email); err == nil { // what is no address has no user
		if u, err = userByEmail(r.Context(), s.cfg.Pool, email, requestAudience(r)); err != nil {
			return err
		}
	}
	if !s.passwordMatches(u, q.Password) {
		return fail(http.StatusBadRequest, "invalid_credentials", "Invalid login credentials")
	}
	if u.banned(s.now()) {
		return fail(http.StatusBadRequest, "user_banned", "User is banned")
	}
	if !u.confirmed() {
		return fail(http.StatusBadRequest, "email_not_confirmed", "Email not confirmed")
	}
	answer, err := s.signIn(w.Header(), r, u, byPassword)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		*sessionAnswer
		WeakPassword *struct{} `json:"weak_password"` // a password that is too weak was never accepted
	}{sessionAnswer: answer})
	return nil
}

// signIn opens a session; h gets the headers that go with its answer.
func (s *Server) signIn(h http.Header, r *http.Request, u *user, method string) (*sessionAnswer, error) {
	var answer *sessionAnswer
	err := pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) (err error) {
		answer, err = s.openSession(h, r, tx, u, method)
		return err
	})
	return answer, err
}

func (s *Server) openSession(h http.Header, r *http.Request, tx pgx.Tx, u *user, method string) (*sessionAnswer, error) {
	ctx, now, id := r.Context(), s.now(), uuid.New()
	_, err := tx.Exec(ctx, sessionInsertSQL, pgx.NamedArgs{
		"id": id, "user_id": u.ID, "now": now, "user_agent": r.UserAgent(), "ip": nullable(clientIP(r)),
	})
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if err := s.noteMethod(ctx, tx, id, method); err != nil {
		return nil, err
	}
	if _, err = tx.Exec(ctx, userSignedInSQL, pgx.NamedArgs{"id": u.ID, "now": now}); err != nil {
		return nil, fmt.Errorf("note the sign-in: %w", err)
	}
	if u, err = reloaded(ctx, tx, u); err != nil {
		return nil, err
	}
	refresh, err := s.newRefreshToken(ctx, tx, u.ID, id, "")
	if err != nil {
		return nil, err
	}
	return s.sessionAnswer(h, r, tx, u, id, method, refresh)
}

// noteMethod adds a line to the session's amr.
func (s *Server) noteMethod(ctx context.Context, tx pgx.Tx, session uuid.UUID, method string) error {
	_, err := tx.Exec(ctx, sessionClaimInsertSQL, pgx.NamedArgs{"id": uuid.New(), "session_id": session, "now": s.now(), "method": method})
	if err != nil {
		return fmt.Errorf("note how the session was opened: %w", err)
	}
	return nil
}

// sessionAnswer makes the access token and sets the headers that the real
// service sends beside it.
func (s *Server) sessionAnswer(h http.Header, r *http.Request, tx pgx.Tx, u *user, session uuid.UUID, method, refresh string) (*sessionAnswer, error) {
	access, expires, err := s.accessToken(r, tx, u, session, method)
	if err != nil {
		return nil, err
	}
	h.Set("Sb-Auth-User-Id", u.ID.String())
	h.Set("Sb-Auth-Session-Id", session.String())
	h.Set("Sb-Auth-Refresh-Token-Prefix", refresh[:5])
	return &sessionAnswer{
		AccessToken: access, TokenType: "bearer", RefreshToken: refresh, User: u,
		ExpiresIn: int(s.cfg.AccessTokenTTL.Seconds()), ExpiresAt: expires.Unix(),
	}, nil
}

// newRefreshToken adds the next token of a session; parent is the digest of the
// one that it replaces.
func (s *Server) newRefreshToken(ctx context.Context, tx pgx.Tx, userID, session uuid.UUID, parent string) (string, error) {
	var number int64
	if err := tx.QueryRow(ctx, refreshTokenNumberSQL).Scan(&number); err != nil {
		return "", fmt.Errorf("number refresh token: %w", err)
	}
	token := s.keys.refreshToken(session, number)
	_, err := tx.Exec(ctx, refreshTokenInsertSQL, pgx.NamedArgs{
		"id": number, "token": digest(token), "user_id": userID, "parent": nullable(parent), "session_id": session, "now": s.now(),
	})
	if err != nil {
		return "", fmt.Errorf("store refresh token: %w", err)
	}
	return token, nil
}

func (s *Server) refreshGrant(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := decode(r, &q); err != nil {
		return err
	}
	if q.RefreshToken == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Refresh token is not valid")
	}
	var answer *sessionAnswer
	var theft error
	err := pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) (err error) {
		answer, err = s.refresh(w.Header(), r, tx, digest(q.RefreshToken))
		if f, ok := errors.AsType[*failure](err); ok && f.code == "refresh_token_already_used" {
			theft = f // the revocation has to be committed
			return nil
		}
		return err
	})
	if err = errors.Join(err, theft); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// refresh trades the token with this digest for a new pair. The session's lock
// makes callers with one token queue up, so that all but the first find it
// revoked and get the first one's successor.
func (s *Server) refresh(h http.Header, r *http.Request, tx pgx.Tx, hash string) (*sessionAnswer, error) {
	ctx := r.Context()
	if _, err := tx.Exec(ctx, "set local lock_timeout = '5s'"); err != nil {
		return nil, fmt.Errorf("limit the wait: %w", err)
	}
	token, err := refreshTokenRow(ctx, tx, refreshTokenByHashSQL, pgx.NamedArgs{"token": hash})
	if err != nil {
		return nil, err
	}
	notFound := fail(http.StatusBadRequest, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
	if token == nil {
		return nil, notFound
	}
	var userID uuid.UUID
	err = tx.QueryRow(ctx, sessionLockSQL, pgx.NamedArgs{"id": token.SessionID}).Scan(&userID)
	if errors.Is(err, pgx.ErrNoRows) { // signed out meanwhile
		return nil, notFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock session: %w", err)
	}
	// What was read before the lock may be out of date.
	if token, err = refreshTokenRow(ctx, tx, refreshTokenByHashSQL, pgx.NamedArgs{"token": hash}); err != nil {
		return nil, err
	}
	if token == nil {
		return nil, notFound
	}
	u, err := userByID(ctx, tx, userID)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, notFound
	}
	if u.banned(s.now()) {
		return nil, fail(http.StatusBadRequest, "user_banned", "Invalid Refresh Token: User Banned")
	}
	next, err := s.successor(ctx, tx, token, userID)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, sessionRefreshedSQL, pgx.NamedArgs{"id": token.SessionID, "now": s.now()}); err != nil {
		return nil, fmt.Errorf("note the refresh: %w", err)
	}
	return s.sessionAnswer(h, r, tx, u, token.SessionID, byRefresh, next)
}

// successor decides which token follows the given one. A used token is good for
// its direct successor for ever (an answer may get lost), for a second branch
// within the reuse interval, and after that betrays a thief or a victim: nobody
// knows which, so the whole session loses its refresh tokens.
func (s *Server) successor(ctx context.Context, tx pgx.Tx, token *refreshToken, userID uuid.UUID) (string, error) {
	now := s.now()
	if token.Revoked {
		active, err := refreshTokenRow(ctx, tx, refreshTokenActiveSQL, pgx.NamedArgs{"session_id": token.SessionID})
		if err != nil {
			return "", err
		}
		if active != nil && active.Parent == token.Hash {
			// Under another signing key the successor cannot be computed again.
			if next := s.keys.refreshToken(active.SessionID, active.ID); digest(next) == active.Hash {
				return next, nil
			}
		} else if now.After(token.UpdatedAt.Add(s.cfg.ReuseInterval)) {
			if _, err := tx.Exec(ctx, refreshTokensRevokeSessionSQL, pgx.NamedArgs{"session_id": token.SessionID, "now": now}); err != nil {
				return "", fmt.Errorf("revoke session's tokens: %w", err)
			}
			return "", fail(http.StatusBadRequest, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
		}
	}
	if _, err := tx.Exec(ctx, refreshTokenRevokeSQL, pgx.NamedArgs{"id": token.ID, "now": now}); err != nil {
		return "", fmt.Errorf("revoke refresh token: %w", err)
	}
	return s.newRefreshToken(ctx, tx, userID, token.SessionID, token.Hash)
}

// refreshTokenRow returns nil if the query finds none.
func refreshTokenRow(ctx context.Context, q querier, sql string, args pgx.NamedArgs) (*refreshToken, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, fmt.Errorf("read refresh token: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[refreshToken])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read refresh token: %w", err)
	}
	return t, nil
}

// nullable stores an empty text as NULL.
func nullable(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
