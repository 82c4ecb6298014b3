package authhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

// outbox keeps what is to be sent.
type outbox struct {
	mu    sync.Mutex
	mails []mail.Message
	fail  func(mail.Message) error
}

func (o *outbox) use(c *authhooks.Config) { c.SendMail = o.send }

func (o *outbox) send(_ context.Context, m mail.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		if err := o.fail(m); err != nil {
			return err
		}
	}
	o.mails = append(o.mails, m)
	return nil
}

func (o *outbox) all() []mail.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]mail.Message(nil), o.mails...)
}

func (o *outbox) failWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = func(mail.Message) error { return err }
}

const (
	hashOne = "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4"
	hashTwo = "e5f60718e5f60718e5f60718e5f60718e5f60718e5f60718e5f60718"
)

// emailCall is a call of send-email, by default about hashOne and the code 123456.
func emailCall(action string, user, data object) object {
	return object{"metadata": metadata("send-email"), "user": user, "email_data": with(object{
		"token": "123456", "token_hash": hashOne, "redirect_to": "", "email_action_type": action, "site_url": "http://127.0.0.1:9999",
		"token_new": "", "token_hash_new": "", "old_email": "", "old_phone": "", "provider": "", "factor_type": "",
	}, data)}
}

// linkIn is the link to the page that asks before it uses a token, which a mail holds.
func linkIn(t testing.TB, text string) url.Values {
	t.Helper()
	for line := range strings.FieldsSeq(text) {
		if strings.HasPrefix(line, publicURL+"/auth/confirm?") {
			u, err := url.Parse(line)
			require.NoError(t, err)
			return u.Query()
		}
	}
	t.Fatalf("no link in %s", text)
	return nil
}

// TestMails sends every kind over SMTP.
func TestMails(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	catcher := mailcatcher.New(mailcatcher.Config{})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- catcher.Serve(ctx, ln, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})
	sender, err := mail.Open(mail.Config{URL: "smtp://" + ln.Addr().String(), From: "Rowhouse <no-reply@rowhouse.example>"})
	require.NoError(t, err)
	t.Cleanup(sender.Close)
	r := serve(t, func(c *authhooks.Config) { c.SendMail = sender.Send })

	user := with(newUser("ann@example.com"), object{"new_email": "new@example.com"})
	type sent struct {
		to, code, hash string // no hash for no link
	}
	for name, c := range map[string]struct {
		action string
		change object
		want   []sent
	}{
		"sign-up":          {"signup", nil, []sent{{"ann@example.com", "123456", hashOne}}},
		"sign-up by PKCE":  {"signup", object{"token_hash": "pkce_" + hashOne}, []sent{{"ann@example.com", "123456", "pkce_" + hashOne}}},
		"recovery":         {"recovery", nil, []sent{{"ann@example.com", "123456", hashOne}}},
		"invite":           {"invite", nil, []sent{{"ann@example.com", "123456", hashOne}}},
		"magic link":       {"magiclink", nil, []sent{{"ann@example.com", "123456", hashOne}}},
		"reauthentication": {"reauthentication", nil, []sent{{"ann@example.com", "123456", ""}}},
		// the hash named new is for the present address
		"change, both asked": {
			"email_change",
			object{"token_new": "975310", "token_hash_new": hashTwo},
			[]sent{{"ann@example.com", "123456", hashTwo}, {"new@example.com", "975310", hashOne}},
		},
		"change, new one asked":    {"email_change", nil, []sent{{"new@example.com", "123456", hashOne}}},
		"password changed":         {"password_changed_notification", object{"token": "", "token_hash": ""}, []sent{{"ann@example.com", "", ""}}},
		"address changed":          {"email_changed_notification", object{"old_email": "old@example.com"}, []sent{{"old@example.com", "", ""}}},
		"phone changed":            {"phone_changed_notification", object{"old_phone": "15550100200"}, []sent{{"ann@example.com", "", ""}}},
		"identity linked":          {"identity_linked_notification", object{"provider": "google"}, []sent{{"ann@example.com", "", ""}}},
		"identity unlinked":        {"identity_unlinked_notification", object{"provider": "google"}, []sent{{"ann@example.com", "", ""}}},
		"factor enrolled":          {"mfa_factor_enrolled_notification", object{"factor_type": "totp"}, []sent{{"ann@example.com", "", ""}}},
		"factor unenrolled":        {"mfa_factor_unenrolled_notification", object{"factor_type": "totp"}, []sent{{"ann@example.com", "", ""}}},
		"a kind of later versions": {"carrier_pigeon", nil, nil},
		"no kind":                  {"", nil, nil},
	} {
		before := len(catcher.Mails())
		r.consents(r.call("send-email", emailCall(c.action, user, c.change)))
		mails := catcher.Mails()[before:]
		require.Len(t, mails, len(c.want), name)
		for i, want := range c.want {
			require.Equal(t, []string{want.to}, mails[i].To, name)
			require.Empty(t, mails[i].Problem, name)
			if want.code != "" {
				require.Contains(t, mails[i].Text, want.code, name)
			}
			if want.hash == "" {
				require.NotContains(t, mails[i].Text+mails[i].HTML, "token_hash", name)
				continue
			}
			require.Equal(t, url.Values{"token_hash": {want.hash}, "type": {c.action}}, linkIn(t, mails[i].Text), name)
			for _, other := range c.want {
				if other != want {
					require.NotContains(t, mails[i].Text+mails[i].HTML, other.hash, name)
					require.NotContains(t, mails[i].Text+mails[i].HTML, other.code, name)
				}
			}
		}
	}
}

