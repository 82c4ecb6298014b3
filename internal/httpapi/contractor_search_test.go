package httpapi_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/contractorsearch"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
)

// craftsmen is an Overpass server: what stands in answer, nodes by id and name, it
// answers with, unless status says otherwise.
type craftsmen struct {
	*contractorsearch.Overpass
	asked  atomic.Int64
	status atomic.Int64
	during func() // runs while the server is asked

	mu       sync.Mutex
	answer   map[int]string
	question string // the last
}

func newCraftsmen(t testing.TB, answer map[int]string) *craftsmen {
	t.Helper()
	c := &craftsmen{answer: answer, during: func() {}}
	c.status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		c.during()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.question = r.PostFormValue("data")
		w.WriteHeader(int(c.status.Load()))
		var elements []string
		for _, id := range slices.Sorted(maps.Keys(c.answer)) {
			elements = append(elements, fmt.Sprintf(`{"type": "node", "id": %d, "lat": 52.09, "lon": %f, "tags": {"craft": "plumber",
				"name": %q, "phone": "+31 30 %d", "addr:street": "Canal", "addr:city": "Utrecht", "website": "https://example.com/%d"}}`,
				id, 5.12+float64(id)/100, c.answer[id], id, id))
		}
		_, _ = io.WriteString(w, `{"version": 0.6, "elements": [`+strings.Join(elements, ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	var err error
	c.Overpass, err = contractorsearch.NewOverpass(server.URL, "test")
	require.NoError(t, err)
	return c
}

func (c *craftsmen) answers(answer map[int]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// clock is a time that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time              { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration)     { c.ahead.Add(int64(d)) }
func (c *clock) set(config *httpapi.Config)  { config.Now = c.now }
func (c *craftsmen) set(cfg *httpapi.Config) { cfg.Contractors = c }

// plumbing is a landlord with a ticket for a plumber, in a property on the map and
// with an empty book, and the path of the ticket's search.
func (s *service) plumbing(t testing.TB, name string) (c client, l dbtest.Landlord, search string) {
	t.Helper()
	l = s.Landlord(t, name)
	for _, sql := range []string{
		"delete from app.contractor_search_results where owner_user_id = $1",
		"delete from app.contractors where owner_user_id = $1",
		"update app.tickets set category = 'PLUMBING' where owner_user_id = $1",
		"update app.properties set latitude = 52.0907374, longitude = 5.1214201 where owner_user_id = $1",
	} {
		s.Exec(t, sql, l.UserID)
	}
	c = client{t: t, url: s.url, id: l.UserID, token: accessToken(t, object{"sub": l.UserID.String(), "email": l.Email})}
	return c, l, "/tickets/" + l.TicketID.String() + "/contractor-search"
}

// inBook adds a contractor to a landlord's book.
func (s *service) inBook(t testing.TB, l dbtest.Landlord, name, trade string, set string) {
	t.Helper()
	s.Exec(t, "insert into app.contractors (owner_user_id, name, trade, created_by) values ($1, $2, $3, $1)", l.UserID, name, trade)
	if set != "" {
		s.Exec(t, "update app.contractors set "+set+" where owner_user_id = $1 and name = $2", l.UserID, name)
	}
}

// notice is the code of an answer's notice.
func (a answer) notice() string {
	a.t.Helper()
	notice, _ := a.ok(http.StatusOK).body["notice"].(object)
	code, _ := notice["code"].(string)
	require.Equal(a.t, code != "", notice["detail"] != nil)
	return code
}

func TestContractorSearchInTheBook(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, ann, search := s.plumbing(t, "ann")
	_, bob, _ := s.plumbing(t, "bob")
	s.Exec(t, "update app.units set postal_code = '3511 AB', city = null where owner_user_id = $1", ann.UserID)
	s.Exec(t, "update app.properties set postal_code = '9999 ZZ', city = 'Utrecht' where owner_user_id = $1", ann.UserID)
	s.inBook(t, bob, "Of Bob", "PLUMBING", "postal_code = '3511 AB'")
	for name, set := range map[string]string{
		"Same Street":    "postal_code = '3511ab', city = 'Elsewhere', rating = 1",
		"Same City":      "city = 'UTRECHT', rating = 2",
		"Aaron":          "",
		"bert":           "city = 'Delft'",
		"Zoe, rated":     "rating = 3, postal_code = '9999 ZZ'", // where the property is, but not the unit
		"Archived":       "postal_code = '3511 AB', archived_at = now()",
		"Cees, archived": "archived_at = now()",
	} {
		s.inBook(t, ann, name, "PLUMBING", set)
	}
	s.inBook(t, ann, "Does Everything", "GENERAL", "city = 'utrecht', rating = 5")
	s.inBook(t, ann, "Electra", "ELECTRICAL", "postal_code = '3511 AB'")
	ranked := []string{"Same Street", "Does Everything", "Same City", "Zoe, rated", "Aaron", "bert"}

	require.Empty(t, c.get(search).list("results"), "a look asks nobody")
	a := c.post(search, object{})
	require.Equal(t, ranked, a.names("results"))
	require.Empty(t, a.notice())
	require.Equal(t, a.text, c.get(search).text)
	require.Equal(t, a.text, c.post(search, object{}).text)
	require.Equal(t, a.text, c.post(search, nil).text)

	first := a.list("results")[1]
	require.Equal(t, "book", first["provider"])
	require.Equal(t, "GENERAL", first["trade"])
	require.EqualValues(t, 5, first["rating"])
	require.Equal(t, "utrecht", first["address"])
	require.Equal(t, http.StatusOK, c.post(search+"/"+first["id"].(string)+"/save", nil).status, "is in the book already")
	require.Equal(t, first["contractorId"], c.post(search+"/"+first["id"].(string)+"/save", nil).body["id"])
	require.Equal(t, 10, s.rows(t, "contractors"), "nobody was added")

	s.Exec(t, "update app.contractors set archived_at = now() where name = 'Aaron'")
	s.Exec(t, "delete from app.contractors where name = 'bert'")
	require.NotContains(t, c.get(search).names("results"), "Aaron")
	a = c.post(search, object{"refresh": true})
	require.Equal(t, ranked[:4], a.names("results"))
	require.Equal(t, first["id"], a.list("results")[1]["id"], "who is found again stays the same result")

	s.Exec(t, "update app.tickets set category = 'ELECTRICAL' where owner_user_id = $1", ann.UserID)
	require.Equal(t, []string{"Electra", "Does Everything"}, c.post(search, object{}).names("results"), "the question has changed")
}

func TestContractorSearchExpires(t *testing.T) {
	t.Parallel()
	outside, time := newCraftsmen(t, map[int]string{1: "One", 2: "Two"}), &clock{}
	s := serve(t, outside.set, time.set)
	c, ann, search := s.plumbing(t, "ann")
	found := c.post(search, object{})
	require.Equal(t, []string{"One", "Two"}, found.names("results"))
	require.Equal(t, "openstreetmap", found.list("results")[0]["provider"])
	require.InDelta(t, 592, found.list("results")[0]["distanceM"], 1)
	require.NotContains(t, found.list("results")[0], "contractorId")
	require.NotContains(t, outside.question, "ann")

	s.inBook(t, ann, "In The Book", "PLUMBING", "")
	require.Equal(t, []string{"In The Book", "One", "Two"}, c.post(search, object{}).names("results"), "an empty answer is not kept")
	s.inBook(t, ann, "A New One", "PLUMBING", "")
	outside.answers(map[int]string{2: "Two, renamed", 3: "Three"})
	time.advance(hour - minute)
	require.Equal(t, []string{"In The Book", "One", "Two"}, c.post(search, object{}).names("results"))
	require.EqualValues(t, 1, outside.asked.Load())

	time.advance(2 * minute)
	require.Equal(t, []string{"One", "Two"}, c.get(search).names("results"), "the book's hour is over")
	require.Equal(t, []string{"A New One", "In The Book", "One", "Two"}, c.post(search, object{}).names("results"))
	require.EqualValues(t, 1, outside.asked.Load())

	a := c.post(search, object{"refresh": true})
	require.Equal(t, []string{"A New One", "In The Book", "Two, renamed", "Three"}, a.names("results"))
	require.EqualValues(t, 2, outside.asked.Load())
	require.Equal(t, found.list("results")[1]["id"], a.list("results")[2]["id"])

	time.advance(7*24*hour - minute)
	require.Equal(t, []string{"Two, renamed", "Three"}, c.get(search).names("results"))
	time.advance(2 * minute)
	require.Empty(t, c.get(search).names("results"))
	c.post(search, object{}).ok(http.StatusOK)
	require.EqualValues(t, 3, outside.asked.Load())
}

const minute, hour = time.Minute, time.Hour

func TestContractorSearchWithoutAnswer(t *testing.T) {
	t.Parallel()
	outside, time := newCraftsmen(t, map[int]string{1: "One", 2: "Two"}), &clock{}
	s := serve(t, outside.set, time.set)
	c, ann, search := s.plumbing(t, "ann")
	s.inBook(t, ann, "In The Book", "PLUMBING", "")
	c.post(search, object{}).ok(http.StatusOK)
	outside.answers(map[int]string{2: "Two"})
	require.Equal(t, []string{"In The Book", "Two"}, c.post(search, object{"refresh": true}).names("results"))

	outside.status.Store(http.StatusGatewayTimeout)
	a := c.post(search, object{"refresh": true})
	require.Equal(t, "provider_unavailable", a.notice())
	require.Equal(t, []string{"In The Book", "Two"}, a.names("results"))
	a.discreet(c.token)

	time.advance(30 * 24 * hour)
	require.Empty(t, c.get(search).names("results"))
	a = c.post(search, object{})
	require.Equal(t, "provider_unavailable", a.notice())
	require.Equal(t, []string{"In The Book", "Two"}, a.names("results"), "old is better than nothing; what is gone stays gone")

	outside.status.Store(http.StatusTooManyRequests)
	require.Equal(t, "provider_busy", c.post(search, object{}).notice())
	asked := outside.asked.Load()
	outside.status.Store(http.StatusOK)
	a = c.post(search, object{})
	require.Equal(t, "provider_busy", a.notice())
	require.Equal(t, []string{"In The Book", "Two"}, a.names("results"))
	require.Equal(t, asked, outside.asked.Load())

	s.Exec(t, "update app.properties set latitude = null where owner_user_id = $1", ann.UserID)
	require.Equal(t, "place_unknown", c.post(search, object{}).notice())
	s.Exec(t, "update app.tickets set category = 'NOISE' where owner_user_id = $1", ann.UserID)
	a = c.post(search, object{})
	require.Equal(t, "category_not_covered", a.notice())
	require.Empty(t, a.names("results"), "plumbers are for another category")
	require.Equal(t, asked, outside.asked.Load())
}

// TestContractorSearchOutsideTransactions: nothing waits in the database for a
// provider, and no connection is held.
func TestContractorSearchOutsideTransactions(t *testing.T) {
	t.Parallel()
	outside := newCraftsmen(t, map[int]string{1: "One"})
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1}), outside.set)
	c, _, search := s.plumbing(t, "ann")
	open := -1
	outside.during = func() {
		if err := s.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where usename = 'rowhouse_api'
			and datname = current_database() and xact_start is not null`).Scan(&open); err != nil {
			t.Error(err)
		}
		if status := c.get("/units").status; status != http.StatusOK { // on the only connection
			t.Errorf("another request meanwhile: %d", status)
		}
	}
	c.post(search, object{}).ok(http.StatusOK)
	require.Zero(t, open)
}

func TestContractorSearchSave(t *testing.T) {
	t.Parallel()
	outside := newCraftsmen(t, map[int]string{1: "One", 2: "Two"})
	s := serve(t, outside.set)
	c, ann, search := s.plumbing(t, "ann")
	result := c.post(search, object{}).list("results")[0]
	path := search + "/" + result["id"].(string) + "/save"

	answers := make([]answer, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.post(path, nil) })
	}
	wg.Wait()
	saved := answers[0].ok(http.StatusOK).body
	for _, a := range answers {
		require.Equal(t, saved, a.ok(http.StatusOK).body)
	}
	require.Equal(t, 1, s.rows(t, "contractors"))
	require.Equal(t, object{
		"id": saved["id"], "name": "One", "trade": "PLUMBING", "phone": "+31 30 1", "website": "https://example.com/1",
		"address1": "Canal, Utrecht", "archived": false, "source": "SEARCH", "externalPlaceId": "openstreetmap:node/1",
		"version": 1.0, "createdAt": saved["createdAt"], "updatedAt": saved["updatedAt"],
	}, saved)
	require.Equal(t, saved, c.get("/contractors/"+saved["id"].(string)).ok(http.StatusOK).body)

	require.Equal(t, saved["id"], c.get(search).list("results")[0]["contractorId"])
	again := c.post(search, object{"refresh": true})
	require.Equal(t, []string{"One", "Two"}, again.names("results"), "once, although the book has it too")
	require.Equal(t, "book", again.list("results")[0]["provider"])

	// for another ticket it is the same contractor
	other := uuid.New()
	s.Exec(t, `insert into app.tickets (owner_user_id, id, unit_id, title, category, created_by) values ($1, $2, $3, 'Drip', 'PLUMBING', $1)`,
		ann.UserID, other, ann.UnitID)
	otherSearch := "/tickets/" + other.String() + "/contractor-search"
	c.post(otherSearch, object{}).ok(http.StatusOK)
	for _, r := range c.get(otherSearch).list("results") {
		if r["name"] == "One" {
			require.Equal(t, saved["id"], c.post(otherSearch+"/"+r["id"].(string)+"/save", nil).ok(http.StatusOK).body["id"])
		}
	}
	require.Equal(t, 1, s.rows(t, "contractors"))
	c.post(otherSearch+"/"+result["id"].(string)+"/save", nil).refused(http.StatusForbidden, "forbidden") // of another ticket

	ticket := "/tickets/" + ann.TicketID.String()
	require.Equal(t, saved["id"], c.patch(ticket, object{"contractorId": saved["id"]}).ok(http.StatusOK).body["contractorId"])
}

func TestContractorSearchOfOthers(t *testing.T) {
	t.Parallel()
	outside := newCraftsmen(t, map[int]string{1: "One"})
	s := serve(t, outside.set)
	ann, annRows, search := s.plumbing(t, "ann")
	bob, _, bobSearch := s.plumbing(t, "bob")
	s.inBook(t, annRows, "Of Ann", "PLUMBING", "")
	results := ann.post(search, object{}).list("results")
	require.Len(t, results, 2)
	asked, rows := outside.asked.Load(), s.rows(t, "contractor_search_results")

	missing := "/tickets/" + noSuchRow + "/contractor-search"
	same := func(a, b answer, status int, code string) {
		t.Helper()
		a.refused(status, code)
		b.refused(status, code)
		delete(a.body, "requestId")
		delete(b.body, "requestId")
		require.Equal(t, b.body, a.body)
	}
	same(bob.get(search), bob.get(missing), http.StatusNotFound, "not_found")
	same(bob.post(search, object{}), bob.post(missing, object{}), http.StatusForbidden, "forbidden")
	same(bob.post(search, object{"refresh": true}), bob.post(missing, object{"refresh": true}), http.StatusForbidden, "forbidden")
	for _, r := range results {
		save := "/" + r["id"].(string) + "/save"
		same(bob.post(search+save, nil), bob.post(missing+save, nil), http.StatusForbidden, "forbidden")
		bob.post(bobSearch+save, nil).refused(http.StatusForbidden, "forbidden")
	}
	require.Equal(t, asked, outside.asked.Load(), "nobody is asked about another's ticket")
	require.Equal(t, rows, s.rows(t, "contractor_search_results"))
	require.Equal(t, 1, s.rows(t, "contractors"))

	require.Empty(t, bob.get(bobSearch).names("results"))
	require.Equal(t, []string{"One"}, bob.post(bobSearch, object{}).names("results"), "the book is not Ann's")
	id := bob.get(bobSearch).list("results")[0]["id"]
	bob.post(bobSearch+"/"+id.(string)+"/save", nil).ok(http.StatusOK)
	require.NotContains(t, ann.get(search).list("results")[1], "contractorId", "it is in Bob's book, not in Ann's")
}

func TestContractorSearchInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, _, search := s.plumbing(t, "ann")
	c.post(search, object{"refresh": "yes"}).refused(http.StatusBadRequest, "invalid_request", "#/refresh")
	c.post(search, "[]").refused(http.StatusBadRequest, "invalid_request", "#")
	c.post(search, object{"force": true}).refused(http.StatusBadRequest, "invalid_request", "#/force")
	c.post("/tickets/1/contractor-search", object{}).refused(http.StatusBadRequest, "invalid_request", "?id")
	c.post(search+"/1/save", nil).refused(http.StatusBadRequest, "invalid_request", "?resultId")
}

// TestContractorSearchStatements: a search sends the same statements whatever it
// finds, and shows and keeps no more than it may.
func TestContractorSearchStatements(t *testing.T) {
	t.Parallel()
	var heard listener
	many := map[int]string{}
	for i := range 60 {
		many[i] = fmt.Sprintf("Plumber %02d", i)
	}
	outside := newCraftsmen(t, map[int]string{1: "One"})
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen}), outside.set)
	c, ann, search := s.plumbing(t, "ann")
	sent := func(method string, body any) (names []string) {
		for _, st := range heard.of(func() { c.send(method, search, body).ok(http.StatusOK) }) {
			names = append(names, st.name)
		}
		return names
	}
	refresh := object{"refresh": true}
	c.get("/me")
	want := []string{"ContractorSearchTicket", "ContractorSearchResults", "ContractorsForWork", "ContractorSearchKeep", "ContractorSearchResults"}
	require.Equal(t, want, sent(http.MethodPost, refresh))
	outside.answers(many)
	for i := range 60 {
		s.inBook(t, ann, fmt.Sprintf("Contractor %02d", i), "PLUMBING", "")
	}
	require.Equal(t, want, sent(http.MethodPost, refresh))
	require.Equal(t, 100, s.rows(t, "contractor_search_results"), "50 of each")
	require.Len(t, c.get(search).list("results"), 50)
	require.Equal(t, want[:2], sent(http.MethodGet, nil))
}
