package mail

import (
	"errors"
	netmail "net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// ParseAddress returns an address in the form that goes to the server: local part
// as given, domain in lower case, an international domain in its ASCII form.
//
// It takes less than the standards allow, because whatever is not an ordinary
// address is a slip or a trick: one address, no name, no brackets, quotes,
// comments, source routes or IP addresses, and a domain with a dot. The part
// before the @ must be ASCII: what is beyond needs SMTPUTF8 from every server on
// the way, and mail to such an address is lost more often than it arrives.
//
// The error is an *Error for good, with a reason to show.
func ParseAddress(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || !oneLine(address) {
		return "", badAddress(errors.New("no address"))
	}
	local, domain := address[:at], address[at+1:]
	if strings.ContainsFunc(local, func(r rune) bool { return r > '~' }) {
		return "", &Error{
			Permanent: true, Err: errors.New("the local part is not ASCII"),
			Reason: "The part of the address before the @ has letters that most mail servers do not take.",
		}
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", badAddress(errors.New("the domain is none")) // the cause would quote it
	}
	plain := local + "@" + domain
	switch parsed, err := netmail.ParseAddress(plain); {
	case err != nil:
		return "", badAddress(errors.New("no address"))
	case parsed.Name != "" || parsed.Address != plain || strings.ContainsAny(plain, "\"\\ <>()[],;:%!"):
		return "", badAddress(errors.New("more than an address"))
	case len(local) > 64 || len(plain) > 254:
		return "", badAddress(errors.New("too long"))
	case !strings.Contains(domain, ".") || strings.HasSuffix(domain, "."):
		return "", badAddress(errors.New("the domain is none"))
	case strings.Trim(domain[strings.LastIndexByte(domain, '.')+1:], "0123456789") == "":
		return "", badAddress(errors.New("an IP address"))
	}
	return plain, nil
}

func badAddress(err error) error {
	return &Error{Permanent: true, Reason: "This is not an e-mail address that mail can be sent to.", Err: err}
}
