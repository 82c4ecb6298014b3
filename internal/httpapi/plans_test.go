package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/sql/session"
)

// statement is one that a request sent, with its parameters.
type statement struct {
	name string // as in sql/queries, or none
	sql  string
	args []any
}

// listener hears the statements of a pool.
type listener struct {
	mu    sync.Mutex
	heard []statement
}

var queryName = regexp.MustCompile(`^-- name: (\w+) `)

func (l *listener) hear(sql string, args []any) {
	if strings.HasPrefix(sql, "begin ") || sql == session.Settings || strings.HasPrefix(sql, "explain ") {
		return
	}
	st := statement{sql: sql, args: args}
	if name := queryName.FindStringSubmatch(sql); name != nil {
		st.name = name[1]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, st)
}

func (l *listener) listen(c *pgxpool.Config) { c.ConnConfig.Tracer = l }

// of returns the statements that f sends.
func (l *listener) of(f func()) []statement {
	l.heard = nil
	f()
	return l.heard
}

func (l *listener) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	l.hear(data.SQL, data.Args)
	return ctx
}
func (l *listener) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (l *listener) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (l *listener) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	l.hear(data.SQL, data.Args)
}
func (l *listener) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// plan is a node of what EXPLAIN answers.
type plan struct {
	Type     string `json:"Node Type"`
	Index    string `json:"Index Name"`
	Relation string `json:"Relation Name"`
	Cond     string `json:"Index Cond"`
	Plans    []plan
}

// walk calls visit for p and everything below it.
func (p plan) walk(visit func(plan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

// explain returns the plan that c gets for a statement with its parameters, as the
// persona that sends it for a path.
func (b *book) explain(t testing.TB, c client, path string, s statement) (p plan, text string) {
	t.Helper()
	as := b.opened.AsLandlord
	switch {
	case strings.HasPrefix(path, "/support/"):
		var logged uuid.UUID // by the request itself, if it was to read under a grant
		require.NoError(t, b.Admin.QueryRow(t.Context(),
			"select coalesce((select id from app.support_accesses where agent_user_id = $1 order by at desc limit 1), gen_random_uuid())", c.id).Scan(&logged))
		as = func(ctx context.Context, access db.Access, f func(*db.Tx) error) error {
			return b.opened.AsSupport(ctx, access, logged, f)
		}
	case strings.HasPrefix(s.name, "User"):
		as = b.opened.AsUser
	case strings.HasPrefix(path, "/portal/"):
		as = b.opened.AsTenant
	case strings.HasPrefix(path, "/invites/"):
		as = func(ctx context.Context, access db.Access, f func(*db.Tx) error) error {
			return b.opened.AsInvitee(ctx, access, db.Invitee{TokenHash: sha256.Sum256([]byte(bookToken))}, f)
		}
	}
	require.NoError(t, as(auth.With(t.Context(), auth.Identity{UserID: c.id}), db.ReadWrite, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), "explain (format json) "+s.sql, s.args...).Scan(&text)
	}), s.name)
	var plans []struct{ Plan plan }
	require.NoError(t, json.Unmarshal([]byte(text), &plans))
	return plans[0].Plan, text
}

// uses returns the indexes that p reads and whether it sorts what it has read.
func (p plan) uses() string {
	var uses []string
	p.walk(func(p plan) {
		if p.Index != "" {
			uses = append(uses, p.Index)
		}
		if strings.HasSuffix(p.Type, "Sort") {
			uses = append(uses, strings.ToLower(p.Type))
		}
	})
	return strings.Join(uses, " < ")
}

