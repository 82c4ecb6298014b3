package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// putTicket inserts a ticket past every rule and returns its path.
func putTicket(t testing.TB, d *dbtest.Database, l dbtest.Landlord, set string, args ...any) string {
	t.Helper()
	id := uuid.New()
	d.Exec(t, `insert into app.tickets (owner_user_id, id, unit_id, tenant_id, title, created_by) values ($1, $2, $3, $4, 'Drip', $1)`,
		l.UserID, id, l.UnitID, l.TenantID)
	d.Exec(t, "alter table app.tickets disable trigger guard_ticket")
	d.Exec(t, "update app.tickets set "+set+" where id = '"+id.String()+"'", args...)
	d.Exec(t, "alter table app.tickets enable trigger guard_ticket")
	return "/tickets/" + id.String()
}

var ticketStatuses = []string{"NEW", "OPEN", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CLOSED", "CANCELLED"}

// TestTicketTransitions tries every status after every other, as the landlord and
// as the tenant.
func TestTicketTransitions(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	landlord := map[string][]string{
		"NEW":         {"OPEN", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CANCELLED"},
		"OPEN":        {"IN_PROGRESS", "ON_HOLD", "RESOLVED", "CANCELLED"},
		"IN_PROGRESS": {"OPEN", "ON_HOLD", "RESOLVED", "CANCELLED"},
		"ON_HOLD":     {"OPEN", "IN_PROGRESS", "RESOLVED", "CANCELLED"},
		"RESOLVED":    {"OPEN", "CLOSED"},
		"CLOSED":      {"OPEN"},
	}
	tenant := map[string][]string{"NEW": {"CANCELLED"}, "RESOLVED": {"OPEN"}}
	for _, from := range ticketStatuses {
		for _, to := range ticketStatuses {
			path := putTicket(t, s.Database, l, `status = $1, resolved_at = case when $1 in ('RESOLVED', 'CLOSED') then now() end`, from)
			before := c.get(path).ok(http.StatusOK)
			allowed := []string{}
			for _, status := range before.body["allowedStatuses"].([]any) {
				allowed = append(allowed, status.(string))
			}
			require.ElementsMatch(t, append([]string{}, landlord[from]...), allowed, from)
			a := c.patch(path, object{"status": to, "statusReason": "Because"})
			if from != to && !slices.Contains(landlord[from], to) {
				a.refused(http.StatusConflict, "not_possible_now")
				require.Equal(t, fmt.Sprintf("A ticket that is %s can't become %s.", from, to), a.body["detail"])
				require.Equal(t, before.text, c.get(path).text)
				continue
			}
			require.Equal(t, to, a.ok(http.StatusOK).body["status"])
			require.Equal(t, "Because", a.body["statusReason"])
			if from != to {
				require.Equal(t, to == "RESOLVED" || to == "CLOSED", a.body["resolvedAt"] != nil, "%s → %s", from, to)
				require.Equal(t, to == "CLOSED" || to == "CANCELLED", a.body["closedAt"] != nil, "%s → %s", from, to)
			}
		}
	}
	for _, from := range ticketStatuses {
		for _, to := range ticketStatuses {
			path := putTicket(t, s.Database, l, `status = $1, resolved_at = case when $1 in ('RESOLVED', 'CLOSED') then now() end`, from)
			err := s.AsTenant(l.Tenant.Context(t), db.ReadWrite, func(tx *db.Tx) error {
				tag, err := tx.Exec(t.Context(), `update app.tickets set status = $1 where id = $2`, to, strings.TrimPrefix(path, "/tickets/"))
				require.EqualValues(t, err == nil, tag.RowsAffected() == 1)
				return err
			})
			require.Equal(t, from == to || slices.Contains(tenant[from], to), err == nil, "a tenant: %s → %s: %v", from, to, err)
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	for set, reopens := range map[string]bool{
		`status = 'RESOLVED', resolved_at = now() - interval '29 days 23 hours'`:                                       true,
		`status = 'RESOLVED', resolved_at = now() - interval '30 days 1 minute'`:                                       false,
		`status = 'CLOSED', resolved_at = now() - interval '50 days', closed_at = now() - interval '29 days'`:          true,
		`status = 'CLOSED', resolved_at = now() - interval '50 days', closed_at = now() - interval '30 days 1 minute'`: false,
	} {
		path := putTicket(t, s.Database, l, set+`, reopened_count = 2`)
		before := c.get(path)
		require.Equal(t, reopens, slices.Contains(before.body["allowedStatuses"].([]any), any("OPEN")), set)
		a := c.patch(path, object{"status": "OPEN"})
		if !reopens {
			a.refused(http.StatusConflict, "not_possible_now")
			require.Equal(t, "A ticket can be reopened within 30 days. Open a new one.", a.body["detail"])
			require.Equal(t, before.text, c.get(path).text)
			continue
		}
		require.EqualValues(t, 3, a.ok(http.StatusOK).body["reopenedCount"])
		require.NotContains(t, a.body, "resolvedAt")
		require.NotContains(t, a.body, "closedAt")
	}
}

// TestTicketDue holds dueAt to the priority until somebody chooses a date.
func TestTicketDue(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, l := s.settled(t, "ann")
	after := map[string]time.Duration{"EMERGENCY": 4 * time.Hour, "HIGH": 2 * 24 * time.Hour, "NORMAL": 7 * 24 * time.Hour, "LOW": 14 * 24 * time.Hour}
	due := func(a answer) time.Duration {
		return instant(t, a.body["dueAt"]).Sub(instant(t, a.body["createdAt"]))
	}
	path := c.ticket()
	for priority, want := range after {
		a := c.post("/tickets", object{"unitId": l.UnitID, "title": "Drip", "priority": priority}).ok(http.StatusCreated)
		require.Equal(t, want, due(a), priority)
		require.Equal(t, want, due(c.patch(path, object{"priority": priority}).ok(http.StatusOK)), priority)
	}
	const chosen = "2027-03-01T12:00:00Z"
	at := instant(t, chosen)
	a := c.patch(path, object{"dueAt": chosen, "priority": "LOW"}).ok(http.StatusOK)
	require.True(t, at.Equal(instant(t, a.body["dueAt"])))
	a = c.patch(path, object{"priority": "EMERGENCY"}).ok(http.StatusOK)
	require.True(t, at.Equal(instant(t, a.body["dueAt"])), "a chosen date stays")
	require.Equal(t, after["EMERGENCY"], due(c.patch(path, object{"dueAt": nil}).ok(http.StatusOK)), "until it is taken back")
	require.Equal(t, after["LOW"], due(c.patch(path, object{"priority": "LOW"}).ok(http.StatusOK)))
	a = c.post("/tickets", object{"unitId": l.UnitID, "title": "Drip", "dueAt": chosen}).ok(http.StatusCreated)
	require.True(t, at.Equal(instant(t, a.body["dueAt"])))

	for _, status := range ticketStatuses {
		path := putTicket(t, s.Database, l, `due_at = now() - interval '1 minute', status = $1`, status)
		open := slices.Contains(ticketStatuses[:4], status)
		require.Equal(t, open, c.get(path).body["overdue"], status)
		late := c.get("/tickets?overdue=true&status=" + status).list("tickets")
		onTime := c.get("/tickets?overdue=false&status=" + status).text
		require.Equal(t, open, len(late) == 1, status)
		require.Equal(t, !open, strings.Contains(onTime, strings.TrimPrefix(path, "/tickets/")), status)
	}
}

// TestTwoStatusesAtOnce has two requests change a ticket's status at the same time.
func TestTwoStatusesAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	path := c.ticket()
	var answers [2]answer
	var wait sync.WaitGroup
	for i, status := range []string{"CANCELLED", "RESOLVED"} {
		wait.Go(func() { answers[i] = c.patch(path, object{"status": status}) })
	}
	wait.Wait()
	won := slices.IndexFunc(answers[:], func(a answer) bool { return a.status == http.StatusOK })
	require.GreaterOrEqual(t, won, 0)
	answers[1-won].refused(http.StatusConflict, "not_possible_now")
	require.Equal(t, answers[won].text, c.get(path).text)
}
