package localauth

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
)

// redirectTarget is where a mail's link leads: the address that the request
// names, or comes from, if it is on the site's host or on this machine, else the
// site.
func (s *Server) redirectTarget(r *http.Request) string {
	for _, text := range []string{askedRedirect(r), r.Referer()} {
		if text != "" && s.mayRedirect(text) {
			return text
		}
	}
	return s.cfg.SiteURL
}

// askedRedirect is the address that a request names, if any.
func askedRedirect(r *http.Request) string {
	return cmp.Or(r.Header.Get("redirect_to"), r.URL.Query().Get("redirect_to"))
}

func (s *Server) mayRedirect(text string) bool {
	target, err := url.Parse(text)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") {
		return false
	}
	if host := target.Hostname(); host == "localhost" {
		return true
	} else if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	site, err := url.Parse(s.cfg.SiteURL)
	return err == nil && target.Scheme == site.Scheme && target.Host == site.Host
}

// redirect puts the session into the fragment of target.
func (a *sessionAnswer) redirect(target string, more url.Values) string {
	more.Set("access_token", a.AccessToken)
	more.Set("token_type", a.TokenType)
	more.Set("expires_in", strconv.Itoa(a.ExpiresIn))
	more.Set("expires_at", strconv.FormatInt(a.ExpiresAt, 10))
	more.Set("refresh_token", a.RefreshToken)
	more.Set("sb", "")
	return target + "#" + more.Encode()
}

// errorRedirect puts a failure into the fragment of target, and into its query
// if inQuery. Failures with a status that OAuth has no word for have no "error".
func errorRedirect(target string, f *failure, inQuery bool) string {
	values := url.Values{"error_code": {f.code}, "error_description": {f.message}}
	if word := oauthError(f.status); word != "" {
		values.Set("error", word)
	}
	if inQuery {
		target = addToQuery(target, values)
	}
	values.Set("sb", "")
	return setFragment(target, values)
}

func oauthError(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "invalid_request"
	case http.StatusUnauthorized:
		return "unauthorized_client"
	case http.StatusForbidden:
		return "access_denied"
	case http.StatusInternalServerError:
		return "server_error"
	case http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	}
	return ""
}

// addToQuery and setFragment take an address that mayRedirect has parsed.
func addToQuery(target string, values url.Values) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	query := u.Query()
	maps.Copy(query, values)
	u.RawQuery = query.Encode()
	return u.String()
}

// setFragment escapes what is escaped once more, as the real service does.
func setFragment(target string, values url.Values) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	u.Fragment, u.RawFragment = values.Encode(), ""
	return u.String()
}
