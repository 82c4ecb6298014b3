package mail_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

// TestSamples: every mail is whole, says the same in both forms, and loads nothing.
func TestSamples(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	samples := mail.Samples()
	require.Len(t, samples, 8+len(mail.Notices()))
	for _, sample := range samples {
		m := sample.Message
		require.NoError(t, s.Send(t.Context(), m), sample.Name)
		require.NotEmpty(t, m.HTML, sample.Name)
		require.NotContains(t, m.Text+m.HTML, "<no value>", sample.Name)
		require.NotContains(t, m.Text+m.HTML, "ZgotmplZ", sample.Name)
		require.NotRegexp(t, `(?i)<img|<script|<link|url\(|@import|\bsrc=|background=`, m.HTML, "%s loads something", sample.Name)
		require.Regexp(t, `<html lang="en">`, m.HTML)
		require.Contains(t, m.HTML, `<meta name="color-scheme" content="light dark">`)
		require.Equal(t, strings.Count(m.HTML, "<table"), strings.Count(m.HTML, `<table role="presentation"`), "a screen reader would read them out as tables")
		shown := regexp.MustCompile(`\s+`).ReplaceAllString(html.UnescapeString(regexp.MustCompile(`(?s)<style>.*</style>|<[^>]*>`).ReplaceAllString(m.HTML, "")), " ")
		for p := range strings.SplitSeq(m.Text, "\n\n") {
			if p = strings.TrimSpace(p); p != "" && !strings.HasPrefix(p, "-- ") && !strings.Contains(p, "http") {
				require.Contains(t, shown, p, sample.Name)
			}
		}
	}
	for i, got := range c.Mails() {
		require.Equal(t, samples[i].Message.Subject, got.Subject)
		require.Equal(t, strings.TrimSpace(samples[i].Message.Text), strings.TrimSpace(got.Text))
		require.Equal(t, strings.TrimSpace(samples[i].Message.HTML), strings.TrimSpace(got.HTML))
		if samples[i].Name != "reauthenticate" {
			require.Len(t, got.Links, 1, "the same address in text and HTML")
		}
	}
}

func TestTenantInvite(t *testing.T) {
	t.Parallel()
	invitation := mail.TenantInvitation{
		To: "ada@example.com", LandlordName: "Böhm & Söhne", UnitLabel: "Flat <3>", ReplyTo: "office@example.com",
		Link: "https://rowhouse.example/invite#abc", ExpiresAt: time.Date(2027, time.March, 14, 23, 30, 0, 0, time.UTC),
	}
	m, err := mail.TenantInvite("nl-NL", invitation) // no Dutch words yet
	require.NoError(t, err)
	require.Equal(t, "Böhm & Söhne invites you: Flat <3>", m.Subject)
	require.Equal(t, "office@example.com", m.ReplyTo)
	require.Equal(t, "mailto:office@example.com?subject=Please%20do%20not%20write%20to%20me%20again", m.Unsubscribe)
	require.Contains(t, m.Text, "Sunday 14 March 2027")
	require.Contains(t, m.Text, "https://rowhouse.example/invite#abc")
	require.Contains(t, m.HTML, "Böhm &amp; Söhne")
	require.Contains(t, m.HTML, "Flat &lt;3&gt;")
	require.NotContains(t, m.HTML, "<3>")

	invitation.LandlordName, invitation.UnitLabel, invitation.ReplyTo = "", "", "not an address"
	m, err = mail.TenantInvite("", invitation)
	require.NoError(t, err)
	require.Equal(t, "Your landlord invites you", m.Subject)
	require.Empty(t, m.ReplyTo)
	require.Empty(t, m.Unsubscribe)

	for _, link := range []string{"", "javascript:alert(1)", "http://rowhouse.example/x", "https://", "/invite", "https://u:p@rowhouse.example/", "https://rowhouse.example/\n"} {
		invitation.Link = link
		_, err = mail.TenantInvite("en", invitation)
		require.Error(t, err, link)
	}
}

// TestNames: what a landlord calls themselves cannot pass for ours, nor break out
// of its place.
func TestNames(t *testing.T) {
	t.Parallel()
	c, ln := catch(t, mailcatcher.Config{}, nil)
	s := open(t, mail.Config{URL: "smtp://" + ln.addr()})
	for given, want := range map[string]string{
		"A\r\nBcc: eve@example.com":            "A Bcc: eve at example. com",
		"A\n\nYour password has expired":       "A Your password has expired",
		"A\x00B":                               "A B",
		"\u202egnp.exe":                        "gnp. exe",
		"Sign in at https://evil.example/now":  "Sign in at https:/ /evil. example/now",
		"www.evil.example":                     "www. evil. example",
		`<a href="https://evil.example">x</a>`: `<a href="https:/ /evil. example">x</a>`,
		"{{.Link}}":                            "{{. Link}}",
		"A. B. Smith":                          "A. B. Smith",
		"Flat 3.2":                             "Flat 3.2",
		"👩‍👩‍👧 Böhm":                           "👩‍👩‍👧 Böhm",
		"بيت القناة":                           "بيت القناة",
		"\xff\xfeA":                            "A",
		strings.Repeat("long ", 100):           strings.Repeat("long ", 15) + "long…",
		"  ":                                   "Your landlord",
	} {
		m, err := mail.TenantInvite("en", mail.TenantInvitation{
			To: "ada@example.com", LandlordName: given, Link: "https://rowhouse.example/i", ExpiresAt: time.Now(),
		})
		require.NoError(t, err)
		require.Equal(t, want+" invites you", m.Subject)
		require.NoError(t, s.Send(t.Context(), m), "%q", given)
		mails := c.Mails()
		got := mails[len(mails)-1]
		require.Equal(t, m.Subject, got.Subject, "%q", given)
		require.Empty(t, got.Header("Bcc"))
		require.Equal(t, []string{"ada@example.com"}, got.To)
		require.Equal(t, []string{"https://rowhouse.example/i"}, got.Links)
	}
}

func TestAuthMails(t *testing.T) {
	t.Parallel()
	link := mail.AuthLink{To: "ada@example.com", Link: "http://localhost:8080/auth/confirm?token_hash=ab&type=signup&redirect_to=%2F", Code: "123456"}
	m, err := mail.Confirm("en", link)
	require.NoError(t, err)
	require.Contains(t, m.Text, link.Link)
	require.Contains(t, m.Text, "123456")
	require.Contains(t, m.HTML, html.EscapeString(link.Link))
	require.Contains(t, m.HTML, "123456")

	m, err = mail.EmailChangeOld("en", link, "ada\r\n@example.com")
	require.NoError(t, err)
	require.NotContains(t, m.Text, "\r")
	m, err = mail.EmailChangeOld("en", link, "new@example.com")
	require.NoError(t, err)
	require.Contains(t, m.Text, "new@example.com")

	link.Code = "<b>"
	_, err = mail.Recover("en", link)
	require.Error(t, err)
	_, err = mail.MagicLink("en", mail.AuthLink{To: "ada@example.com", Code: "1"})
	require.Error(t, err)
	_, err = mail.Reauthenticate("en", "ada@example.com", "")
	require.Error(t, err)
	_, err = mail.SecurityNotice("en", "no_such_notification", "ada@example.com", "", "")
	require.Error(t, err)
	m, err = mail.SecurityNotice("en", mail.IdentityLinked, "ada@example.com", "google", "")
	require.NoError(t, err)
	require.Contains(t, m.Text, "in another way: google.")
	require.NotContains(t, m.HTML, "<a ")
}
