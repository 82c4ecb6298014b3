package invitemail_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/invitemail"
)

const secret = "0123456789abcdef0123456789abcdef"

func TestBounces(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	ann, bob := p.Landlord(t, "ann"), p.Landlord(t, "bob")
	h, err := invitemail.Bounces(invitemail.BouncesConfig{DB: p.DB, Keys: p.keys, Secret: secret})
	require.NoError(t, err)
	ask := func(method, path, authorization, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	report := func(messageID, kind string) string {
		return `{"messageId": "` + messageID + `", "type": "` + kind + `", "more": 1}`
	}
	id, _ := p.invite(ann, "kim@example.com")
	p.becomes(id, "SENT")
	messageID := p.catcher.Mails()[0].MessageID

	for name, tt := range map[string]struct {
		method, path, authorization, body string
		status                            int
	}{
		"no secret":         {"POST", invitemail.BouncesPath, "", report(messageID, "bounce"), 401},
		"a wrong secret":    {"POST", invitemail.BouncesPath, "Bearer " + strings.ToUpper(secret), report(messageID, "bounce"), 401},
		"half a secret":     {"POST", invitemail.BouncesPath, "Bearer " + secret[:16], report(messageID, "bounce"), 401},
		"not as a bearer":   {"POST", invitemail.BouncesPath, secret, report(messageID, "bounce"), 401},
		"not JSON":          {"POST", invitemail.BouncesPath, "Bearer " + secret, "bounce", 400},
		"no type":           {"POST", invitemail.BouncesPath, "Bearer " + secret, `{"messageId": "` + messageID + `"}`, 400},
		"another type":      {"POST", invitemail.BouncesPath, "Bearer " + secret, report(messageID, "BOUNCE"), 400},
		"no id":             {"POST", invitemail.BouncesPath, "Bearer " + secret, report("", "bounce"), 400},
		"a long id":         {"POST", invitemail.BouncesPath, "Bearer " + secret, report(strings.Repeat("x", 1001), "bounce"), 400},
		"a long body":       {"POST", invitemail.BouncesPath, "Bearer " + secret, report(strings.Repeat("x", 70_000), "bounce"), 413},
		"a delay":           {"POST", invitemail.BouncesPath, "Bearer " + secret, report(messageID, "delay"), 204},
		"somebody else's":   {"POST", invitemail.BouncesPath, "Bearer " + secret, report("<x@example.com>", "bounce"), 204},
		"a made-up id":      {"POST", invitemail.BouncesPath, "Bearer " + secret, report(p.messageID(bob.UserID, id), "bounce"), 204},
		"none of our mails": {"POST", invitemail.BouncesPath, "Bearer " + secret, report(p.messageID(ann.UserID, uuid.New()), "bounce"), 204},
		"elsewhere":         {"POST", "/hooks/mail/other", "Bearer " + secret, report(messageID, "bounce"), 404},
	} {
		status, body := ask(tt.method, tt.path, tt.authorization, tt.body)
		require.Equal(t, tt.status, status, "%s: %s", name, body)
		require.NotContains(t, body, secret)
		require.Equal(t, "SENT", p.becomes(id, "SENT").State, name)
	}
	status, _ := ask("GET", invitemail.BouncesPath, "Bearer "+secret, "")
	require.NotEqual(t, http.StatusNoContent, status)

	for _, body := range []string{report(messageID, "bounce"), report(messageID, "bounce")} {
		status, _ = ask("POST", invitemail.BouncesPath, "Bearer "+secret, body)
		require.Equal(t, http.StatusNoContent, status)
		require.Equal(t, "The mail came back: the address does not take it.", p.becomes(id, "BOUNCED").Error)
	}
	other, _ := p.invite(ann, "lee@example.com")
	p.becomes(other, "SENT")
	status, _ = ask("POST", invitemail.BouncesPath, "Bearer "+secret, report(strings.Trim(p.catcher.Mails()[1].MessageID, "<>"), "complaint"))
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, "The recipient marked the mail as unwanted.", p.becomes(other, "BOUNCED").Error)

	_, err = invitemail.Bounces(invitemail.BouncesConfig{DB: p.DB, Keys: p.keys, Secret: secret[:31]})
	require.Error(t, err)
}
