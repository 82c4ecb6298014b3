package mailcatcher

import (
	"bytes"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Mail is one that was caught.
type Mail struct {
	ID        int       `json:"id"`
	Received  time.Time `json:"received"`
	From      string    `json:"from"` // of the envelope, as To
	To        []string  `json:"to"`
	Subject   string    `json:"subject"`
	MessageID string    `json:"messageId"`
	Headers   []Header  `json:"headers"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	Links     []string  `json:"links"` // http and https, each once
	Problem   string    `json:"problem,omitempty"`
	Raw       []byte    `json:"-"`
}

// Header is one of a mail's, decoded.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Header returns the first value of that name, "" if there is none.
func (m Mail) Header(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

var link = regexp.MustCompile(`https?://[^\s<>"']+`)

// parse shows what it can of a mail; what is wrong with it stands in Problem.
func parse(raw []byte, from string, to []string) Mail {
	m := Mail{Received: time.Now(), From: from, To: slices.Clone(to), Headers: []Header{}, Links: []string{}, Raw: raw}
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		m.Problem, m.Text = "not a mail: "+err.Error(), strings.ToValidUTF8(string(raw), "�")
		return m
	}
	m.Headers = headers(raw)
	m.Subject, m.MessageID = m.Header("Subject"), m.Header("Message-ID")
	if err := m.read(message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), message.Body, 0); err != nil {
		m.Problem = err.Error()
	}
	for _, found := range link.FindAllString(m.Text+"\n"+html.UnescapeString(m.HTML), -1) {
		if found = strings.TrimRight(found, ".,;:!?)"); !slices.Contains(m.Links, found) {
			m.Links = append(m.Links, found)
		}
	}
	return m
}

// headers are all of them, in their order, which net/mail does not keep.
func headers(raw []byte) []Header {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var decoder mime.WordDecoder
	all := []Header{}
	for l := range strings.SplitSeq(string(head), "\r\n") {
		if strings.HasPrefix(l, " ") || strings.HasPrefix(l, "\t") {
			if len(all) > 0 {
				all[len(all)-1].Value += " " + strings.TrimSpace(l)
			}
			continue
		}
		name, value, _ := strings.Cut(l, ":")
		all = append(all, Header{Name: name, Value: strings.TrimSpace(value)})
	}
	for i, h := range all {
		all[i].Value = strings.TrimSpace(h.Value)
		if decoded, err := decoder.DecodeHeader(all[i].Value); err == nil {
			all[i].Value = decoded
		}
	}
	return all
}

// read takes the text and the HTML out of a body, which may have parts within parts.
func (m *Mail) read(contentType, encoding string, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && depth < 5 {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := m.read(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(io.LimitReader(body, maxMail))
	if err != nil {
		return err
	}
	switch text := strings.ToValidUTF8(strings.ReplaceAll(string(content), "\r\n", "\n"), "�"); kind {
	case "text/plain":
		m.Text += text
	case "text/html":
		m.HTML += text
	}
	return nil
}
