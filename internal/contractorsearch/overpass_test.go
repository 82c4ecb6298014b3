package contractorsearch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// documented is an answer as the OpenStreetMap wiki documents "out center tags" in
// JSON: nodes have coordinates, ways and relations a center.
const documented = `{
  "version": 0.6,
  "generator": "Overpass API 0.7.62.1 084b4234",
  "osm3s": {
    "timestamp_osm_base": "2026-10-01T08:00:00Z",
    "timestamp_areas_base": "2026-09-30T23:00:00Z",
    "copyright": "The data included in this document is from www.openstreetmap.org. The data is made available under ODbL."
  },
  "elements": [
    {"type": "relation", "id": 7, "center": {"lat": 52.2, "lon": 5.12}, "tags": {"craft": "plumber", "name": "Far Relation"}},
    {"type": "node", "id": 42, "lat": 52.0907, "lon": 5.1214, "tags": {
      "craft": "plumber", "name": "Vonk Loodgieters", "phone": "+31 30 123 4567; +31 6 1111 1111",
      "website": "https://vonk.example.com/nl", "addr:street": "Oudegracht", "addr:housenumber": "12",
      "addr:postcode": "3511 AB", "addr:city": "Utrecht"}},
    {"type": "way", "id": 42, "center": {"lat": 52.1007, "lon": 5.1214}, "tags": {
      "craft": "plumber", "name": "A Way", "contact:phone": "030-1", "contact:website": "www.way.example.com"}},
    {"type": "node", "id": 43, "lat": 52.09, "lon": 5.12, "tags": {"craft": "plumber"}},
    {"type": "node", "id": 42, "lat": 52.0907, "lon": 5.1214, "tags": {"craft": "plumber", "name": "Twice"}},
    {"type": "node", "id": 44, "tags": {"craft": "plumber", "name": "Nowhere", "website": "javascript:alert(1)", "phone": "\u0000"}}
  ]
}`

// utrecht is a place with coordinates.
func utrecht() Place {
	lat, lon := 52.0907374, 5.1214201
	return Place{PostalCode: "3511 AB", City: "Utrecht", Country: "NL", Latitude: &lat, Longitude: &lon}
}

// server is an Overpass server that answers as told.
type server struct {
	*Overpass
	asked atomic.Int64

	mu   sync.Mutex
	last *http.Request // with its form read
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		_ = r.ParseForm()
		s.mu.Lock()
		s.last = r
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(listening.Close)
	var err error
	s.Overpass, err = NewOverpass(listening.URL+"/api/interpreter", "1.2.3")
	require.NoError(t, err)
	return s
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

// requireNotice requires that the provider has no answer, with code, and whether
// something went wrong.
func requireNotice(t *testing.T, err error, code string, failure bool) {
	t.Helper()
	n, ok := errors.AsType[*Notice](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, n.Code)
	require.NotEmpty(t, n.Detail)
	require.Equal(t, failure, n.Err != nil, "only what went wrong is logged")
}

func TestDocumentedAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t, says(documented))
	found, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
	require.NoError(t, err)
	distances := []int32{}
	for i := range found {
		if found[i].DistanceM != nil {
			distances = append(distances, *found[i].DistanceM)
			found[i].DistanceM = nil
		}
	}
	require.Equal(t, []Contractor{
		{
			PlaceID: "node/42", Name: "Vonk Loodgieters", Trade: "PLUMBING", Phone: "+31 30 123 4567",
			Website: "https://vonk.example.com/nl", Address: "Oudegracht 12, 3511 AB Utrecht",
		},
		{PlaceID: "way/42", Name: "A Way", Trade: "PLUMBING", Phone: "030-1", Website: "https://www.way.example.com"},
		{PlaceID: "relation/7", Name: "Far Relation", Trade: "PLUMBING"},
		{PlaceID: "node/44", Name: "Nowhere", Trade: "PLUMBING"}, // no distance: last; no script as a link
	}, found)
	require.Len(t, distances, 3)
	require.Less(t, distances[0], int32(10))
	require.InDelta(t, 1108, distances[1], 5)
	require.InDelta(t, 12150, distances[2], 20)
}

