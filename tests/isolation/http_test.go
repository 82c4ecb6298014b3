package isolation

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
)

const (
	issuer = "https://auth.example.com/auth/v1"
	secret = "isolation-isolation-isolation-isolation"
)

// site is the API over a world's database.
type site struct {
	*world
	api      *httpapi.API
	operator uuid.UUID // somebody who works for Rowhouse
	consent  uuid.UUID // by which A lets them look; B does not
	number   int       // of requests, for names that are unique
	hidden   []string
	ofA, ofB []string // every id in their rows
	unlogged []string // texts of all landlords, and what opens doors
}

func newSite(t testing.TB, change ...func(*httpapi.Config)) *site {
	t.Helper()
	w := newWorld(t)
	tokens, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: issuer, LegacySecret: []byte(secret)})
	require.NoError(t, err)
	t.Cleanup(tokens.Close)
	files, err := storage.NewDisk(t.TempDir())
	require.NoError(t, err)
	config := httpapi.Config{DB: w.DB, Tokens: tokens, Version: "test", Files: files, EmailsProven: true, InviteKeys: dbtest.InviteKeys(t)}
	for _, f := range change {
		f(&config)
	}
	api, err := httpapi.New(config)
	require.NoError(t, err)
	for _, l := range []dbtest.Landlord{w.a, w.b, w.c} { // alike, so that no word is one landlord's secret
		w.Exec(t, "update app.contractor_search_results set provider = 'osm' where owner_user_id = $1", l.UserID)
		w.Exec(t, "update app.tickets set contractor_id = $1 where id = $2", l.ContractorID, l.TicketID)
	}
	consent := w.SupportGrant(t, w.a, "properties", "tenants", "tickets", "contractors")
	w.before = w.others(t)
	for _, l := range []dbtest.Landlord{w.a, w.b} {
		exports := list(t, w, fmt.Sprintf("select unnest(export_keys) from app.account_deletions where owner_user_id = '%s'", l.UserID))
		for _, key := range append(exports, w.column(t, "app.attachments", "storage_key", l.UserID)...) {
			require.NoError(t, files.Put(t.Context(), key, "image/jpeg", strings.NewReader("jpg")))
		}
	}
	s := &site{world: w, api: api, operator: w.operator(t), consent: consent, hidden: w.secrets(t, w.b.UserID)}
	for _, name := range w.all {
		for _, column := range w.columns(t, name) {
			s.ofA = append(s.ofA, ids(w.column(t, name, column, w.a.UserID))...)
			s.ofB = append(s.ofB, ids(w.column(t, name, column, w.b.UserID))...)
		}
	}
	slices.Sort(s.ofA)
	slices.Sort(s.ofB)
	s.ofA, s.ofB = slices.Compact(s.ofA), slices.Compact(s.ofB)
	for _, l := range []dbtest.Landlord{w.a, w.b, w.c} {
		s.unlogged = append(s.unlogged, l.InviteToken)
		for _, text := range w.secrets(t, l.UserID) { // ids may be there
			if uuid.Validate(text) != nil {
				s.unlogged = append(s.unlogged, text)
			}
		}
	}
	return s
}

func ids(texts []string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return anyID.FindString(text) != text || text == "" })
}

