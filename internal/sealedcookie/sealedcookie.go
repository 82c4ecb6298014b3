// Package sealedcookie keeps what a browser shall carry and not read in encrypted
// cookies.
//
// The cookies are __Host- ones: one origin alone sets and gets them, and no script
// does. What does not fit into one cookie is cut into several. A value opens only
// whole, under its own name and with a key of the ring; anything else is as if there
// were no cookie.
package sealedcookie

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	version = "rowhouse-cookie-1"
	// chunkBytes and the attributes stay below the 4096 bytes that browsers promise.
	chunkBytes = 3800
	// maxChunks bounds what a request carries to what proxies let through.
	maxChunks = 4
)

// ErrTooLarge says that a value does not fit into the cookies of one Jar.
var ErrTooLarge = errors.New("sealed cookie: the value is too large")

// ErrUnreadable says that a request has the cookie and it does not open: it was
// changed, cut, or sealed with a key that is gone.
var ErrUnreadable = errors.New("sealed cookie: it does not open")

// Jar reads and writes one value. Jars of different names cannot read each other's
// cookies, though they share a ring.
type Jar struct {
	name string
	ring Keyring
}

// NewJar returns a jar for the cookie __Host-name. The ring has to have a key.
func NewJar(name string, ring Keyring) *Jar { return &Jar{name: "__Host-" + name, ring: ring} }

// Present reports whether r carries the cookie, readable or not.
func (j *Jar) Present(r *http.Request) bool { return len(r.CookiesNamed(j.name)) > 0 }

// Read opens the value that r carries. The error is http.ErrNoCookie or
// ErrUnreadable.
func (j *Jar) Read(r *http.Request) ([]byte, error) {
	if !j.Present(r) {
		return nil, http.ErrNoCookie
	}
	first, err := j.one(r, j.name)
	if err != nil {
		return nil, err
	}
	// how many cookies there are stands before the first one's part; a lie makes the
	// whole not open
	count, text, _ := strings.Cut(first, ".")
	chunks, err := strconv.Atoi(count)
	if err != nil || chunks < 1 || chunks > maxChunks {
		return nil, ErrUnreadable
	}
	var whole strings.Builder
	whole.WriteString(text)
	for n := 1; n < chunks; n++ {
		part, err := j.one(r, j.chunk(n))
		if err != nil {
			return nil, err
		}
		whole.WriteString(part)
	}
	id, encoded, _ := strings.Cut(whole.String(), ".")
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, ErrUnreadable
	}
	return j.ring.open(id, sealed, j.name)
}

// one is the value of a cookie that must stand exactly once.
func (j *Jar) one(r *http.Request, name string) (string, error) {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return "", ErrUnreadable
	}
	return found[0].Value, nil
}

// Write has the browser keep value for maxAge, instead of what r came with. The
// error is ErrTooLarge, and then nothing is written.
func (j *Jar) Write(w http.ResponseWriter, r *http.Request, value []byte, maxAge time.Duration) error {
	id, sealed := j.ring.seal(value, j.name)
	text := id + "." + base64.RawURLEncoding.EncodeToString(sealed)
	chunks := (len(text) + chunkBytes - 1) / chunkBytes
	if chunks > maxChunks {
		return ErrTooLarge
	}
	j.forget(w)
	for n := range chunks {
		part := text[n*chunkBytes : min((n+1)*chunkBytes, len(text))]
		if n == 0 {
			part = strconv.Itoa(chunks) + "." + part
		}
		http.SetCookie(w, j.cookie(n, part, max(1, int(maxAge.Seconds()))))
	}
	j.expire(w, r, chunks)
	return nil
}

// Clear has the browser forget the value.
func (j *Jar) Clear(w http.ResponseWriter, r *http.Request) {
	j.forget(w)
	http.SetCookie(w, j.cookie(0, "", -1))
	j.expire(w, r, 1)
}

// expire deletes the chunks from first on that r carries and nothing needs any more.
func (j *Jar) expire(w http.ResponseWriter, r *http.Request, first int) {
	for n := first; n < maxChunks; n++ {
		if len(r.CookiesNamed(j.chunk(n))) > 0 {
			http.SetCookie(w, j.cookie(n, "", -1))
		}
	}
}

// forget takes back what was written before to the same answer: the last word holds.
func (j *Jar) forget(w http.ResponseWriter) {
	all := w.Header()["Set-Cookie"]
	kept := all[:0]
	for _, line := range all {
		if !strings.HasPrefix(line, j.name+"=") && !strings.HasPrefix(line, j.name+".") {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		w.Header().Del("Set-Cookie")
		return
	}
	w.Header()["Set-Cookie"] = kept
}

func (j *Jar) chunk(n int) string {
	if n == 0 {
		return j.name
	}
	return fmt.Sprintf("%s.%d", j.name, n)
}

func (j *Jar) cookie(n int, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: j.chunk(n), Value: value, MaxAge: maxAge,
		Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
}