// TestWithoutPresentAddress: somebody who had none is asked at the new one alone.
func TestWithoutPresentAddress(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	user := with(newUser(""), object{"new_email": "new@example.com", "is_anonymous": true})
	r.consents(r.call("send-email", emailCall("email_change", user, nil)))
	require.Len(t, box.all(), 1)
	require.Equal(t, "new@example.com", box.all()[0].To)
}

// TestRedirect: links lead on to the web app's own pages, and to no other's.
func TestRedirect(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	for to, passed := range map[string]bool{
		publicURL: true, publicURL + "/": true, publicURL + "/units?a=b&c=d#e": true, "https://ROWHOUSE.example/x": true,
		"": false, "/units": false, "//evil.example": false, "https://evil.example": false, "http://rowhouse.example/x": false,
		publicURL + ".evil.example": false, publicURL + "@evil.example": false, "https://a:b@rowhouse.example/": false,
		publicURL + ":444/": false, "javascript:alert(1)": false, "https:rowhouse.example": false, "\x00": false,
	} {
		before := len(box.all())
		r.consents(r.call("send-email", emailCall("recovery", newUser("ann@example.com"), object{"redirect_to": to})))
		got := linkIn(t, box.all()[before].Text)
		if passed {
			require.Equal(t, to, got.Get("redirect_to"))
		} else {
			require.NotContains(t, got, "redirect_to", to)
		}
	}
}

// TestMailsOnce: all attempts of a call send its mails once, at once or one after
// another; another call with the same content sends its own.
func TestMailsOnce(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	user := with(newUser("ann@example.com"), object{"new_email": "new@example.com"})
	call := emailCall("email_change", user, object{"token_new": "975310", "token_hash_new": hashTwo})
	body, err := json.Marshal(call)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { r.consents(r.do(r.signed("send-email", body))) })
	}
	wg.Wait()
	mails := box.all()
	require.Len(t, mails, 2)
	require.NotEqual(t, mails[0].MessageID, mails[1].MessageID)
	for _, m := range mails {
		require.Contains(t, m.MessageID, call["metadata"].(object)["uuid"])
	}
	r.consents(r.call("send-email", with(call, object{"metadata": metadata("send-email")})))
	require.Len(t, box.all(), 4)
}

// TestMailFailures: what can pass is tried again, by the provider, and only what has
// not been sent; what cannot is said to whoever wanted the mail.
func TestMailFailures(t *testing.T) {
	t.Parallel()
	box := &outbox{}
	r := serve(t, box.use)
	user := with(newUser("ann@example.com"), object{"new_email": "new@example.com"})
	body, err := json.Marshal(emailCall("email_change", user, object{"token_new": "975310", "token_hash_new": hashTwo}))
	require.NoError(t, err)
	box.fail = func(m mail.Message) error {
		if m.To == "new@example.com" {
			return &mail.Error{Reason: "Not now.", Err: errors.New("421 busy")}
		}
		return nil
	}
	a := r.do(r.signed("send-email", body))
	r.turnsAway(a, http.StatusServiceUnavailable, "")
	require.NotEmpty(t, a.header.Get("Retry-After"), "or the provider does not try again")
	box.failWith(nil)
	r.consents(r.do(r.signed("send-email", body)))
	var to []string
	for _, m := range box.all() {
		to = append(to, m.To)
	}
	require.Equal(t, []string{"ann@example.com", "new@example.com"}, to, "each once")

	never := &mail.Error{Permanent: true, Reason: "There is no mailbox with this address.", Err: errors.New("550 <secret-text@example.com>")}
	box.failWith(never)
	for _, action := range []string{"signup", "invite", "email_change", "reauthentication"} {
		require.Equal(t, never.Reason, r.refuses(r.call("send-email", emailCall(action, user, nil)), http.StatusUnprocessableEntity))
	}
	// these would tell who has an account
	for _, action := range []string{"recovery", "magiclink"} {
		r.consents(r.call("send-email", emailCall(action, user, nil)))
	}
	// what they tell of would be undone
	box.failWith(errors.New("anything"))
	for _, notice := range mail.Notices() {
		r.consents(r.call("send-email", emailCall(string(notice), user, nil)))
	}
	require.NotContains(t, logged.String(), "secret-text")
	require.NotContains(t, logged.String(), hashOne)

	// a mail that cannot be written is our fault
	box.failWith(nil)
	r.turnsAway(r.call("send-email", emailCall("signup", user, object{"token_hash": ""})), http.StatusInternalServerError, "")
	r.consents(r.call("send-email", emailCall("password_changed_notification", user, object{"token": "<b>", "token_hash": ""})))
}

// TestMailOutlivesCaller: a provider that has gone away meanwhile finds the mail sent
// when it calls again.
func TestMailOutlivesCaller(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	sent := 0
	r := serve(t, func(c *authhooks.Config) {
		c.SendMail = func(ctx context.Context, _ mail.Message) error {
			once.Do(func() { close(begun) })
			<-goOn
			mu.Lock()
			defer mu.Unlock()
			sent++
			return ctx.Err()
		}
	})
	body, err := json.Marshal(emailCall("signup", newUser("ann@example.com"), nil))
	require.NoError(t, err)
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	first := r.signed("send-email", body).WithContext(ctx)
	go func() {
		res, err := http.DefaultClient.Do(first)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	<-begun
	hangUp()
	require.Error(t, <-gone)
	second := make(chan answer, 1)
	retry := r.signed("send-email", body)
	go func() { second <- r.do(retry) }()
	close(goOn)
	r.consents(<-second)
	require.Equal(t, 1, sent)
}
