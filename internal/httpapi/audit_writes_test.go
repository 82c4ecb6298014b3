package httpapi_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/httpapi"
)

// unaudited says why an operation that changes something leaves nothing in a trail.
var unaudited = map[string]string{
	"updateMe":              "a profile is its person's own, and in no landlord's books",
	"updateOnboarding":      "it is the profile's too",
	"deleteAccount":         "a trail by itself, which outlives this one",
	"cancelAccountDeletion": "likewise",
	"editImportRow":         "a file's cells are nobody's books until it is run, and then the trail has what came of them",
	"searchContractors":     "what providers answer is kept for a while and is nobody's decision",
}

// csvText is a spreadsheet.
type csvText string

// auditedWrites are requests that change something, one after the other, and what
// each leaves in Ann's trail. In paths and bodies, {name} is the id of what an
// earlier one has made, or of a fixture's row.
var auditedWrites = []struct {
	operation string
	by        string
	about     string // the row in the path
	body      any
	makes     string
	trail     string // one line for each change, in any order
}{
	{"updateMe", "ann", "", `{"fullName": "Ann Example"}`, "", ``},
	{"updateOnboarding", "ann", "", `{"step": "done"}`, "", ``},
	{"deleteAccount", "ann", "", `{"confirm": "delete my account"}`, "", ``},
	{"cancelAccountDeletion", "ann", "", nil, "", ``},
	{"createExport", "ann", "", `{"withFiles": false}`, "export", `ann as landlord: insert exports`},
	{"deleteExport", "ann", "export", nil, "", `ann as landlord: delete exports`},
	{"addSampleData", "ann", "", nil, "", `
		ann as landlord: insert properties
		ann as landlord: insert units
		ann as landlord: insert units
		ann as landlord: insert units
		ann as landlord: insert tenants
		ann as landlord: insert tenants
		ann as landlord: insert tenancies
		ann as landlord: insert tenancies
		ann as landlord: insert contractors
		ann as landlord: insert tickets
		ann as landlord: insert tickets
		ann as landlord: insert tickets`},
	{"deleteSampleData", "ann", "", nil, "", `
		ann as landlord: delete properties
		ann as landlord: delete units
		ann as landlord: delete units
		ann as landlord: delete units
		ann as landlord: delete tenants
		ann as landlord: delete tenants
		ann as landlord: delete tenancies
		ann as landlord: delete tenancies
		ann as landlord: delete contractors
		ann as landlord: delete tickets
		ann as landlord: delete tickets
		ann as landlord: delete tickets`},

	{"createProperty", "ann", "", `{"name": "Mill"}`, "mill", `ann as landlord: insert properties`},
	{"replaceProperty", "ann", "mill", `{"name": "Windmill"}`, "", `ann as landlord: update properties name "Mill" → "Windmill"`},
	{"updateProperty", "ann", "mill", `{"archived": true}`, "", `ann as landlord: update properties archived false → true, archived_at null → a time`},
	{"deleteProperty", "ann", "mill", nil, "", `ann as landlord: delete properties`},

	{"createUnit", "ann", "", `{"name": "Attic"}`, "attic", `ann as landlord: insert units`},
	{"replaceUnit", "ann", "attic", `{"name": "Loft"}`, "", `ann as landlord: update units name "Attic" → "Loft"`},
	{"updateUnit", "ann", "attic", `{"archived": true}`, "", `ann as landlord: update units archived false → true, archived_at null → a time`},
	{"deleteUnit", "ann", "attic", nil, "", `ann as landlord: delete units`},

	{"createTenant", "ann", "", `{"firstName": "Max", "lastName": "Kay"}`, "max", `ann as landlord: insert tenants`},
	{"replaceTenant", "ann", "max", `{"firstName": "Max", "lastName": "Moritz"}`, "", `ann as landlord: update tenants last_name "Kay" → "Moritz"`},
	{"createTenancy", "ann", "", `{"unitId": "{unit}", "tenantId": "{max}", "startDate": "2031-01-01"}`, "tenancy", `ann as landlord: insert tenancies`},
	{
		"replaceTenancy", "ann", "tenancy", `{"unitId": "{unit}", "tenantId": "{max}", "startDate": "2031-01-02"}`, "",
		`ann as landlord: update tenancies start_date "2031-01-01" → "2031-01-02"`,
	},
	{"updateTenancy", "ann", "tenancy", `{"cancelled": true}`, "", `ann as landlord: update tenancies cancelled_at null → a time`},
	{"deleteTenancy", "ann", "tenancy", nil, "", `ann as landlord: delete tenancies`},
	{"updateTenant", "ann", "max", `{"archived": true}`, "", `ann as landlord: update tenants archived false → true, archived_at null → a time`},
	{"deleteTenant", "ann", "max", nil, "", `ann as landlord: delete tenants`},

	{"createContractor", "ann", "", `{"name": "Pipes"}`, "pipes", `ann as landlord: insert contractors`},
	{"replaceContractor", "ann", "pipes", `{"name": "Drains"}`, "", `ann as landlord: update contractors name "Pipes" → "Drains"`},
	{"updateContractor", "ann", "pipes", `{"archived": true}`, "", `ann as landlord: update contractors archived false → true, archived_at null → a time`},
	{"deleteContractor", "ann", "pipes", nil, "", `ann as landlord: delete contractors`},

	{"inviteTenant", "ann", "", `{"firstName": "Kim", "lastName": "Kay", "email": "kim@example.com", "unitId": "{unit}"}`, "kims", `
		ann as landlord: insert tenants
		ann as landlord: insert tenancies
		ann as landlord: insert tenant_invites`},
	{
		"resendTenantInvite", "ann", "kims", nil, "",
		`ann as landlord: update tenant_invites expires_at a time → a time, send_count 1 → 2, token_hash "***" → "***"`,
	},
	{"claimInvite", "kim", "", nil, "", `
		kim as user: update tenant_invites claimed_at null → a time, claimed_by_user_id null → kim
		kim as user: update tenants user_id null → kim`},
	{"inviteTenant", "ann", "", `{"firstName": "Lee", "lastName": "Kay", "email": "lee@example.com"}`, "lees", `
		ann as landlord: insert tenants
		ann as landlord: insert tenant_invites`},
	{"revokeTenantInvite", "ann", "lees", nil, "", `ann as landlord: update tenant_invites revoked_at null → a time`},
	{
		"inviteTenants", "ann", "", `{"tenants": [{"firstName": "Una", "lastName": "Kay", "email": "una@example.com", "unitId": "{unit}"},
			{"firstName": "Uwe", "lastName": "Kay", "email": "uwe@example.com"}, {"firstName": "Nobody", "lastName": "Kay", "email": "@"}]}`, "", `
		ann as landlord: insert tenants
		ann as landlord: insert tenants
		ann as landlord: insert tenancies
		ann as landlord: insert tenant_invites
		ann as landlord: insert tenant_invites`,
	},

	{"createTicket", "ann", "", `{"unitId": "{unit}", "title": "Drip"}`, "drip", `ann as landlord: insert tickets`},
	{"replaceTicket", "ann", "drip", `{"unitId": "{unit}", "title": "Leak", "status": "OPEN"}`, "", `ann as landlord: update tickets status "NEW" → "OPEN", title "Drip" → "Leak"`},
	{"createComment", "ann", "drip", `{"body": "Sonn", "kind": "internal"}`, "whisper", `ann as landlord: insert ticket_comments`},
	{"replaceComment", "ann", "whisper", `{"body": "Son"}`, "", `ann as landlord: update ticket_comments body "Sonn" → "Son", edited_at null → a time`},
	{"updateComment", "ann", "whisper", `{"body": "Soon"}`, "", `ann as landlord: update ticket_comments body "Son" → "Soon", edited_at a time → a time`},
	{"deleteComment", "ann", "whisper", nil, "", `ann as landlord: delete ticket_comments`},
	{"createComment", "ann", "drip", `{"body": "Later"}`, "", `ann as landlord: insert ticket_comments`},
	{"createAttachment", "ann", "drip", []byte(bill), "bill", `ann as landlord: insert attachments`},
	{"deleteAttachment", "ann", "bill", nil, "", `ann as landlord: delete attachments`},
	{"createAttachment", "ann", "drip", []byte(bill), "", `ann as landlord: insert attachments`},
	{"updateTicket", "ann", "drip", `{"archived": true}`, "", `ann as landlord: update tickets archived false → true, archived_at null → a time`},
	{"deleteTicket", "ann", "drip", nil, "", `
		ann as landlord: delete tickets
		ann as landlord: delete ticket_comments
		ann as landlord: delete attachments`},

	{"createPortalTicket", "jo", "", `{"tenancyId": "{home}", "title": "Mice"}`, "mice", `jo as tenant: insert tickets`},
	{"createPortalComment", "jo", "mice", `{"body": "Two of them"}`, "", `jo as tenant: insert ticket_comments`},
	{"createPortalAttachment", "jo", "mice", []byte(bill), "", `jo as tenant: insert attachments`},
	{"cancelPortalTicket", "jo", "mice", nil, "", `jo as tenant: update tickets closed_at null → a time, status "NEW" → "CANCELLED"`},
	{"updateTicket", "ann", "ticket", `{"status": "RESOLVED"}`, "", `ann as landlord: update tickets resolved_at null → a time, status "NEW" → "RESOLVED"`},
	{"reopenPortalTicket", "jo", "ticket", nil, "", `jo as tenant: update tickets reopened_count 0 → 1, resolved_at a time → null, status "RESOLVED" → "OPEN"`},

	{"importUnits", "ann", "", csvText("unit,city\nLoft,Delft\n"), "units file", "ann as landlord: insert import_batches\n" +
		`ann as landlord: update import_batches created 0 → 1, state "UPLOADED" → "CHECKED"`},
	{"importPortfolio", "ann", "", csvText("unit,name\nBarn,Ada Byron\n"), "portfolio file", "ann as landlord: insert import_batches\n" +
		`ann as landlord: update import_batches created 0 → 1, state "UPLOADED" → "CHECKED"`},
	{"importTenants", "ann", "", csvText("who,email\nAda Byron,ada@example.com\n"), "tenants file", "ann as landlord: insert import_batches\n" +
		"ann as landlord: update import_batches failed 0 → 1"},
	{
		"mapImport", "ann", "tenants file", `{"mapping": ["fullName", "email"], "onExisting": "fill"}`, "",
		`ann as landlord: update import_batches mapping ["","email"] → ["fullName","email"], on_existing "update" → "fill"
		 ann as landlord: update import_batches created 0 → 1, failed 1 → 0, state "UPLOADED" → "CHECKED"`,
	},
	{"editImportRow", "ann", "tenants file", `{"field": "email", "value": ""}`, "", ``},
	{
		"cancelImport", "ann", "tenants file", nil, "",
		`ann as landlord: update import_batches created 1 → 0, done 0 → 1, finished_at null → a time, skipped 0 → 1, state "CHECKED" → "CANCELLED"`,
	},
	{"undoImport", "ann", "tenants file", nil, "", `ann as landlord: update import_batches job_id an id → an id, state "CANCELLED" → "UNDOING"`},
	{"deleteImport", "ann", "units file", nil, "", `ann as landlord: delete import_batches`},
	{
		"runImport", "ann", "portfolio file", nil, "",
		`ann as landlord: update import_batches job_id an id → an id, started_at null → a time, state "CHECKED" → "RUNNING"`,
	},

	{"createSupportGrant", "ann", "", `{"areas": ["tickets"], "hours": 1, "reason": "A look"}`, "consent", `ann as landlord: insert support_grants`},
	{"revokeSupportGrant", "ann", "consent", nil, "", `ann as landlord: update support_grants revoked_at null → a time`},

	{"searchContractors", "ann", "ticket", nil, "found", ``},
	{"saveContractorSearchResult", "ann", "ticket", nil, "", `ann as landlord: insert contractors`},
}

