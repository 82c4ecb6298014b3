package contractorsearch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	// answerTimeout bounds a question with its answer; beyond it the landlord goes on
	// with what there is.
	answerTimeout = 8 * time.Second
	maxAnswer     = 2 << 20
	// pause is how long a server is left alone that says it is asked too much.
	pause = time.Minute
	// slots is how many questions are under way at a time: the public servers give an
	// address two.
	slots = 2

	radiusM = 25_000
	// maxElements bounds an answer. The server knows no order by distance, so it is
	// asked for more than will be shown.
	maxElements = 500
)

// Overpass asks an OpenStreetMap Overpass server.
type Overpass struct {
	endpoint  string
	userAgent string
	client    *http.Client
	slots     chan struct{}
	resume    atomic.Int64 // Unix nanoseconds before which the server is left alone

	timeout time.Duration
	now     func() time.Time
}

// NewOverpass returns a provider that asks the interpreter at endpoint, for example
// https://overpass-api.de/api/interpreter. What is asked says where landlords have
// houses, so that it goes in the clear to this machine only. The version is told to
// the server, as its operators wish.
func NewOverpass(endpoint, version string) (*Overpass, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("not a valid URL") // the cause would quote a password
	}
	if u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		return nil, errors.New("must be an https:// URL, or http:// to a loopback address")
	}
	return &Overpass{
		endpoint:  endpoint,
		userAgent: "rowhouse/" + cmp.Or(version, "dev") + " (finds craftsmen near a ticket; answers are kept for 7 days)",
		client: &http.Client{
			// an answer from elsewhere is none: the configuration names the server
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		slots:   make(chan struct{}, slots),
		timeout: answerTimeout, now: time.Now,
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Name implements Provider.
func (*Overpass) Name() string { return "openstreetmap" }

// TTL implements Provider.
func (*Overpass) TTL() time.Duration { return 7 * 24 * time.Hour }

// Contractors implements Provider.
func (o *Overpass) Contractors(ctx context.Context, q Query) ([]Contractor, error) {
	tags := tagsOf[q.Trade]
	if len(tags) == 0 {
		return nil, &Notice{Code: "category_not_covered", Detail: "OpenStreetMap knows no craft for this category; only your own contractors are shown."}
	}
	area := areaOf(q.Place)
	if area == nil {
		return nil, &Notice{Code: "place_unknown", Detail: "To search OpenStreetMap, give the unit or its property a country and a city or postal code, or the property its coordinates."}
	}
	if o.now().UnixNano() < o.resume.Load() {
		return nil, busy(errors.New("left alone after a 429"))
	}
	elements, err := o.ask(ctx, question(tags, area))
	if ctx.Err() != nil {
		return nil, ctx.Err() // nobody waits for an answer
	}
	if err != nil {
		if notice, ok := errors.AsType[*Notice](err); ok {
			return nil, notice
		}
		return nil, &Notice{
			Code: "provider_unavailable", Err: err,
			Detail: "OpenStreetMap does not answer at the moment; your own contractors and earlier results are shown.",
		}
	}
	return contractors(elements, q), nil
}

func busy(err error) *Notice {
	return &Notice{
		Code: "provider_busy", Err: err,
		Detail: "OpenStreetMap is asked too much at the moment; your own contractors and earlier results are shown. Try again in a minute.",
	}
}

// element is a node, way or relation of OpenStreetMap.
type element struct {
	Type   string   `json:"type"`
	ID     int64    `json:"id"`
	Lat    *float64 `json:"lat"` // of a node
	Lon    *float64 `json:"lon"`
	Center *struct {
		Lat *float64 `json:"lat"`
		Lon *float64 `json:"lon"`
	} `json:"center"` // of anything else
	Tags map[string]string `json:"tags"`
}

func (o *Overpass) ask(ctx context.Context, question string) ([]element, error) {
	timeout := o.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/2) // the rest is for the database
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-ctx.Done():
		return nil, busy(ctx.Err())
	}

	form := url.Values{"data": {question}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, strings.NewReader(form))
	if err != nil {
		return nil, fmt.Errorf("ask overpass: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", o.userAgent)
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask overpass: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests {
		o.resume.Store(o.now().Add(pause).UnixNano())
		return nil, busy(errors.New("overpass answers 429"))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("overpass answers %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read overpass: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("overpass answers more than %d bytes", maxAnswer)
	}
	var answer struct {
		Elements *[]element `json:"elements"`
		Remark   string     `json:"remark"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read overpass: %w", err)
	}
	// out of time or memory, it answers 200 with what it had until then
	if strings.Contains(answer.Remark, "error") {
		return nil, fmt.Errorf("overpass remarks: %q", cut(answer.Remark, 200))
	}
	if answer.Elements == nil {
		return nil, errors.New("overpass answers without elements")
	}
	return *answer.Elements, nil
}

// tagsOf says how OpenStreetMap tags those who do the work of a category. NOISE is
// nobody's craft.
var tagsOf = map[string][]tag{
	"PLUMBING":    {{"craft", "plumber"}},
	"ELECTRICAL":  {{"craft", "electrician"}},
	"HVAC":        {{"craft", "hvac"}, {"craft", "heating_engineer"}},
	"APPLIANCE":   {{"craft", "electronics_repair"}, {"craft", "appliance_repair"}, {"shop", "appliance"}},
	"STRUCTURAL":  {{"craft", "builder"}, {"craft", "carpenter"}, {"craft", "plasterer"}, {"craft", "stonemason"}, {"craft", "roofer"}},
	"PEST":        {{"craft", "pest_control"}, {"shop", "pest_control"}},
	"LOCKS_KEYS":  {{"craft", "locksmith"}, {"shop", "locksmith"}, {"craft", "key_cutter"}},
	"CLEANING":    {{"craft", "cleaning"}, {"office", "cleaning"}},
	"INTERNET_TV": {{"office", "telecommunication"}, {"shop", "telecommunication"}},
	"EXTERIOR":    {{"craft", "roofer"}, {"craft", "gardener"}, {"craft", "painter"}, {"craft", "window_construction"}},
	"OTHER":       {{"craft", "handyman"}},
}

type tag struct{ key, value string }

// area is what a place is in Overpass's language.
type area struct {
	setup   string   // statements that come first
	filters []string // in any of these a contractor may be
}

// areaOf returns nil for a place that can't be found on the map. A city's name alone
// is no place: there is a Paris in Texas.
func areaOf(p Place) *area {
	if p.Latitude != nil && p.Longitude != nil {
		// two decimals are a kilometre: enough to search around, and no house
		return &area{filters: []string{fmt.Sprintf("(around:%d,%.2f,%.2f)", radiusM, *p.Latitude, *p.Longitude)}}
	}
	country, city, postalCode := quoted(p.Country), quoted(p.City), quoted(p.PostalCode)
	if country == `""` || (city == `""` && postalCode == `""`) {
		return nil
	}
	a := &area{setup: `area["ISO3166-1"=` + country + `]["admin_level"="2"]->.country;` + "\n"}
	if city != `""` {
		a.setup += `rel(area.country)["boundary"="administrative"]["name"=` + city + `];` + "\nmap_to_area->.city;\n"
		a.filters = append(a.filters, "(area.city)")
	}
	if postalCode != `""` {
		a.filters = append(a.filters, `["addr:postcode"=`+postalCode+`](area.country)`)
	}
	return a
}

// quoted is s as a string of Overpass's language.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(s)) + `"`
}

// clean returns s on one line, without what a text in Postgres or a page can't hold.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

func question(tags []tag, a *area) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[out:json][timeout:%d][maxsize:%d];\n%s(\n", int(answerTimeout/time.Second)-1, 64<<20, a.setup)
	for _, t := range tags {
		for _, filter := range a.filters {
			fmt.Fprintf(&b, "nwr[%q=%q]%s;\n", t.key, t.value, filter)
		}
	}
	fmt.Fprintf(&b, ");\nout center tags %d;\n", maxElements)
	return b.String()
}

// contractors are those of elements that have a name, the nearest first.
func contractors(elements []element, q Query) []Contractor {
	found := []Contractor{}
	seen := map[string]bool{}
	for _, e := range elements {
		c := e.contractor(q)
		if c.Name == "" || seen[c.PlaceID] {
			continue
		}
		seen[c.PlaceID] = true
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b Contractor) int {
		if by := cmp.Compare(far(a), far(b)); by != 0 {
			return by
		}
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.PlaceID, b.PlaceID))
	})
	return found[:min(len(found), Limit)]
}