// accessToken is an access token as the identity provider signs it.
func accessToken(role string, user uuid.UUID, lasts time.Duration) string {
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // maps of text and numbers
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encode(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + encode(map[string]any{
		"iss": issuer, "aud": "authenticated", "role": role, "sub": user.String(), "exp": time.Now().Add(lasts).Unix(),
	})
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// request is an operation with its places filled in.
type request struct {
	operation
	values  map[hole]string
	query   url.Values
	headers map[string]string
	token   string
}

type answer struct {
	Status  int
	Headers http.Header // without those that are about the time
	Limits  http.Header // those of the rate limit
	Body    string
}

// empty reports whether an answer is a list, or a spreadsheet, without rows.
func (a answer) empty() bool {
	if strings.HasPrefix(a.Headers.Get("Content-Type"), "text/csv") {
		return strings.Count(a.Body, "\n") == 1
	}
	return strings.Contains(a.Body, `"total":0`)
}

// build is a request as a client sends it, and its body.
func (s *site) build(t testing.TB, r request) (*http.Request, []byte) {
	t.Helper()
	s.number++
	path, query := r.path, url.Values{}
	for _, p := range r.Parameters {
		if p.In == "query" && p.Required && p.Schema.Format != "uuid" {
			query.Set(p.Name, "landlord") // a word that all of them have
		}
	}
	maps.Copy(query, r.query)
	var body []byte
	switch {
	case r.file == "text/csv":
		body = fmt.Appendf(nil, "unit,first name,last name\nSample %d,Jo,Sample %d\n", s.number, s.number)
	case r.file != "":
		var picture bytes.Buffer
		require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 2, 2))))
		body = picture.Bytes()
		query.Set("fileName", "picture.png")
	}
	if r.body != nil {
		sample := r.sample(t, s.number)
		for place, value := range r.values {
			if list, member, inside := strings.Cut(place.name, "."); place.in == "body" && inside {
				sample[list].([]any)[0].(map[string]any)[member] = value
			} else if place.in == "body" {
				sample[place.name] = value
			}
		}
		var err error
		body, err = json.Marshal(sample)
		require.NoError(t, err)
	}
	for _, p := range r.Parameters {
		if p.In == "path" && p.Schema.is("integer") {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", "1")
		}
	}
	for place, value := range r.values {
		switch place.in {
		case "path":
			path = strings.ReplaceAll(path, "{"+place.name+"}", value)
		case "query":
			query.Set(place.name, value)
		}
	}
	require.NotContains(t, path, "{")
	q := httptest.NewRequestWithContext(t.Context(), r.method, path+"?"+query.Encode(), bytes.NewReader(body))
	q.Header.Set("X-Request-Id", "isolation-of-landlords")
	switch {
	case r.file == "text/csv":
		q.Header.Set("Content-Type", "text/csv")
	case r.file != "":
		q.Header.Set("Content-Type", "image/png")
	case body != nil:
		q.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, value := range r.headers {
		q.Header.Set(name, value)
	}
	return q, body
}

// serve answers a request.
func (s *site) serve(q *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.api.ServeHTTP(recorder, q)
	return recorder
}

// send has a request answered, and wants nothing of B's in the answer, and nobody's
// texts in the log.
func (s *site) send(t testing.TB, r request) answer {
	t.Helper()
	q, body := s.build(t, r)
	sent, err := url.QueryUnescape(q.URL.String())
	require.NoError(t, err)
	what := fmt.Sprintf("%s %s %s", r.method, sent, body)
	var recorder *httptest.ResponseRecorder
	lines := logged(func(ctx context.Context) { recorder = s.serve(q.WithContext(ctx)) })
	for _, text := range append([]string{r.token}, s.unlogged...) {
		require.False(t, text != "" && strings.Contains(lines, text), "%s: %q is in the log", what, text)
	}
	// whoever looks into a report wants to know who has read what
	if recorder.Code < 300 && len(r.Security) > 0 {
		require.Contains(t, lines, `"userId":"`, "%s: the log does not say who it was", what)
	}

	a := answer{Status: recorder.Code, Headers: recorder.Header(), Limits: http.Header{}, Body: recorder.Body.String()}
	maps.DeleteFunc(a.Headers, func(name string, values []string) bool {
		if strings.Contains(name, "Ratelimit") {
			a.Limits[name] = values
			return true
		}
		return name == "Date"
	})
	require.Less(t, a.Status, 500, "%s\n%s", what, a.Body)
	outcome{said: fmt.Sprint(a.Headers) + a.Body}.keeps(t, s.hidden, what)
	return a
}

// tableOf is whose ids a place takes.
func (o operation) tableOf(t testing.TB, place hole) string {
	t.Helper()
	name, known := namedIDs[place.name]
	if place.in == "path" && place.name == "id" {
		before, _, _ := strings.Cut(o.path, "/{id}")
		name, known = collections[before[strings.LastIndex(before, "/")+1:]]
	}
	require.True(t, known, "%s: say in expectations.go whose id %s takes", o.OperationID, place)
	return name
}

// idOf is the id of a row of a landlord's; of what tenants see, one that the
// landlord's tenant sees.
func (s *site) idOf(t testing.TB, o operation, place hole, l dbtest.Landlord) string {
	t.Helper()
	name := o.tableOf(t, place)
	if place == (hole{"path", "grantId"}) && l.UserID == s.a.UserID {
		return s.consent.String()
	}
	if id, ok := parents(l)[name]; ok {
		return id.String()
	}
	ids := s.column(t, name, "id", l.UserID)
	require.NotEmpty(t, ids, name)
	return ids[0]
}

