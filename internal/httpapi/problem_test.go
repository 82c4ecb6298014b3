package httpapi_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/httpapi"
)

// routes are all of the API's, with a body that each would take.
var routes = []struct {
	method, path string
	body         any
}{
	{http.MethodGet, "/me", nil},
	{http.MethodPatch, "/me", object{}},
	{http.MethodGet, "/account/deletion", nil},
	{http.MethodPost, "/account/deletion", object{"confirm": "delete my account"}},
	{http.MethodPost, "/account/deletion/cancel", nil},
	{http.MethodGet, "/account/deletion/export", nil},
	{http.MethodGet, "/onboarding", nil},
	{http.MethodPatch, "/onboarding", object{}},
	{http.MethodPost, "/onboarding/sample-data", nil},
	{http.MethodDelete, "/onboarding/sample-data", nil},
	{http.MethodGet, "/dashboard", nil},
	{http.MethodGet, "/search", nil},
	{http.MethodGet, "/audit", nil},
	{http.MethodGet, "/security/isolation-report", nil},
	{http.MethodGet, "/units", nil},
	{http.MethodPost, "/units", object{"name": "Attic"}},
	{http.MethodGet, "/units/" + noSuchRow, nil},
	{http.MethodPut, "/units/" + noSuchRow, object{"name": "Attic"}},
	{http.MethodPatch, "/units/" + noSuchRow, object{"name": "Attic"}},
	{http.MethodDelete, "/units/" + noSuchRow, nil},
	{http.MethodGet, "/properties", nil},
	{http.MethodPost, "/properties", object{"name": "Attic"}},
	{http.MethodGet, "/properties/" + noSuchRow, nil},
	{http.MethodPut, "/properties/" + noSuchRow, object{"name": "Attic"}},
	{http.MethodPatch, "/properties/" + noSuchRow, object{"name": "Attic"}},
	{http.MethodDelete, "/properties/" + noSuchRow, nil},
	{http.MethodPost, "/tenants/invite", kay(nil)},
	{http.MethodPost, "/tenants/invite/bulk", object{"tenants": []object{{"firstName": "Kay", "lastName": "Noe", "email": "kay@example.com"}}}},
	{http.MethodGet, "/tenant-invites", nil},
	{http.MethodGet, "/tenant-invites/" + noSuchRow, nil},
	{http.MethodPost, "/tenant-invites/" + noSuchRow + "/resend", nil},
	{http.MethodPost, "/tenant-invites/" + noSuchRow + "/revoke", nil},
	{http.MethodPost, "/invites/{token}/claim", nil},
	{http.MethodPost, "/units/import", "unit\nAttic\n"},
	{http.MethodPost, "/tenants/import", "name\nAda Byron\n"},
	{http.MethodPost, "/portfolio/import", "unit,name\nAttic,Ada Byron\n"},
	{http.MethodGet, "/units/export.csv", nil},
	{http.MethodGet, "/properties/export.csv", nil},
	{http.MethodGet, "/tenants/export.csv", nil},
	{http.MethodGet, "/tenancies/export.csv", nil},
	{http.MethodGet, "/tenant-invites/export.csv", nil},
	{http.MethodGet, "/tickets/export.csv", nil},
	{http.MethodGet, "/contractors/export.csv", nil},
	{http.MethodGet, "/audit/export.csv", nil},
	{http.MethodPost, "/exports", object{}},
	{http.MethodGet, "/exports", nil},
	{http.MethodGet, "/exports/" + noSuchRow, nil},
	{http.MethodDelete, "/exports/" + noSuchRow, nil},
	{http.MethodGet, "/exports/" + noSuchRow + "/download", nil},
	{http.MethodGet, "/imports", nil},
	{http.MethodGet, "/imports/templates/units.csv", nil},
	{http.MethodGet, "/imports/templates/tenants.csv", nil},
	{http.MethodGet, "/imports/templates/portfolio.csv", nil},
	{http.MethodGet, "/imports/" + noSuchRow, nil},
	{http.MethodGet, "/imports/" + noSuchRow + "/rows", nil},
	{http.MethodGet, "/imports/" + noSuchRow + "/failed.csv", nil},
	{http.MethodPatch, "/imports/" + noSuchRow + "/mapping", object{}},
	{http.MethodPatch, "/imports/" + noSuchRow + "/rows/1", object{"field": "unit", "value": "Attic"}},
	{http.MethodDelete, "/imports/" + noSuchRow, nil},
	{http.MethodPost, "/imports/" + noSuchRow + "/run", nil},
	{http.MethodPost, "/imports/" + noSuchRow + "/cancel", nil},
	{http.MethodPost, "/imports/" + noSuchRow + "/undo", nil},
	{http.MethodGet, "/support-grants", nil},
	{http.MethodPost, "/support-grants", object{"areas": []string{"tickets"}, "hours": 1, "reason": "A look"}},
	{http.MethodGet, "/support-grants/" + noSuchRow, nil},
	{http.MethodPost, "/support-grants/" + noSuchRow + "/revoke", nil},
	{http.MethodGet, "/support-accesses", nil},
	{http.MethodGet, "/support/grants", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/properties", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/units", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tenants", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tenancies", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tenant-invites", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tickets", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tickets/" + noSuchRow, nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tickets/" + noSuchRow + "/comments", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/tickets/" + noSuchRow + "/timeline", nil},
	{http.MethodGet, "/support/grants/" + noSuchRow + "/contractors", nil},
	{http.MethodGet, "/portal/homes", nil},
	{http.MethodGet, "/portal/tickets", nil},
	{http.MethodPost, "/portal/tickets", object{"tenancyId": noSuchRow, "title": "Tap drips"}},
	{http.MethodGet, "/portal/tickets/" + noSuchRow, nil},
	{http.MethodPost, "/portal/tickets/" + noSuchRow + "/comments", object{"body": "Friday suits me"}},
	{http.MethodPost, "/portal/tickets/" + noSuchRow + "/cancel", nil},
	{http.MethodPost, "/portal/tickets/" + noSuchRow + "/reopen", nil},
	{http.MethodGet, "/tickets", nil},
	{http.MethodPost, "/tickets", object{"title": "Drip", "unitId": noSuchRow}},
	{http.MethodGet, "/tickets/" + noSuchRow, nil},
	{http.MethodPut, "/tickets/" + noSuchRow, object{"title": "Drip", "unitId": noSuchRow, "status": "NEW"}},
	{http.MethodPatch, "/tickets/" + noSuchRow, object{"title": "Drip"}},
	{http.MethodDelete, "/tickets/" + noSuchRow, nil},
	{http.MethodGet, "/tickets/" + noSuchRow + "/timeline", nil},
	{http.MethodGet, "/tickets/" + noSuchRow + "/attachments", nil},
	{http.MethodPost, "/tickets/" + noSuchRow + "/attachments?fileName=x.pdf", bill},
	{http.MethodGet, "/attachments/" + noSuchRow, nil},
	{http.MethodGet, "/attachments/" + noSuchRow + "/content", nil},
	{http.MethodDelete, "/attachments/" + noSuchRow, nil},
	{http.MethodGet, "/portal/tickets/" + noSuchRow + "/attachments", nil},
	{http.MethodPost, "/portal/tickets/" + noSuchRow + "/attachments?fileName=x.pdf", bill},
	{http.MethodGet, "/portal/attachments/" + noSuchRow + "/content", nil},
	{http.MethodGet, "/tickets/" + noSuchRow + "/comments", nil},
	{http.MethodPost, "/tickets/" + noSuchRow + "/comments", object{"body": "Soon"}},
	{http.MethodGet, "/comments/" + noSuchRow, nil},
	{http.MethodPut, "/comments/" + noSuchRow, object{"body": "Soon"}},
	{http.MethodPatch, "/comments/" + noSuchRow, object{"body": "Soon"}},
	{http.MethodDelete, "/comments/" + noSuchRow, nil},
	{http.MethodGet, "/tenants", nil},
	{http.MethodPost, "/tenants", object{"firstName": "Jo", "lastName": "Jansen"}},
	{http.MethodGet, "/tenants/" + noSuchRow, nil},
	{http.MethodPut, "/tenants/" + noSuchRow, object{"firstName": "Jo", "lastName": "Jansen"}},
	{http.MethodPatch, "/tenants/" + noSuchRow, object{}},
	{http.MethodDelete, "/tenants/" + noSuchRow, nil},
	{http.MethodGet, "/tenancies", nil},
	{http.MethodPost, "/tenancies", object{"unitId": noSuchRow, "tenantId": noSuchRow, "startDate": "2026-01-01"}},
	{http.MethodGet, "/tenancies/" + noSuchRow, nil},
	{http.MethodPut, "/tenancies/" + noSuchRow, object{"unitId": noSuchRow, "tenantId": noSuchRow, "startDate": "2026-01-01"}},
	{http.MethodPatch, "/tenancies/" + noSuchRow, object{}},
	{http.MethodDelete, "/tenancies/" + noSuchRow, nil},
	{http.MethodGet, "/tickets/" + noSuchRow + "/contractor-search", nil},
	{http.MethodPost, "/tickets/" + noSuchRow + "/contractor-search", object{"refresh": true}},
	{http.MethodPost, "/tickets/" + noSuchRow + "/contractor-search/" + noSuchRow + "/save", nil},
	{http.MethodGet, "/contractors", nil},
	{http.MethodPost, "/contractors", object{"name": "Pipes"}},
	{http.MethodGet, "/contractors/" + noSuchRow, nil},
	{http.MethodPut, "/contractors/" + noSuchRow, object{"name": "Pipes"}},
	{http.MethodPatch, "/contractors/" + noSuchRow, object{}},
	{http.MethodDelete, "/contractors/" + noSuchRow, nil},
}

func TestWithoutToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newcomer(t)
	nobody := client{t: t, url: s.url}
	expired := client{t: t, url: s.url, token: accessToken(t, object{"sub": uuid.NewString(), "exp": time.Now().Add(-time.Hour).Unix()})}
	service := client{t: t, url: s.url, token: accessToken(t, object{"sub": uuid.NewString(), "role": "service_role"})}
	forged := client{t: t, url: s.url, token: c.token[:len(c.token)-8] + marker}
	for _, r := range routes {
		a := nobody.send(r.method, r.path, r.body).refused(http.StatusUnauthorized, "token_missing")
		require.Equal(t, `Bearer realm="rowhouse"`, a.header.Get("WWW-Authenticate"))

		a = expired.send(r.method, r.path, r.body).refused(http.StatusUnauthorized, "token_expired")
		require.Contains(t, a.header.Get("WWW-Authenticate"), `error="invalid_token"`)
		a.discreet(expired.token)

		for _, bad := range []client{service, forged} {
			a = bad.send(r.method, r.path, r.body).refused(http.StatusUnauthorized, "invalid_token")
			require.Contains(t, a.header.Get("WWW-Authenticate"), `Bearer realm="rowhouse", error="invalid_token"`)
			a.discreet(bad.token)
		}
	}
	for _, header := range []string{"Basic " + c.token, c.token, "Bearer", "Bearer  " + c.token, "Bearer " + c.token + ", Bearer " + c.token} {
		nobody.get("/units", "Authorization: "+header).refused(http.StatusUnauthorized, "token_malformed").discreet(c.token)
	}
	nobody.get("/units?access_token="+c.token).refused(http.StatusUnauthorized, "token_missing")
	nobody.get("/units?colour=red").refused(http.StatusUnauthorized, "token_missing") // before anything is looked at
	for _, token := range []string{c.token, expired.token, service.token, forged.token} {
		logged.RequireWithout(t, token)
	}
	require.Zero(t, s.rows(t, "users"), "a refused token makes no profile")
}

