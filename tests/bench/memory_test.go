package bench

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/dbtest"
)

// BenchmarkMemory is how many MiB the processes come to beyond what they have while
// nothing goes on: while they take the largest file there may be, in rows and in bytes,
// and while a list is downloaded. heap-MiB is the largest heap of Go's that a garbage
// collection has found. Linux only.
func BenchmarkMemory(b *testing.B) {
	b.Run("import=10MB", func(b *testing.B) {
		p := startProduct(b, dbtest.New(b))
		p.warmUp(b)
		api, worker := most{}, most{}
		for b.Loop() {
			user, token := p.member(b)
			word := strings.ReplaceAll(user.String(), "-", "")
			row := len(tenants(csvfile.MaxRows, word, "")) / csvfile.MaxRows
			file := tenants(csvfile.MaxRows, word, strings.Repeat("x", csvfile.MaxBytes/csvfile.MaxRows-row-1))
			require.Greater(b, len(file), csvfile.MaxBytes*95/100)
			ofAPI, ofWorker := p.api.peak(b), p.worker.peak(b)
			p.take(b, token, file)
			api.add(ofAPI())
			worker.add(ofWorker())
		}
		api.report(b, "api-")
		worker.report(b, "worker-")
	})
	for _, export := range []struct {
		name string
		rows int
	}{{"export=1000rows", 1000}, {"export=100000rows", 100_000}} {
		b.Run(export.name, func(b *testing.B) {
			p := startProduct(b, dbtest.New(b))
			p.warmUp(b)
			user, token := p.member(b)
			p.Exec(b, `insert into app.units (owner_user_id, name, kind, address1, city, postal_code, country, created_by)
				select $1, 'Flat ' || n, 'apartment', n || ' Canal Street', 'Utrecht', '3511 AB', 'NL', $1 from generate_series(1, $2) n`, user, export.rows)
			p.Exec(b, "analyze app.units")
			api := most{}
			bytes := int64(0)
			for b.Loop() {
				ofAPI := p.api.peak(b)
				bytes = p.download(b, token, export.rows)
				api.add(ofAPI())
			}
			api.report(b, "api-")
			b.ReportMetric(float64(export.rows)/b.Elapsed().Seconds()*float64(b.N), "rows/s")
			b.ReportMetric(float64(bytes)/(1<<20), "file-MiB")
		})
	}
}

// most is the most memory of several rounds, in MiB.
type most struct{ all, heap float64 }

func (m *most) add(all, heap float64) { m.all, m.heap = max(m.all, all), max(m.heap, heap) }

func (m *most) report(b *testing.B, whose string) {
	b.ReportMetric(m.all, whose+"MiB-above-idle")
	b.ReportMetric(m.heap, whose+"heap-MiB")
}

// warmUp does a little of everything, so that what is loaded once is not counted.
func (p product) warmUp(b *testing.B) {
	b.Helper()
	user, token := p.member(b)
	p.take(b, token, tenants(10, uuid.NewString(), ""))
	p.Exec(b, `insert into app.units (owner_user_id, name, created_by) values ($1, 'Flat', $1)`, user)
	p.download(b, token, 1)
}

// download reads the landlord's units as a spreadsheet, and returns its size.
func (p product) download(b *testing.B, token string, rows int) int64 {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), "GET", p.url+"/units/export.csv", nil)
	require.NoError(b, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.http.Do(r)
	require.NoError(b, err)
	defer answer.Body.Close()
	require.Equal(b, http.StatusOK, answer.StatusCode)
	lines := &lineCounter{}
	size, err := io.Copy(lines, answer.Body)
	require.NoError(b, err)
	require.Equal(b, rows+1, lines.n)
	return size
}

type lineCounter struct{ n int }

func (c *lineCounter) Write(data []byte) (int, error) {
	c.n += strings.Count(string(data), "\n")
	return len(data), nil
}
