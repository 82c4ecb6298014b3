package localauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// knownProviders are those that the real service has; which are on is another
// matter.
var knownProviders = []string{
	"apple", "azure", "bitbucket", "discord", "facebook", "figma", "fly", "github", "gitlab", "google", "kakao", "keycloak",
	"linkedin", "linkedin_oidc", "notion", "slack", "slack_oidc", "snapchat", "spotify", "twitch", "twitter", "vercel_marketplace",
	"workos", "x", "zoom",
}

// authorize sends the browser to the consent page that plays the provider. The
// flow's id is the state that comes back.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	provider := strings.ToLower(query.Get("provider"))
	switch {
	case slices.Contains(s.cfg.OAuthProviders, provider):
	case slices.Contains(knownProviders, provider):
		return fail(http.StatusBadRequest, "validation_failed", "Unsupported provider: provider is not enabled")
	default:
		return fail(http.StatusBadRequest, "validation_failed", "Unsupported provider: Provider %s could not be found", provider)
	}
	c := challenge{CodeChallenge: query.Get("code_challenge"), CodeChallengeMethod: query.Get("code_challenge_method")}
	if err := c.check(); err != nil {
		return err
	}
	args := pgx.NamedArgs{
		"id": uuid.New(), "user_id": nil, "auth_code": nil, "method": nil, "challenge": nil, "provider": provider,
		"authentication_method": byOAuth, "referrer": s.redirectTarget(r), "now": s.now(),
	}
	if c.pkce() {
		args["auth_code"], args["method"], args["challenge"] = uuid.NewString(), strings.ToLower(c.CodeChallengeMethod), c.CodeChallenge
	}
	if _, err := s.cfg.Pool.Exec(r.Context(), flowInsertSQL, args); err != nil {
		return fmt.Errorf("begin OAuth flow: %w", err)
	}
	page := url.Values{"provider": {provider}, "state": {args["id"].(uuid.UUID).String()}}
	http.Redirect(w, r, s.cfg.ExternalURL+consentPath+"?"+page.Encode(), http.StatusFound)
	return nil
}

// callback takes who comes back from the provider and sends the browser on to
// where the flow began, with a code, a session or an error.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) error {
	f, err := s.flowOfState(r)
	if refused, ok := errors.AsType[*failure](err); ok {
		s.logFailure(r, refused)
		values := callbackError(refused)
		http.Redirect(w, r, addToQuery(s.cfg.SiteURL, values), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	target, err := s.arrive(w.Header(), r, f)
	if err != nil {
		refused := failureOf(err)
		s.logFailure(r, refused)
		values := callbackError(refused)
		target = addToQuery(f.Referrer, values)
		values.Set("sb", "")
		target = setFragment(target, values)
	}
	http.Redirect(w, r, target, http.StatusFound)
	return nil
}

// callbackError words a failure as the callback does: other words than a link's.
func callbackError(f *failure) url.Values {
	word := oauthError(f.status)
	switch {
	case f.code == "user_banned" || f.code == "provider_email_needs_verification":
		word = "access_denied"
	case f.oauth != "":
		return url.Values{"error": {f.oauth}, "error_description": {f.message}}
	case word == "":
		word = "server_error"
	}
	return url.Values{"error": {word}, "error_code": {f.code}, "error_description": {f.message}}
}

func (s *Server) flowOfState(r *http.Request) (*flow, error) {
	state := r.FormValue("state")
	if state == "" {
		return nil, fail(http.StatusBadRequest, "bad_oauth_callback", "OAuth state parameter missing")
	}
	id, err := uuid.Parse(state)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "bad_oauth_state", "OAuth state parameter is invalid")
	}
	rows, err := s.cfg.Pool.Query(r.Context(), flowByIDSQL, pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("find OAuth flow: %w", err)
	}
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[flow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fail(http.StatusBadRequest, "bad_oauth_state", "OAuth state not found or expired")
	}
	if err != nil {
		return nil, fmt.Errorf("find OAuth flow: %w", err)
	}
	if f.expired(s.now()) {
		return nil, fail(http.StatusBadRequest, "bad_oauth_state", "OAuth state has expired")
	}
	if f.UserID != uuid.Nil {
		return nil, stateUsed()
	}
	return f, nil
}

