package imports_test

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/invitetoken"
)

func sendInvites(u *imports.Upload) { u.SendInvites = true }

// invites are the landlord's as address and state.
func (d *desk) invites() []string {
	d.t.Helper()
	return d.list(`
		select concat_ws(' ', i.email, u.name, case when i.claimed_at is not null then 'CLAIMED' when i.revoked_at is not null then 'REVOKED' else 'OPEN' end)
		  from app.tenant_invites i left join app.units u on u.id = i.unit_id
		 where i.owner_user_id = $1 and i.email not like 'alpha%' order by 1`, d.UserID)
}

// mails is how many wait.
func (d *desk) mails() string {
	d.t.Helper()
	return d.list(`
		select count(*)::text from river.river_job j join app.tenant_invites i on i.mail_id::text = j.args ->> 'id'
		 where i.email not like 'alpha%'`)[0]
}

// whoIsThere is Kim, who has an open invite, Rex, whose invite is void, Lee, whom nobody
// has invited, and Max, who has a login.
func (d *desk) whoIsThere() {
	d.t.Helper()
	id := d.send(imports.Tenants, "firstName,lastName,email\nKim,Kay,kim@example.com\nRex,Rae,rex@example.com\n", sendInvites)
	d.run(id)
	d.Exec(d.t, "update app.tenant_invites set revoked_at = now() where email = 'rex@example.com'")
	d.run(d.send(imports.Tenants, "firstName,lastName,email\nLee,Low,lee@example.com\nMax,May,max@example.com\n"))
	d.Exec(d.t, "update app.tenants set user_id = $2 where owner_user_id = $1 and email = 'max@example.com'", d.UserID, d.UserID)
	require.Equal(d.t, []string{"kim@example.com OPEN", "rex@example.com REVOKED"}, d.invites())
	require.Equal(d.t, "2", d.mails())
}

const everybody = "firstName,lastName,email,unit\n" +
	"Ada,Byron,ada@example.com,Attic\nGrace,Hopper,,Attic\nADA,Byron,ADA@example.com,Attic\n" +
	"Kim,Kay,kim@example.com,\nRex,Rae,rex@example.com,\nLee,Low,lee@example.com,\nMax,May,max@example.com,\nBad,Row,bad@,\n"

// An import invites whom it finds or makes, if they have an address and no login, and
// were never invited: a check says how many, and mails nobody.
func TestInvites(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run(d.send(imports.Units, "unit\nAttic\n"))
	d.whoIsThere()

	require.Zero(t, d.batch(d.send(imports.Tenants, everybody)).Invited, "it was not asked for")
	require.EqualValues(t, 1, d.batch(d.send(imports.Tenants, everybody, sendInvites, func(u *imports.Upload) { u.OnExisting = imports.Skip })).Invited,
		"who is there already is left alone")
	id := d.send(imports.Tenants, everybody, sendInvites)
	require.EqualValues(t, 2, d.batch(id).Invited)
	require.Equal(t, []string{"kim@example.com OPEN", "rex@example.com REVOKED"}, d.invites())
	require.Equal(t, "2", d.mails(), "a check mails nobody")

	d.run(id)
	require.EqualValues(t, 2, d.batch(id).Invited)
	require.Equal(t, []string{"ada@example.com Attic OPEN", "kim@example.com OPEN", "lee@example.com OPEN", "rex@example.com REVOKED"}, d.invites())
	require.Equal(t, "4", d.mails())
	require.Equal(t, []string{"CREATE", "CREATE", "SKIP duplicate_in_file", "UNCHANGED invite_pending", "UNCHANGED", "UNCHANGED", "UNCHANGED", "ERROR invalid_email"}, d.came(id))
	require.Equal(t, []string{"ada@example.com", "lee@example.com"}, d.list(`
		select i.email from app.import_rows r join app.tenant_invites i on i.id = r.invite_id where r.batch_id = $1 order by 1`, id))

	require.EqualValues(t, 1, d.batch(id).Warned)

	// the worker makes the very token whose hash is kept
	var mail uuid.UUID
	var key string
	var hash []byte
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select mail_id, mail_key, token_hash from app.tenant_invites where email = 'ada@example.com'").Scan(&mail, &key, &hash))
	token, err := dbtest.InviteKeys(t).Token(d.UserID, mail, key)
	require.NoError(t, err)
	require.True(t, bytes.Equal(invitetoken.Hash(token), hash))

	again := d.send(imports.Tenants, everybody, sendInvites)
	d.run(again)
	require.Zero(t, d.batch(again).Invited)
	require.Equal(t, "4", d.mails(), "the same file again mails nobody")
}

