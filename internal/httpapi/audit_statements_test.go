package httpapi_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// TestAuditOfOneStatement: a statement of many rows, of several landlords, leaves an
// entry for each row in the trail of its landlord, whatever becomes of the others;
// one that changes no row leaves none.
func TestAuditOfOneStatement(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	// run returns what the statements leave in the trails, in order
	run := func(sql string) []string {
		tx, err := d.Admin.Begin(t.Context())
		require.NoError(t, err)
		request := uuid.NewString()
		_, err = tx.Exec(t.Context(), `select set_config('app.request_id', $1, true)`, request)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), sql)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		rows, err := d.Admin.Query(t.Context(), `
			select concat_ws(' ', case owner_user_id when $2 then 'ann' when $3 then 'bob' end, action, table_name,
			                 coalesce(before::text, '-'), coalesce(after::text, '-'))
			  from app.audit_log where request_id = $1 order by 1`, request, ann.UserID, bob.UserID)
		require.NoError(t, err)
		entries, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return entries
	}

	require.Equal(t, []string{
		`ann update units {"name": "ann flat"} {"name": "Unit of ann flat"}`,
		`bob update units {"name": "bob flat"} {"name": "Unit of bob flat"}`,
	}, run(`update app.units set name = 'Unit of ' || name`))

	require.Equal(t, []string{
		`ann update units {"city": "ann flat"} {"city": "Bath"}`,
	}, run(`update app.units set city = case name when 'Unit of ann flat' then 'Bath' else city end`), "one stays as it is")

	require.Equal(t, []string{
		`ann update units {"city": "Bath", "state": null} {"city": null, "state": "NY"}`,
		`bob update units {"city": "bob flat", "state": null} {"city": null, "state": "NY"}`,
	}, run(`update app.units set city = null, state = 'NY'`))

	require.Equal(t, []string{
		`ann update tenant_invites {"token_hash": "***"} {"token_hash": "***"}`,
		`bob update tenant_invites {"token_hash": "***"} {"token_hash": "***"}`,
	}, run(`update app.tenant_invites set token_hash = sha256(token_hash)`))

	require.Empty(t, run(`update app.units set name = 'x' where false; delete from app.ticket_comments where false;
		insert into app.contractors (owner_user_id, name, created_by) select id, 'x', id from app.users where false`), "no row")

	both := run(`insert into app.properties (owner_user_id, id, name, created_by)
		select owner_user_id, case name when 'ann house' then id else gen_random_uuid() end, name || '!', created_by from app.properties
		on conflict (owner_user_id, id) do update set name = excluded.name`)
	require.Len(t, both, 2)
	require.Equal(t, `ann update properties {"name": "ann house"} {"name": "ann house!"}`, both[0])
	require.Regexp(t, `^bob insert properties - {.*"name": "bob house!"`, both[1])

	deleted := run(`delete from app.ticket_comments`)
	require.Len(t, deleted, 4)
	for i, name := range []string{"ann", "ann", "bob", "bob"} {
		require.Regexp(t, "^"+name+` delete ticket_comments {.*"body": "`+name+` .*} -$`, deleted[i])
	}

	moved := run(`alter table app.contractors disable trigger guard_owned_row;
		update app.contractors set id = gen_random_uuid() where name = 'ann plumber';
		alter table app.contractors enable trigger guard_owned_row`)
	require.Len(t, moved, 2, "a key that changes past the guard: what was there, and what came")
}