func TestMissingRows(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for _, r := range routes {
		if !strings.Contains(r.path, noSuchRow) {
			continue
		}
		a := c.send(r.method, r.path, r.body)
		if r.method == http.MethodGet {
			a.refused(http.StatusNotFound, "not_found")
			continue
		}
		a.refused(http.StatusForbidden, "forbidden")
	}
	c.post("/units", object{"name": "Attic", "propertyId": noSuchRow}).refused(http.StatusForbidden, "forbidden")
	c.patch(c.created("/units", object{"name": "Attic"}), object{"propertyId": noSuchRow}).refused(http.StatusForbidden, "forbidden")
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, path := range []string{"/api/v1", "/api/v1/", "/api/v1/unit", "/api/v1/units/", "/api/v1/units/" + noSuchRow + "/x", "/api/v2/units", "/api/v1/Units", "/api/v1//units"} {
		c.get(path).refused(http.StatusNotFound, "not_found")
	}
	for path, allow := range map[string]string{
		"/units": "GET, POST", "/units/" + noSuchRow: "GET, PUT, PATCH, DELETE", "/me": "GET, PATCH", "/properties": "GET, POST",
	} {
		for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions, "PURGE"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := c.send(method, path, nil).refused(http.StatusMethodNotAllowed, "method_not_allowed")
			require.Equal(t, allow, a.header.Get("Allow"))
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, id := range []string{"caller-1", "A_b-0123456789", strings.Repeat("x", 64)} {
		require.Equal(t, id, c.get("/me", "X-Request-Id: "+id).header.Get("X-Request-Id"))
		a := c.get("/units/"+noSuchRow, "X-Request-Id: "+id).refused(http.StatusNotFound, "not_found")
		require.Equal(t, id, a.body["requestId"])
	}
	for _, id := range []string{"", "short", strings.Repeat("x", 65), "with space", "semi;colon", "<script>1", "caf\u00e9-caf\u00e9", `a"b"c"d"e`} {
		a := c.get("/units/"+noSuchRow, "X-Request-Id: "+id).refused(http.StatusNotFound, "not_found")
		require.Regexp(t, made, a.body["requestId"])
		require.NotEqual(t, a.body["requestId"], c.get("/me").header.Get("X-Request-Id"))
	}
	c.get("/me", "X-Request-Id: find-me-again").ok(http.StatusOK)
	require.True(t, strings.Contains(logged.String(), `"requestId":"find-me-again"`), "it is not logged")
}

func TestSecureHeaders(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	for _, a := range []answer{c.get("/me"), c.get("/units"), c.get("/nothing"), c.post("/units", "[]"), c.send(http.MethodPut, "/me", nil)} {
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"))
		require.Equal(t, "default-src 'none'; frame-ancestors 'none'", a.header.Get("Content-Security-Policy"))
		require.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *httpapi.Config) { c.RatePerMinute = 5 })
	// httprate weighs the minute before: start a new one if this is nearly over
	if left := time.Minute - time.Duration(time.Now().Second())*time.Second; left < 3*time.Second {
		time.Sleep(left)
	}
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	for range 5 {
		ann.get("/units", "X-Forwarded-For: 203.0.113.1").ok(http.StatusOK)
	}
	for _, header := range []string{"X-Forwarded-For: 203.0.113.2", "X-Real-Ip: 203.0.113.3", "True-Client-Ip: 203.0.113.4"} {
		a := ann.get("/units", header).refused(http.StatusTooManyRequests, "rate_limited")
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		require.NoError(t, err)
		require.True(t, 1 <= wait && wait <= 60, wait)
	}
	ann.post("/units", object{"name": "Attic"}).refused(http.StatusTooManyRequests, "rate_limited")
	require.Zero(t, s.rows(t, "units"))
	bob.get("/units").ok(http.StatusOK) // from the same address
	// another token of the same user
	again := ann
	again.token = accessToken(t, object{"sub": ann.id.String()})
	again.get("/units").refused(http.StatusTooManyRequests, "rate_limited")
}

func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *httpapi.Config) { c.RequestTimeout = 300 * time.Millisecond })
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	tx, err := s.Admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from app.units for update")
	require.NoError(t, err)
	a := c.patch(unit, object{"name": "Loft"}).refused(http.StatusServiceUnavailable, "busy")
	require.Equal(t, "1", a.header.Get("Retry-After"))
	a.discreet(c.token)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, "Attic", c.get(unit).body["name"])
}
