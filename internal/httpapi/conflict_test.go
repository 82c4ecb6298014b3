package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakenNames(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	taken := func(a answer) {
		t.Helper()
		a.refused(http.StatusConflict, "name_taken", "#/name").discreet(ann.token)
	}
	ann.created("/properties", object{"name": "North"})
	south := ann.created("/properties", object{"name": "South"})
	taken(ann.post("/properties", object{"name": "NORTH"}))
	taken(ann.put(south, object{"name": "North"}))
	taken(ann.patch(south, object{"name": "north "}))
	ann.patch(south, object{"name": "SOUTH"}).ok(http.StatusOK) // its own name
	bob.created("/properties", object{"name": "North"})

	north := ann.get("/properties?q=north").list("properties")[0]["id"]
	southID := strings.TrimPrefix(south, "/properties/")
	ann.created("/units", object{"name": "Attic", "propertyId": north})
	ann.created("/units", object{"name": "Attic", "propertyId": southID})
	loose := ann.created("/units", object{"name": "Attic"})
	bob.created("/units", object{"name": "Attic"})
	taken(ann.post("/units", object{"name": marker + "?", "propertyId": north}).ok(http.StatusCreated).again(ann))
	taken(ann.post("/units", object{"name": "ATTIC"}))
	taken(ann.patch(loose, object{"propertyId": north}))
	taken(ann.put(loose, object{"name": "attic", "propertyId": southID}))
	require.NotContains(t, ann.get(loose).body, "propertyId", "nothing has changed")
	require.Equal(t, 5, s.rows(t, "units"))
	logged.RequireWithout(t, marker)
}

// again sends a create a second time, as its answer says it was.
func (a answer) again(c client) answer {
	a.t.Helper()
	return c.post("/units", object{"name": a.body["name"], "propertyId": a.body["propertyId"]})
}

func TestSameNameAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	answers := make([]answer, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.post("/units", object{"name": "Attic"}) })
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.status == http.StatusCreated {
			made++
			continue
		}
		a.refused(http.StatusConflict, "name_taken", "#/name")
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, s.rows(t, "units"))
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	house := ann.created("/properties", object{"name": "House"})
	unit := ann.created("/units", object{"name": "Attic", "propertyId": strings.TrimPrefix(house, "/properties/")})
	bob.created("/units", object{"name": "Attic"})

	a := ann.delete(house).refused(http.StatusConflict, "in_use")
	require.Contains(t, a.body["detail"], "units")
	a.discreet(ann.token)
	ann.get(house).ok(http.StatusOK)

	gone := ann.delete(unit).ok(http.StatusNoContent)
	require.Empty(t, gone.text)
	ann.delete(house).ok(http.StatusNoContent)
	for _, path := range []string{unit, house} {
		ann.delete(path).refused(http.StatusForbidden, "forbidden")
		ann.get(path).refused(http.StatusNotFound, "not_found")
		ann.put(path, object{"name": "b"}).refused(http.StatusForbidden, "forbidden")
	}
	require.Equal(t, 1, s.rows(t, "units"))
}

// TestDeleteOfWhatIsReferredTo has a table refer to units that the API knows
// nothing of, as later ones will.
func TestDeleteOfWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	s.Exec(t, `create table app.keys_handed_out (owner_user_id uuid, unit_id uuid,
		constraint `+marker+`_fkey foreign key (owner_user_id, unit_id) references app.units (owner_user_id, id))`)
	s.Exec(t, `insert into app.keys_handed_out select owner_user_id, id from app.units`)
	a := c.delete(unit).refused(http.StatusConflict, "in_use")
	require.Contains(t, a.body["detail"], "refer to this")
	require.NotContains(t, a.text, "keys_handed_out")
	a.discreet(c.token)
	c.get(unit).ok(http.StatusOK)
	c.patch(unit, object{"archived": true}).ok(http.StatusOK) // as the answer advises
	s.Exec(t, "drop table app.keys_handed_out")
	c.delete(unit).ok(http.StatusNoContent)
}

func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	answers := make([]answer, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.delete(unit) })
	}
	wg.Wait()
	deleted := 0
	for _, a := range answers {
		if a.status == http.StatusNoContent {
			deleted++
			continue
		}
		a.refused(http.StatusForbidden, "forbidden")
	}
	require.Equal(t, 1, deleted)
}

// TestUnchangedIsNoSuccess takes the rights to change and delete away, so that
// the statements succeed and change nothing.
func TestUnchangedIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	house := c.created("/properties", object{"name": "House"})
	for _, table := range []string{"units", "properties"} {
		s.Exec(t, "create function app.keep_"+table+"() returns trigger language plpgsql as 'begin return null; end'")
		s.Exec(t, "create trigger a_keep before update or delete on app."+table+" for each row execute function app.keep_"+table+"()")
	}
	for _, path := range []string{unit, house} {
		before := c.get(path).text
		for _, a := range []answer{c.patch(path, object{"name": "b"}), c.put(path, object{"name": "b"}), c.delete(path)} {
			a.refused(http.StatusForbidden, "forbidden")
		}
		require.Equal(t, before, c.get(path).text)
	}
}