func stateUsed() error {
	return fail(http.StatusBadRequest, "flow_state_already_used", "State has already been used")
}

// arrive makes or finds the account of who consented and returns where to go.
func (s *Server) arrive(h http.Header, r *http.Request, f *flow) (string, error) {
	ctx := r.Context()
	if word := r.FormValue("error"); word != "" {
		refused := fail(http.StatusBadRequest, "", "%s", r.FormValue("error_description"))
		refused.oauth = word
		return "", refused
	}
	who, err := s.parseConsent(r.FormValue("code"), f.Provider)
	if err != nil {
		return "", err
	}
	if err := s.gateArrival(r, who); err != nil {
		return "", err
	}
	var answer *sessionAnswer
	var u *user
	var unproven error
	providerToken, providerRefresh := rand.Text(), rand.Text()
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		u, err = s.account(r, tx, who)
		if failed, ok := errors.AsType[*failure](err); ok && failed.code == "provider_email_needs_verification" {
			unproven = failed // what was written so far is committed
			return nil
		}
		if err != nil {
			return err
		}
		if f.Challenge == "" {
			if _, err := tx.Exec(ctx, flowDeleteSQL, pgx.NamedArgs{"id": f.ID}); err != nil {
				return fmt.Errorf("end OAuth flow: %w", err)
			}
			answer, err = s.openSession(h, r, tx, u, byOAuth)
			return err
		}
		arrived, err := tx.Exec(ctx, flowArriveSQL, pgx.NamedArgs{
			"id": f.ID, "user_id": u.ID, "access_token": providerToken, "refresh_token": providerRefresh, "now": s.now(),
		})
		if err == nil && arrived.RowsAffected() == 0 {
			err = stateUsed()
		}
		return err
	})
	if err = errors.Join(err, unproven); err != nil {
		return "", err
	}
	// After every sign-in of this kind, also of users of long ago.
	if err := s.hooks.userHook(r, s.cfg.Hooks.AfterUserCreated, "after-user-created", u); err != nil {
		return "", err
	}
	if answer == nil {
		return addToQuery(f.Referrer, url.Values{"code": {f.AuthCode}}), nil
	}
	return answer.redirect(f.Referrer, url.Values{"provider_token": {providerToken}, "provider_refresh_token": {providerRefresh}}), nil
}

// gateArrival calls before-user-created if an account would be made. The draft
// that the hook sees has an id of its own: the user gets another one.
func (s *Server) gateArrival(r *http.Request, who identityOf) error {
	if s.cfg.Hooks.BeforeUserCreated == nil {
		return nil
	}
	id, err := s.findAccount(r.Context(), s.cfg.Pool, who)
	if err != nil || id != uuid.Nil {
		return err
	}
	draft := newDraft(who.Email, requestAudience(r), who.Provider, who.claims(s.cfg.ExternalURL))
	return s.hooks.userHook(r, s.cfg.Hooks.BeforeUserCreated, "before-user-created", draft)
}

