package auth

import (
	"net/http"
	"strings"

	"rowhouse/internal/errs"
)

// BearerToken returns the token of r's Authorization header. Tokens anywhere
// else in the request, the query above all, are not looked at: they would end
// up in logs and browser histories.
//
// Without the header the error has code "token_missing"; with a second one,
// another scheme, or anything but one space and one token after the scheme it
// has code "token_malformed". The token itself is not checked.
func BearerToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", errs.New(errs.Unauthenticated, "token_missing", "Sign in: this address needs an access token.").Because(ErrNoToken)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,") {
		return "", errs.New(errs.Unauthenticated, "token_malformed", "The Authorization header must be the word Bearer, one space and one access token.").Because(ErrAuthorization)
	}
	return token, nil
}
