package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// titles returns one field of the rows of a dashboard's list.
func titles(t testing.TB, dashboard object, list, field string) []any {
	t.Helper()
	values := []any{}
	rows, ok := dashboard[list].([]any)
	require.True(t, ok, list)
	for _, row := range rows {
		values = append(values, row.(object)[field])
	}
	return values
}

// TestDashboardOfNothing: everything is there, and zero.
func TestDashboardOfNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.JSONEq(t, `{
		"units": {"total": 0, "vacant": 0, "occupied": 0, "notice": 0, "offMarket": 0},
		"tenants": {"total": 0, "claimed": 0, "invited": 0, "notInvited": 0},
		"tickets": {"open": 0, "emergency": 0, "high": 0, "normal": 0, "low": 0, "overdue": 0},
		"newTickets": [], "waitingTickets": [], "invites": [], "endingTenancies": [], "activity": []
	}`, s.newLandlord(t).get("/dashboard").ok(http.StatusOK).text)
}

// TestDashboard compares with numbers counted by hand from what it inserts.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := serveOn(t, d, d.DB)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	before := s.landlord(t, bob).get("/dashboard").ok(http.StatusOK)
	require.JSONEq(t, `{"total": 1, "vacant": 0, "occupied": 1, "notice": 0, "offMarket": 0}`, jsonOf(t, before.body["units"]))
	require.JSONEq(t, `{"total": 2, "claimed": 1, "invited": 1, "notInvited": 0}`, jsonOf(t, before.body["tenants"]))
	require.JSONEq(t, `{"open": 1, "emergency": 0, "high": 0, "normal": 1, "low": 0, "overdue": 0}`, jsonOf(t, before.body["tickets"]))
	require.Equal(t, []any{"bob drips"}, titles(t, before.body, "newTickets", "title"))
	require.Empty(t, before.body["invites"], "a fortnight is not soon")
	require.Len(t, before.body["activity"], 5)

	for status, n := range map[string]int{"VACANT": 2, "OCCUPIED": 5, "NOTICE": 3, "OFF_MARKET": 4} {
		s.Exec(t, `insert into app.units (owner_user_id, name, status, created_by) select $1, $2 || n, $2, $1 from generate_series(1, $3::int) n`, ann.UserID, status, n)
	}
	s.Exec(t, `insert into app.units (owner_user_id, name, status, archived_at, created_by) values ($1, 'Gone', 'OCCUPIED', now(), $1)`, ann.UserID)

	// tenants: two without invite, one archived, one whose only invite was revoked, six invited
	s.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, created_by, archived_at) values
		($1, 'No', 'Invite', $1, null), ($1, 'No', 'Mail', $1, null), ($1, 'Moved', 'Away', $1, now())`, ann.UserID)
	invite := func(name, expires, more string) {
		s.Exec(t, `with t as (insert into app.tenants (owner_user_id, first_name, last_name, created_by) values ($1, $2, 'Invited', $1) returning id)
			insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by, revoked_at)
			select $1, id, $2 || '@example.com', sha256($2::text::bytea), now() + $3::interval, $1, `+more+` from t`, ann.UserID, name, expires)
	}
	invite("in a month", "30 days", "null")
	invite("in four days", "4 days", "null")
	invite("tomorrow", "1 day", "null")
	invite("almost", "2 days 23 hours", "null")
	invite("yesterday", "-1 day", "null")
	invite("last year", "-365 days", "null")
	invite("revoked", "1 day", "now()")

	// tickets: per priority and status; three that are overdue
	ticket := func(title, priority, status, due, created string) {
		s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, priority, status, due_at, created_at, created_by)
			values ($1, $2, $3, $4, $5, now() + $6::interval, now() + $7::interval, $1)`, ann.UserID, ann.UnitID, title, priority, status, due, created)
	}
	for n := range 6 {
		ticket(fmt.Sprintf("new %d", n), "LOW", "NEW", "1 day", fmt.Sprintf("%d minutes", n+1))
	}
	ticket("waits", "HIGH", "ON_HOLD", "-1 hour", "-2 days")
	ticket("waits longer", "HIGH", "ON_HOLD", "1 hour", "-3 days")
	ticket("burns", "EMERGENCY", "IN_PROGRESS", "-1 minute", "-1 day")
	ticket("normal", "NORMAL", "OPEN", "-1 day", "-1 day")
	ticket("done", "EMERGENCY", "RESOLVED", "-1 day", "-1 day")
	ticket("closed", "EMERGENCY", "CLOSED", "-1 day", "-1 day")
	ticket("cancelled", "EMERGENCY", "CANCELLED", "-1 day", "-1 day")
	s.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, status, archived_at, due_at, created_by)
		values ($1, $2, 'archived', 'NEW', now(), now() - interval '1 day', $1)`, ann.UserID, ann.UnitID)

	tenancy := func(starts, ends int, cancelled string) {
		s.Exec(t, `insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, end_date, cancelled_at, created_by)
			values ($1, $2, $3, current_date + $4::int, current_date + $5::int, `+cancelled+`, $1)`, ann.UserID, ann.UnitID, ann.TenantID, starts, ends)
	}
	for n, ends := range []int{0, 90, 91, 45} {
		tenancy(-100-n, ends, "null")
	}
	tenancy(-300, -1, "null")
	tenancy(-301, 10, "now()")

	a := s.landlord(t, ann).get("/dashboard").ok(http.StatusOK)
	require.JSONEq(t, `{"total": 15, "vacant": 2, "occupied": 6, "notice": 3, "offMarket": 4}`, jsonOf(t, a.body["units"]))
	require.JSONEq(t, `{"total": 11, "claimed": 1, "invited": 7, "notInvited": 3}`, jsonOf(t, a.body["tenants"]))
	require.JSONEq(t, `{"open": 11, "emergency": 1, "high": 2, "normal": 2, "low": 6, "overdue": 3}`, jsonOf(t, a.body["tickets"]))
	require.Equal(t, []any{"new 5", "new 4", "new 3", "new 2", "new 1"}, titles(t, a.body, "newTickets", "title"))
	require.Equal(t, "ann flat", a.body["newTickets"].([]any)[0].(object)["unitName"])
	require.Equal(t, []any{"waits longer", "waits"}, titles(t, a.body, "waitingTickets", "title"))
	require.Equal(t, []any{"last year Invited", "yesterday Invited", "tomorrow Invited", "almost Invited"}, titles(t, a.body, "invites", "tenantName"))
	require.Equal(t, []any{true, true, false, false}, titles(t, a.body, "invites", "expired"))
	require.Len(t, a.body["endingTenancies"], 3)
	var days []string
	for _, n := range []int{0, 45, 90} {
		var day string
		require.NoError(t, s.Admin.QueryRow(t.Context(), `select (current_date + $1::int)::text`, n).Scan(&day))
		days = append(days, day)
	}
	require.Equal(t, []any{days[0], days[1], days[2]}, titles(t, a.body, "endingTenancies", "endDate"))
	require.Equal(t, []any{"tenancies", "tenancies", "tenancies", "tenancies", "tenancies"}, titles(t, a.body, "activity", "table"))

	require.Equal(t, before.text, s.landlord(t, bob).get("/dashboard").text, "what one landlord does is not another's")
	require.NotContains(t, a.text, bob.UserID.String())
	require.NotContains(t, a.text, "bob")
	require.NotContains(t, a.text, uuid.Nil.String())
}
