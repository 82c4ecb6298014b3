package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// landlord is a landlord of the fixtures as a client.
func (s *service) landlord(t testing.TB, l dbtest.Landlord) client {
	t.Helper()
	return client{t: t, url: s.url, id: l.UserID, token: accessToken(t, object{"sub": l.UserID.String(), "email": l.Email})}
}

// traced is what the trail says of one request.
type traced struct {
	actor, kind, action, table, row string
}

func (s *service) traced(t testing.TB, request string) (entries []traced) {
	t.Helper()
	rows, err := s.Admin.Query(t.Context(), `select actor_user_id::text, actor_kind, action, table_name, row_id::text
		from app.audit_log where request_id = $1`, request)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var e traced
		require.NoError(t, rows.Scan(&e.actor, &e.kind, &e.action, &e.table, &e.row))
		entries = append(entries, e)
	}
	require.NoError(t, rows.Err())
	return entries
}

// TestAuditOfEveryWrite makes every kind of change and requires that each leaves
// exactly one entry, with the id of its request, and what is refused none.
func TestAuditOfEveryWrite(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	c := s.landlord(t, ann)
	operations := s.operations(t)
	for _, kind := range []struct {
		path, table             string
		body, replaced, patched object
	}{
		{"/properties", "properties", object{"name": "New"}, object{"name": "Newer"}, object{"archived": true}},
		{"/units", "units", object{"name": "New"}, object{"name": "Newer"}, object{"archived": true}},
		{"/tenants", "tenants", object{"firstName": "New", "lastName": "One"}, object{"firstName": "New", "lastName": "Two"}, object{"archived": true}},
		{"/contractors", "contractors", object{"name": "New"}, object{"name": "Newer"}, object{"archived": true}},
		{"/tickets", "tickets", object{"unitId": ann.UnitID, "title": "New"}, object{"unitId": ann.UnitID, "title": "Newer", "status": "OPEN"}, object{"archived": true}},
		{
			"/tenancies", "tenancies",
			object{"unitId": ann.UnitID, "tenantId": ann.TenantID, "startDate": "2031-01-01"},
			object{"unitId": ann.UnitID, "tenantId": ann.TenantID, "startDate": "2031-01-02"},
			object{"endDate": "2032-01-01"},
		},
	} {
		t.Run(kind.table, func(t *testing.T) {
			c, n := c.as(t), 0
			// sent sends a request and returns what the trail says of it
			sent := func(method, path string, body any, headers ...string) (answer, []traced) {
				n++
				request := fmt.Sprintf("audit-%s-%d", kind.table, n)
				a := c.send(method, path, body, append(headers, "X-Request-Id: "+request)...)
				return a, s.traced(t, request)
			}
			one := func(action, path string) []traced {
				return []traced{{ann.UserID.String(), "landlord", action, kind.table, path[strings.LastIndex(path, "/")+1:]}}
			}
			a, trail := sent(http.MethodPost, kind.path, kind.body, key("k-"+kind.table))
			path := strings.TrimPrefix(a.ok(http.StatusCreated).header.Get("Location"), "/api/v1")
			require.Equal(t, one("insert", path), trail)
			a, trail = sent(http.MethodPost, kind.path, kind.body, key("k-"+kind.table))
			a.ok(http.StatusCreated)
			require.Empty(t, trail, "answered from the first")
			if operations["PUT "+kind.path+"/{id}"] != "" {
				a, trail = sent(http.MethodPut, path, kind.replaced)
				a.ok(http.StatusOK)
				require.Equal(t, one("update", path), trail)
			}
			a, trail = sent(http.MethodPatch, path, object{})
			a.ok(http.StatusOK)
			require.Empty(t, trail, "nothing changed")
			a, trail = sent(http.MethodPatch, path, kind.patched, `If-Match: "0"`)
			a.ok(http.StatusPreconditionFailed)
			require.Empty(t, trail)
			a, trail = sent(http.MethodPatch, path, kind.patched)
			a.ok(http.StatusOK)
			require.Equal(t, one("update", path), trail)
			if operations["DELETE "+kind.path+"/{id}"] != "" && kind.patched["archived"] == true {
				a, trail = sent(http.MethodDelete, path, nil)
				a.ok(http.StatusNoContent)
				require.Equal(t, one("delete", path), trail)
				a, trail = sent(http.MethodDelete, path, nil)
				a.ok(http.StatusForbidden)
				require.Empty(t, trail)
			}
		})
	}

	a := c.post("/units", object{"name": "ann flat", "propertyId": ann.PropertyID}, "X-Request-Id: audit-name-taken").ok(http.StatusConflict)
	require.Empty(t, s.traced(t, "audit-name-taken"), a.text)
	c.patch("/units/"+bob.UnitID.String(), object{"name": "mine"}, "X-Request-Id: audit-anothers").ok(http.StatusForbidden)
	require.Empty(t, s.traced(t, "audit-anothers"))
	for _, entry := range s.landlord(t, bob).get("/audit?limit=100").list("audit") {
		require.NotContains(t, fmt.Sprint(entry), ann.UserID.String())
	}
}

