package auth

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"sync"
)

// call is one request of the provider to a hook.
type call struct {
	hook   string // the last element of its path
	header http.Header
	body   []byte
}

// gate is where the provider calls the hooks. It keeps what comes, and hands it to
// whatever the test has put behind it.
type gate struct {
	mu    sync.Mutex
	calls []call
	next  http.Handler
}

// openGate opens a gate at listener, until that is closed.
func openGate(listener net.Listener) *gate {
	g := &gate{next: http.HandlerFunc(agree)}
	server := &http.Server{Handler: g, ReadHeaderTimeout: soon, ErrorLog: nothingToSay}
	go func() { _ = server.Serve(listener) }() // ends with the listener
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	g.calls = append(g.calls, call{path.Base(r.URL.Path), r.Header.Clone(), body})
	next := g.next
	g.mu.Unlock()
	next.ServeHTTP(w, r)
}

// put sets what is behind the gate.
func (g *gate) put(next http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = next
}

// take returns the calls since the last take.
func (g *gate) take() []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.calls
	g.calls = nil
	return taken
}

// agree answers every hook as one that allows all and changes nothing.
func agree(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if path.Base(r.URL.Path) != customAccessToken {
		_, _ = io.WriteString(w, `{}`)
		return
	}
	var draft struct {
		Claims json.RawMessage `json:"claims"`
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &draft)
	answer, _ := json.Marshal(draft) // then the provider refuses it
	_, _ = w.Write(answer)
}

// except answers one hook by itself and leaves the others to next.
func except(hook string, answer http.HandlerFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) == hook {
			answer(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// saying answers with a status and a JSON text.
func saying(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// to hands calls on to the server at base, as they are.
func to(base string) http.Handler {
	target, err := url.Parse(base)
	if err != nil {
		panic(err) // we made it
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: nothingToSay,
		// as the server itself would, had it gone away
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return proxy
}
