package httpapi_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// roundTrips counts how often something was sent to the server and answered.
type roundTrips struct{ n atomic.Int64 }

func (r *roundTrips) of(f func()) int64 {
	before := r.n.Load()
	f()
	return r.n.Load() - before
}

// count makes every connection of a pool count.
func (r *roundTrips) count(c *pgxpool.Config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countingConn{Conn: conn, trips: r}, err
	}
}

type countingConn struct {
	net.Conn
	trips *roundTrips
	mu    sync.Mutex
	asked bool
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.asked = true
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	if n > 0 && c.asked {
		c.asked = false
		c.trips.n.Add(1)
	}
	c.mu.Unlock()
	return n, err
}

// roundTripTests say what each operation costs; see TestRoundTrips.
var roundTripTests = []struct {
	operation string
	request   string
	body      any
	headers   []string
	trips     int64
}{
	{"getMe", "GET /me", nil, nil, 2},
	{"updateMe", "PATCH /me", object{"fullName": "Ann"}, nil, 3},
	{"getOnboarding", "GET /onboarding", nil, nil, 2},
	{"updateOnboarding", "PATCH /onboarding", object{"fullName": "Ann"}, nil, 5}, // and shows it, with what there is

	{"getAccountDeletion", "GET /account/deletion", nil, nil, 2},
	{"deleteAccount", "POST /account/deletion", object{"confirm": "delete my account"}, []string{`If-Match: "0"`}, 2}, // 412
	{"cancelAccountDeletion", "POST /account/deletion/cancel", nil, nil, 2},
	{"getAccountExport", "GET /account/deletion/export", nil, nil, 2},
	{"addSampleData", "POST /onboarding/sample-data", nil, nil, 3},                            // and shows how far one is
	{"deleteSampleData", "DELETE /onboarding/sample-data", nil, nil, 3},                       // the places of files, too
	{"deleteSampleData", "DELETE /onboarding/sample-data", nil, []string{`If-Match: "0"`}, 2}, // 412

	{"getDashboard", "GET /dashboard", nil, nil, 2},
	{"search", "GET /search?q=1%20canal", nil, nil, 2},
	{"search", "GET /search?q=a", nil, nil, 0},
	{"listAudit", "GET /audit", nil, nil, 2},
	{"listAudit", "GET /audit?cursor=*&table=units&action=insert&limit=100", nil, nil, 2},
	{"getIsolationReport", "GET /security/isolation-report", nil, nil, 0}, // over connections of its own, once a minute

	{"listUnits", "GET /units", nil, nil, 2},
	{"listUnits", "GET /units?q=1&sort=-createdAt&status=VACANT", nil, nil, 2},
	{"listUnits", "GET /units?cursor=*&limit=100", nil, nil, 2},
	{"getUnit", "GET {unit}", nil, nil, 2},
	{"getUnit", "GET /units/" + noSuchRow, nil, nil, 2},
	{"createUnit", "POST /units", object{"name": "{new}"}, nil, 2},
	{"createUnit", "POST /units", object{"name": "{new}"}, []string{key("{new}")}, 5},
	{"createUnit", "POST /units", object{"name": "Again"}, []string{key("again")}, 4}, // answered already
	{"createUnit", "POST /units", object{"name": "Taken"}, nil, 4},                    // refused: pgx closes and prepares a statement that failed
	{"replaceUnit", "PUT {unit}", object{"name": "Flat"}, nil, 3},
	{"updateUnit", "PATCH {unit}", object{"city": "Delft"}, nil, 3},
	{"updateUnit", "PATCH {unit}", object{"city": "Delft"}, []string{`If-Match: "0"`}, 2}, // 412
	{"deleteUnit", "DELETE {unit}", nil, nil, 3},
	{"deleteUnit", "DELETE /units/" + noSuchRow, nil, nil, 2},

	{"listProperties", "GET /properties", nil, nil, 2},
	{"listProperties", "GET /properties?cursor=*&q=a", nil, nil, 2},
	{"getProperty", "GET {property}", nil, nil, 2},
	{"createProperty", "POST /properties", object{"name": "{new}"}, nil, 2},
	{"createProperty", "POST /properties", object{"name": "{new}"}, []string{key("{new}p")}, 5},
	{"replaceProperty", "PUT {property}", object{"name": "House"}, nil, 3},
	{"updateProperty", "PATCH {property}", object{"city": "Delft"}, nil, 3},
	{"deleteProperty", "DELETE {property}", nil, nil, 3},

	{"inviteTenant", "POST /tenants/invite", object{"firstName": "Jo", "lastName": "Jansen", "email": "{new}@example.com"}, nil, 2},
	{"inviteTenant", "POST /tenants/invite", object{"firstName": "Jo", "lastName": "Jansen", "email": "{new}@example.com"}, []string{key("{new}i")}, 5},
	{"inviteTenants", "POST /tenants/invite/bulk", `{"tenants": [{"firstName": "Jo", "lastName": "Jansen", "email": "{new}@example.com"}, {"firstName": "Jo", "lastName": "Jansen", "email": "x{new}@example.com"}]}`, nil, 2},
	{"listTenantInvites", "GET /tenant-invites?state=PENDING&q=jo", nil, nil, 2},
	{"getTenantInvite", "GET {invite}", nil, nil, 2},
	{"resendTenantInvite", "POST {invite}/resend", nil, nil, 3},
	{"revokeTenantInvite", "POST {invite}/revoke", nil, nil, 3},
	{"getInvite", "GET /invites/x", nil, nil, 2},
	{"claimInvite", "POST /invites/x/claim", nil, nil, 2},
	{"listSupportGrants", "GET /support-grants?state=LIVE", nil, nil, 2},
	{"createSupportGrant", "POST /support-grants", object{"areas": "{areas}", "reason": "A look", "hours": "{1}"}, nil, 2},
	{"getSupportGrant", "GET {consent}", nil, nil, 2},
	{"revokeSupportGrant", "POST {consent}/revoke", nil, nil, 3},
	{"listSupportAccesses", "GET /support-accesses", nil, nil, 2},
	{"listLiveSupportGrants", "GET /support/grants", nil, nil, 2},
	// with a grant in TestSupportRoundTrips; without, a statement that failed
	{"listSupportedProperties", "GET /support/grants/" + noSuchRow + "/properties", nil, nil, 4},
	{"listSupportedUnits", "GET /support/grants/" + noSuchRow + "/units", nil, nil, 4},
	{"listSupportedTenants", "GET /support/grants/" + noSuchRow + "/tenants", nil, nil, 4},
	{"listSupportedTenancies", "GET /support/grants/" + noSuchRow + "/tenancies", nil, nil, 4},
	{"listSupportedTenantInvites", "GET /support/grants/" + noSuchRow + "/tenant-invites", nil, nil, 4},
	{"listSupportedTickets", "GET /support/grants/" + noSuchRow + "/tickets", nil, nil, 4},
	{"getSupportedTicket", "GET /support/grants/" + noSuchRow + "/tickets/" + noSuchRow, nil, nil, 4},
	{"listSupportedComments", "GET /support/grants/" + noSuchRow + "/tickets/" + noSuchRow + "/comments", nil, nil, 4},
	{"getSupportedTicketTimeline", "GET /support/grants/" + noSuchRow + "/tickets/" + noSuchRow + "/timeline", nil, nil, 4},
	{"listSupportedContractors", "GET /support/grants/" + noSuchRow + "/contractors", nil, nil, 4},
	// those of tenants also in TestPortalRoundTrips
	{"listPortalHomes", "GET /portal/homes", nil, nil, 2},
	{"listPortalTickets", "GET /portal/tickets", nil, nil, 2},
	{"getPortalTicket", "GET /portal/tickets/" + noSuchRow, nil, nil, 2},
	{"createPortalTicket", "POST /portal/tickets", object{"tenancyId": noSuchRow, "title": "Tap drips"}, nil, 2},
	{"createPortalComment", "POST /portal/tickets/" + noSuchRow + "/comments", object{"body": "Friday suits me"}, nil, 4}, // a statement that failed
	{"cancelPortalTicket", "POST /portal/tickets/" + noSuchRow + "/cancel", nil, nil, 2},
	{"reopenPortalTicket", "POST /portal/tickets/" + noSuchRow + "/reopen", nil, nil, 2},

	// a file: it is stored (others are counted, its import, its rows, in turn), run and rolled back, what came of it kept, and shown
	{"importUnits", "POST /units/import", "unit,property\n{new},{new}\n", csvType, 21},
	{"importTenants", "POST /tenants/import", "name,email\nAda Byron,{new}@example.com\n", csvType, 19},
	{"importPortfolio", "POST /portfolio/import", "unit,name,email\n{new},Ada Byron,{new}@example.com\n", csvType, 24},
	{"importUnits", "POST /units/import", "", csvType, 0},
	{"listImports", "GET /imports?state=CHECKED", nil, nil, 2},
	{"getImport", "GET {import}", nil, nil, 2},
	{"listImportRows", "GET {import}/rows?filter=CREATE", nil, nil, 2},
	{"getImportFailures", "GET {import}/failed.csv", nil, nil, 4},
	{"mapImport", "PATCH {import}/mapping", object{"onExisting": "skip"}, nil, 16},
	{"editImportRow", "PATCH {import}/rows/1", object{"field": "unit", "value": "{new}"}, nil, 17},
	{"deleteImport", "DELETE {import}", nil, nil, 3},
	{"runImport", "POST {import}/run", nil, nil, 6},
	{"cancelImport", "POST {import}/cancel", nil, nil, 7},
	{"undoImport", "POST {cancelled import}/undo", nil, nil, 6},
	{"downloadUnitsTemplate", "GET /imports/templates/units.csv", nil, nil, 0},
	{"downloadTenantsTemplate", "GET /imports/templates/tenants.csv", nil, nil, 2},
	{"downloadPortfolioTemplate", "GET /imports/templates/portfolio.csv", nil, nil, 0},

	{"exportUnits", "GET /units/export.csv?q=1&archived=all", nil, nil, 2},
	{"exportProperties", "GET /properties/export.csv", nil, nil, 2},
	{"exportTenants", "GET /tenants/export.csv?sort=-createdAt", nil, nil, 2},
	{"exportTenancies", "GET /tenancies/export.csv?status=ACTIVE", nil, nil, 2},
	{"exportTenantInvites", "GET /tenant-invites/export.csv?state=PENDING", nil, nil, 2},
	{"exportTickets", "GET /tickets/export.csv?status=NEW,OPEN", nil, nil, 2},
	{"exportContractors", "GET /contractors/export.csv", nil, nil, 2},
	{"exportAudit", "GET /audit/export.csv?table=units", nil, nil, 2},
	{"exportUnits", "GET /units/export.csv?limit=1", nil, nil, 0},

	{"createExport", "POST /exports", object{}, nil, 3}, // counts them first
	{"listExports", "GET /exports", nil, nil, 2},
	{"deleteExport", "DELETE /exports/" + noSuchRow, nil, nil, 2},
	{"getExport", "GET /exports/" + noSuchRow, nil, nil, 2},
	{"getExportContent", "GET /exports/" + noSuchRow + "/download", nil, nil, 2},

	{"listTickets", "GET /tickets", nil, nil, 2},
	{"listTickets", "GET /tickets?q=1&sort=dueAt&status=NEW,OPEN&overdue=false", nil, nil, 2},
	{"listTickets", "GET /tickets?cursor=*&limit=100", nil, nil, 2},
	{"createTicket", "POST /tickets", object{"title": "Drip", "unitId": "{unitId}"}, nil, 2},
	{"createTicket", "POST /tickets", object{"title": "Drip", "unitId": "{unitId}"}, []string{key("{new}t")}, 5},
	{"getTicket", "GET {ticket}", nil, nil, 2},
	{"replaceTicket", "PUT {ticket}", object{"title": "Leak", "unitId": "{unitId}", "status": "OPEN"}, nil, 3},
	{"updateTicket", "PATCH {ticket}", object{"status": "OPEN"}, nil, 3},
	{"deleteTicket", "DELETE {archived ticket}", nil, nil, 4}, // its files' places too

	{"listAttachments", "GET {ticket}/attachments", nil, nil, 2},
	{"createAttachment", "POST {ticket}/attachments?fileName=x.pdf", bill, []string{"Content-Type: application/pdf"}, 4}, // whose, and then the row
	{"createAttachment", "POST {ticket}/attachments?fileName=x.pdf", "no PDF", []string{"Content-Type: application/pdf"}, 2},
	{"getAttachment", "GET {attachment}", nil, nil, 2},
	{"getAttachmentContent", "GET {attachment}/content", nil, nil, 2},
	{"deleteAttachment", "DELETE {attachment}", nil, nil, 3},
	{"listPortalAttachments", "GET /portal/tickets/" + noSuchRow + "/attachments", nil, nil, 2},
	{"createPortalAttachment", "POST /portal/tickets/" + noSuchRow + "/attachments?fileName=x.pdf", bill, []string{"Content-Type: application/pdf"}, 2},
	{"getPortalAttachmentContent", "GET /portal/attachments/" + noSuchRow + "/content", nil, nil, 2},
	{"getTicketTimeline", "GET {ticket}/timeline", nil, nil, 2},
	{"listComments", "GET {ticket}/comments", nil, nil, 2},
	{"listComments", "GET {ticket}/comments?cursor=*&q=a", nil, nil, 2},
	{"createComment", "POST {ticket}/comments", object{"body": "Soon"}, nil, 2},
	{"createComment", "POST {ticket}/comments", object{"body": "Soon"}, []string{key("{new}c")}, 5},
	{"getComment", "GET {comment}", nil, nil, 2},
	{"replaceComment", "PUT {comment}", object{"body": "Later"}, nil, 3},
	{"updateComment", "PATCH {comment}", object{"body": "Later"}, nil, 3},
	{"deleteComment", "DELETE {comment}", nil, nil, 3},

	{"listTenants", "GET /tenants", nil, nil, 2},
	{"listTenants", "GET /tenants?cursor=*&q=a&limit=100", nil, nil, 2},
	{"getTenant", "GET {tenant}", nil, nil, 2},
	{"createTenant", "POST /tenants", object{"firstName": "Jo", "lastName": "{new}"}, nil, 2},
	{"replaceTenant", "PUT {tenant}", object{"firstName": "Jo", "lastName": "Jansen"}, nil, 3},
	{"updateTenant", "PATCH {tenant}", object{"lastName": "Akker"}, nil, 3},
	{"deleteTenant", "DELETE {archived tenant}", nil, nil, 3},

	{"listTenancies", "GET /tenancies", nil, nil, 2},
	{"listTenancies", "GET /tenancies?cursor=*&status=ACTIVE&limit=100", nil, nil, 2},
	{"getTenancy", "GET {tenancy}", nil, nil, 2},
	{"createTenancy", "POST /tenancies", object{"unitId": "{its unit}", "tenantId": "{its tenant}", "startDate": "2026-01-01"}, nil, 3}, // looks for others
	{"replaceTenancy", "PUT {tenancy}", object{"unitId": "{its unit}", "tenantId": "{its tenant}", "startDate": "2026-01-01"}, nil, 3},
	{"updateTenancy", "PATCH {tenancy}", object{"startDate": "2026-01-01"}, nil, 3},
	{"deleteTenancy", "DELETE {cancelled tenancy}", nil, nil, 3},

	{"listContractors", "GET /contractors", nil, nil, 2},
	{"listContractors", "GET /contractors?cursor=*&q=a&trade=HVAC", nil, nil, 2},
	{"getContractor", "GET {contractor}", nil, nil, 2},
	{"createContractor", "POST /contractors", object{"name": "{new}"}, nil, 2},
	{"replaceContractor", "PUT {contractor}", object{"name": "Pipes"}, nil, 3},
	{"updateContractor", "PATCH {contractor}", object{"city": "Delft"}, nil, 3},
	{"deleteContractor", "DELETE {archived contractor}", nil, nil, 3},

	{"getContractorSearch", "GET {ticket}/contractor-search", nil, nil, 2},
	{"searchContractors", "POST {ticket}/contractor-search", object{}, nil, 6}, // three transactions: reads the ticket, asks the book, keeps the answer
	{"saveContractorSearchResult", "POST {found contractor}/save", nil, nil, 3},

	// nothing that is refused before the database is asked costs a round trip
	{"listUnits", "GET /units?page=0", nil, nil, 0},
	{"createUnit", "POST /units", object{"name": ""}, nil, 0},
	{"getUnit", "GET /units/1", nil, nil, 0},
}