// TestAuditOfEveryOperation goes through every operation of the document that may
// change something, and compares what it leaves in the landlord's trail with what
// it should. Somebody else tries each before and leaves nothing, and so does who has
// read another version: they are told the current one, with which the change is made.
// What takes a key is sent twice at once, and once more later, and done once.
func TestAuditOfEveryOperation(t *testing.T) {
	t.Parallel()
	found := newCraftsmen(t, map[int]string{1: "Vonk"})
	s, mail := serveInvites(t, func(c *httpapi.Config) { c.Contractors = found })
	ann, bob := s.Landlord(t, "ann"), s.Landlord(t, "bob")
	s.Exec(t, "update app.properties set latitude = 52.09, longitude = 5.12")
	s.Exec(t, "update app.tickets set category = 'PLUMBING'")
	s.Exec(t, "delete from app.sample_rows")
	callers := map[string]client{
		"ann": s.caller(t, ann.Identity), "bob": s.caller(t, bob.Identity), "jo": s.caller(t, ann.Tenant.Identity),
		"kim": s.newPerson(t, "kim@example.com"),
	}
	ids := map[string]string{"unit": ann.UnitID.String(), "ticket": ann.TicketID.String()}
	ids["home"] = callers["jo"].get("/portal/homes").list("homes")[0]["id"].(string)
	others := callers["bob"].get("/audit?limit=100").ok(http.StatusOK).text

	routes := map[string]string{}
	untried := map[string]bool{}
	for route, operation := range s.operations(t) {
		routes[operation] = route
		untried[operation] = !strings.HasPrefix(route, http.MethodGet)
	}
	conditional, keyed := s.taking(t, "If-Match"), s.taking(t, "Idempotency-Key")
	require.NotEmpty(t, conditional)
	require.NotEmpty(t, keyed)
	fill := func(text string) string {
		for name, id := range ids {
			text = strings.ReplaceAll(text, "{"+name+"}", id)
		}
		return text
	}
	secrets := []string{}
	for i, write := range auditedWrites {
		untried[write.operation] = false
		t.Run(fmt.Sprint(i, " ", write.operation), func(t *testing.T) {
			method, path, _ := strings.Cut(routes[write.operation], " ")
			path = strings.NewReplacer("{id}", ids[write.about], "{resultId}", ids["found"], "{n}", "1", "{token}", mail.newest()).Replace(path)
			body, headers := write.body, []string{key(fmt.Sprint("write-", i))} // taken by what creates
			switch b := body.(type) {
			case string:
				body = fill(b)
			case csvText:
				body = string(b)
				headers = append(headers, csvType...)
			case []byte:
				path += "?fileName=bill.pdf"
				headers = append(headers, "Content-Type: application/pdf")
			}
			send := func(by, request string) answer {
				return callers[by].as(t).send(method, path, body, append([]string{"X-Request-Id: " + request}, headers...)...)
			}
			if strings.Contains(routes[write.operation], "{") {
				request := fmt.Sprint("refused-write-", i)
				a := send("bob", request)
				require.GreaterOrEqual(t, a.status, 400, a.text)
				require.Empty(t, s.traced(t, request), "of what was refused")
			}
			if conditional[write.operation] {
				request := fmt.Sprint("outdated-write-", i)
				headers = append(headers, `If-Match: "0"`)
				current := send(write.by, request).refused(http.StatusPreconditionFailed, "version_changed").header.Get("ETag")
				require.Empty(t, s.traced(t, request), "of what was outdated")
				headers[len(headers)-1] = "If-Match: " + current
			}
			request := fmt.Sprint("audited-write-", i)
			times := 1
			if keyed[write.operation] {
				times = 2
			}
			answers := make([]answer, times)
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() { answers[n] = send(write.by, request) })
			}
			wg.Wait()
			a := answers[0]
			require.Less(t, a.status, 300, a.text)
			require.Equal(t, a.text, answers[times-1].text)
			require.Equal(t, a.header.Get("Location"), answers[times-1].header.Get("Location"))
			if at := a.header.Get("Location"); write.makes != "" && at != "" {
				ids[write.makes] = idOf(at)
			}
			if results, ok := a.body["results"].([]any); ok {
				ids[write.makes] = results[len(results)-1].(object)["id"].(string)
			}
			trail := s.trail(t, callers, request)
			require.Equal(t, lines(write.trail), trail)
			require.Len(t, s.traced(t, request), len(trail), "some of it is in another landlord's trail")
			require.Equal(t, a.status == http.StatusCreated, keyed[write.operation], "what makes something takes a key")
			if a.status == http.StatusCreated {
				require.Equal(t, a.text, send(write.by, request+"-again").ok(http.StatusCreated).text)
				require.Empty(t, s.traced(t, request+"-again"), "of what was answered from the first")
			}
			require.Equal(t, len(trail) == 0, unaudited[write.operation] != "", "either it is audited, or unaudited says why not")
		})
		secrets = append(secrets, mail.newest())
	}
	for operation := range unaudited {
		require.NotEmpty(t, routes[operation], "%s is no operation", operation)
	}
	for operation, is := range untried {
		require.False(t, is, "what does %s leave in the trail?", operation)
	}

	require.Equal(t, others, callers["bob"].get("/audit?limit=100").text, "another landlord's trail")
	for _, name := range []string{"jo", "kim"} {
		require.Empty(t, callers[name].get("/audit").list("audit"), name)
	}
	text := callers["ann"].get("/audit?limit=100").text
	require.Equal(t, strings.Count(text, `"token_hash":`), strings.Count(text, `"token_hash":"***"`))
	for _, token := range secrets {
		if token != "" {
			require.NotContains(t, text, token)
			require.NotContains(t, text, sha256Hex(token))
		}
	}
}

