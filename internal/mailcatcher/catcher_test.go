package mailcatcher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

type running struct {
	*mailcatcher.Catcher
	smtp, page string
}

func start(t *testing.T, cfg mailcatcher.Config) running {
	t.Helper()
	mails, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	page, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := mailcatcher.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, mails, page) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return running{Catcher: c, smtp: mails.Addr().String(), page: "http://" + page.Addr().String()}
}

func (r running) request(t *testing.T, method, path, host string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.page+path, nil)
	require.NoError(t, err)
	if host != "" {
		req.Host = host
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(body)
}

// TestLoopbackOnly: it shows everybody's mail, so nobody else may reach it.
func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, pageToo := range []bool{false, true} {
		open, err := net.Listen("tcp", "0.0.0.0:0")
		require.NoError(t, err)
		here, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		mails, page := open, here
		if pageToo {
			mails, page = here, open
		}
		require.ErrorContains(t, mailcatcher.New(mailcatcher.Config{}).Serve(t.Context(), mails, page), "loopback")
		_, err = net.Dial("tcp", open.Addr().String())
		require.Error(t, err, "it is closed")
	}
}

// TestHost: a page of somewhere else whose name was pointed at this machine cannot read.
func TestHost(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Config{})
	for host, want := range map[string]int{"evil.example": 403, "localhost.evil.example": 403, "localhost:1": 200, "127.0.0.1": 200, "[::1]:80": 200} {
		status, _, _ := c.request(t, "GET", "/api/mails", host)
		require.Equal(t, want, status, host)
	}
}

const letter = "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Z=C3=B6e?=\r\nX-Long: one\r\n two\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n" +
	"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGo to https://a.example/?x=1=\r\n&y=3D2. Bye\r\n" +
	"--x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+PGEgaHJlZj0iaHR0cHM6Ly9hLmV4YW1wbGUvP3g9MSZhbXA7eT0yIj5oaTwvYT48c2NyaXB0\r\nPmFsZXJ0KDEpPC9zY3JpcHQ+\r\n--x--\r\n"

func TestPage(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Config{})
	require.NoError(t, smtp.SendMail(c.smtp, nil, "a@example.com", []string{"b@example.com"}, []byte(letter)))
	m, err := c.Wait(t.Context(), func(m mailcatcher.Mail) bool { return m.To[0] == "b@example.com" })
	require.NoError(t, err)
	require.Empty(t, m.Problem)
	require.Equal(t, "Zöe", m.Subject)
	require.Equal(t, "one two", m.Header("x-long"))
	require.Equal(t, "Go to https://a.example/?x=1&y=2. Bye", strings.TrimSpace(m.Text))
	require.Equal(t, `<p><a href="https://a.example/?x=1&amp;y=2">hi</a><script>alert(1)</script>`, m.HTML)
	require.Equal(t, []string{"https://a.example/?x=1&y=2"}, m.Links)

	_, header, body := c.request(t, "GET", "/", "")
	require.Contains(t, body, "Zöe")
	require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	path := fmt.Sprintf("/mails/%d", m.ID)
	_, _, body = c.request(t, "GET", path, "")
	require.Contains(t, body, `<iframe sandbox src="`+path+`/html"`)
	require.NotContains(t, body, "<script>")
	_, header, body = c.request(t, "GET", path+"/html", "")
	require.Equal(t, m.HTML, body)
	require.True(t, strings.HasPrefix(header.Get("Content-Security-Policy"), "sandbox; default-src 'none'"))
	_, header, body = c.request(t, "GET", path+"/raw", "")
	require.Equal(t, "text/plain; charset=utf-8", header.Get("Content-Type"))
	require.Contains(t, body, "boundary=x")

	_, _, body = c.request(t, "GET", "/api/mails?to=B@example.com&subject=e", "")
	var found struct{ Mails []mailcatcher.Mail }
	require.NoError(t, json.Unmarshal([]byte(body), &found))
	require.Len(t, found.Mails, 1)
	require.Equal(t, m.Links, found.Mails[0].Links)
	_, _, body = c.request(t, "GET", "/api/mails?to=c@example.com", "")
	require.JSONEq(t, `{"mails":[]}`, body)

	for _, gone := range []string{"/mails/99", "/mails/x", "/mails/99/html", "/templates/none"} {
		status, _, _ := c.request(t, "GET", gone, "")
		require.Equal(t, 404, status, gone)
	}
	status, _, _ := c.request(t, "DELETE", "/api/mails", "")
	require.Equal(t, 204, status)
	require.Empty(t, c.Mails())
	require.NoError(t, smtp.SendMail(c.smtp, nil, "a@example.com", []string{"b@example.com"}, []byte(letter)))
	status, _, _ = c.request(t, "POST", "/clear", "")
	require.Equal(t, 303, status)
	require.Empty(t, c.Mails())
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Config{})
	_, _, list := c.request(t, "GET", "/templates", "")
	for _, s := range mail.Samples() {
		require.Contains(t, list, "/templates/"+s.Name)
		status, _, body := c.request(t, "GET", "/templates/"+s.Name, "")
		require.Equal(t, 200, status)
		require.Contains(t, body, `<iframe sandbox`)
		_, _, body = c.request(t, "GET", "/templates/"+s.Name+"/html", "")
		require.Equal(t, s.Message.HTML, body)
	}
}

// TestBounds: the oldest mails go, and a mail without end is refused.
func TestBounds(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Config{MaxMails: 3})
	for i := range 5 {
		require.NoError(t, smtp.SendMail(c.smtp, nil, "a@example.com", []string{"b@example.com"}, fmt.Appendf(nil, "Subject: %d\r\n\r\nx\r\n", i)))
	}
	mails := c.Mails()
	require.Len(t, mails, 3)
	require.Equal(t, "2", mails[0].Subject)
	require.Error(t, smtp.SendMail(c.smtp, nil, "a@example.com", []string{"b@example.com"}, []byte("Subject: x\r\n\r\n"+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 20_000))))
	require.Len(t, c.Mails(), 3)

	big := start(t, mailcatcher.Config{MaxMails: 1000})
	body := []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 14_000)) // just under 1 MiB
	for range 40 {
		require.NoError(t, smtp.SendMail(big.smtp, nil, "a@example.com", []string{"b@example.com"}, body))
	}
	require.Less(t, len(big.Mails()), 35)

	require.NoError(t, smtp.SendMail(c.smtp, nil, "a@example.com", []string{"b@example.com"}, []byte("\x00\xff no mail at all\r\n")))
	mails = c.Mails()
	require.NotEmpty(t, mails[2].Problem)
}
