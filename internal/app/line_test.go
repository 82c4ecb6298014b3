package app

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// line is a way to Postgres on which something can happen at a message.
type line struct {
	url    string // for who goes this way
	server string

	mu      sync.Mutex
	left    int           // messages until then
	heard   bool          // Postgres hears that message, and who sent it hears no answer
	hit     chan struct{} // nil if nothing is to happen
	release chan struct{}
}

func listen(t testing.TB, address string) *line {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{server: u.Host}
	u.Host = ln.Addr().String()
	l.url = u.String()
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { l.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wait.Wait() // who goes this way has ended before
	})
	return l
}

func (l *line) serve(client net.Conn) {
	defer client.Close()
	var server net.Conn
	var back sync.WaitGroup
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			break
		}
		known := server != nil
		if server, err = l.forward(server, buffer[:n]); err != nil {
			break // also when Postgres is away
		}
		if from := server; !known {
			back.Go(func() {
				_, _ = io.Copy(client, from)
				_ = client.Close()
			})
		}
	}
	if server != nil {
		_ = server.Close()
	}
	back.Wait()
}

// strike cuts the nth message from now off, before Postgres hears it or just after.
// When hit is closed, nothing goes this way until release is called.
func (l *line) strike(n int, heard bool) (hit <-chan struct{}, release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.heard, l.hit, l.release = n, heard, make(chan struct{}), make(chan struct{})
	return l.hit, sync.OnceFunc(func() { close(l.release) })
}

// forward sends a message, over a new connection if server is nil. A connection without
// a message would be a client that says nothing, and for those Postgres waits when it stops.
func (l *line) forward(server net.Conn, message []byte) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if server == nil {
		var err error
		if server, err = net.Dial("tcp", l.server); err != nil {
			return nil, err
		}
	}
	if l.left--; l.hit == nil || l.left > 0 {
		_, err := server.Write(message)
		return server, err
	}
	if l.heard {
		_, _ = server.Write(message)
	}
	close(l.hit)
	l.hit = nil
	<-l.release
	return server, errors.New("cut off")
}