// paths are what the names in the requests of planTests stand for, to a landlord and one
// of the tenants, who has a login. The landlord gets one more file.
func paths(t testing.TB, c, tenant client, token string) *strings.Replacer {
	t.Helper()
	first := func(c client, path, list string) string { return c.get(path).list(list)[0]["id"].(string) }
	home := ""
	for _, h := range tenant.get("/portal/homes").list("homes") {
		if home == "" && h["status"] == "ACTIVE" && c.get("/tenancies/"+h["id"].(string)).status == http.StatusOK {
			home = h["id"].(string)
		}
	}
	reported := first(tenant, "/portal/tickets?tenancyId="+home, "tickets")
	ticket := first(c, "/tickets?q=%231", "tickets")
	file := c.upload("/tickets/"+reported+"/attachments", "x.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	change := c.get("/audit?cursor=*&limit=1")
	unit := first(c, "/units", "units")
	at := uuid.MustParse(unit) // a place to go on from, in any list
	cursor := base64.RawURLEncoding.EncodeToString(at[:])
	return strings.NewReplacer(
		"{consent}", c.letLook(t, "properties", "tenants", "tickets", "contractors"),
		"{grant}", c.letLook(t, "tickets"),
		"{property}", first(c, "/properties", "properties"),
		"{unit}", unit,
		"{tenant}", first(c, "/tenants", "tenants"),
		"{tenancy}", first(c, "/tenancies", "tenancies"),
		"{invite}", first(c, "/tenant-invites", "tenantInvites"),
		"{token}", url.PathEscape(token),
		"{contractor}", first(c, "/contractors", "contractors"),
		"{import}", first(c, "/imports", "imports"),
		"{export}", first(c, "/exports", "exports"),
		"{ticket}", ticket,
		"{comment}", first(c, "/tickets/"+ticket+"/comments", "comments"),
		"{attachment}", file.body["id"].(string),
		"{result}", first(c, "/tickets/"+ticket+"/contractor-search", "results"),
		"{changed}", change.list("audit")[0]["rowId"].(string),
		"{audit cursor}", url.QueryEscape(change.body["pagination"].(object)["nextCursor"].(string)),
		"{cursor}", cursor,
		"{home}", home,
		"{reported}", reported,
	)
}

// TestPlans reads the plans of the statements that requests send, as one of a thousand
// landlords or of their tenants: no table is read from end to end, and every index for
// its owner alone.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	filled := paths(t, b.landlord.as(t), b.tenant.as(t), bookToken)
	b.exporting(t, b.landlord)
	for _, test := range allPlanTests() {
		t.Run(test.request, func(t *testing.T) {
			method, path, _ := strings.Cut(test.request, " ")
			c, body := b.landlord.as(t), any(nil)
			switch {
			case strings.HasPrefix(path, "/portal/"):
				c = b.tenant.as(t)
			case strings.HasPrefix(path, "/support/"):
				c = b.agent.as(t)
			}
			if method != http.MethodGet {
				body = object{}
			}
			statements := b.heard.of(func() { require.Less(t, c.send(method, filled.Replace(path), body).status, 300) })
			uses := map[string]string{}
			for _, st := range statements {
				p, text := b.explain(t, c, path, st)
				p.walk(func(p plan) {
					require.NotEqual(t, "Seq Scan", p.Type, text)
					if p.Index != "" {
						require.Regexp(t, ledBy(p.Index), p.Cond, "an index is read for every landlord: %s", text)
					}
				})
				uses[st.name] = p.uses()
				if want := test.plans[st.name]; want != "" && want != all {
					require.True(t, strings.HasPrefix(withoutSorts.Replace(p.uses()), withoutSorts.Replace(want)), "want %s, got %s: %s", want, p.uses(), text)
					if !strings.Contains(want, "sort < ") {
						require.NotRegexp(t, "^(incremental )?sort", p.uses(), text)
					}
					if strings.Contains(path, "cursor={") && strings.Contains(want, "_pkey") {
						require.Regexp(t, `"Index Cond": "[^"]*\(id > `, text, "a walk starts where it left off")
					}
					if strings.Contains(path, "{audit cursor}") {
						require.Regexp(t, `"Index Cond": "[^"]*\(at <= `, text, "a walk starts where it left off")
					}
				}
			}
			for name := range test.plans {
				require.Contains(t, uses, name, "is not sent")
			}
		})
	}

	t.Run("open imports are counted", func(t *testing.T) {
		c := b.landlord.as(t)
		statements := b.heard.of(func() {
			c.post("/units/import", "unit\nAttic\n", csvType...).refused(http.StatusConflict, "too_many_imports")
		})
		i := slices.IndexFunc(statements, func(st statement) bool { return st.name == "ImportsOpen" })
		p, text := b.explain(t, c, "/units/import", statements[i])
		require.Contains(t, p.uses(), "import_batches_open_idx", text)
	})

	t.Run("plans are made for the parameters", func(t *testing.T) {
		c := b.landlord.as(t)
		for range 12 { // from the sixth on, Postgres might settle for one plan for all
			for _, query := range []string{"", "?sort=-createdAt", "?cursor=*", "?q=x"} {
				c.get("/properties" + query).ok(http.StatusOK)
			}
		}
		var settled []string
		require.NoError(t, b.opened.AsLandlord(auth.With(t.Context(), auth.Identity{UserID: c.id}), db.ReadOnly, func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `select coalesce(array_agg(left(statement, 40)), '{}') from pg_prepared_statements
				where generic_plans > 0 and parameter_types <> '{}' and statement like '-- name: %Page%'`).Scan(&settled)
		}))
		require.Empty(t, settled)
	})
}

