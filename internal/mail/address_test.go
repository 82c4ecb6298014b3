package mail_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/mail"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"ada@example.com":                        "ada@example.com",
		"Ada.Byron+flat3@Example.COM":            "Ada.Byron+flat3@example.com",
		"o'neil@example.com":                     "o'neil@example.com",
		"a_b-c@sub.example.co.uk":                "a_b-c@sub.example.co.uk",
		"ada@bücher.example":                     "ada@xn--bcher-kva.example",
		"ada@例え.example":                         "ada@xn--r8jz45g.example",
		"ada@xn--bcher-kva.example":              "ada@xn--bcher-kva.example",
		strings.Repeat("a", 64) + "@example.com": strings.Repeat("a", 64) + "@example.com",
	} {
		got, err := mail.ParseAddress(given)
		require.NoError(t, err, given)
		require.Equal(t, want, got)
	}
	for _, given := range []string{
		"", "@", "ada", "ada@", "@example.com", "ada@example", "ada@localhost", "ada@example.com.",
		"ada@example.com ", " ada@example.com", "ada @example.com", "ada@exam ple.com",
		"ada@example.com\r\nBcc: eve@example.com", "ada\n@example.com", "ada\x00@example.com", "ada@example.com\x00",
		"ada@example.com,eve@example.com", "ada@example.com;eve@example.com", "ada@example.com eve@example.com",
		"<ada@example.com>", "Ada <ada@example.com>", `"ada" <eve@example.com>`, `"ada@example.com"@evil.example`,
		`"ada byron"@example.com`, "ada@example.com (Ada)", "(x)ada@example.com", "ada@eve@example.com",
		"@relay.example:ada@example.com", "ada%example.com@relay.example", "relay.example!ada@example.com",
		"ada@[127.0.0.1]", "ada@127.0.0.1", "ada@example..com", "ada..b@example.com", ".ada@example.com", "ada.@example.com",
		"ada@-example.com", "ada@exa_mple.com", "ada@ex\u200bample.com.", "ada\u202e@example.com", "ada@example.com\u2028",
		"jörg@example.com", "ада@example.com", "ada\xff@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 130) + "com",
	} {
		_, err := mail.ParseAddress(given)
		require.Error(t, err, "%q", given)
		require.True(t, mail.IsPermanent(err), "%q", given)
		if given != "" {
			require.NotContains(t, err.Error(), given)
		}
	}
	_, err := mail.ParseAddress("jörg@example.com")
	require.Equal(t, "The part of the address before the @ has letters that most mail servers do not take.", mail.Reason(err))
}

func FuzzParseAddress(f *testing.F) {
	f.Add("ada@example.com")
	f.Add("\"a\"@b.c\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return
		}
		require.NotContains(t, a, "\r")
		require.NotContains(t, a, "\n")
		require.Equal(t, 1, strings.Count(a, "@"))
		require.Less(t, len(a), 255)
		again, err := mail.ParseAddress(a)
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}