// Undoing takes its invites back: with the tenants that the import made, or by making
// them void. Somebody who has come in by one stays.
func TestUndoInvites(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.whoIsThere()
	id := d.send(imports.Tenants, "firstName,lastName,email\nAda,Byron,ada@example.com\nLee,Low,lee@example.com\nJoe,Jay,joe@example.com\nSue,Say,sue@example.com\n", sendInvites)
	d.run(id)
	d.Exec(t, "update app.tenant_invites set claimed_at = now(), claimed_by_user_id = $1 where email = 'joe@example.com'", d.UserID)
	d.Exec(t, "update app.tenant_invites set mail_state = 'SENT', sent_at = now() where email = 'ada@example.com'")
	d.Exec(t, "update app.tenants set notes = 'edited since' where email = 'sue@example.com'")

	d.undo(id)
	require.Equal(t, []string{"joe@example.com CLAIMED", "kim@example.com OPEN", "lee@example.com REVOKED", "rex@example.com REVOKED", "sue@example.com OPEN"}, d.invites())
	require.Equal(t, []string{"REVERSED", "REVERSED", "IN_USE", "EDITED"}, d.list(`select undone from app.import_rows where batch_id = $1 order by n`, id))
	require.Equal(t, []string{"joe@example.com", "kim@example.com", "lee@example.com", "max@example.com", "rex@example.com", "sue@example.com"},
		d.list(`select email from app.tenants where owner_user_id = $1 and email not like 'alpha%' order by 1`, d.UserID))
}

// Tenants whom somebody invites after the import are in use.
func TestUndoLeavesInvitesOfOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.send(imports.Tenants, "firstName,lastName,email\nAda,Byron,ada@example.com\n")
	d.run(id)
	later := d.send(imports.Tenants, "firstName,lastName,email\nAda,Byron,ada@example.com\n", sendInvites)
	d.run(later)
	require.Equal(t, []string{"ada@example.com OPEN"}, d.invites())
	d.undo(id)
	require.Equal(t, []string{"IN_USE"}, d.list(`select undone from app.import_rows where batch_id = $1`, id))
	d.undo(later)
	require.Equal(t, []string{"ada@example.com REVOKED"}, d.invites())
}

// Who moves in where somebody else lives is taken, and pointed out; who shares a home in
// one file is not.
func TestOverlappingTenancies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run(d.send(imports.Portfolio, "unit,fullName,email,startDate,endDate\nAttic,A. Byron,ada@example.com,2026-01-01,2026-06-30\nCellar,A. Hopper,grace@example.com,2026-01-01,\n"))
	file := "unit,fullName,email,startDate,endDate\n" +
		"Attic,A. After,after@example.com,2026-07-01,\nAttic,A. Within,within@example.com,2026-06-30,2026-06-30\nAttic,A. Before,before@example.com,2025-01-01,2025-12-31\n" +
		"Cellar,A. Before,b@example.com,2025-01-01,2025-12-31\nCellar,A. Into,into@example.com,2025-01-01,2026-01-01\nCellar,A. Grace,grace@example.com,2026-01-01,\n" +
		"Loft,A. One,one@example.com,2026-01-01,\nLoft,A. Two,two@example.com,2026-01-01,\n"
	came := []string{"CREATE", "CREATE overlapping_tenancy", "CREATE", "CREATE", "CREATE overlapping_tenancy", "UPDATE", "CREATE", "CREATE"}
	id := d.send(imports.Portfolio, file)
	require.Equal(t, came, d.came(id))
	require.EqualValues(t, 2, d.batch(id).Warned)
	d.run(id)
	require.Equal(t, came, d.came(id))
	again := d.send(imports.Portfolio, file)
	require.Zero(t, d.batch(again).Warned, "nobody moves in again")
}