// own fills in the places of a request that must be filled in, with A's.
func (s *site) own(t testing.TB, o operation) map[hole]string {
	t.Helper()
	values := map[hole]string{}
	for _, place := range o.holes(t) {
		if place.in == "path" || place.in == "body" && slices.Contains(o.body.Required, place.name) {
			values[place] = s.idOf(t, o, place, s.a)
		}
	}
	if slices.Contains(byInvite, o.OperationID) {
		values[hole{"path", "token"}] = s.a.InviteToken
	}
	return values
}

// caller is the token of whom of A's the operation is for.
func (s *site) caller(o operation) string {
	if strings.HasPrefix(o.path, "/api/v1/portal/") {
		return accessToken("authenticated", s.a.Tenant.UserID, time.Minute)
	}
	if strings.HasPrefix(o.path, "/api/v1/support/") {
		return accessToken("authenticated", s.operator, time.Minute)
	}
	return accessToken("authenticated", s.a.UserID, time.Minute)
}

// TestForeignIDsThroughHTTP puts each of B's ids in each place of each operation
// that takes one. The answer must be that to an id that nobody has, to the byte.
func TestForeignIDsThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tried := 0
	for _, o := range operations(t, s.api.Document()) {
		for _, place := range o.holes(t) {
			for _, headers := range []map[string]string{nil, {"If-Match": `"77"`}} {
				if headers != nil && (o.method == http.MethodGet || o.method == http.MethodPost) {
					continue
				}
				ask := func(id string) answer {
					values := s.own(t, o)
					values[place] = id
					return s.send(t, request{operation: o, values: values, headers: headers, token: s.caller(o)})
				}
				nobodys := ask(uuid.NewString())
				want := []int{http.StatusForbidden}
				switch {
				case place.in == "query":
					want = []int{http.StatusOK}
					require.True(t, nobodys.empty(), "%s: %s", o.OperationID, nobodys.Body)
				case o.method == http.MethodGet:
					want = []int{http.StatusNotFound}
				case place.in == "body" && o.method != http.MethodPost:
					// of A's own, which comes first; and what never changes, whatever it is
					want = append(want, http.StatusPreconditionFailed, http.StatusBadRequest)
				}
				require.Contains(t, want, nobodys.Status, "%s %s: %s", o.OperationID, place, nobodys.Body)
				for _, id := range s.ofB {
					require.Equal(t, nobodys, ask(id), "%s: %s in %s", o.OperationID, id, place)
					tried++
				}
				s.unharmed(t, fmt.Sprintf("%s: ids of B's in %s", o.OperationID, place))
			}
		}
	}
	require.Greater(t, tried, 50)
}

// TestForeignIDsRowByRow puts each of B's ids into a row of what takes many. The row must
// be refused as for an id that nobody has, to the byte; with A's own it is taken.
func TestForeignIDsRowByRow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, o := range operations(t, s.api.Document()) {
		name, ok := rowByRow[o.OperationID]
		if !ok {
			continue
		}
		place := hole{"body", name}
		_, member, _ := strings.Cut(name, ".")
		ask := func(id string) answer {
			s.number = 7 // always the same row
			return s.send(t, request{operation: o, values: map[hole]string{place: id}, token: s.caller(o)})
		}
		nobodys := ask(uuid.NewString())
		require.Less(t, nobodys.Status, 300, nobodys.Body)
		require.Contains(t, nobodys.Body, `"successful":0`)
		for _, id := range s.ofB {
			require.Equal(t, nobodys, ask(id), "%s: %s in %s", o.OperationID, id, place)
		}
		s.unharmed(t, o.OperationID)
		require.Contains(t, ask(parents(s.a)[namedIDs[member]].String()).Body, `"successful":1`)
	}
}

// TestOwnIDsThroughHTTP shows that the same requests do something with A's ids.
func TestOwnIDsThroughHTTP(t *testing.T) {
	t.Parallel()
	newSite(t).work(t)
}

