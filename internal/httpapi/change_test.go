package httpapi_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// full is a unit with every member set.
func full() object {
	return object{
		"name": "Attic", "kind": "house", "status": "OCCUPIED", "address1": "1 High Street", "address2": "Rear", "city": "Utrecht",
		"state": "UT", "postalCode": "3511 AB", "country": "NL", "bedrooms": 2.0, "bathrooms": 1.5, "areaM2": 64.25,
		"externalRef": "X-1", "archived": false,
	}
}

func data(a answer) object {
	body := maps.Clone(a.body)
	for _, ours := range []string{"id", "version", "createdAt", "updatedAt", "archivedAt"} {
		delete(body, ours)
	}
	return body
}

func TestCreate(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	a := c.post("/units", full()).ok(http.StatusCreated)
	require.Equal(t, full(), data(a))
	require.Equal(t, "/api/v1/units/"+a.body["id"].(string), a.header.Get("Location"))
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.EqualValues(t, 1, a.body["version"])
	require.Equal(t, a.text, c.get(a.header.Get("Location")).ok(http.StatusOK).text)

	least := c.post("/units", `{"name":"Cellar"}`).ok(http.StatusCreated)
	require.Equal(t, object{"name": "Cellar", "kind": "apartment", "status": "VACANT", "archived": false}, data(least))

	property := object{"name": "Mill", "kind": "commercial", "latitude": -90.0, "longitude": 5.12345678901234, "archived": false}
	require.Equal(t, property, data(c.post("/properties", property).ok(http.StatusCreated)))
	require.Equal(t, object{"name": "Barn", "kind": "other", "archived": false}, data(c.post("/properties", `{"name":"Barn"}`)))
}

func TestPut(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	unit := c.created("/units", full())
	a := c.put(unit, object{"name": "Loft"}).ok(http.StatusOK)
	require.Equal(t, object{"name": "Loft", "kind": "apartment", "status": "VACANT", "archived": false}, data(a),
		"what is not sent goes back to its default or to nothing")
	require.Equal(t, `"2"`, a.header.Get("ETag"))
	require.Equal(t, a.text, c.get(unit).text)
	require.Equal(t, full(), data(c.put(unit, full()).ok(http.StatusOK)))
	nothing := full()
	for _, field := range []string{"address1", "address2", "city", "state", "postalCode", "country", "bedrooms", "bathrooms", "areaM2", "externalRef"} {
		nothing[field] = nil
	}
	require.Equal(t, object{"name": "Attic", "kind": "house", "status": "OCCUPIED", "archived": false}, data(c.put(unit, nothing).ok(http.StatusOK)))
}

// TestPatch holds a merge patch to RFC 7396.
func TestPatch(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	house := c.post("/properties", object{"name": "House", "latitude": 1.0}).ok(http.StatusCreated)
	unit := c.created("/units", full())
	want := full()
	steps := []object{
		{},
		{"city": "Delft"},
		{"address2": nil},
		{"bedrooms": nil, "bathrooms": 0.0, "areaM2": 0.0},
		{"name": "Loft", "status": "NOTICE"},
		{"propertyId": house.body["id"]},
		{"propertyId": nil},
		{"address2": nil}, // already nothing
		{"archived": true},
		{"country": nil, "state": nil, "postalCode": nil, "externalRef": nil, "address1": nil, "city": nil},
	}
	for i, step := range steps {
		a := c.patch(unit, step, "Content-Type: application/merge-patch+json").ok(http.StatusOK)
		for name, value := range step {
			want[name] = value
			if value == nil {
				delete(want, name)
			}
		}
		require.Equal(t, want, data(a), step)
		require.EqualValues(t, i+2, a.body["version"])
		require.Equal(t, a.text, c.get(unit).text)
	}
	for _, required := range []string{"name", "kind", "status", "archived"} {
		c.patch(unit, object{required: nil}).refused(http.StatusBadRequest, "invalid_request", "#/"+required)
	}
	require.EqualValues(t, len(steps)+1, c.get(unit).body["version"])
	require.Equal(t, object{"name": "House", "kind": "other", "archived": false},
		data(c.patch(house.header.Get("Location"), `{"latitude":null}`)))
}

func TestArchive(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, path := range []string{"/units", "/properties"} {
		at := c.created(path, object{"name": "Attic"})
		require.NotContains(t, c.get(at).body, "archivedAt")
		since := c.patch(at, object{"archived": true}).ok(http.StatusOK).body["archivedAt"]
		require.NotEmpty(t, since)
		require.Equal(t, since, c.patch(at, object{"name": "Loft"}).ok(http.StatusOK).body["archivedAt"], "another change keeps it")
		require.Equal(t, since, c.patch(at, object{"archived": true}).ok(http.StatusOK).body["archivedAt"], "so does archiving again")
		require.Equal(t, since, c.put(at, object{"name": "Loft", "archived": true}).ok(http.StatusOK).body["archivedAt"])
		back := c.patch(at, object{"archived": false}).ok(http.StatusOK)
		require.NotContains(t, back.body, "archivedAt")
		require.Equal(t, false, back.body["archived"])
		require.NotEqual(t, since, c.patch(at, object{"archived": true}).ok(http.StatusOK).body["archivedAt"])
		require.NotContains(t, c.put(at, object{"name": "Loft"}).ok(http.StatusOK).body, "archivedAt", "not archived is the default")
		require.NotEmpty(t, c.post(path, object{"name": "Old", "archived": true}).ok(http.StatusCreated).body["archivedAt"])
	}
}
