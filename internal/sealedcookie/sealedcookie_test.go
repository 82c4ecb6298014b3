package sealedcookie_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/sealedcookie"
)

const (
	keyOne = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	keyTwo = "YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="
	name   = "__Host-thing"
)

func jar(t *testing.T, name, keys string) *sealedcookie.Jar {
	t.Helper()
	ring, err := sealedcookie.ParseKeyring(keys)
	require.NoError(t, err)
	return sealedcookie.NewJar(name, ring)
}

// browser keeps cookies as one does.
type browser map[string]string

func (b browser) request(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, value := range b {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// answered takes in what an answer says.
func (b browser) answered(t *testing.T, answer func(http.ResponseWriter, *http.Request)) {
	t.Helper()
	recorder := httptest.NewRecorder()
	answer(recorder, b.request(t))
	for _, c := range recorder.Result().Cookies() {
		require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "", c.String())
		require.LessOrEqual(t, len(c.Name)+len(c.Value), 4096-200, "browsers drop larger ones")
		if c.MaxAge < 0 {
			delete(b, c.Name)
			continue
		}
		b[c.Name] = c.Value
	}
}

func (b browser) write(t *testing.T, j *sealedcookie.Jar, value string) {
	t.Helper()
	b.answered(t, func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, j.Write(w, r, []byte(value), time.Hour))
	})
}

func TestValuesOfEverySize(t *testing.T) {
	t.Parallel()
	j := jar(t, "thing", "a:"+keyOne)
	b := browser{}
	_, err := j.Read(b.request(t))
	require.ErrorIs(t, err, http.ErrNoCookie)
	for _, size := range []int{0, 1, 2700, 2850, 9000, 11000, 20, 6000} { // smaller after larger: stale chunks go
		value := rand.Text() + strings.Repeat("x", size)
		b.write(t, j, value)
		got, err := j.Read(b.request(t))
		require.NoError(t, err, size)
		require.Equal(t, value, string(got))
		require.Len(t, b, 1+size/2850)
		for _, text := range b {
			require.NotContains(t, text, value[:20])
		}
	}
	require.Contains(t, b, name)
	before := fmt.Sprint(b)
	b.answered(t, func(w http.ResponseWriter, r *http.Request) {
		require.ErrorIs(t, j.Write(w, r, make([]byte, 12000), time.Hour), sealedcookie.ErrTooLarge)
	})
	require.Equal(t, before, fmt.Sprint(b))
	b.answered(t, j.Clear)
	require.Empty(t, b)
}

// TestLastWordHolds: one answer may set the cookie and then think better of it.
func TestLastWordHolds(t *testing.T) {
	t.Parallel()
	j, other := jar(t, "thing", "a:"+keyOne), jar(t, "thing2", "a:"+keyOne)
	b := browser{}
	b.answered(t, func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, other.Write(w, r, []byte("kept"), time.Hour))
		require.NoError(t, j.Write(w, r, make([]byte, 8000), time.Hour))
		j.Clear(w, r)
		require.Len(t, w.Header().Values("Set-Cookie"), 2)
	})
	got, err := other.Read(b.request(t))
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
	require.False(t, j.Present(b.request(t)))
}