// TestQuestion: the server learns the craft and the place, to a kilometre, and how
// to call us.
func TestQuestion(t *testing.T) {
	t.Parallel()
	s := newServer(t, says(`{"elements": []}`))
	nowhere := utrecht()
	nowhere.Latitude, nowhere.Longitude = nil, nil
	tricky := Place{City: "a\"];\n\\", Country: "NL"}
	tests := []struct {
		name  string
		query Query
		want  string
	}{
		{"around coordinates", Query{"HVAC", utrecht()}, `[out:json][timeout:7][maxsize:67108864];
(
nwr["craft"="hvac"](around:25000,52.09,5.12);
nwr["craft"="heating_engineer"](around:25000,52.09,5.12);
);
out center tags 500;
`},
		{"in a city or postal code", Query{"PLUMBING", nowhere}, `[out:json][timeout:7][maxsize:67108864];
area["ISO3166-1"="NL"]["admin_level"="2"]->.country;
rel(area.country)["boundary"="administrative"]["name"="Utrecht"];
map_to_area->.city;
(
nwr["craft"="plumber"](area.city);
nwr["craft"="plumber"]["addr:postcode"="3511 AB"](area.country);
);
out center tags 500;
`},
		{"a city that would be a program", Query{"PLUMBING", tricky}, `[out:json][timeout:7][maxsize:67108864];
area["ISO3166-1"="NL"]["admin_level"="2"]->.country;
rel(area.country)["boundary"="administrative"]["name"="a\"]; \\"];
map_to_area->.city;
(
nwr["craft"="plumber"](area.city);
);
out center tags 500;
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := s.Contractors(t.Context(), tt.query)
			require.NoError(t, err)
			require.Empty(t, found)
			require.Equal(t, http.MethodPost, s.last.Method)
			require.Equal(t, "/api/interpreter", s.last.URL.String())
			require.Equal(t, map[string][]string{"data": {tt.want}}, map[string][]string(s.last.PostForm))
			require.True(t, strings.HasPrefix(s.last.UserAgent(), "rowhouse/1.2.3 "), s.last.UserAgent())
			require.Empty(t, s.last.Header.Values("Cookie"))
			require.Empty(t, s.last.Header.Values("Authorization"))
		})
	}
}

func TestNothingToAsk(t *testing.T) {
	t.Parallel()
	s := newServer(t, says(documented))
	for _, place := range []Place{{}, {City: "Paris", PostalCode: "75460"}, {Country: "FR"}, {Country: "FR", City: " "}} {
		_, err := s.Contractors(t.Context(), Query{"PLUMBING", place})
		requireNotice(t, err, "place_unknown", false)
	}
	for _, trade := range []string{"NOISE", "SPACE_TRAVEL"} {
		_, err := s.Contractors(t.Context(), Query{trade, utrecht()})
		requireNotice(t, err, "category_not_covered", false)
	}
	require.Zero(t, s.asked.Load())
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, documented)
		}
	}
	tests := map[string]http.HandlerFunc{
		"a page":              says("<html><body>The server is probably too busy</body></html>"),
		"nothing":             says(""),
		"half an answer":      says(documented[:len(documented)/2]),
		"another JSON":        says(`{"error": "no"}`),
		"elements of a kind":  says(`{"elements": [{"type": 1}]}`),
		"out of time":         says(strings.Replace(documented, `"version"`, `"remark": "runtime error: Query timed out in \"query\" at line 3 after 7 seconds.", "version"`, 1)),
		"too much":            says(`{"elements": [` + strings.Repeat(" ", maxAnswer) + `]}`),
		"400":                 status(http.StatusBadRequest),
		"504":                 status(http.StatusGatewayTimeout),
		"a broken connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a pointer elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"a body that stops": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, "{")
		},
		"a body without an end": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"elements": [`)
			for range 2 * maxAnswer / 1024 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1024)); err != nil {
					return
				}
			}
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, answer)
			found, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
			require.Empty(t, found)
			requireNotice(t, err, "provider_unavailable", true)
			require.EqualValues(t, 1, s.asked.Load())
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, says(documented))
		s.endpoint = "http://127.0.0.1:1/"
		_, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
		requireNotice(t, err, "provider_unavailable", true)
	})
	t.Run("just not too much", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, says(documented+strings.Repeat(" ", maxAnswer-len(documented))))
		found, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
		require.NoError(t, err)
		require.Len(t, found, 4)
	})
}

