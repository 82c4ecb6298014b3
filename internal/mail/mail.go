// Package mail sends mail over SMTP and holds the words of every mail there is.
//
// A mail goes to one address. What comes from outside (a landlord's name, an
// address) can neither add a header nor a recipient: Send refuses control
// characters wherever they would matter, and the templates take them out before.
// An address is refused rather than mended, see ParseAddress. There are no
// images and nothing that tells us that a mail was opened.
//
// Delivery is at least once. A mail whose Message-ID is the same is the same mail:
// who sends one again after a crash gives it the Message-ID it had.
package mail

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one message. They are far above what the templates make.
const (
	maxSubject = 200       // characters
	maxPart    = 256 << 10 // bytes of the text, and of the HTML
)

// Message is a mail to one person.
type Message struct {
	To      string // an address alone, see ParseAddress
	Subject string // one line
	Text    string
	HTML    string // the same for programs that show it; may be empty

	// MessageID is the Message-ID up to the @: letters, digits, dots, underscores and
	// dashes. It must be another for each mail, and the same when that is sent again. If
	// it is empty, Send makes one up.
	MessageID string
	// ReplyTo is an address alone. If it is empty, answers go to the sender.
	ReplyTo string
	// Unsubscribe is a mailto: or https: address for the List-Unsubscribe header, for
	// mails that the recipient did not cause. May be empty.
	Unsubscribe string
}

var messageID = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// checked returns m with its addresses in the form that goes to the server.
func (m Message) checked() (Message, error) {
	var err error
	if m.To, err = ParseAddress(m.To); err != nil {
		return m, err
	}
	if m.ReplyTo != "" {
		if m.ReplyTo, err = ParseAddress(m.ReplyTo); err != nil {
			return m, malformed("the reply address", err)
		}
	}
	switch {
	case m.Subject == "" || utf8.RuneCountInString(m.Subject) > maxSubject || !oneLine(m.Subject):
		err = errors.New("the subject is not one line of 1 to 200 characters")
	case m.Text == "":
		err = errors.New("there is no text")
	case len(m.Text) > maxPart || len(m.HTML) > maxPart:
		err = errors.New("the text or the HTML is longer than 256 KiB")
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) || strings.ContainsRune(m.Text+m.HTML, 0):
		err = errors.New("the text or the HTML is not UTF-8 without NUL")
	case m.MessageID != "" && (len(m.MessageID) > 128 || !messageID.MatchString(m.MessageID)):
		err = errors.New("the Message-ID is not 1 to 128 letters, digits, dots, underscores and dashes")
	case m.Unsubscribe != "" && !unsubscribable(m.Unsubscribe):
		err = errors.New("the address to unsubscribe is not a mailto: or https: URL")
	}
	if err != nil {
		return m, malformed("a mail", err)
	}
	return m, nil
}

// malformed is a mail that no server was asked about: it will never be better.
func malformed(what string, err error) error {
	return &Error{Permanent: true, Reason: "The mail could not be put together.", Err: errors.Join(errors.New(what+" is malformed"), err)}
}

func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

func unsubscribable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= 500 && !strings.ContainsAny(address, "<>, \"") && oneLine(address) &&
		(u.Scheme == "mailto" && u.Opaque != "" || u.Scheme == "https" && u.Host != "")
}