var csvType = []string{"Content-Type: text/csv"}

// TestRoundTrips holds every operation to a number of round trips, on a warm
// connection and for a landlord who has been seen, whatever there is in the
// tables. A read takes two: BEGIN, identity and the statements; COMMIT and the
// cleaning of the connection.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	var trips roundTrips
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: trips.count}))
	few, many := s.newLandlord(t), s.newLandlord(t)
	s.fill(t, few, 1)
	s.fill(t, many, 100)
	s.fillPeople(t, many, 100)
	for _, test := range roundTripTests {
		t.Run(test.operation+" "+test.request, func(t *testing.T) {
			for _, c := range []client{few.as(t), many.as(t)} {
				c.post("/units", object{"name": "Again"}, key("again"))
				c.post("/units", object{"name": "Taken"})
				for range 2 { // the first prepares the statements
					send := c.prepared(test.request, test.body, test.headers)
					trips.n.Store(0)
					send()
				}
				require.Equal(t, test.trips, trips.n.Load())
			}
		})
	}
}

// prepared fills the names of new rows in, and returns what sends the request.
func (c client) prepared(request string, body any, headers []string) func() answer {
	c.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	fresh := func(text string) string { return strings.ReplaceAll(text, "{new}", uuid.NewString()) }
	switch path {
	case "{consent}", "{consent}/revoke":
		path = "/support-grants/" + c.letLook(c.t, "tickets") + strings.TrimPrefix(path, "{consent}")
	case "{unit}":
		path = c.created("/units", object{"name": uuid.NewString()})
	case "{property}":
		path = c.created("/properties", object{"name": uuid.NewString()})
	case "{invite}", "{invite}/resend", "{invite}/revoke":
		path = c.created("/tenants/invite", kay(object{"email": uuid.NewString() + "@example.com"})) + strings.TrimPrefix(path, "{invite}")
	case "{found contractor}/save":
		c.created("/contractors", object{"name": "Pipes"})
		search := c.preparedTicket("{ticket}") + "/contractor-search"
		path = search + "/" + c.post(search, nil).list("results")[0]["id"].(string) + "/save"
	case "{tenant}", "{archived tenant}":
		path = c.created("/tenants", object{"firstName": "Jo", "lastName": "Jansen", "archived": path == "{archived tenant}"})
	case "{contractor}", "{archived contractor}":
		path = c.created("/contractors", object{"name": "Pipes", "archived": path == "{archived contractor}"})
	case "/tenancies", "{tenancy}", "{cancelled tenancy}":
		_, unit := c.made("/units", object{"name": uuid.NewString()})
		_, tenant := c.made("/tenants", object{"firstName": "Jo", "lastName": "Jansen"})
		if path != "/tenancies" {
			cancelled := path == "{cancelled tenancy}"
			path = c.created("/tenancies", object{"unitId": unit, "tenantId": tenant, "startDate": "2026-01-01"})
			c.patch(path, object{"cancelled": cancelled}).ok(http.StatusOK)
		}
		fresh = strings.NewReplacer("{its unit}", unit, "{its tenant}", tenant).Replace
	}
	if rest, ok := strings.CutPrefix(path, "{attachment}"); ok {
		a := c.upload(c.ticket()+"/attachments", "x.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
		path = strings.TrimPrefix(a.header.Get("Location"), "/api/v1") + rest
	}
	if strings.HasPrefix(path, "{ticket}") || path == "{archived ticket}" || path == "{comment}" {
		path = c.preparedTicket(path)
	}
	if rest, ok := strings.CutPrefix(strings.Replace(path, "{cancelled import}", "{import}", 1), "{import}"); ok {
		text := "unit\n" + uuid.NewString() + "\n"
		made := c.post("/units/import", text, csvType...).ok(http.StatusCreated).header.Get("Location")
		if strings.HasPrefix(path, "{cancelled") {
			c.post(made+"/cancel", nil).ok(http.StatusOK)
		}
		path = made + rest
	}
	if text, ok := body.(string); ok {
		body = fresh(text)
	}
	filled := object{}
	if given, ok := body.(object); ok {
		for name, value := range given {
			filled[name] = fresh(value.(string))
			switch value {
			case "{areas}":
				filled[name] = []string{"tickets"}
			case "{1}":
				filled[name] = 1
			}
			if value == "{unitId}" {
				filled[name] = c.post("/units", object{"name": uuid.NewString()}).ok(http.StatusCreated).body["id"]
			}
		}
		if filled["name"] == "Flat" || filled["name"] == "House" {
			filled["name"] = uuid.NewString()
		}
		body = filled
	}
	var sent []string
	for _, header := range headers {
		sent = append(sent, fresh(header))
	}
	return func() answer { return c.send(method, path, body, sent...) }
}

// TestFirstRequest counts what a landlord costs who has not been seen.
func TestFirstRequest(t *testing.T) {
	t.Parallel()
	var trips roundTrips
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: trips.count}))
	s.newcomer(t).get("/me").ok(http.StatusOK) // opens the connection and prepares the statements
	c := s.newcomer(t)
	require.EqualValues(t, 4, trips.of(func() { c.get("/me").ok(http.StatusOK) }))
	require.EqualValues(t, 2, trips.of(func() { c.get("/me").ok(http.StatusOK) }))
}