// work has A, their tenant, and who supports them do all there is to do with ids of
// A's.
func (s *site) work(t *testing.T) {
	t.Helper()
	all := operations(t, s.api.Document())
	// deleting comes last, and units before what they stand in
	slices.SortStableFunc(all, func(x, y operation) int {
		rank := map[bool]int{true: 1}
		return rank[x.method == http.MethodDelete]*(1+len(y.path)) - rank[y.method == http.MethodDelete]*(1+len(x.path))
	})
	for _, o := range all {
		if slices.Contains(byInvite, o.OperationID) {
			continue
		}
		if len(o.holes(t)) == 0 {
			a := s.send(t, request{operation: o, token: s.caller(o)})
			require.Less(t, a.Status, 300, "%s: %s", o.OperationID, a.Body)
			continue
		}
		for _, place := range o.holes(t) {
			r := request{operation: o, values: s.own(t, o), token: s.caller(o)}
			r.values[place] = uuid.NewString()
			refused := s.send(t, r)
			candidates := []string{s.idOf(t, o, place, s.a)}
			if place.in == "query" { // not every row has others that a filter finds
				candidates = s.column(t, o.tableOf(t, place), "id", s.a.UserID)
			}
			var a answer
			found := slices.ContainsFunc(candidates, func(id string) bool {
				r.values[place] = id
				a = s.send(t, r)
				// what cannot be done now is at least found
				return a.Status < 300 && a.Body != refused.Body || a.Status == http.StatusConflict
			})
			require.True(t, found, "%s %s: %d %s", o.OperationID, place, a.Status, a.Body)
		}
	}
}

// TestInvitesThroughHTTP looks at invites and claims them with what does not
// entitle to it.
func TestInvitesThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, o := range operations(t, s.api.Document()) {
		if !slices.Contains(byInvite, o.OperationID) {
			continue
		}
		ask := func(tokenText, invite string) answer {
			return s.send(t, request{operation: o, values: map[hole]string{{"path", "token"}: invite}, token: tokenText})
		}
		ofA := accessToken("authenticated", s.a.UserID, time.Minute)
		if slices.Contains(public, o.OperationID) {
			require.Equal(t, http.StatusOK, ask("", s.a.InviteToken).Status)
			require.Equal(t, http.StatusNotFound, ask("", "no-such-token").Status)
			continue
		}
		for _, invite := range []string{s.a.InviteToken, s.b.InviteToken, "no-such-token"} {
			require.GreaterOrEqual(t, ask(ofA, invite).Status, 400, "%s with %s", o.OperationID, invite)
			require.Equal(t, http.StatusUnauthorized, ask("", invite).Status)
		}
	}
	s.unharmed(t, "claiming with the wrong address")
}

// TestForeignTextsThroughHTTP puts B's texts where operations take a text:
// searches, filters, cursors, and the key that makes a create safe to repeat.
func TestForeignTextsThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, o := range operations(t, s.api.Document()) {
		for _, p := range o.Parameters {
			if !p.Schema.is("string") || p.Schema.Format == "uuid" || len(p.Schema.Enum) > 0 || p.In == "path" {
				continue
			}
			for _, text := range s.hidden {
				if p.Name == "cursor" {
					id, err := uuid.Parse(text)
					if err != nil {
						continue
					}
					text = base64.RawURLEncoding.EncodeToString(id[:])
				}
				ask := func(text string) answer {
					r := request{operation: o, values: s.own(t, o), token: s.caller(o)}
					if p.In == "header" {
						r.headers = map[string]string{p.Name: text}
						if p.Name == "Idempotency-Key" { // nobody has used one before
							if len(o.holes(t)) == 0 {
								r.token = accessToken("authenticated", s.newcomer(t, true), time.Minute)
							}
						}
					} else {
						r.query = url.Values{p.Name: {text}}
					}
					return s.send(t, r)
				}
				a := ask(text)
				switch {
				case p.Name == "q":
					require.Equal(t, ask(strings.Repeat("z", len(text))), a, "%s: search for %q", o.OperationID, text)
				case p.In == "header" && p.Name == "Idempotency-Key" && len(o.holes(t)) == 0 && !strings.ContainsAny(text, " "):
					require.Equal(t, http.StatusCreated, a.Status, "%s: %s", o.OperationID, a.Body)
					require.NotEqual(t, "true", a.Headers.Get("Idempotency-Replayed"))
				}
			}
		}
	}
}

