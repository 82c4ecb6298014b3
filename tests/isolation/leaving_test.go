package isolation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// undeletable are the tables of whose rows none goes, unless their landlord leaves.
var undeletable = []string{
	"app.audit_log", "app.landlord_cards", "app.support_accesses", "app.support_grants", "app.ticket_counters", "app.ticket_events", "app.users",
}

// TestLeaving removes A's account with the rights of those who remove: nothing that
// nobody deletes goes before A's removal has begun, nothing of another's goes at all, and
// of A's own all does but what says so. Each wall is tried by itself.
func TestLeaving(t *testing.T) {
	t.Parallel()
	for name, strip := range map[string]string{"all layers": "", "persona policies alone": dropBoundary, "boundary alone": openPolicies} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if strip != "" {
				_, err := w.Admin.Exec(t.Context(), strip)
				require.NoError(t, err)
			}
			a := w.as(t, "rowhouse_landlord", w.a.UserID)
			remover := w.connect(t, &caller{name: "remover", login: "rowhouse_migrator", role: "rowhouse_remover", identity: sealed("rowhouse_remover", w.a.UserID)})
			require.Equal(t, "RH409", a.run(t, "select app.remove_account_rows(1000)").code)
			if name != "boundary alone" { // which opens all that the boundary lets through
				require.Equal(t, [][]string{{"f"}}, a.run(t, "select app.remove_profile()").rows)
				for _, table := range undeletable {
					require.Equal(t, "DELETE 0", remover.run(t, "delete from "+table).tag, table)
				}
			}

			// B's removal has begun, and opens nothing of A's
			removing := "insert into app.account_deletions (owner_user_id, state, remove_after, created_by) values ($1, 'REMOVING', now(), $1)"
			w.Exec(t, removing, w.b.UserID)
			if name != "boundary alone" {
				require.Equal(t, "DELETE 0", remover.run(t, "delete from app.audit_log").tag)
			}
			w.Exec(t, removing, w.a.UserID)
			w.before = w.others(t)
			for n := 0; ; n++ {
				require.Less(t, n, 200)
				o := a.run(t, "select app.remove_account_rows(2)")
				require.Empty(t, o.code, o.said)
				require.Contains(t, []string{"0", "1", "2"}, o.rows[0][0], "more than was asked for")
				if o.rows[0][0] == "0" {
					break
				}
			}
			require.Equal(t, [][]string{{"t"}}, a.run(t, "select app.remove_profile()").rows)
			w.unharmed(t, "A's leaving")
			for _, table := range w.all {
				left := w.column(t, table, tables[table].owner, w.a.UserID)
				if tables[table].outlives {
					require.NotEmpty(t, left, table)
					continue
				}
				require.Empty(t, left, "%s: app.remove_account_rows leaves it", table)
			}
		})
	}
}

// TestOrderOfLeaving has a landlord go no other way than the one there is.
func TestOrderOfLeaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	for _, from := range []string{"REQUESTED", "EXPORTED", "EXPORTED, due", "REMOVING", "DONE", "FAILED", "CANCELLED"} {
		may := map[string][]string{
			"REQUESTED": {"EXPORTED", "CANCELLED", "FAILED"}, "EXPORTED": {"CANCELLED", "FAILED"}, "EXPORTED, due": {"REMOVING", "CANCELLED", "FAILED"},
			"REMOVING": {"DONE", "FAILED"},
		}[from]
		for _, to := range []string{"REQUESTED", "EXPORTED", "REMOVING", "DONE", "FAILED", "CANCELLED"} {
			state, due := from, "now() + interval '1 hour'"
			if from == "EXPORTED, due" {
				state, due = "EXPORTED", "now()"
			}
			if state == to {
				continue
			}
			w.Exec(t, fmt.Sprintf("delete from app.account_deletions where owner_user_id = '%[1]s'; insert into app.account_deletions (owner_user_id, state, remove_after, created_by) values ('%[1]s', '%[2]s', %[3]s, '%[1]s')", w.a.UserID, state, due))
			o := a.run(t, "update app.account_deletions set state = '"+to+"'")
			if slices.Contains(may, to) {
				require.Equal(t, "UPDATE 1", o.tag, "%s → %s: %s", from, to, o.said)
			} else {
				require.Equal(t, "RH409", o.code, "%s → %s", from, to)
			}
		}
	}
	require.Equal(t, denied, a.run(t, "update app.account_deletions set remove_after = now()").code, "nobody hurries it")
	w.unharmed(t, "A's changes of mind")
}

// TestSecondFactorInDatabase asks the database itself: what a landlord has set holds for
// the session without a second factor, and only one with it can take it back.
func TestSecondFactorInDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const with, demand = "select set_config('app.user_aal', 'aal2', true); ", "select app.demand_second_factor()"
	for _, persona := range []string{"rowhouse_user", "rowhouse_landlord"} {
		require.Empty(t, w.as(t, persona, w.a.UserID).run(t, demand).code)
	}
	user := w.as(t, "rowhouse_user", w.a.UserID)
	for _, aal := range []string{"", "aal1", "AAL2", "aal3"} {
		require.Equal(t, "RH403", user.run(t, "select set_config('app.user_aal', '"+aal+"', true); update app.users set require_aal2 = true").code, aal)
	}
	require.Empty(t, user.run(t, with+"update app.users set require_aal2 = true").code)
	for _, persona := range []string{"rowhouse_user", "rowhouse_landlord"} {
		require.Equal(t, "RH403", w.as(t, persona, w.a.UserID).run(t, demand).code)
		require.Empty(t, w.as(t, persona, w.a.UserID).run(t, with+demand).code)
		require.Empty(t, w.as(t, persona, w.b.UserID).run(t, demand).code, "B has not asked for it")
	}
	require.Equal(t, "RH403", user.run(t, "update app.users set require_aal2 = false").code)
	require.Empty(t, user.run(t, with+"update app.users set require_aal2 = false").code)
	w.unharmed(t, "A's second factor")
}