// taking returns the operations that take a header.
func (s *service) taking(t testing.TB, header string) map[string]bool {
	t.Helper()
	_, text := s.fetch(t, "/openapi.json")
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, In string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	taking := map[string]bool{}
	for _, methods := range document.Paths {
		for _, operation := range methods {
			for _, p := range operation.Parameters {
				if p.In == "header" && p.Name == header {
					taking[operation.OperationID] = true
				}
			}
		}
	}
	return taking
}

// newest is the token of the last letter, if there is one.
func (m *mailbox) newest() string {
	all := m.letters()
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Token
}

func lines(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// trail is what Ann's trail says of a request, one line for each change.
func (s *service) trail(t testing.TB, callers map[string]client, request string) []string {
	t.Helper()
	names := map[string]string{}
	for name, c := range callers {
		names[c.id.String()] = name
	}
	all := []string{}
	for _, e := range callers["ann"].as(t).get("/audit?limit=100").list("audit") {
		if e["requestId"] != request {
			continue
		}
		actor, _ := e["actorUserId"].(string)
		line := fmt.Sprintf("%s as %v: %v %v", names[actor], e["actorKind"], e["action"], e["table"])
		before, _ := e["before"].(object)
		after, _ := e["after"].(object)
		switch e["action"] {
		case "insert":
			require.Nil(t, before)
			s.requireWholeRow(t, e["table"], after)
		case "delete":
			require.Nil(t, after)
			s.requireWholeRow(t, e["table"], before)
		default:
			changes := []string{}
			for column := range after {
				require.Contains(t, before, column)
				changes = append(changes, fmt.Sprintf("%s %s → %s", column, plain(names, before[column]), plain(names, after[column])))
			}
			require.Len(t, before, len(after))
			slices.Sort(changes)
			line += " " + strings.Join(changes, ", ")
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// requireWholeRow requires that a row in the trail has every column of its table.
func (s *service) requireWholeRow(t testing.TB, table any, row object) {
	t.Helper()
	var columns []string
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select array_agg(column_name::text) from information_schema.columns
		where table_schema = 'app' and table_name = $1`, table).Scan(&columns))
	for _, column := range columns {
		require.Contains(t, row, column)
	}
	require.Len(t, row, len(columns))
}

var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT`)

// plain is a value without what differs from run to run.
func plain(names map[string]string, value any) string {
	if text, ok := value.(string); ok {
		if moment.MatchString(text) {
			return "a time"
		}
		if _, err := uuid.Parse(text); err == nil {
			return cmp.Or(names[text], "an id")
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(text)
}
