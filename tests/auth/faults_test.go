package auth

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// arrive has somebody sign up and in who tries again, as people do, what has failed.
// mend is called when it has, and must end the fault.
func (w *world) arrive(t testing.TB, email string, mend func()) (s session) {
	t.Helper()
	if a := w.signUp(t, email); a.status >= 400 {
		mend()
		a = w.signUp(t, email)
		require.Equal(t, http.StatusOK, a.status, a.text)
	}
	if !w.mailed(email) { // nothing has failed that they would know of
		mend()
		a := w.auth(t, "/resend", obj("type", "signup", "email", email))
		require.Equal(t, http.StatusOK, a.status, a.text)
	}
	if a := w.confirm(t, email); a.status >= 400 {
		mend()
		if a = w.confirm(t, email); a.status >= 400 { // the code may be used up
			w.auth(t, "/resend", obj("type", "signup", "email", email))
		}
	}
	a := w.signIn(t, email)
	if a.status >= 400 {
		mend()
		a = w.signIn(t, email)
	}
	require.Equal(t, http.StatusOK, a.status, a.text)
	a.into(t, &s)
	require.Equal(t, email, s.User.Email)
	return s
}

// mailed is whether a mail has gone to an address; the hook has it sent before it
// answers.
func (w *world) mailed(email string) bool {
	for _, m := range w.mails.Mails() {
		if slices.Contains(m.To, email) {
			return true
		}
	}
	return false
}

// theFirst puts answer in the place of a hook until mend is called; from the next
// call on all goes to the app.
func (w *world) theFirst(t testing.TB, hook string, answer http.HandlerFunc) (mend func()) {
	t.Helper()
	w.p.hooks.put(except(hook, answer, to(w.app.url)))
	return func() { w.p.hooks.put(to(w.app.url)) }
}

var allHooks = []string{beforeUserCreated, afterUserCreated, sendEmail, customAccessToken}

// TestDroppedHooks: each hook in turn does not come to us, and the provider takes
// that for consent, or for a failure. Whoever can sign in has one profile, theirs.
func TestDroppedHooks(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"lost", agree},
		{"failed", saying(http.StatusInternalServerError, `{}`)},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var people []profile
			for i, hook := range allHooks {
				email := w.email("ann" + strconv.Itoa(i))
				s := w.arrive(t, email, w.theFirst(t, hook, fault.answer))
				w.p.hooks.put(to(w.app.url))
				people = append(people, s.theirs())
				me := w.api(t, "GET", "/me", s.Token, "")
				require.Equal(t, http.StatusOK, me.status, me.text)
				require.ElementsMatch(t, people, w.profiles(t), hook)
			}
		})
	}
	t.Run("all lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.p.hooks.put(except(sendEmail, to(w.app.url).ServeHTTP, http.HandlerFunc(agree)))
		s := w.arrive(t, w.email("ann"), func() { t.Fatal("nothing fails") })
		require.Empty(t, w.profiles(t))
		w.api(t, "GET", "/me", s.Token, "")
		require.Equal(t, []profile{s.theirs()}, w.profiles(t), "the first request makes up for it")
	})
}

// TestKilled: the app dies while each hook in turn waits for its answer, having done
// the work or not. After-user-created comes when the provider has committed the user.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, worked := range []bool{false, true} {
		t.Run(map[bool]string{false: "before the work", true: "after the work"}[worked], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var people []profile
			for i, hook := range allHooks {
				var once sync.Once
				dies := func(rw http.ResponseWriter, r *http.Request) {
					once.Do(func() {
						if worked {
							to(w.app.url).ServeHTTP(httptest.NewRecorder(), r)
						}
						w.app.kill()
					})
					to(w.app.url).ServeHTTP(rw, r) // nobody is there, until somebody starts it
				}
				w.p.hooks.put(except(hook, dies, to(w.app.url)))
				s := w.arrive(t, w.email("ann"+strconv.Itoa(i)), sync.OnceFunc(func() { w.app.start(t) }))
				people = append(people, s.theirs())
				me := w.api(t, "GET", "/me", s.Token, "")
				require.Equal(t, http.StatusOK, me.status, me.text)
				require.ElementsMatch(t, people, w.profiles(t), hook)
			}
		})
	}
}