// TestSlow: a server that does not answer, or only trickles, is waited for no longer
// than the timeout, and half of what is left to the request.
func TestSlow(t *testing.T) {
	t.Parallel()
	trickle := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, answer := range map[string]http.HandlerFunc{"trickles": trickle, "is silent": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, answer)
			require.Equal(t, 8*time.Second, s.timeout)
			s.timeout = 100 * time.Millisecond
			began := time.Now()
			_, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
			requireNotice(t, err, "provider_unavailable", true)
			require.Less(t, time.Since(began), 3*time.Second)
		})
	}
	t.Run("half of the request's time", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, silent)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := s.Contractors(ctx, Query{"PLUMBING", utrecht()})
		requireNotice(t, err, "provider_unavailable", true)
		require.NoError(t, ctx.Err())
	})
	t.Run("the caller goes away", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, silent)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := s.Contractors(ctx, Query{"PLUMBING", utrecht()})
		require.Equal(t, context.Canceled, err)
	})
}

// TestTooMany: who says 429 is left alone for a minute.
func TestTooMany(t *testing.T) {
	t.Parallel()
	var busy atomic.Bool
	busy.Store(true)
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if busy.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		says(documented)(w, r)
	})
	now := time.Now()
	s.now = func() time.Time { return now }
	ask := func() error {
		_, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
		return err
	}
	requireNotice(t, ask(), "provider_busy", true)
	busy.Store(false)
	now = now.Add(59 * time.Second)
	requireNotice(t, ask(), "provider_busy", true)
	require.EqualValues(t, 1, s.asked.Load())
	now = now.Add(time.Second)
	require.NoError(t, ask())
	require.EqualValues(t, 2, s.asked.Load())
}

// TestSlots: a server is asked no more than two things at a time.
func TestSlots(t *testing.T) {
	t.Parallel()
	var under, most atomic.Int64
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(20 * time.Millisecond)
		under.Add(-1)
		says(documented)(w, r)
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = s.Contractors(t.Context(), Query{"PLUMBING", utrecht()}) })
	}
	wg.Wait()
	require.EqualValues(t, 8, s.asked.Load())
	require.LessOrEqual(t, most.Load(), int64(slots))
}

func TestManyElements(t *testing.T) {
	t.Parallel()
	var elements []string
	for i := range 200 { // the last ones are the nearest
		elements = append(elements, fmt.Sprintf(`{"type": "node", "id": %d, "lat": %f, "lon": 5.12142, "tags": {"name": %q}}`,
			i, 52.5-float64(i)/1000, strings.Repeat("é", 300)))
	}
	s := newServer(t, says(`{"elements": [`+strings.Join(elements, ",")+`]}`))
	found, err := s.Contractors(t.Context(), Query{"PLUMBING", utrecht()})
	require.NoError(t, err)
	require.Len(t, found, Limit)
	require.Equal(t, "node/199", found[0].PlaceID)
	require.Equal(t, strings.Repeat("é", 200), found[0].Name, "as long as the table takes")
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"https://overpass-api.de/api/interpreter", "http://localhost:8080/", "http://127.0.0.1:8080/api", "http://[::1]/",
	} {
		_, err := NewOverpass(endpoint, "")
		require.NoError(t, err, endpoint)
	}
	for _, endpoint := range []string{
		"", "overpass-api.de", "http://overpass-api.de/", "http://10.0.0.1/", "http://localhost.example.com/",
		"file:///etc/passwd", "https://", "https:///x", "http://user:hidden@ [/",
	} {
		_, err := NewOverpass(endpoint, "")
		require.Error(t, err, endpoint)
		require.NotContains(t, err.Error(), "hidden")
	}
}

func TestWebsite(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://a.example/":                            "https://a.example/",
		"http://a.example;http://b":                     "http://a.example",
		"WWW.a.example":                                 "https://WWW.a.example",
		"javascript:alert(1)":                           "",
		"JaVaScRiPt://a.example/%0aalert":               "",
		"data:text/html,x":                              "",
		"https://user@a.example/":                       "",
		"//a.example":                                   "",
		"https:///path":                                 "",
		"https://a.example/" + strings.Repeat("x", 500): "",
	} {
		require.Equal(t, want, website(given), given)
	}
}
