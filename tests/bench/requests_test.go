package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	sizes   = []int{100, 10_000} // landlords
	clients = []int{1, 32}
)

// BenchmarkUnitsPage is a page of 50 of a landlord's 100 units, by name, with
// the total. Warm tokens are remembered by the verifier, cold ones are not.
func BenchmarkUnitsPage(b *testing.B) {
	for _, landlords := range sizes {
		for _, tokens := range []struct {
			name  string
			cache int
		}{{"warm", callers}, {"cold", 1}} {
			for _, n := range clients {
				b.Run(fmt.Sprintf("landlords=%d/tokens=%s/clients=%d", landlords, tokens.name, n), func(b *testing.B) {
					d := open(b, landlords)
					s := start(b, d, tokens.cache, nil)
					calls := make([]call, 0, callers)
					for _, number := range d.spread() {
						calls = append(calls, s.firstPage(b, number))
					}
					s.measure(b, n, func(n int) call { return calls[uint(n)%uint(len(calls))] })
				})
			}
		}
	}
}

// firstPage is the call for a landlord's first page, sent once and looked at.
func (s stack) firstPage(b *testing.B, number int) call {
	b.Helper()
	c := call{method: "GET", path: fmt.Sprint("/units?limit=", pageSize), token: s.sign(b, landlord(number)), status: http.StatusOK}
	text := s.first(b, c)
	var page struct {
		Units      []struct{ Name string }
		Pagination struct{ Total int }
	}
	require.NoError(b, json.Unmarshal([]byte(text), &page))
	require.Len(b, page.Units, pageSize)
	require.Equal(b, unitsEach, page.Pagination.Total)
	c.length = len(text)
	return c
}

// BenchmarkGetUnit reads one unit by its id.
func BenchmarkGetUnit(b *testing.B) {
	for _, n := range clients {
		b.Run(fmt.Sprintf("landlords=%d/clients=%d", sizes[0], n), func(b *testing.B) {
			d := open(b, sizes[0])
			s := start(b, d, callers, nil)
			var calls []call
			for _, number := range d.spread() {
				var id uuid.UUID
				require.NoError(b, d.Admin.QueryRow(b.Context(),
					"select id from app.units where owner_user_id = $1 limit 1", landlord(number)).Scan(&id))
				c := call{method: "GET", path: "/units/" + id.String(), token: s.sign(b, landlord(number)), status: http.StatusOK}
				c.length = len(s.first(b, c))
				calls = append(calls, c)
			}
			s.measure(b, n, func(n int) call { return calls[uint(n)%uint(len(calls))] })
		})
	}
}

// BenchmarkCreateUnit creates units, each by a landlord of its own turn.
func BenchmarkCreateUnit(b *testing.B) {
	for _, n := range clients {
		b.Run(fmt.Sprintf("landlords=%d/clients=%d", sizes[0], n), func(b *testing.B) {
			d := open(b, sizes[0])
			s := start(b, d, callers, nil)
			tokens := make([]string, creators)
			for i := range tokens {
				tokens[i] = s.sign(b, landlord(d.landlords+1+i))
				// the first request of each looks for a profile
				s.first(b, call{method: "GET", path: "/me", token: tokens[i], status: http.StatusOK})
			}
			s.measure(b, n, func(n int) call {
				return call{
					method: "POST", path: "/units", token: tokens[uint(n)%creators], status: http.StatusCreated,
					body: fmt.Appendf(nil, `{"name":"Flat %d","address1":"1 Canal Street","city":"Utrecht","country":"NL","bedrooms":2}`, n),
				}
			})
			d.Exec(b, "delete from app.units where owner_user_id >= $1", landlord(d.landlords+1))
		})
	}
}
