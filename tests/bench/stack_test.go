package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
)

// stack is the API on a loopback port with a database and an identity provider.
type stack struct {
	url   string
	http  *http.Client
	trips *atomic.Int64
	named *counter // statements; nil if they are not counted
	sign  func(testing.TB, uuid.UUID) string
}

// start serves d. A cache of one token never holds the one that comes next. If named is
// not nil, it counts statements.
func start(b *testing.B, d books, cacheSize int, named *counter) stack {
	b.Helper()
	s := stack{trips: &atomic.Int64{}, named: named, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	var provider *httptest.Server
	provider, s.sign = newProvider(b)
	tokens, err := auth.NewVerifier(b.Context(), auth.Config{
		JWKSURL: provider.URL, Issuer: provider.URL, CacheSize: cacheSize,
	})
	require.NoError(b, err)
	b.Cleanup(tokens.Close)
	api, err := httpapi.New(httpapi.Config{
		DB: d.Open(b, db.Config{MaxConns: 16, Configure: func(c *pgxpool.Config) {
			countTrips(c, s.trips)
			if named != nil {
				c.ConnConfig.Tracer = named
			}
		}}),
		Tokens: tokens, Version: "bench", InviteKeys: dbtest.InviteKeys(b),
	})
	require.NoError(b, err)
	server := httptest.NewServer(api)
	b.Cleanup(server.Close)
	b.Cleanup(s.http.CloseIdleConnections)
	s.url = server.URL + "/api/v1"
	return s
}

// newProvider publishes an ES256 key and signs tokens like Supabase Auth's.
func newProvider(b *testing.B) (*httptest.Server, func(testing.TB, uuid.UUID) string) {
	b.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	private, err := jwk.FromRaw(raw)
	require.NoError(b, err)
	require.NoError(b, private.Set(jwk.KeyIDKey, "k1"))
	require.NoError(b, private.Set(jwk.AlgorithmKey, jwa.ES256))
	public, err := private.PublicKey()
	require.NoError(b, err)
	set, err := json.Marshal(map[string]any{"keys": []jwk.Key{public}})
	require.NoError(b, err)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	b.Cleanup(provider.Close)
	return provider, func(tb testing.TB, user uuid.UUID) string {
		tb.Helper()
		token, err := jwt.NewBuilder().Issuer(provider.URL).Subject(user.String()).Audience([]string{"authenticated"}).
			IssuedAt(time.Now()).Expiration(time.Now().Add(time.Hour)).
			Claim("role", "authenticated").Claim("session_id", uuid.NewString()).Claim("is_anonymous", false).
			Claim("email", user.String()+"@example.com").Claim("phone", "").Claim("aal", "aal1").
			Claim("app_metadata", map[string]any{"provider": "email", "providers": []string{"email"}}).
			Claim("user_metadata", map[string]any{"email_verified": true}).Build()
		require.NoError(tb, err)
		signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, private))
		require.NoError(tb, err)
		return string(signed)
	}
}

// call is a request and what its answer has to be like.
type call struct {
	method, path, token string
	body                []byte
	status              int
	length              int // of the answer; 0 for any
}

// do sends c. The buffer is the caller's, to be used again.
func (s stack) do(ctx context.Context, c call, buffer *bytes.Buffer) (ok bool, err error) {
	r, err := http.NewRequestWithContext(ctx, c.method, s.url+c.path, bytes.NewReader(c.body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	buffer.Reset()
	if _, err := io.Copy(buffer, answer.Body); err != nil {
		return false, err
	}
	return answer.StatusCode == c.status && (c.length == 0 || c.length == buffer.Len()), nil
}

// first sends c before anything is measured and returns the answer.
func (s stack) first(b *testing.B, c call) string {
	b.Helper()
	var buffer bytes.Buffer
	ok, err := s.do(b.Context(), c, &buffer)
	require.NoError(b, err)
	require.True(b, ok, buffer.String())
	return buffer.String()
}

// measure has clients send b.N requests in all, the nth being next(n), and
// checks each answer.
func (s stack) measure(b *testing.B, clients int, next func(n int) call) {
	b.Helper()
	var taken atomic.Int64
	var wait sync.WaitGroup
	s.warm(b, clients, next)
	before, statements := s.trips.Load(), s.named.count()
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		wait.Go(func() {
			var buffer bytes.Buffer
			for n := int(taken.Add(1)); n <= b.N; n = int(taken.Add(1)) {
				c := next(n)
				if ok, err := s.do(b.Context(), c, &buffer); err != nil || !ok {
					b.Errorf("%s %s: %v %s", c.method, c.path, err, buffer.String())
					return
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(s.trips.Load()-before)/float64(b.N), "roundtrips/op")
	if s.named != nil {
		b.ReportMetric(float64(s.named.count()-statements)/float64(b.N), "statements/op")
	}
}

// warm opens as many connections as there will be and has statements prepared
// on them, so that neither is counted.
func (s stack) warm(b *testing.B, clients int, next func(n int) call) {
	b.Helper()
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			var buffer bytes.Buffer
			for n := range 10 {
				if ok, err := s.do(b.Context(), next(-1-client*10-n), &buffer); err != nil || !ok {
					b.Errorf("warm up: %v %s", err, buffer.String())
					return
				}
			}
		})
	}
	wait.Wait()
}

// countTrips counts each time that something was sent to Postgres and then
// something came back.
func countTrips(c *pgxpool.Config, trips *atomic.Int64) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countingConn{Conn: conn, trips: trips}, err
	}
}

type countingConn struct {
	net.Conn
	trips *atomic.Int64
	asked atomic.Bool
}

func (c *countingConn) Write(data []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(data)
}

func (c *countingConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	if n > 0 && c.asked.Swap(false) {
		c.trips.Add(1)
	}
	return n, err
}

// counter counts the statements that have a name, which are those of sql/queries: not
// BEGIN and its like, and not the caller's identity. It implements pgx.QueryTracer and
// pgx.BatchTracer.
type counter struct{ n atomic.Int64 }

func (c *counter) count() int64 {
	if c == nil {
		return 0
	}
	return c.n.Load()
}

func (c *counter) add(sql string) {
	if strings.HasPrefix(sql, "-- name: ") {
		c.n.Add(1)
	}
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.add(data.SQL)
	return ctx
}
func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c *counter) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	c.add(data.SQL)
}
func (*counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
