package isolation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestLookUps asks what policies ask about the caller, of functions whose owner's
// policies no longer help: each says by itself who is meant.
func TestLookUps(t *testing.T) {
	t.Parallel()
	v := newTown(t)
	v.Exec(t, dropBoundary+openPolicies)
	claimer := v.Person(t, "claimer").UserID
	v.Exec(t, "update app.tenant_invites set claimed_at = now(), claimed_by_user_id = $1 where owner_user_id = $2", claimer, v.a.UserID)

	for _, who := range []uuid.UUID{v.a.Tenant.UserID, v.both.UserID, v.former.UserID, v.next.UserID, v.a.UserID, claimer} {
		const mine = "(select id from app.tenants where user_id = '%[1]s')"
		for function, query := range map[string]string{
			"app.my_tenant_ids":   "select id from app.tenants where user_id = '%[1]s'",
			"app.my_landlord_ids": "select owner_user_id from app.tenants where user_id = '%[1]s'",
			"app.my_unit_ids":     "select unit_id from app.tenancies where cancelled_at is null and tenant_id in " + mine,
			"app.my_property_ids": "select property_id from app.units where property_id is not null and id in (select unit_id from app.tenancies where cancelled_at is null and tenant_id in " + mine + ")",
		} {
			want := list(t, v.world, fmt.Sprintf("select distinct id::text from ("+query+") q (id) order by 1", who))
			o := v.as(t, "rowhouse_tenant", who).run(t, "select distinct id::text from unnest("+function+"()) id order by 1")
			require.Empty(t, o.code, o.said)
			require.Equal(t, strings.Join(want, "\n"), strings.TrimSpace(o.said), "%s of %s", function, who)
		}
	}

	of := v.where(t, "app.tenants", fmt.Sprintf("id = (select tenant_id from app.tenant_invites where owner_user_id = '%s')", v.a.UserID))
	for _, c := range []struct {
		who   uuid.UUID
		token string
		want  string
	}{
		{claimer, v.a.InviteToken, of[0]},
		{claimer, "", ""},
		{claimer, v.b.InviteToken, ""},
		{v.next.UserID, v.a.InviteToken, ""},
	} {
		o := v.invitee(t, "claimer", c.who, c.token, "").run(t, "select app.claimed_tenant_id()")
		require.Empty(t, o.code, o.said)
		require.Equal(t, c.want, strings.TrimSpace(o.said))
	}
}

// TestTrailKeepsNoSecret changes an invite's token: who may read the trail may not
// read what opens the invite.
func TestTrailKeepsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Exec(t, "update app.tenant_invites set token_hash = sha256('another') where owner_user_id = $1", w.a.UserID)
	trail := strings.Join(list(t, w, "select before::text || after::text from app.audit_log where table_name = 'tenant_invites' and action = 'update'"), "\n")
	require.Contains(t, trail, "token_hash")
	for _, hash := range list(t, w, "select encode(h, 'hex') from app.tenant_invites, unnest(array[token_hash, sha256('another')]) h") {
		require.NotContains(t, trail, hash)
	}
	trail = strings.Join(list(t, w, "select after::text from app.audit_log where table_name = 'tenant_invites' and action = 'insert'"), "\n")
	require.Contains(t, trail, "token_hash")
	require.NotRegexp(t, "[0-9a-f]{64}", trail)
}

// TestRemovals has a landlord remove what is theirs and may not be removed: what
// was not archived before, another's words, and a key of today.
func TestRemovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Exec(t, "insert into app.ticket_comments (owner_user_id, ticket_id, kind, body, created_by) values ($1, $2, 'shared', 'help', $3)", w.a.UserID, w.a.TicketID, w.a.Tenant.UserID)
	// so that no reference keeps what the function should keep
	w.Exec(t, "update app.tenant_invites set unit_id = null, tenant_id = $1 where owner_user_id = $2", w.a.TenantID, w.a.UserID)
	invitee := w.column(t, "app.tenants", "id", w.a.UserID)
	invitee = slices.DeleteFunc(invitee, func(id string) bool { return id == w.a.TenantID.String() })
	w.Exec(t, `insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by)
		values ($1, $2, 'invitee@example.com', sha256('kept'), now() + interval '1 day', $1)`, w.a.UserID, invitee[0])
	words := w.where(t, "app.ticket_comments", "body = 'help'")
	a := w.as(t, "rowhouse_landlord", w.a.UserID)
	tenancy := w.column(t, "app.tenancies", "id", w.a.UserID)
	for _, removal := range []struct{ name, id, of string }{
		{"app.delete_comment", words[0], "app.ticket_comments"},
		{"app.delete_tenant", invitee[0], "app.tenants"},
		{"app.delete_tenancy", tenancy[0], "app.tenancies"},
		{"app.delete_contractor", w.a.ContractorID.String(), "app.contractors"},
		{"app.delete_ticket", w.a.TicketID.String(), "app.tickets"},
	} {
		o := a.run(t, fmt.Sprintf("select %s('%s')", removal.name, removal.id))
		require.Equal(t, [][]string{{"f"}}, o.rows, "%s\n%s", removal.name, o.said)
		require.Contains(t, w.column(t, removal.of, "id", w.a.UserID), removal.id)
	}
	require.Contains(t, w.column(t, "app.tenant_invites", "tenant_id", w.a.UserID), invitee[0], "an invite of a tenant who was not archived")

	w.Exec(t, "update app.idempotency_keys set created_at = now() - interval '23 hours' where owner_user_id = $1", w.a.UserID)
	require.Empty(t, a.run(t, "select app.forget_idempotency_keys()").code)
	require.NotEmpty(t, w.column(t, "app.idempotency_keys", "key", w.a.UserID))
}