// TestExportsThroughHTTP reads the spreadsheets of all of A's lists, and looks for
// every text and every id that is in B's rows and not in A's.
func TestExportsThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seen := map[string]bool{}
	for _, o := range operations(t, s.api.Document()) {
		if !strings.HasSuffix(o.path, "/export.csv") {
			continue
		}
		r := request{operation: o, token: s.caller(o), query: url.Values{}}
		for _, p := range o.Parameters {
			if p.Name == "archived" {
				r.query.Set("archived", "all")
			}
		}
		a := s.send(t, r)
		require.Equal(t, http.StatusOK, a.Status, a.Body)
		require.False(t, a.empty(), o.OperationID)
		collection := strings.TrimSuffix(strings.TrimPrefix(o.path, "/api/v1/"), "/export.csv")
		name := map[string]string{"audit": "app.audit_log"}[collection]
		if name == "" {
			name = collections[collection]
		}
		for _, id := range s.column(t, name, "id", s.a.UserID) {
			require.Contains(t, a.Body, id, "%s: a row of A's is not in it", o.OperationID)
		}
		for _, id := range s.ofB {
			require.True(t, slices.Contains(s.ofA, id) || !strings.Contains(a.Body, id), "%s holds %s of B's", o.OperationID, id)
		}
		seen[name] = true
	}
	require.Len(t, seen, 8)
}

// TestWithoutTokenThroughHTTP calls every operation without a right to.
func TestWithoutTokenThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, o := range operations(t, s.api.Document()) {
		if slices.Contains(public, o.OperationID) {
			require.Empty(t, o.Security, o.OperationID)
			continue
		}
		require.NotEmpty(t, o.Security, o.OperationID)
		own := s.own(t, o)
		for name, tokenText := range map[string]string{
			"no token": "", "service_role": accessToken("service_role", s.a.UserID, time.Minute), "anon": accessToken("anon", s.a.UserID, time.Minute),
			"rowhouse_owner": accessToken("rowhouse_owner", s.a.UserID, time.Minute), "expired": accessToken("authenticated", s.a.UserID, -time.Hour),
			"bent": bend(accessToken("authenticated", s.a.UserID, time.Minute)[:60]), "nobody": accessToken("authenticated", uuid.Nil, time.Minute),
		} {
			a := s.send(t, request{operation: o, values: own, token: tokenText})
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s with %s: %s", o.OperationID, name, a.Body)
		}
	}
}

// TestRoutes wants every route to be in the document, from which the tests above
// are made.
func TestRoutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	documented := map[string]bool{}
	for _, o := range operations(t, s.api.Document()) {
		documented[o.method+" "+o.path] = true
	}
	routes, ok := s.api.Handler.(chi.Routes)
	require.True(t, ok)
	require.NoError(t, chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !slices.Contains(undocumented, route) {
			require.True(t, documented[method+" "+route], "%s %s is not in the document", method, route)
		}
		return nil
	}))
}

// TestListsThroughHTTP reads every list to its end, as A and as B.
func TestListsThroughHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, o := range operations(t, s.api.Document()) {
		if o.method != http.MethodGet || strings.Contains(o.path, "{") {
			continue
		}
		for reader, other := range map[*dbtest.Landlord]*dbtest.Landlord{&s.a: &s.b, &s.b: &s.a} {
			s.hidden = s.secrets(t, other.UserID)
			who := reader.UserID
			if strings.HasPrefix(o.path, "/api/v1/portal/") {
				who = reader.Tenant.UserID
			}
			if strings.HasPrefix(o.path, "/api/v1/support/") {
				if reader == &s.b {
					continue // B lets nobody look
				}
				who = s.operator
			}
			for _, query := range []url.Values{nil, {"cursor": {"*"}}, {"limit": {"100"}}, {"archived": {"all"}}, {"page": {"2"}}} {
				if !slices.ContainsFunc(o.Parameters, func(p parameter) bool { return query == nil || query.Has(p.Name) }) && query != nil {
					continue
				}
				a := s.send(t, request{operation: o, query: query, token: accessToken("authenticated", who, time.Minute)})
				require.Equal(t, http.StatusOK, a.Status, "%s: %s", o.OperationID, a.Body)
				require.NotContains(t, a.Body, `"total":0`, o.OperationID)
			}
		}
	}
}
