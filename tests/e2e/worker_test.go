package e2e

import (
	"context"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/mailcatcher"
)

const hookSecret = "a secret of the mail provider's that is long enough"

// TestWorker invites somebody through the API, and follows the mail: it comes from
// the worker, opens the invite, and can come back.
func TestWorker(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	catcher := mailcatcher.New(mailcatcher.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- catcher.Serve(ctx, ln, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})

	env := forServe(t, d).with(environment{"MAIL_HOOK_SECRET": hookSecret})
	_, base := serve(t, env)
	worker := start(t, environment{
		"WORKER_DATABASE_URL": d.URL("rowhouse_worker"), "SEAL_KEYS": dbtest.KeysText, "INVITE_KEYS": dbtest.InviteKeysText,
		"SMTP_URL": "smtp://" + ln.Addr().String(), "MAIL_FROM": "Rowhouse <no-reply@rowhouse.example>", "PUBLIC_URL": base + "/",
	}, "worker")
	worker.says(t, "working")

	ann := as(t, base, d.Landlord(t, "ann").UserID)
	var invite struct{ InviteID string }
	ann.must(t, http.StatusCreated, "POST", "/api/v1/tenants/invite", object{"firstName": "Kim", "lastName": "Kay", "email": "kim@example.com"}).into(t, &invite)
	waiting, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	mail, err := catcher.Wait(waiting, func(m mailcatcher.Mail) bool { return m.To[0] == "kim@example.com" })
	require.NoError(t, err, worker.output.tail())
	link, token, ok := strings.Cut(mail.Links[0], "#")
	require.True(t, ok)
	require.Equal(t, base+"/invite", link)
	newClient(base, "").must(t, http.StatusOK, "GET", "/api/v1/invites/"+token, nil)

	state := func(want string) {
		t.Helper()
		var shown struct{ MailState, SentAt, LastError string }
		for deadline := time.Now().Add(startWithin); shown.MailState != want; time.Sleep(tick) {
			require.True(t, time.Now().Before(deadline), "the mail is %+v", shown)
			ann.must(t, http.StatusOK, "GET", "/api/v1/tenant-invites/"+invite.InviteID, nil).into(t, &shown)
		}
	}
	state("SENT")
	provider := newClient(base, "")
	report := object{"messageId": mail.MessageID, "type": "bounce"}
	provider.must(t, http.StatusUnauthorized, "POST", "/hooks/mail/bounced", report)
	provider.must(t, http.StatusNoContent, "POST", "/hooks/mail/bounced", report, "Authorization", "Bearer "+hookSecret)
	state("BOUNCED")

	worker.signal(t, syscall.SIGTERM)
	require.Zero(t, worker.exit(t, soon), worker.output.tail())
	require.NotContains(t, worker.output.String(), "kim@example.com")
	require.NotContains(t, worker.output.String(), token)
	ann.must(t, http.StatusOK, "POST", "/api/v1/tenant-invites/"+invite.InviteID+"/resend", nil) // waits for the next worker
	state("QUEUED")
}

// TestWorkerRefusals: a worker does not run as a login that policies don't bind, nor
// with a seal key that the database does not know.
func TestWorkerRefusals(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env := environment{
		"WORKER_DATABASE_URL": d.URL("rowhouse_worker"), "SEAL_KEYS": dbtest.KeysText, "INVITE_KEYS": dbtest.InviteKeysText,
		"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "no-reply@rowhouse.example", "PUBLIC_URL": "https://rowhouse.example",
	}
	for change, says := range map[*environment]string{
		{"WORKER_DATABASE_URL": d.URL("postgres")}:                              "superuser",
		{"SEAL_KEYS": "now:b3RoZXItdGVzdC1vdGhlci10ZXN0LW90aGVyLXRlc3Q="}:       "the first of SEAL_KEYS",
		{"SMTP_URL": "smtp://user:hunter2@mail.example?starttls=opportunistic"}: "SMTP_URL",
		{"MAIL_FROM": "Rowhouse"}:                                               "MAIL_FROM",
	} {
		code, output := outcome(t, env.with(*change), "worker")
		require.Equal(t, 1, code, output)
		require.Contains(t, output, says)
		require.NotContains(t, output, "hunter2")
	}
}

// testDevMail: in dev, an invite is on the mail catcher's page a moment later.
func testDevMail(t *testing.T, i instance) {
	ann := i.demo(t)
	ann.must(t, http.StatusCreated, "POST", "/api/v1/tenants/invite", object{"firstName": "Kim", "lastName": "Kay", "email": "kim@example.com"})
	_, token, _ := strings.Cut(i.mailTo(t, "kim@example.com")[0], "#")
	newClient(i.api, "").must(t, http.StatusOK, "GET", "/api/v1/invites/"+token, nil)
}

// mailTo is the links of the mail that comes to an address.
func (i instance) mailTo(t *testing.T, address string) []string {
	page := newClient(i.mails, "")
	var found struct {
		Mails []struct{ Links []string }
	}
	for deadline := time.Now().Add(startWithin); len(found.Mails) == 0; time.Sleep(tick) {
		require.True(t, time.Now().Before(deadline), "no mail came")
		page.must(t, http.StatusOK, "GET", "/api/mails?to="+address, nil).into(t, &found)
	}
	return found.Mails[0].Links
}
