package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// tenants is a file of so many tenants, whose addresses end in a word.
func tenants(count int, word, notes string) []byte {
	var file bytes.Buffer
	file.WriteString("firstName,lastName,email,notes\n")
	for n := range count {
		fmt.Fprintf(&file, "Jo,Renter %d,renter-%d-%s@example.com,%s\n", n, n, word, notes)
	}
	return file.Bytes()
}

// importShown is what the benchmarks read of an import.
type importShown struct {
	ID    uuid.UUID
	State string
	Rows  struct{ Total, Create int }
	Done  int
}

// ask sends a request, with a file or with what becomes JSON, and reads the answer.
func (s stack) ask(b *testing.B, token, method, path string, body, answer any) {
	b.Helper()
	kind, content := "text/csv", []byte(nil)
	switch v := body.(type) {
	case nil:
	case []byte:
		content = v
	default:
		var err error
		kind = "application/json"
		content, err = json.Marshal(v)
		require.NoError(b, err)
	}
	r, err := http.NewRequestWithContext(b.Context(), method, s.url+path, bytes.NewReader(content))
	require.NoError(b, err)
	r.Header.Set("Authorization", "Bearer "+token)
	if content != nil {
		r.Header.Set("Content-Type", kind)
	}
	got, err := s.http.Do(r)
	require.NoError(b, err)
	defer got.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(got.Body)
	require.NoError(b, err)
	require.Less(b, got.StatusCode, 300, "%s %s: %s", method, path, &text)
	require.NoError(b, json.Unmarshal(text.Bytes(), answer))
}

// take sends a file, runs the import, and asks until it is through.
func (s stack) take(b *testing.B, token string, file []byte) {
	b.Helper()
	var shown importShown
	s.ask(b, token, "POST", "/tenants/import", file, &shown)
	require.Equal(b, "CHECKED", shown.State)
	path := "/imports/" + shown.ID.String()
	s.ask(b, token, "POST", path+"/run", nil, &shown)
	for deadline := time.Now().Add(2 * time.Minute); shown.State == "RUNNING"; time.Sleep(10 * time.Millisecond) {
		s.ask(b, token, "GET", path, nil, &shown)
		require.True(b, time.Now().Before(deadline), "%+v", shown)
	}
	require.Equal(b, "COMPLETED", shown.State)
	require.Equal(b, shown.Rows.Total, shown.Rows.Create)
}

// invite is a body for as many invites as there are in it.
func invite(from, count int, word string) map[string]any {
	all := make([]map[string]string, count)
	for n := range count {
		all[n] = map[string]string{
			"firstName": "Jo", "lastName": fmt.Sprint("Renter ", from+n), "email": fmt.Sprintf("renter-%d-%s@example.com", from+n, word),
		}
	}
	return map[string]any{"tenants": all}
}

type bulkAnswer struct{ Successful int }

// BenchmarkOnboarding is what a landlord with five hundred tenants does on the first day:
// the file is sent, checked and run, and everybody is invited. Its time ends when all
// mails are queued; mailed-ms/op is when the last has left. API, worker and mail server
// are processes beside Postgres, and the worker looks into the queue as often as it does
// in production.
func BenchmarkOnboarding(b *testing.B) {
	const count, at = 500, 100
	p := startProduct(b, dbtest.New(b))
	var mailed time.Duration
	for b.Loop() {
		b.StopTimer()
		user, token := p.member(b)
		word := strings.ReplaceAll(user.String(), "-", "")
		file := tenants(count, word, "")
		p.catcher.Clear()
		began := time.Now()
		b.StartTimer()
		p.take(b, token, file)
		for from := 0; from < count; from += at {
			var answer bulkAnswer
			p.ask(b, token, "POST", "/tenants/invite/bulk", invite(from, at, word), &answer)
			require.Equal(b, at, answer.Successful)
		}
		b.StopTimer()
		for deadline := time.Now().Add(2 * time.Minute); len(p.catcher.Mails()) < count; time.Sleep(5 * time.Millisecond) {
			require.True(b, time.Now().Before(deadline), "%d mails have left", len(p.catcher.Mails()))
		}
		mailed += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(mailed.Milliseconds())/float64(b.N), "mailed-ms/op")
}

// BenchmarkInvites invites one at a time, and a hundred in a request, of people who were
// not there before. statements/op leaves out BEGIN, COMMIT and what the identity takes.
func BenchmarkInvites(b *testing.B) {
	d := open(b, sizes[0])
	s := start(b, d, callers, &counter{})
	token := s.sign(b, landlord(d.landlords+1))
	s.first(b, call{method: "GET", path: "/me", token: token, status: http.StatusOK})
	body := func(b *testing.B, v any) []byte {
		text, err := json.Marshal(v)
		require.NoError(b, err)
		return text
	}
	for _, kind := range []struct {
		name, path string
		body       func(word string) any
	}{
		{"people=1", "/tenants/invite", func(word string) any { return invite(0, 1, word)["tenants"].([]map[string]string)[0] }},
		{"people=100", "/tenants/invite/bulk", func(word string) any { return invite(0, 100, word) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			s.measure(b, 1, func(int) call {
				return call{
					method: "POST", path: kind.path, token: token, status: http.StatusCreated,
					body: body(b, kind.body(strings.ReplaceAll(uuid.NewString(), "-", ""))),
				}
			})
			d.Exec(b, "delete from river.river_job")
			for _, table := range []string{"tenant_invites", "tenants"} {
				d.Exec(b, "delete from app."+table+" where owner_user_id >= $1", landlord(d.landlords+1))
			}
		})
	}
}
