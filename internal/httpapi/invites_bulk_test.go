package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// Each of many who are invited at once is judged by itself; the others are invited, and
// each has one mail.
func TestBulkInvite(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob := s.Landlord(t, "ann"), s.Landlord(t, "bob")
	c := s.caller(t, ann.Identity)
	before := len(mail.letters())
	person := func(name, email string, unit any) object {
		return object{"firstName": name, "lastName": "Kay", "email": email, "unitId": unit}
	}
	sent := object{"tenants": []object{
		person("Max", "Max@Example.com ", ann.UnitID),
		person("Mia", "mia@", nil),
		person("Max", "MAX@example.com", nil),
		person("Bob", "b@example.com", bob.UnitID),       // another landlord's
		person("Bo", "bo@example.com", uuid.NewString()), // nobody's
		person("Bea", "bea@example.com", "nowhere"),
		person("", "kay@example.com", nil),
		person(strings.Repeat("x", 101), "long@example.com", nil),
		person("Jo", ann.Tenant.Email, nil), // has a login
		person("Eve", "", nil),
		person("Zoë\u00a0 Ann", "zoe@example.com", nil),
		person("I", "ann-invitee@example.com", nil), // invited before
	}}
	a := c.post("/tenants/invite/bulk", sent, key("many")).ok(http.StatusCreated)
	require.Equal(t, []any{12.0, 3.0, 9.0}, []any{a.body["total"], a.body["successful"], a.body["failed"]})

	results := a.body["results"].(object)
	emails := []string{}
	for _, one := range results["success"].([]any) {
		emails = append(emails, one.(object)["email"].(string))
		c.get("/tenant-invites/" + one.(object)["inviteId"].(string)).ok(http.StatusOK)
	}
	require.Equal(t, []string{"max@example.com", "zoe@example.com", "ann-invitee@example.com"}, emails)
	codes := []string{}
	said := map[any]any{}
	for _, one := range results["failed"].([]any) {
		f := one.(object)
		codes = append(codes, fmt.Sprintf("%v %v", f["index"], f["code"]))
		require.NotEmpty(t, f["error"])
		said[f["index"]] = f["error"]
	}
	require.Equal(t, []string{
		"1 invalid_email", "2 duplicate_in_request", "3 unknown_unit", "4 unknown_unit", "5 unknown_unit", "6 missing_required",
		"7 too_long", "8 already_claimed", "9 missing_required",
	}, codes)
	require.Equal(t, said[4.0], said[3.0], "another's unit is as one that nobody has")

	require.Len(t, mail.letters(), before+3)
	require.Equal(t, a.text, c.post("/tenants/invite/bulk", sent, key("many")).ok(http.StatusCreated).text)
	require.Len(t, mail.letters(), before+3, "sent once")
	max := c.get("/tenants?q=max").list("tenants")
	require.Len(t, max, 1)
	require.Equal(t, ann.UnitID.String(), max[0]["unitId"])
	require.Len(t, c.get("/tenancies?tenantId="+max[0]["id"].(string)).list("tenancies"), 1)
	require.Equal(t, "Zoë Ann", c.get("/tenants?q=zoe").list("tenants")[0]["firstName"])
}

// A hundred invites take as many statements and round trips as two.
func TestBulkInviteStatements(t *testing.T) {
	t.Parallel()
	var heard listener
	d := dbtest.New(t)
	s := serveOn(t, d, d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen}))
	c := s.newLandlord(t)
	_, unit := c.made("/units", object{"name": "Flat"})
	many := func(count int) object {
		tenants := []object{}
		for n := range count {
			tenants = append(tenants, object{"firstName": "Jo", "lastName": "Doe", "email": fmt.Sprintf("%s-%d@example.com", uuid.NewString(), n), "unitId": unit})
		}
		return object{"tenants": tenants}
	}
	for _, count := range []int{2, 100} {
		body := many(count)
		names := []string{}
		for _, st := range heard.of(func() {
			a := c.post("/tenants/invite/bulk", body, key(fmt.Sprint(count))).ok(http.StatusCreated)
			require.EqualValues(t, count, a.body["successful"])
		}) {
			names = append(names, st.name)
		}
		slices.Sort(names)
		require.Equal(t, []string{
			"IdempotencyKeyAnswer", "IdempotencyKeyTake", "IdempotencyKeysForget",
			"InviteTenancies", "InviteTenants", "InviteUnits", "InvitesOpen",
		}, names, count)
	}
	require.Equal(t, 102, s.rows(t, "tenants"))
	require.Equal(t, 102, s.rows(t, "tenancies"))
	c.post("/tenants/invite/bulk", many(101)).refused(http.StatusBadRequest, "invalid_request", "#/tenants")
	c.post("/tenants/invite/bulk", object{"tenants": []object{}}).refused(http.StatusBadRequest, "invalid_request", "#/tenants")
}