// TestReplayedHooks: all that the provider has sent while somebody came is sent
// again: as it was, signed anew as its retries are, backwards, and 20 at once.
func TestReplayedHooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.p.hooks.take()
	s := w.arrive(t, w.email("ann"), func() { t.Fatal("nothing fails") })
	calls := w.p.hooks.take()
	require.GreaterOrEqual(t, len(calls), 5, "two of them for tokens")
	only := []profile{s.theirs()}
	require.Equal(t, only, w.profiles(t))
	mails := len(w.mails.Mails())

	for _, c := range calls {
		require.Equal(t, http.StatusUnauthorized, w.replay(t, c, c.header), "%s: this very call has been here", c.hook)
	}
	slices.Reverse(calls)
	for _, c := range calls {
		require.Equal(t, http.StatusOK, w.replay(t, c, w.signed(t, c.body)), c.hook)
	}
	for _, c := range calls {
		statuses := make(chan int, 20)
		var wg sync.WaitGroup
		for range cap(statuses) {
			headers := w.signed(t, c.body)
			wg.Go(func() { statuses <- w.replay(t, c, headers) })
		}
		wg.Wait()
		close(statuses)
		for status := range statuses {
			require.Equal(t, http.StatusOK, status, c.hook)
		}
	}
	require.Equal(t, only, w.profiles(t))
	sent := len(w.mails.Mails()) // Len would print them
	require.Equal(t, mails, sent, "each mail goes out once")

	w.app.kill()
	w.app.start(t)
	for _, c := range calls {
		if c.hook != sendEmail { // what has gone out another process does not know
			require.Equal(t, http.StatusOK, w.replay(t, c, w.signed(t, c.body)), c.hook)
		}
	}
	require.Equal(t, only, w.profiles(t))
	w.setUp(t, s.Token)
}

// replay sends a call to the app once more.
func (w *world) replay(t testing.TB, c call, header http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.app.url+"/hooks/auth/"+c.hook, bytes.NewReader(c.body))
	require.NoError(t, err)
	r.Header = header
	answer, err := (&http.Client{Timeout: soon}).Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	require.NoError(t, err)
	return answer.StatusCode
}

// signed are the headers of a call of the provider with this body, made now.
func (w *world) signed(t testing.TB, body []byte) http.Header {
	t.Helper()
	first, _, _ := strings.Cut(w.p.hookSecrets, "|")
	signer, err := webhooks.NewWebhook(strings.TrimPrefix(first, "v1,"))
	require.NoError(t, err)
	id, at := uuid.NewString(), time.Now()
	signature, err := signer.Sign(id, at, body)
	require.NoError(t, err)
	return http.Header{
		"Content-Type":      {"application/json"},
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"Webhook-Signature": {signature},
	}
}

// TestNobody: what hooks tell of somebody whom the provider then does not keep leaves
// nothing with us.
func TestNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := w.theFirst(t, sendEmail, saying(http.StatusInternalServerError, `{}`))
	a := w.signUp(t, w.email("ann"))
	require.Equal(t, http.StatusInternalServerError, a.status, a.text)
	refused()
	require.Empty(t, w.profiles(t), "the sign-up was undone")
	require.Equal(t, http.StatusBadRequest, w.signIn(t, w.email("ann")).status)

	a = request(t, "POST", w.p.url+"/auth/v1/signup", "", obj("email", "not an address", "password", password))
	require.Equal(t, http.StatusBadRequest, a.status, a.text)
	require.Empty(t, w.profiles(t))
}

// TestAnotherAudience: with a header of the provider's anybody can have the hooks
// called with somebody's address and another id.
func TestAnotherAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.arrive(t, w.email("ann"), func() { t.Fatal("nothing fails") })
	w.p.hooks.take()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.p.url+"/auth/v1/signup", strings.NewReader(obj("email", w.email("ann"), "password", password)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-JWT-AUD", "other")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusForbidden, answer.StatusCode, "our gate has refused it")
	require.Equal(t, beforeUserCreated, path.Base(w.p.hooks.take()[0].hook))
	require.Equal(t, []profile{s.theirs()}, w.profiles(t))
}

// TestChangedAddress: the profile follows the address, by the webhook of the provider's
// database, or, if that is lost, with a later token.
func TestChangedAddress(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*testing.T, *world, session){
		"webhook": func(t *testing.T, w *world, s session) {
			var user map[string]any
			request(t, "GET", w.p.url+"/auth/v1/user", s.Token, "").into(t, &user)
			// as supabase/migrations has it sent
			a := request(t, "POST", w.app.url+"/hooks/auth/user-changed", webhookSecret,
				obj("type", "UPDATE", "schema", "auth", "table", "users", "record", user, "old_record", map[string]any{"id": user["id"]}))
			require.Equal(t, http.StatusOK, a.status, a.text)
		},
		"token": func(t *testing.T, w *world, s session) {
			// What a token says is taken to be some seconds old, and as many have to pass.
			w.Exec(t, "update app.users set provider_seen_at = provider_seen_at - interval '1 minute'")
			require.Equal(t, http.StatusOK, w.signIn(t, w.email("anna")).status)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.arrive(t, w.email("ann"), func() { t.Fatal("nothing fails") })
			asked := request(t, "PUT", w.p.url+"/auth/v1/user", s.Token, obj("email", w.email("anna")))
			require.Equal(t, http.StatusOK, asked.status, asked.text)
			for _, email := range []string{w.email("ann"), w.email("anna")} {
				a := w.confirm(t, email)
				require.Equal(t, http.StatusOK, a.status, a.text)
			}
			tell(t, w, s)
			now := []profile{{s.User.ID, w.email("anna")}}
			require.Equal(t, now, w.profiles(t))
			require.Equal(t, http.StatusOK, w.api(t, "GET", "/me", s.Token, "").status, "the old token says the old address")
			require.Equal(t, now, w.profiles(t), "and changes nothing back")
		})
	}
}
