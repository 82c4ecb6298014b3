package legacy_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/legacy"
)

// TestRows: what becomes of each kind of row.
func TestRows(t *testing.T) {
	t.Parallel()
	tenant := func(id, unit string) string {
		return fmt.Sprintf(`insert into tenants (id, first_name, last_name, email, unit_id) values ('%[1]s', 'F', 'L', '%[1]s@example.com', %[2]s)`, id, unit)
	}
	ticket := func(id, unit, tenant string) string {
		return fmt.Sprintf(`insert into tickets values ('%s', %s, %s, 'Drips', null, 'OPEN', 'LOW', '2024-01-01')`, id, unit, tenant)
	}
	for name, c := range map[string]struct {
		inserts []string
		want    []row
	}{
		"the unit tells, whatever the tickets say": {
			[]string{tenant("t", "$A"), ticket("k", "$B", "'t'"), ticket("l", "$A2", "'t'")},
			[]row{{"tickets", "k", "different_owners"}},
		},
		"tickets and tenancies disagree": {
			[]string{tenant("t", "null"), ticket("k", "$B", "'t'"), `insert into tenancies values ('y', $A, 't', '2024-01-01')`},
			[]row{{"tenants", "t", "several_owners"}, {"tenancies", "y", "tenant_not_copied"}, {"tickets", "k", "tenant_not_copied"}},
		},
		"a tenancy tells": {
			[]string{tenant("t", "null"), `insert into tenancies values ('y', $A, 't', '2024-01-01 12:00:00')`}, nil,
		},
		"a unit that is gone": {
			[]string{tenant("t", "$none"), ticket("k", "$none", "null")},
			[]row{{"tenants", "t", "unit_missing"}, {"tickets", "k", "unit_missing"}},
		},
		"a unit of nobody, and one of somebody gone": {
			[]string{
				`insert into units (id, owner_id, name) values ($none, null, 'x')`, tenant("t", "$none"),
				`update units set owner_id = 'x' where id = $B`, tenant("u", "$B"),
			},
			[]row{
				{"units", unitB.String(), "owner_missing"},
				{"units", orphaned.String(), "no_owner"},
				{"tenants", "t", "unit_not_copied"},
				{"tenants", "u", "unit_not_copied"},
			},
		},
		"a landlord who does not fit": {
			[]string{`update users set name = repeat('x', 201) where id = $bob`, tenant("t", "null"), ticket("k", "$B", "'t'")},
			[]row{
				{"users", bob.String(), "too_long"},
				{"units", unitB.String(), "owner_not_copied"},
				{"tenants", "t", "owner_not_copied"},
				{"tickets", "k", "unit_not_copied"},
			},
		},
		"two units of one name": {
			[]string{`insert into units (id, owner_id, name, created_at) values ($none, $ann, ' FLAT', '2021-01-01')`},
			[]row{{"units", orphaned.String(), "duplicate_name"}},
		},
		"one login twice with one landlord, and once with the other": {
			[]string{
				tenant("t", "$A"), tenant("u", "$A2"), tenant("v", "$B"),
				`update tenants set user_id = $cyd, created_at = '2024-01-01'`,
			},
			[]row{{"tenants", "u", "duplicate_login"}},
		},
		"a login that is gone": {
			[]string{tenant("t", "$A"), `update tenants set user_id = $none`}, []row{{"tenants", "t", "user_missing"}},
		},
		"names and addresses": {
			[]string{
				tenant("t", "$A"), tenant("u", "$A"), tenant("v", "$A"), `update tenants set last_name = ' ' where id = 't'`,
				`update tenants set email = 'nonsense' where id = 'u'`, `update tenants set email = null where id = 'v'`,
			},
			[]row{{"tenants", "t", "missing_value"}, {"tenants", "u", "invalid_email"}},
		},
		"tickets": {
			[]string{
				ticket("k", "null", "null"), ticket("l", "$A", "'gone'"), ticket("m", "$A", "null"), ticket("n", "$A", "null"),
				ticket("o", "$A", "null"), `update tickets set title = repeat('x', 201) where id = 'm'`,
				`update tickets set priority = 'soon' where id = 'n'`, `update tickets set status = null, priority = null where id = 'o'`,
			},
			[]row{
				{"tickets", "k", "no_unit"},
				{"tickets", "l", "tenant_missing"},
				{"tickets", "m", "too_long"},
				{"tickets", "n", "unknown_priority"},
			},
		},
		"tenancies": {
			[]string{tenant("t", "$A"), `insert into tenancies values ('v', $A, 't', null), ('w', $A, 't', '2024-01-01'),
				('x', $A, 't', '2024-01-01'), ('y', $B, 't', '2024-01-01'), ('z', null, 't', '2024-01-01')`},
			[]row{
				{"tenancies", "v", "missing_value"},
				{"tenancies", "x", "duplicate_tenancy"},
				{"tenancies", "y", "different_owners"},
				{"tenancies", "z", "no_unit"},
			},
		},
		"invites": {
			[]string{tenant("t", "$A"), `insert into tenant_invites values ('v', 't', null, 'short', null, '2030-01-01', null),
				('w', 't', null, 'a token that is long', null, '2030-01-01', '2020-01-01'), ('x', 't', null, 'a token that is long', null, '2030-01-01', '2021-01-01'),
				('y', 't', null, 'another long token', '2024-01-01', '2030-01-01', null), ('z', 'gone', null, 'one more long token', null, '2030-01-01', null)`},
			[]row{
				{"tenant_invites", "v", "weak_token"},
				{"tenant_invites", "x", "duplicate_token"},
				{"tenant_invites", "y", "claimed_by_nobody"},
				{"tenant_invites", "z", "tenant_missing"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := small(t, c.inserts...), dbtest.New(t)
			_, rows := move(t, from, to, false)
			require.ElementsMatch(t, c.want, rows)
			moved := content(t, to)
			_, rows = move(t, from, to, false)
			require.ElementsMatch(t, c.want, rows)
			require.Equal(t, moved, content(t, to), "a second run changed something")
		})
	}
}

// TestValues: a row arrives with its values, its own id and its owner.
func TestValues(t *testing.T) {
	t.Parallel()
	tenant := uuid.New()
	from, to := small(t,
		`update users set created_at = '2020-01-01'`,
		`insert into tenants values (`+q(tenant)+`, ' Eva ', 'Stone', 'Eva@Example.com', '555', $A, $cyd, '2021-02-03 04:05:06')`,
		`insert into tenant_invites values ('old', `+q(tenant)+`, 'Eva@Example.com', 'the first raw token', null, '2030-01-01', '2022-01-01'),
			('new', `+q(tenant)+`, null, 'the second raw token', null, '2030-01-01', '2023-01-01'),
			('used', `+q(tenant)+`, null, 'the third raw token', '2021-05-05', '2021-06-06', '2021-01-01')`,
		`insert into tickets values ('k', $A, `+q(tenant)+`, 'Second', 'It drips', 'done', 'medium', '2024-01-02', '2024-02-02'),
			('l', $A2, null, 'First', null, 'Canceled', 'HIGH', '2024-01-01', '2024-02-02')`,
	), dbtest.New(t)
	_, rows := move(t, from, to, false)
	require.Empty(t, rows)

	require.Equal(t, fmt.Sprintf("%s %s Eva Stone Eva@Example.com 555 %s %s 2021-02-03T04:05:06", ann, tenant, unitA, cyd), one[string](t, to,
		`select concat_ws(' ', owner_user_id, id, first_name, last_name, email, phone, unit_id, user_id,
			to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')) from app.tenants`))
	for token, want := range map[string]string{
		"the first raw token":  "eva@example.com Ann Flat revoked",
		"the second raw token": "eva@example.com Ann Flat open",
		"the third raw token":  "eva@example.com Ann Flat claimed by " + cyd.String(),
	} {
		hash := sha256.Sum256([]byte(token))
		require.Equal(t, want, one[string](t, to, `select concat_ws(' ', email, landlord_name, unit_label,
			case when claimed_at is not null then 'claimed by ' || claimed_by_user_id when revoked_at is not null then 'revoked' else 'open' end)
			from app.tenant_invites where token_hash = $1`, hash[:]))
	}
	require.Equal(t, "1 First CANCELLED HIGH closed, 2 Second RESOLVED NORMAL resolved", one[string](t, to, `
		select string_agg(concat_ws(' ', number, title, status, priority,
			case when resolved_at = '2024-02-02Z' then 'resolved' when closed_at = '2024-02-02Z' then 'closed' end), ', ' order by number)
		  from app.tickets`))

	// and it is whose it is: through the policies, as the landlords themselves
	d := map[uuid.UUID]int{ann: 1, bob: 0}
	for landlord, want := range d {
		require.Equal(t, want, seen(t, to, landlord))
	}
}

// TestBesideOthers: what landlords already have stays theirs and as it is; what
// clashes with it is reported; a mended row comes with the next run.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	from, to := small(t,
		`insert into tenants (id, first_name, last_name, email, unit_id) values ('t', 'F', 'L', 'Taken@example.com', $A)`,
		`insert into tickets values ('k', $A, null, 'Drips', null, 'lost', 'LOW', '2024-01-01')`,
	), dbtest.New(t)
	to.Exec(t, `insert into app.users (id, email, full_name) values ($1, 'ann@new.example.com', 'Ann herself')`, ann)
	to.Exec(t, `insert into app.tenants (owner_user_id, first_name, last_name, email, created_by) values ($1, 'F', 'L', 'taken@example.com', $1)`, ann)
	to.Exec(t, `insert into app.units (owner_user_id, id, name, created_by) values ($1, $2, 'Loft', $1)`, ann, uuid.New())
	to.Exec(t, `insert into app.tickets (owner_user_id, unit_id, title, created_by) select owner_user_id, id, 'Here before', $1 from app.units`, ann)

	counts, rows := move(t, from, to, false)
	require.Equal(t, []row{
		{"units", unitA2.String(), "duplicate_name"}, {"tenants", "t", "duplicate_email"}, {"tickets", "k", "unknown_status"},
	}, rows)
	require.Equal(t, legacy.Count{Table: "users", Read: 3, Copied: 2, Unchanged: 1}, counts["users"])
	require.Equal(t, "Ann herself", one[string](t, to, `select full_name from app.users where id = $1`, ann))

	from.Exec(t, `update tenants set email = 'free@example.com'`)
	from.Exec(t, `update tickets set status = 'NEW'`)
	_, rows = move(t, from, to, false)
	require.Equal(t, []row{{"units", unitA2.String(), "duplicate_name"}}, rows)
	require.Equal(t, 2, one[int](t, to, `select number from app.tickets where title = 'Drips'`))

	// a unit that changes hands in the old system does not come a second time
	from.Exec(t, `update units set owner_id = $1 where id = $2`, bob.String(), unitA)
	moved := content(t, to)
	_, rows = move(t, from, to, false)
	require.Contains(t, rows, row{"units", unitA.String(), "owner_changed"})
	require.Equal(t, moved, content(t, to))
}
