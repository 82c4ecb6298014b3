package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func key(text string) string { return "Idempotency-Key: " + text }

// sameAnswer requires that b is what a was.
func sameAnswer(t *testing.T, a, b answer) {
	t.Helper()
	require.Equal(t, a.status, b.status, b.text)
	require.Equal(t, a.text, b.text)
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		require.Equal(t, a.header.Get(name), b.header.Get(name))
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for _, path := range []string{"/units", "/properties"} {
		k := key(path)
		first := c.post(path, `{"name":"Attic","city":"Delft"}`, k).ok(http.StatusCreated)
		require.Equal(t, "false", first.header.Get("Idempotency-Replayed"))

		again := c.post(path, `{"name":"Attic","city":"Delft"}`, k)
		sameAnswer(t, first, again)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		sameAnswer(t, first, c.post(path, ` { "city": "De\u006cft", "name": "Attic" } `, k)) // the same, written otherwise

		for _, other := range []string{`{"name":"Attic"}`, `{"name":"Attic","city":"delft"}`, `{"name":"Attic","city":"Delft","archived":true}`} {
			c.post(path, other, k).refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
		}
		c.post(path, `{"name":""}`, k).refused(http.StatusBadRequest, "invalid_request", "#/name")

		// the first answer holds, whatever has become of the row
		c.patch(first.header.Get("Location"), object{"name": "Loft"}).ok(http.StatusOK)
		sameAnswer(t, first, c.post(path, `{"name":"Attic","city":"Delft"}`, k))
		c.delete(first.header.Get("Location")).ok(http.StatusNoContent)
		sameAnswer(t, first, c.post(path, `{"name":"Attic","city":"Delft"}`, k))
		require.Zero(t, s.rows(t, strings.TrimPrefix(path, "/")))
	}
	c.post("/units", object{"name": "Attic"}, key("k")).ok(http.StatusCreated)
	c.post("/properties", object{"name": "Attic"}, key("k")).
		refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	c.post("/units", object{"name": "Attic 2"}, key("K")).ok(http.StatusCreated) // a key has its case
}

func TestIdempotencyKeyIsTheLandlordsOwn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	const k = "Idempotency-Key: 0b6f5d0e-2c0e-4a43-9a51-0d8f0f6f3a11"
	a := ann.post("/units", object{"name": "Attic"}, k).ok(http.StatusCreated)
	b := bob.post("/units", object{"name": "Attic"}, k).ok(http.StatusCreated)
	require.NotEqual(t, a.body["id"], b.body["id"])
	bob.post("/units", object{"name": "Cellar"}, k).refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	sameAnswer(t, a, ann.post("/units", object{"name": "Attic"}, k))
	sameAnswer(t, b, bob.post("/units", object{"name": "Attic"}, k))
	require.Equal(t, 2, s.rows(t, "units"))
}

func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	answers := make([]answer, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.post("/units", object{"name": "Attic"}, key("one")) })
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		sameAnswer(t, answers[0].ok(http.StatusCreated), a)
		if a.header.Get("Idempotency-Replayed") == "false" {
			made++
		}
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, s.rows(t, "units"))
	require.Equal(t, 1, s.rows(t, "idempotency_keys"))
}

func TestFailedCreateFreesItsKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	c.created("/units", object{"name": "Attic"})
	c.post("/units", object{"name": "Attic"}, key("k")).refused(http.StatusConflict, "name_taken", "#/name")
	c.post("/units", object{"name": "Cellar", "propertyId": noSuchRow}, key("k")).refused(http.StatusForbidden, "forbidden")
	c.post("/units", object{"name": ""}, key("k")).refused(http.StatusBadRequest, "invalid_request", "#/name")
	require.Zero(t, s.rows(t, "idempotency_keys"))
	a := c.post("/units", object{"name": "Loft"}, key("k")).ok(http.StatusCreated)
	require.Equal(t, "false", a.header.Get("Idempotency-Replayed"))
}

func TestIdempotencyKeysAreForgotten(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	bob.post("/units", object{"name": "Attic"}, key("old")).ok(http.StatusCreated)
	for _, k := range []string{"old", "older", "recent"} {
		ann.post("/units", object{"name": k}, key(k)).ok(http.StatusCreated)
	}
	s.Exec(t, `update app.idempotency_keys set created_at = now() - interval '25 hours' where key like 'old%'`)
	s.Exec(t, `update app.idempotency_keys set created_at = now() - interval '23 hours' where key = 'recent'`)

	a := ann.post("/units", object{"name": "Mill"}, key("old")).ok(http.StatusCreated)
	require.Equal(t, "false", a.header.Get("Idempotency-Replayed"), "a day later the key is free")
	ann.post("/units", object{"name": "another"}, key("recent")).
		refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	var anns, bobs int
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select count(*) filter (where owner_user_id = $1), count(*) filter (where owner_user_id = $2)
		from app.idempotency_keys`, ann.id, bob.id).Scan(&anns, &bobs))
	require.Equal(t, 2, anns)
	require.Equal(t, 1, bobs, "nobody else's are touched")
}

func TestBadIdempotencyKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for _, k := range []string{marker + strings.Repeat("k", 193), "two words" + marker, "caf\u00e9" + marker, "tab\t" + marker} {
		c.post("/units", object{"name": "Attic"}, key(k)).
			refused(http.StatusBadRequest, "invalid_request", "header Idempotency-Key").discreet(c.token)
	}
	require.Zero(t, s.rows(t, "units"))
	c.post("/units", object{"name": "Attic"}, key(strings.Repeat("~", 200))).ok(http.StatusCreated)
	logged.RequireWithout(t, marker)
}
