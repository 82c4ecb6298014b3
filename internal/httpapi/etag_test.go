package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, path := range []string{"/units", "/properties", "/me"} {
		at, field := path, "fullName"
		if path != "/me" {
			at, field = c.created(path, object{"name": "Attic"}), "name"
		}
		current := c.get(at).header.Get("ETag")
		require.Equal(t, `"1"`, current)
		for _, other := range []string{`"0"`, `"2"`, `W/"1"`, `1`, `"1`, `"01"`, `garbage`, `""`, `"2", "3"`, `"*"`, `'1'`} {
			before := c.get(at).text
			a := c.patch(at, object{field: "Never"}, "If-Match: "+other).refused(http.StatusPreconditionFailed, "version_changed")
			require.Equal(t, current, a.header.Get("ETag"), other)
			if path != "/me" {
				c.put(at, object{field: "Never"}, "If-Match: "+other).refused(http.StatusPreconditionFailed, "version_changed")
				a := c.delete(at, "If-Match: "+other).refused(http.StatusPreconditionFailed, "version_changed")
				require.Equal(t, current, a.header.Get("ETag"))
			}
			require.Equal(t, before, c.get(at).text, other)
		}
		c.patch(at, object{field: "Never"}, "If-Match: "+fmt.Sprintf("%0101d", 1)).
			refused(http.StatusBadRequest, "invalid_request", "header If-Match")

		a := c.patch(at, object{field: "One"}, "If-Match: "+current).ok(http.StatusOK)
		require.Equal(t, `"2"`, a.header.Get("ETag"))
		c.patch(at, object{field: "Two"}, "If-Match: "+current).refused(http.StatusPreconditionFailed, "version_changed")
		require.Equal(t, `"3"`, c.patch(at, object{field: "Three"}, "If-Match: *").ok(http.StatusOK).header.Get("ETag"))
		require.Equal(t, `"4"`, c.patch(at, object{field: "Four"}, `If-Match: "9", "3"`).ok(http.StatusOK).header.Get("ETag"))
		require.Equal(t, `"5"`, c.patch(at, object{field: "Five"}).ok(http.StatusOK).header.Get("ETag"))
		require.Equal(t, `"5"`, c.get(at).header.Get("ETag"))
		if path == "/me" {
			continue
		}
		require.Equal(t, `"6"`, c.put(at, object{field: "Six"}, `If-Match: "5"`).ok(http.StatusOK).header.Get("ETag"))
		c.delete(at, `If-Match: "6"`).ok(http.StatusNoContent)
		c.patch(at, object{field: "Gone"}, `If-Match: "6"`).refused(http.StatusForbidden, "forbidden")
		c.patch(at, object{field: "Gone"}, "If-Match: *").refused(http.StatusForbidden, "forbidden")
	}
}

// TestLostUpdate lets many change the version that all of them have read, and
// holds the row until several are under way.
func TestLostUpdate(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	tx, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from app.units for update")
	require.NoError(t, err)
	const writers = 12
	answers := make([]answer, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { answers[i] = c.patch(unit, object{"name": fmt.Sprint("Flat ", i)}, `If-Match: "1"`) })
	}
	require.Eventually(t, func() bool { return s.waiting(t) > 2 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, tx.Rollback(t.Context()))
	wg.Wait()
	won := 0
	for i, a := range answers {
		if a.status == http.StatusOK {
			won++
			require.Equal(t, fmt.Sprint("Flat ", i), c.get(unit).body["name"])
			continue
		}
		a.refused(http.StatusPreconditionFailed, "version_changed")
		require.Equal(t, `"2"`, a.header.Get("ETag"))
	}
	require.Equal(t, 1, won)
	require.EqualValues(t, 2, c.get(unit).body["version"])
}