// TestAuditIsOfTheTransaction: what is rolled back has not happened.
func TestAuditIsOfTheTransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann := d.Landlord(t, "ann")
	before := s.rows(t, "audit_log")
	changed := errors.New("changed my mind")
	require.ErrorIs(t, d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app.units set name = 'Other'`)
		require.NoError(t, err)
		var n int
		require.NoError(t, tx.QueryRow(t.Context(), `select count(*) from app.audit_log where action = 'update'`).Scan(&n))
		require.Equal(t, 1, n, "seen at once")
		return changed
	}), changed)
	require.Equal(t, before, s.rows(t, "audit_log"))
}

// TestAuditStays: nobody changes or deletes what is recorded, nor writes it.
func TestAuditStays(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann := d.Landlord(t, "ann")
	before := s.rows(t, "audit_log")
	for role, as := range map[string]func(ctx context.Context, access db.Access, fn func(*db.Tx) error) error{
		"landlord": d.AsLandlord, "tenant": d.AsTenant, "user": d.AsUser,
	} {
		for _, sql := range []string{
			`update app.audit_log set action = 'insert'`, `update app.audit_log set after = null`, `delete from app.audit_log`, `truncate app.audit_log`,
			`insert into app.audit_log (owner_user_id, actor_kind, action, table_name, row_id) values (app.current_user_id(), 'landlord', 'insert', 'units', gen_random_uuid())`,
		} {
			err := as(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), sql)
				return err
			})
			require.ErrorContains(t, err, "42501", "%s: %s", role, sql)
		}
	}
	for _, role := range []string{"rowhouse_api", "rowhouse_worker", "rowhouse_remover", "rowhouse_clerk", "rowhouse_owner"} {
		for _, sql := range []string{`update app.audit_log set action = 'insert'`, `delete from app.audit_log`} {
			conn, err := d.Admin.Acquire(t.Context())
			require.NoError(t, err)
			tx, err := conn.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), "set local role "+role)
			require.NoError(t, err)
			tag, err := tx.Exec(t.Context(), sql)
			if role == "rowhouse_owner" || role == "rowhouse_remover" && strings.HasPrefix(sql, "delete") {
				require.NoError(t, err)
				require.Zero(t, tag.RowsAffected(), "no policy lets the owner see a row, or the remover one of who is not leaving")
			} else {
				require.ErrorContains(t, err, "42501", "%s: %s", role, sql)
			}
			require.NoError(t, tx.Rollback(t.Context()))
			conn.Release()
		}
	}
	require.Equal(t, before, s.rows(t, "audit_log"))
}

func TestAudit(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann := d.Landlord(t, "ann")
	c := s.landlord(t, ann)
	unit := c.created("/units", object{"name": "Attic", "bedrooms": 2})
	id := strings.TrimPrefix(unit, "/units/")
	c.patch(unit, object{"name": "Loft"}, "X-Request-Id: audit-rename-1").ok(http.StatusOK)
	c.delete(unit).ok(http.StatusNoContent)

	entries := c.get("/audit?rowId=" + id).list("audit")
	require.Len(t, entries, 3)
	for i, action := range []string{"delete", "update", "insert"} { // newest first
		require.Equal(t, action, entries[i]["action"])
		require.Equal(t, "units", entries[i]["table"])
		require.Equal(t, "landlord", entries[i]["actorKind"])
		require.Equal(t, ann.UserID.String(), entries[i]["actorUserId"])
		require.Equal(t, id, entries[i]["rowId"])
		require.NotEmpty(t, entries[i]["requestId"])
	}
	require.Equal(t, object{"name": "Attic"}, entries[1]["before"])
	require.Equal(t, object{"name": "Loft"}, entries[1]["after"])
	require.Equal(t, "audit-rename-1", entries[1]["requestId"])
	require.NotContains(t, entries[2], "before")
	require.Equal(t, "Attic", entries[2]["after"].(object)["name"])
	require.EqualValues(t, 2, entries[2]["after"].(object)["bedrooms"])
	require.NotContains(t, entries[0], "after")
	require.Equal(t, "Loft", entries[0]["before"].(object)["name"])

	// what is secret stays so, and what others do is recorded too
	invites := c.get("/audit?table=tenant_invites").list("audit")
	require.Len(t, invites, 1)
	require.Equal(t, "***", invites[0]["after"].(object)["token_hash"])
	require.Equal(t, "system", invites[0]["actorKind"])
	require.NotContains(t, invites[0], "requestId")
	hash := ""
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select encode(token_hash, 'hex') from app.tenant_invites`).Scan(&hash))
	require.NotContains(t, c.get("/audit?limit=100").text, hash)
	require.NoError(t, d.AsLandlord(ann.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app.tenant_invites set token_hash = sha256('other')`)
		return err
	}))
	again := c.get("/audit?table=tenant_invites&action=update").list("audit")
	require.Len(t, again, 1)
	require.Equal(t, object{"token_hash": "***"}, again[0]["before"])
	require.Equal(t, object{"token_hash": "***"}, again[0]["after"])

	require.NoError(t, d.AsTenant(ann.Tenant.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app.tickets set status = 'CANCELLED'`)
		return err
	}))
	byTenant := c.get("/audit?actorKind=tenant").list("audit")
	require.Len(t, byTenant, 1)
	require.Equal(t, ann.Tenant.UserID.String(), byTenant[0]["actorUserId"])
	require.Equal(t, "CANCELLED", byTenant[0]["after"].(object)["status"])
	require.Empty(t, client{t: t, url: s.url, token: accessToken(t, object{"sub": ann.Tenant.UserID.String()})}.get("/audit").list("audit"),
		"a tenant is no landlord")

	at, err := time.Parse(time.RFC3339Nano, entries[1]["at"].(string))
	require.NoError(t, err)
	moment := func(by time.Duration) string { return url.QueryEscape(at.Add(by).Format(time.RFC3339Nano)) }
	for query, want := range map[string]int{
		"from=" + moment(0) + "&to=" + moment(time.Microsecond): 1,
		"from=" + moment(0): 2,
		"to=" + moment(0):   1,
		"from=" + moment(-time.Hour) + "&to=" + moment(time.Hour): 3,
		"action=update&table=units":                               1,
		"table=tenants":                                           0,
		"actorKind=system":                                        0,
	} {
		a := c.get("/audit?rowId=" + id + "&" + query).ok(http.StatusOK)
		require.Len(t, a.list("audit"), want, query)
		require.Equal(t, want, a.pagination("total"), query)
	}
	for query, blamed := range map[string]string{
		"table=users": "?table", "rowId=1": "?rowId", "actorKind=me": "?actorKind", "action=read": "?action",
		"from=yesterday": "?from", "to=2026-13-01T00:00:00Z": "?to", "page=0": "?page", "limit=x": "?limit", "q=x": "?q",
		"cursor=x": "?cursor", "cursor=1.2": "?cursor", "cursor=-1." + noSuchRow: "?cursor", "cursor=999999999999999999." + noSuchRow: "?cursor",
	} {
		c.get("/audit?"+query).refused(http.StatusBadRequest, "invalid_request", blamed)
	}
}

