package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// TestSlowClients trickle their requests, for longer than the server waits, and
// disturb nobody else.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	env := forServe(t, d).with(environment{"DATABASE_MAX_CONNS": "1"})
	_, base := serve(t, env)
	c := as(t, base, ann.UserID)

	for name, c := range map[string]struct {
		head   string
		within time.Duration
		status int // 0: closed without an answer
	}{
		"headers": {"GET /api/v1/units HTTP/1.1\r\nHost: x\r\nX-Slow: ", 8 * time.Second, 0},
		"body": {
			"POST /api/v1/units HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n" +
				"Authorization: Bearer " + c.token + "\r\n\r\n{", 22 * time.Second, http.StatusRequestTimeout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			answer := trickle(t, env["ADDR"], c.head, c.within)
			require.Greater(t, time.Since(began), time.Second)
			if c.status == 0 {
				require.Empty(t, answer)
				return
			}
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
			require.NoError(t, err, answer)
			defer response.Body.Close()
			require.Equal(t, c.status, response.StatusCode)
			require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		})
	}
	t.Run("others meanwhile", func(t *testing.T) {
		t.Parallel()
		for range 20 {
			began := time.Now()
			c.must(t, http.StatusOK, "GET", "/api/v1/units", nil)
			require.Less(t, time.Since(began), 2*time.Second)
			time.Sleep(100 * time.Millisecond) // spread over the slow ones' time
		}
	})
}

// trickle sends head and then a byte now and then, until the server closes the
// connection, and returns what it said. It must close within the given time.
func trickle(t testing.TB, address, head string, within time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(within)))
	_, err = io.WriteString(conn, head)
	require.NoError(t, err)

	answered := make(chan struct{})
	defer func() { <-answered }()
	var answer strings.Builder
	var readErr error
	go func() {
		defer close(answered)
		_, readErr = io.Copy(&answer, conn)
	}()
	for {
		select {
		case <-answered:
			require.False(t, isTimeout(readErr), "not closed within %s", within)
			return answer.String()
		case <-time.After(100 * time.Millisecond):
			_, _ = io.WriteString(conn, " ") // it may be closed by now
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // io.Copy hands it on as it is
	return ok && timeout.Timeout()
}

// TestKeySetComesLate: the provider is away when we start.
func TestKeySetComesLate(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann := d.Landlord(t, "ann")
	key, published := signingKey(t)
	address := freeAddress(t)
	env := forServe(t, d)
	delete(env, "JWT_SECRET")
	env["JWKS_URL"] = "http://" + address + "/jwks.json"
	_, base := serve(t, env)

	token, err := jwt.Sign(claims(t, ann.UserID), jwt.WithKey(jwa.ES256, key))
	require.NoError(t, err)
	c := newClient(base, string(token))
	a := c.send(t, "GET", "/api/v1/units", nil)
	require.True(t, a.saysTryAgain(), a)

	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	provider := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, published)
	}))
	require.NoError(t, provider.Listener.Close())
	provider.Listener = listener
	provider.Start()
	defer provider.Close()
	require.Eventually(t, func() bool {
		return c.send(t, "GET", "/api/v1/units", nil).status == http.StatusOK
	}, 20*time.Second, tick)

	provider.Close()
	c.must(t, http.StatusOK, "GET", "/api/v1/units", nil)
}

// signingKey is a private key and the set that publishes it.
func signingKey(t testing.TB) (private jwk.Key, published string) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	private, err = jwk.FromRaw(raw)
	require.NoError(t, err)
	require.NoError(t, private.Set(jwk.KeyIDKey, "k1"))
	require.NoError(t, private.Set(jwk.AlgorithmKey, jwa.ES256))
	public, err := private.PublicKey()
	require.NoError(t, err)
	set, err := json.Marshal(object{"keys": []jwk.Key{public}})
	require.NoError(t, err)
	return private, string(set)
}
