package web

import (
	"net/http"

	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// Session gives requests that come with the session's cookie the access token in it,
// as an Authorization header, and takes their cookies away. A request that brings such
// a header itself is let through as it is, and its cookie is not looked at.
//
// Pages of other origins cannot use the cookie, not even to read: see ownOrigin.
func (s *Web) Session(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values("Authorization")) > 0 || !s.sessions.Present(r) {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.checkOrigin(r); err != nil {
			problem.Write(w, r, err)
			return
		}
		ss, err := s.load(w, r)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		inner := r.Clone(r.Context())
		inner.Header.Del("Cookie")
		inner.Header.Set("Authorization", "Bearer "+ss.AccessToken)
		next.ServeHTTP(w, inner)
	})
}

// ownOrigin refuses what another origin's page sends.
func (s *Web) ownOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkOrigin(r); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkOrigin asks of reading what http.CrossOriginProtection asks of writing: nothing
// here is meant to be linked to, and what cannot be asked cannot be guessed from how
// long the answer takes.
func (s *Web) checkOrigin(r *http.Request) error {
	writing := *r
	writing.Method = http.MethodPost
	if err := s.origins.Check(&writing); err != nil {
		return errs.New(errs.Forbidden, "cross_origin", "This can be used from the app's own pages only.").Because(err)
	}
	return nil
}
