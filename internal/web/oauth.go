package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/go-chi/chi/v5"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

// flowLife is how long somebody may take to sign in with another provider. The
// provider's code holds for five minutes from the start.
const flowLife = 5 * time.Minute

// flow is what the browser keeps, sealed, while it is with another provider: what
// comes back is worth a session in this browser alone.
type flow struct {
	State    string `json:"s"`
	Verifier string `json:"v"`
	Next     string `json:"n"`
	Until    int64  `json:"u"`
}

var (
	providerPattern = regexp.MustCompile(`^[a-z0-9_]{2,32}$`)
	errFlow         = errs.New(errs.Invalid, "sign_in_failed", "Signing in did not work, or took too long. Begin again.")
)

// startOAuth sends the browser to another provider.
func (s *Web) startOAuth(w http.ResponseWriter, r *http.Request) {
	location, err := s.beginFlow(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, location, http.StatusFound) //nolint:gosec // the identity provider says where
}

func (s *Web) beginFlow(w http.ResponseWriter, r *http.Request) (string, error) {
	name := chi.URLParam(r, "provider")
	if !providerPattern.MatchString(name) {
		return "", errs.New(errs.NotFound, "not_found", "There is nothing here.")
	}
	f := flow{State: rand.Text(), Next: s.pathOr(r.URL.Query().Get("next")), Until: s.now().Add(flowLife).Unix()}
	if invite := r.URL.Query().Get("invite"); invitePattern.MatchString(invite) {
		f.Next = invitePath(invite)
	}
	back := s.ours("/auth/callback?" + url.Values{"state": {f.State}}.Encode())
	c := &call{s, w, r}
	location, verifier, err := c.nobody().Authorize(name, back)
	if err != nil {
		return "", explain(err)
	}
	if u, err := url.Parse(location); err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", errs.New(errs.Unavailable, "auth_unavailable", "Signing in with this provider is not possible at the moment.").
			Because(errors.New("the identity provider sends browsers to no https address"))
	}
	f.Verifier = verifier
	data, err := json.Marshal(f)
	if err != nil {
		return "", err
	}
	return location, s.flows.Write(w, r, data, flowLife)
}

// finishOAuth is where the browser comes back to.
func (s *Web) finishOAuth(w http.ResponseWriter, r *http.Request) {
	next, err := s.endFlow(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // ownPath was asked, and the flow is sealed
}

func (s *Web) endFlow(w http.ResponseWriter, r *http.Request) (string, error) {
	data, err := s.flows.Read(r)
	if err != nil {
		return "", errFlow.Because(err)
	}
	s.flows.Clear(w, r) // it works once
	var f flow
	if err := json.Unmarshal(data, &f); err != nil {
		return "", errFlow.Because(err)
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 || s.now().Unix() >= f.Until {
		return "", errFlow
	}
	code := query.Get("code")
	if !hashPattern.MatchString(code) { // the other provider or the person has said no
		return "", errFlow
	}
	c := &call{s, w, r}
	tokens, err := c.nobody().Exchange(code, f.Verifier)
	if err != nil {
		return "", explainFlow(err)
	}
	out, err := c.signedIn(tokens, f.Next, false)
	return out.to, err
}

// explainFlow says the same whatever the provider has against the code.
func explainFlow(err error) error {
	if refused, ok := errors.AsType[*authclient.Refused](err); ok && refused.Status != http.StatusTooManyRequests {
		return errFlow.Because(refused)
	}
	return explain(err)
}