// findAccount is the user whom the identity, or a proven address, belongs to;
// uuid.Nil if there is none yet.
func (s *Server) findAccount(ctx context.Context, q querier, who identityOf) (uuid.UUID, error) {
	var id uuid.UUID
	err := q.QueryRow(ctx, identityByProviderSQL, pgx.NamedArgs{"provider": who.Provider, "sub": who.subject()}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) && (who.Verified || s.cfg.Autoconfirm) {
		err = q.QueryRow(ctx, userIDByAnyEmailSQL, pgx.NamedArgs{"email": who.Email}).Scan(&id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find account: %w", err)
	}
	return id, nil
}

// account signs the identity in, links it to the user with its address, or makes
// a user. The provider's claims become part of the user's metadata.
func (s *Server) account(r *http.Request, tx pgx.Tx, who identityOf) (*user, error) {
	ctx, claims := r.Context(), who.claims(s.cfg.ExternalURL)
	id, err := s.findAccount(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	var u *user
	if id == uuid.Nil {
		u, err = s.newAccount(ctx, tx, r, who, claims)
	} else {
		u, err = s.joinAccount(ctx, tx, id, who, claims)
	}
	if err != nil {
		return nil, err
	}
	if u.banned(s.now()) {
		return nil, fail(http.StatusForbidden, "user_banned", "User is banned")
	}
	if !u.confirmed() {
		if err := s.proveByProvider(r, tx, u, who, claims); err != nil {
			return nil, err
		}
	}
	return reloaded(ctx, tx, u)
}

func (s *Server) newAccount(ctx context.Context, tx pgx.Tx, r *http.Request, who identityOf, claims map[string]any) (*user, error) {
	aud, email := requestAudience(r), who.Email
	if !who.Verified && !s.cfg.Autoconfirm {
		// An address that is not proven goes to nobody who has it already.
		err := s.refuseTaken(ctx, tx, email, aud, uuid.Nil)
		if f, ok := errors.AsType[*failure](err); ok && f.code == "email_exists" {
			email = ""
		} else if err != nil {
			return nil, err
		}
	}
	return s.insertUser(ctx, tx, newDraft(email, aud, who.Provider, claims), who.Provider, claims)
}

func (s *Server) joinAccount(ctx context.Context, tx pgx.Tx, id uuid.UUID, who identityOf, claims map[string]any) (*user, error) {
	if _, err := tx.Exec(ctx, userLockSQL, pgx.NamedArgs{"id": id}); err != nil {
		return nil, fmt.Errorf("lock user: %w", err)
	}
	u, err := reloaded(ctx, tx, &user{ID: id})
	if err != nil {
		return nil, err
	}
	known, err := tx.Exec(ctx, identitySetDataSQL, pgx.NamedArgs{"provider": who.Provider, "identity_data": claims, "now": s.now()})
	if err == nil && known.RowsAffected() == 0 {
		err = s.insertIdentity(ctx, tx, u, who.Provider, claims)
	}
	if err == nil {
		err = s.setMetadata(ctx, tx, u, claims)
	}
	if err == nil {
		_, err = tx.Exec(ctx, userSetProvidersSQL, pgx.NamedArgs{"id": u.ID, "now": s.now()})
	}
	if err != nil {
		return nil, fmt.Errorf("join account: %w", err)
	}
	return reloaded(ctx, tx, u)
}

// proveByProvider takes the provider's word for the address, or mails a code and
// lets nobody in. Either way what was there before it goes.
func (s *Server) proveByProvider(r *http.Request, tx pgx.Tx, u *user, who identityOf, claims map[string]any) error {
	ctx := r.Context()
	args := pgx.NamedArgs{"id": u.ID, "user_id": u.ID, "provider": who.Provider, "sub": who.subject(), "user_metadata": claims, "now": s.now()}
	for _, sql := range []string{userUnprovenResetSQL, identitiesDeleteOthersSQL, userSetProvidersSQL} {
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return fmt.Errorf("remove what was not proven: %w", err)
		}
	}
	if who.Verified || s.cfg.Autoconfirm {
		return s.confirm(ctx, tx, u)
	}
	if u.Email == "" {
		return fail(http.StatusUnprocessableEntity, "provider_email_needs_verification",
			"Unverified email with %[1]s. Verify the email with %[1]s in order to sign in", who.Provider)
	}
	if err := s.sendCode(r, tx, u, "signup", challenge{}); err != nil {
		return err
	}
	return fail(http.StatusUnprocessableEntity, "provider_email_needs_verification",
		"Unverified email with %[1]s. A confirmation email has been sent to your %[1]s email", who.Provider)
}