// TestWhatDoesNotOpen spoils cookies in each way there is.
func TestWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	j := jar(t, "thing", "a:"+keyOne)
	value := rand.Text() + strings.Repeat("y", 9000)
	flip := func(s string, at int) string {
		other := byte('A')
		if s[at] == other {
			other = 'B'
		}
		return s[:at] + string(other) + s[at+1:]
	}
	for what, spoil := range map[string]func(browser){
		"a character of the first":  func(b browser) { b[name] = flip(b[name], 40) },
		"a character of the second": func(b browser) { b[name+".1"] = flip(b[name+".1"], 40) },
		"the key's id":              func(b browser) { b[name] = strings.Replace(b[name], ".a.", ".b.", 1) },
		"a chunk is missing":        func(b browser) { delete(b, name+".2") },
		"chunks are swapped":        func(b browser) { b[name+".1"], b[name+".2"] = b[name+".2"], b[name+".1"] },
		"a chunk is empty":          func(b browser) { b[name+".3"] = "" },
		"cut":                       func(b browser) { b[name+".3"] = b[name+".3"][:len(b[name+".3"])-4] },
		"longer":                    func(b browser) { b[name+".3"] += "AAAA" },
		"fewer chunks are claimed":  func(b browser) { b[name] = "1" + b[name][1:] },
		"no chunks are claimed":     func(b browser) { b[name] = "0" + b[name][1:] },
		"many chunks are claimed":   func(b browser) { b[name] = "999999" + b[name][1:] },
		"no number":                 func(b browser) { b[name] = "x" },
		"nothing":                   func(b browser) { b[name] = "" },
		"no key's id":               func(b browser) { b[name] = "1.AAAA" },
		"too short":                 func(b browser) { b[name] = "1.a.AAAA" },
		"no base64":                 func(b browser) { b[name] = "1.a.***" },
	} {
		b := browser{}
		b.write(t, j, value)
		require.Len(t, b, 4)
		spoil(b)
		_, err := j.Read(b.request(t))
		require.ErrorIs(t, err, sealedcookie.ErrUnreadable, what)
		b.answered(t, j.Clear)
		require.NotContains(t, b, name, what)
	}

	// one chunk of another session
	mine, theirs := browser{}, browser{}
	mine.write(t, j, value)
	theirs.write(t, j, value)
	mine[name+".1"] = theirs[name+".1"]
	_, err := j.Read(mine.request(t))
	require.ErrorIs(t, err, sealedcookie.ErrUnreadable)

	// the cookie twice, as a page on a sister domain would plant it were there no __Host-
	r := theirs.request(t)
	r.AddCookie(&http.Cookie{Name: name, Value: "planted"})
	_, err = j.Read(r)
	require.ErrorIs(t, err, sealedcookie.ErrUnreadable)
}

func TestAnotherJarsCookie(t *testing.T) {
	t.Parallel()
	b := browser{}
	b.write(t, jar(t, "thing", "a:"+keyOne), "secret")
	b["__Host-other"] = b[name]
	_, err := jar(t, "other", "a:"+keyOne).Read(b.request(t))
	require.ErrorIs(t, err, sealedcookie.ErrUnreadable)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	b := browser{}
	b.write(t, jar(t, "thing", "old:"+keyOne), "secret")
	got, err := jar(t, "thing", "new:"+keyTwo+",old:"+keyOne).Read(b.request(t))
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))

	b.write(t, jar(t, "thing", "new:"+keyTwo+",old:"+keyOne), "secret")
	for keys, opens := range map[string]bool{
		"new:" + keyTwo: true, "old:" + keyOne: false,
		"new:" + keyOne: false, // another key under the same id
		"old:" + keyTwo: false, // the same key under another id
	} {
		_, err := jar(t, "thing", keys).Read(b.request(t))
		require.Equal(t, opens, err == nil, keys)
	}
}

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	long := base64.StdEncoding.EncodeToString(make([]byte, 33))
	for what, text := range map[string]string{
		"empty": "", "no id": keyOne, "empty id": ":" + keyOne, "a dot in the id": "a.b:" + keyOne,
		"too short": "k:c2hvcnQ=", "too long": "k:" + long, "not base64": "k:***",
		"the same id twice": "k:" + keyOne + ",k:" + keyTwo, "an empty entry": "k:" + keyOne + ",",
	} {
		_, err := sealedcookie.ParseKeyring(text)
		require.Error(t, err, what)
		require.NotContains(t, err.Error(), keyOne, what)
	}
	ring, err := sealedcookie.ParseKeyring("a:" + keyOne + ", b:" + keyTwo)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(ring), fmt.Sprintf("%+v", ring), fmt.Sprintf("%#v", ring)} {
		require.Equal(t, "2 session keys", text)
	}
	require.False(t, ring.Empty())
	require.True(t, sealedcookie.Keyring{}.Empty())
}
