package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// statement is one that a request sent, with its parameters.
type statement struct {
	name string // as in sql/queries
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
	name := queryName.FindStringSubmatch(sql)
	if name == nil {
		return // BEGIN, the identity, EXPLAIN
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, statement{name[1], sql, args})
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

// explain returns the plan that c gets for a statement with its
// parameters.
func explain(t testing.TB, d *db.DB, c client, s statement) (p plan, text string) {
	t.Helper()
	as := d.AsLandlord
	if strings.HasPrefix(s.name, "User") {
		as = d.AsUser
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

// TestPlans reads the plans of the statements that requests send, as a landlord
// among two hundred. An order that an index gives is not sorted for: a page costs
// what a page holds.
func TestPlans(t *testing.T) {
	t.Parallel()
	const landlords, properties, unitsInEach = 100, 400, 4
	d := dbtest.New(t)
	var heard listener
	opened := d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen})
	s := serveOn(t, d, opened)
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	s.Exec(t, `insert into app.users (id) select gen_random_uuid() from generate_series(2, $1)`, landlords)
	s.Exec(t, `alter table app.properties disable trigger user; alter table app.units disable trigger user`) // an audit trail takes its time
	s.Exec(t, `insert into app.properties (owner_user_id, name, created_by, created_at)
		select u.id, 'House ' || n, u.id, timestamptz '2026-01-01' + random() * interval '300 days'
		  from app.users u, generate_series(1, $1) n`, properties)
	s.Exec(t, `insert into app.units (owner_user_id, property_id, name, created_by, created_at, status)
		select p.owner_user_id, p.id, 'Flat ' || n, p.owner_user_id, timestamptz '2026-01-01' + random() * interval '300 days',
		       (array['VACANT', 'OCCUPIED', 'OCCUPIED', 'OCCUPIED'])[1 + n % 4]
		  from app.properties p, generate_series(1, $1) n`, unitsInEach)
	s.Exec(t, `insert into app.users (id) select gen_random_uuid() from generate_series(1, 5000)`)
	s.Exec(t, `analyze app.users, app.properties, app.units`)
	unit := c.get("/units?limit=1").list("units")[0]["id"].(string)
	property := c.get("/properties?limit=1").list("properties")[0]["id"].(string)
	half := c.get("/units?cursor=*&limit=100").body["pagination"].(object)["nextCursor"].(string)

	// Without statistics Postgres expects next to nothing of a filter, and sorts that
	// after reading it by any index that begins with the owner.
	const few = "few rows expected"
	for request, want := range map[string]map[string]string{
		"GET /units":                                     {"UnitsPage": "units_name_idx"},
		"GET /units?sort=-name":                          {"UnitsPage": "units_name_idx"},
		"GET /units?sort=createdAt":                      {"UnitsPage": "units_created_idx"},
		"GET /units?sort=-createdAt":                     {"UnitsPage": "units_created_idx"},
		"GET /units?sort=-createdAt&page=3":              {"UnitsPage": "units_created_idx"},
		"GET /units?status=VACANT":                       {"UnitsPage": few},
		"GET /units?q=flat":                              {"UnitsPage": "units_name_idx"},
		"GET /units?cursor=*":                            {"UnitsPage": "units_pkey"},
		"GET /units?cursor=" + half:                      {"UnitsPage": "units_pkey"},
		"GET /units?cursor=*&status=VACANT":              {"UnitsPage": few},
		"GET /units?propertyId=" + property:              {"UnitsPage": "sort < units_property_idx", "UnitsCount": "units_property_idx"},
		"GET /units/" + unit:                             {"Unit": "units_pkey"},
		"PATCH /units/" + unit:                           {"UnitForUpdate": "units_pkey", "UnitUpdate": "units_pkey"},
		"GET /properties":                                {"PropertiesPage": "incremental sort < properties_name_key"}, // by id among equals, of which there are none
		"GET /properties?sort=-name":                     {"PropertiesPage": "incremental sort < properties_name_key"},
		"GET /properties?sort=createdAt":                 {"PropertiesPage": "properties_created_idx"},
		"GET /properties?sort=-createdAt&limit=9&page=2": {"PropertiesPage": "properties_created_idx"},
		"GET /properties?cursor=*":                       {"PropertiesPage": few},
		"GET /properties/" + property:                    {"Property": "properties_pkey"},
		"PATCH /properties/" + property:                  {"PropertyForUpdate": "properties_pkey", "PropertyUpdate": "properties_pkey"},
		"GET /me":                                        {"UserSelf": "users_pkey"},
		"PATCH /me":                                      {"UserForUpdate": "users_pkey", "UserUpdate": "users_pkey"},
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			var body any
			if method != http.MethodGet {
				body = object{}
			}
			statements := heard.of(func() { c.as(t).send(method, path, body).ok(http.StatusOK) })
			names := map[string]bool{}
			for _, st := range statements {
				names[st.name] = true
				p, text := explain(t, opened, c, st)
				p.walk(func(p plan) {
					require.NotEqual(t, "Seq Scan", p.Type, text)
					if p.Relation != "" && p.Type != "ModifyTable" {
						// without the owner in front, an index would be read for every landlord
						require.Regexp(t, `"(Index|Recheck) Cond": "\(+(owner_user_)?id = `, text)
					}
				})
				if use, ok := want[st.name]; ok && use != few {
					require.Equal(t, use, p.uses(), text)
				}
			}
			for name := range want {
				require.True(t, names[name], "%s is not sent", name)
			}
			if path == "/units?cursor="+half {
				_, text := explain(t, opened, c, statements[1])
				require.Regexp(t, `"Index Cond": "[^"]*\(id > `, text, "a walk starts where it left off")
			}
		})
	}

	t.Run("plans are made for the parameters", func(t *testing.T) {
		c := c.as(t)
		for range 12 { // from the sixth on, Postgres may settle for one plan for all
			for _, query := range []string{"", "?sort=-createdAt", "?cursor=*", "?q=x"} {
				c.get("/units" + query).ok(http.StatusOK)
				c.get("/properties" + query).ok(http.StatusOK)
			}
		}
		var settled int
		require.NoError(t, opened.AsLandlord(auth.With(t.Context(), auth.Identity{UserID: c.id}), db.ReadOnly, func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `select sum(generic_plans) from pg_prepared_statements where statement ~ 'name: (Units|Properties)Page'`).Scan(&settled)
		}))
		require.Zero(t, settled)
	})
}
