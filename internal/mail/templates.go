package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net"
	"net/url"
	"strings"
	"text/template"
	"time"
	"unicode"
)

//go:embed templates
var files embed.FS

// defaultLocale is what is written in when a locale has no words of its own.
const defaultLocale = "en"

var (
	// words has the subject and the paragraphs of each mail, a file a language.
	words = map[string]*template.Template{
		"en": template.Must(template.ParseFS(files, "templates/en.tmpl")),
	}
	textLetter = template.Must(template.ParseFS(files, "templates/letter.txt.tmpl"))
	htmlLetter = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/letter.html.tmpl"))
)

// letter is what both forms of a mail are laid out from.
type letter struct {
	Lang, Subject   string
	Paragraphs      []string
	Button, Link    string
	Code            string
	AfterParagraphs []string
}

// render writes the mail of that name. The values of data are single lines that
// were cleaned, or times, or checked links: none can make a paragraph.
func render(locale, name, to, link, code string, data map[string]string) (Message, error) {
	if link != "" && !linkable(link) {
		return Message{}, fmt.Errorf("mail %s: the link is not an http(s) URL", name)
	}
	lang, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	if words[lang] == nil {
		lang = defaultLocale
	}
	section := func(part string) (string, error) {
		t := words[lang].Lookup(name + "." + part)
		if t == nil {
			return "", nil
		}
		var b strings.Builder
		err := t.Execute(&b, data)
		return strings.TrimSpace(b.String()), err
	}
	if words[lang].Lookup(name+".subject") == nil {
		return Message{}, fmt.Errorf("there is no mail %q", name)
	}
	l := letter{Lang: lang, Link: link, Code: code}
	var body, after string
	for part, into := range map[string]*string{"subject": &l.Subject, "body": &body, "button": &l.Button, "after": &after} {
		var err error
		if *into, err = section(part); err != nil {
			return Message{}, fmt.Errorf("mail %s: %w", name, err)
		}
	}
	l.Paragraphs, l.AfterParagraphs = paragraphs(body), paragraphs(after)
	var text, html bytes.Buffer
	if err := textLetter.Execute(&text, l); err != nil {
		return Message{}, fmt.Errorf("text of mail %s: %w", name, err)
	}
	if err := htmlLetter.Execute(&html, l); err != nil {
		return Message{}, fmt.Errorf("HTML of mail %s: %w", name, err)
	}
	return Message{To: to, Subject: l.Subject, Text: text.String(), HTML: html.String()}, nil
}

// paragraphs are divided by empty lines; a line break within one is only how the
// file is written.
func paragraphs(text string) []string {
	var all []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// linkable lets a link go out: https, or http to this machine, for dev.
func linkable(link string) bool {
	u, err := url.Parse(link)
	return err == nil && oneLine(link) && u.User == nil && u.Host != "" && len(link) <= 4000 &&
		(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

// maxName is how much of somebody's name a mail shows.
const maxName = 80

// name makes what somebody has called themselves or theirs fit for a mail: one
// line without control characters, without the marks that turn the direction of
// writing round, and without what programs would make a link of.
func name(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d': // joiners belong to scripts and emoji
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.ReplaceAll(strings.ReplaceAll(s, "://", ":/ /"), "@", " at ")
	s = unlinkDots(strings.Join(strings.Fields(s), " "))
	if runes := []rune(s); len(runes) > maxName {
		s = strings.TrimSpace(string(runes[:maxName-1])) + "…"
	}
	return s
}

// unlinkDots sets a space after a dot between letters, as in "evil.example/win": a
// mail program makes a link of that, which the recipient would take for ours.
func unlinkDots(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		b.WriteRune(r)
		if r == '.' && i > 0 && i+1 < len(runes) && runes[i-1] != ' ' && unicode.IsLetter(runes[i+1]) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func day(t time.Time) string { return t.Format("Monday 2 January 2006") }

// site is the host that links of mails lead to, to be shown.
func site(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	if host, _, err := net.SplitHostPort(u.Host); err == nil && !loopback(u.Hostname()) {
		return host
	}
	return u.Host
}
