package web

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rowhouse/internal/errs"
)

const (
	minPassword = 10 // as supabase/config.toml has it: the provider's own no comes after the answer
	maxPassword = 72 // bytes; the provider's bcrypt reads no further
)

var (
	invitePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
	hashPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{16,256}$`)
	localePattern = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)
	codePattern   = regexp.MustCompile(`^[0-9]{6}$`)
	noncePattern  = regexp.MustCompile(`^[0-9]{6,10}$`)
)

// normalEmail is the form under which the provider knows an address.
func normalEmail(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

func checkEmail(text string) []errs.Field {
	text = normalEmail(text)
	if parsed, err := mail.ParseAddress(text); err != nil || parsed.Address != text || len(text) > 320 || strings.ContainsFunc(text, unicode.IsControl) {
		return []errs.Field{{Pointer: "/email", Message: "is not an e-mail address"}}
	}
	return nil
}

func checkNewPassword(text string) []errs.Field {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) < minPassword || len(text) > maxPassword {
		return []errs.Field{{Pointer: "/password", Message: "must have 10 characters at least and 72 bytes at most"}}
	}
	return nil
}

func checkPassword(name, text string) []errs.Field {
	if text == "" || len(text) > 1000 {
		return []errs.Field{{Pointer: "/" + name, Message: "is required"}}
	}
	return nil
}

func checkPattern(name, text string, pattern *regexp.Regexp) []errs.Field {
	if pattern.MatchString(text) {
		return nil
	}
	return []errs.Field{{Pointer: "/" + name, Message: "is not of the form that it has"}}
}

func checkOptional(name, text string, pattern *regexp.Regexp) []errs.Field {
	if text == "" {
		return nil
	}
	return checkPattern(name, text, pattern)
}

func checkOneOf(name, text string, all ...string) []errs.Field {
	if slices.Contains(all, text) {
		return nil
	}
	return []errs.Field{{Pointer: "/" + name, Message: "must be one of " + strings.Join(all, ", ")}}
}

func checkName(name, text string, longest int) []errs.Field {
	if utf8.RuneCountInString(text) > longest || strings.ContainsFunc(text, unicode.IsControl) {
		return []errs.Field{{Pointer: "/" + name, Message: "is too long, or no text of one line"}}
	}
	return nil
}
