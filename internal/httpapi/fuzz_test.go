package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCreateUnit sends any body. There is a unit exactly when the answer is 201,
// and no body is our fault.
func FuzzCreateUnit(f *testing.F) {
	for _, body := range []string{
		`{"name":"Attic"}`, `{"name":"\ud83c\udfe0","bedrooms":2,"areaM2":64.5,"archived":true}`,
		`{"name":"a","kind":"house","status":"NOTICE","country":"NL","bathrooms":1e0,"propertyId":null}`,
		`{"name":"a","bedrooms":1.0}`, `{"name":"a","areaM2":1e-320}`, `{"name":"a","propertyId":"` + noSuchRow + `"}`,
		`{"name":"a","name":"b"}`, `[1]`, ``, "\x00", `{"name":"\u0000"}`,
	} {
		f.Add([]byte(body))
	}
	s := serve(f)
	landlord := s.newLandlord(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c := landlord.as(t)
		a := c.post("/units", body)
		if a.status == http.StatusCreated {
			require.Equal(t, 1, s.rows(t, "units"))
			path := a.header.Get("Location")
			require.Equal(t, a.text, c.get(path).ok(http.StatusOK).text)
			c.put(path, body).ok(http.StatusOK) // what can be made can be replaced with itself
			c.delete(path).ok(http.StatusNoContent)
			return
		}
		require.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge}, a.status, a.text)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		require.Zero(t, s.rows(t, "units"))
	})
}