// withoutSorts leaves the indexes of plan.uses: what is sorted where, and in part or in
// whole, differs between versions of Postgres. That nothing need be sorted does not.
var withoutSorts = strings.NewReplacer("incremental sort < ", "", "sort < ", "")

// ledBy is how the condition on an index begins. But for a person's own row and for
// the token that somebody holds, it is the owner.
func ledBy(index string) string {
	switch index {
	case "users_pkey":
		return `^\(id = `
	case "tenant_invites_token_idx":
		return `^\(token_hash = `
	case "support_grants_live_idx":
		return `^\(+expires_at > now`
	}
	return `^\(+(\w+\.)?owner_user_id = `
}

// TestEveryReadIsPlanned fails when the document has a read that planTests does not
// know, or one with a filter, or an order, that is not in a request there.
func TestEveryReadIsPlanned(t *testing.T) {
	t.Parallel()
	planned := map[string]url.Values{}
	for _, test := range allPlanTests() {
		path, query, _ := strings.Cut(test.request, "?")
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		path = inBraces.ReplaceAllString(path, "{}")
		if planned[path] == nil {
			planned[path] = url.Values{}
		}
		for name, value := range values {
			planned[path][name] = append(planned[path][name], value...)
		}
	}
	for route, parameters := range serve(t).reads(t) {
		if route == "GET /security/isolation-report" {
			continue // reads the catalog alone, and once a minute
		}
		values, ok := planned[inBraces.ReplaceAllString(route, "{}")]
		require.True(t, ok, "%s is missing in planTests", route)
		for _, p := range parameters {
			if p.In != "query" || p.Name == "page" || p.Name == "limit" {
				continue
			}
			require.Contains(t, values, p.Name, "%s: ?%s= is missing in planTests", route, p.Name)
			if p.Name == "sort" {
				require.Subset(t, append(values["sort"], p.Schema.Default), p.Schema.Enum, "%s: an order is missing in planTests", route)
			}
		}
	}
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

// parameter is one of an operation's in the document.
type parameter struct {
	Name, In string
	Schema   struct {
		Enum    []string
		Default string
	}
}

// reads returns the parameters of the document's reads, by "GET /path".
func (s *service) reads(t testing.TB) map[string][]parameter {
	t.Helper()
	_, text := s.fetch(t, "/openapi.json")
	var document struct {
		Paths map[string]struct {
			Get *struct{ Parameters []json.RawMessage }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	reads := map[string][]parameter{}
	for path, methods := range document.Paths {
		if methods.Get == nil {
			continue
		}
		parameters := []parameter{}
		for _, raw := range methods.Get.Parameters {
			var p parameter
			_ = json.Unmarshal(raw, &p) // a default may be a number: only those of orders matter
			parameters = append(parameters, p)
		}
		reads["GET "+strings.TrimPrefix(path, "/api/v1")] = parameters
	}
	return reads
}