// TestAuditWalk goes through a trail in which many entries are of one moment, while
// it grows.
func TestAuditWalk(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	c := s.newLandlord(t)
	c.get("/me").ok(http.StatusOK)
	s.Exec(t, `insert into app.audit_log (owner_user_id, at, actor_kind, action, table_name, row_id)
		select $1, timestamptz '2026-01-01' + (n / 7) * interval '1 microsecond', 'system', 'update', 'units', gen_random_uuid() from generate_series(1, 230) n`, c.id)
	places := func(a answer) (places []string) {
		for _, e := range a.list("audit") {
			places = append(places, e["at"].(string)+" "+e["id"].(string))
		}
		return places
	}
	var paged []string
	for page := 1; page <= 3; page++ {
		a := c.get(fmt.Sprintf("/audit?limit=100&page=%d", page))
		paged = append(paged, places(a)...)
		require.Equal(t, 230, a.pagination("total"))
	}
	require.Len(t, paged, 230)
	unique := slices.Clone(paged)
	slices.Sort(unique)
	require.Len(t, slices.Compact(unique), 230)
	for _, limit := range []int{1, 23, 50, 100, 230} {
		var walked []string
		for cursor := "*"; cursor != ""; {
			a := c.get(fmt.Sprintf("/audit?limit=%d&cursor=%s", limit, url.QueryEscape(cursor)))
			walked = append(walked, places(a)...)
			if limit != 1 || len(walked) == 2 {
				c.created("/units", object{"name": fmt.Sprintf("Late %d %d", limit, len(walked))})
			}
			cursor, _ = a.body["pagination"].(object)["nextCursor"].(string)
			if limit == 1 && len(walked) == 20 {
				walked = append(walked, paged[20:]...)
				break
			}
		}
		require.Equal(t, paged, walked[len(walked)-230:], limit)
		s.Exec(t, `delete from app.audit_log where table_name = 'units' and action = 'insert'`)
	}
}