func far(c Contractor) int32 {
	if c.DistanceM == nil {
		return math.MaxInt32
	}
	return *c.DistanceM
}

func (e element) contractor(q Query) Contractor {
	street := e.first("addr:street", "addr:place") + " " + e.first("addr:housenumber")
	c := Contractor{
		PlaceID: clean(cut(e.Type, 20)) + "/" + strconv.FormatInt(e.ID, 10),
		Name:    cut(e.first("name", "operator", "brand"), 200),
		Trade:   q.Trade,
		Phone:   phone(e.first("phone", "contact:phone", "mobile", "contact:mobile")),
		Website: website(e.first("website", "contact:website", "url")),
		Address: address(street, e.first("addr:postcode")+" "+e.first("addr:city")),
	}
	lat, lon := e.Lat, e.Lon
	if e.Center != nil {
		lat, lon = e.Center.Lat, e.Center.Lon
	}
	if lat != nil && lon != nil && math.Abs(*lat) <= 90 && math.Abs(*lon) <= 180 &&
		q.Place.Latitude != nil && q.Place.Longitude != nil {
		metres := int32(math.Round(haversine(*q.Place.Latitude, *q.Place.Longitude, *lat, *lon)))
		c.DistanceM = &metres
	}
	return c
}

// first is the first of the tags that says something.
func (e element) first(keys ...string) string {
	for _, key := range keys {
		if value := clean(e.Tags[key]); value != "" {
			return value
		}
	}
	return ""
}

// phone is the first number of a list.
func phone(s string) string {
	s, _, _ = strings.Cut(s, ";")
	if s = strings.TrimSpace(s); len(s) > 50 {
		return "" // half a number is nobody's
	}
	return s
}

// website keeps what a browser may open: anybody can write into the map.
func website(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.TrimSpace(s)
	if strings.HasPrefix(strings.ToLower(s), "www.") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || len(u.String()) > 500 {
		return ""
	}
	return u.String()
}

// haversine is the distance in metres between two points on the Earth as a ball.
func haversine(lat1, lon1, lat2, lon2 float64) float64 {
	const earthM, degree = 6_371_000, math.Pi / 180
	sinLat, sinLon := math.Sin((lat2-lat1)*degree/2), math.Sin((lon2-lon1)*degree/2)
	h := sinLat*sinLat + math.Cos(lat1*degree)*math.Cos(lat2*degree)*sinLon*sinLon
	return 2 * earthM * math.Asin(math.Sqrt(min(h, 1)))
}
