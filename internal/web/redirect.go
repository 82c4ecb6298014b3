package web

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxNext = 2000

// ownPath returns next if it is a path of our own origin, with whatever query and
// fragment, and "" otherwise. Browsers read much into what looks like a path: a second
// slash, a backslash or a dropped tab makes a host of what follows.
func (s *Web) ownPath(next string) string {
	// the provider passes on what it was given, which is an address of ours
	next = strings.TrimPrefix(next, s.origin)
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || !utf8.ValidString(next) ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return ""
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.Contains(u.Path, "//") ||
		strings.ContainsFunc(u.Path, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return ""
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == "." || part == ".." {
			return ""
		}
	}
	return u.String()
}

// pathOr is ownPath, or home.
func (s *Web) pathOr(next string) string {
	if path := s.ownPath(next); path != "" {
		return path
	}
	return s.home
}

// ours is the address of a path of ours, for the provider.
func (s *Web) ours(path string) string { return s.origin + path }
