package isolation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

const whoAmI = "select coalesce(app.current_user_id()::text, 'nobody')"

// TestIdentity asks the database who the caller is. What does not prove that B
// is calling is nobody, and never an error: that would stop a landlord's work,
// or tell how near a guess was.
func TestIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, persona := range personas {
		b := w.as(t, persona, w.b.UserID)
		require.Equal(t, [][]string{{w.b.UserID.String()}}, b.run(t, whoAmI).rows)
		for _, i := range w.impostures(persona) {
			c := *b
			c.identity = i.identity
			require.Equal(t, [][]string{{"nobody"}}, c.run(t, whoAmI).rows, "%s as %s", i.name, persona)
		}
		// what was proven in one transaction is forgotten in the next
		require.Equal(t, [][]string{{w.b.UserID.String()}}, b.run(t, whoAmI).rows)
		b.identity = nil
		require.Equal(t, [][]string{{"nobody"}}, b.run(t, whoAmI).rows)
	}

	// either key of a rotation will do
	b := w.as(t, personas[0], w.b.UserID)
	b.identity = func(_ *world, pid uint32) (string, string) {
		return w.b.UserID.String(), dbtest.Keyring(t, dbtest.RotateText).Sign(personas[0], w.b.UserID, time.Now().Add(time.Minute), pid)
	}
	require.Equal(t, [][]string{{w.b.UserID.String()}}, b.run(t, whoAmI).rows)
}

// TestOddSettings puts odd texts where the identity is read from.
func TestOddSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as(t, personas[0], w.b.UserID)
	id, valid := w.b.UserID.String(), w.seal(personas[0], w.b.UserID, c.conn.PgConn().PID())
	part := strings.Split(valid, ".")
	seal := func(parts ...string) string { return strings.Join(parts, ".") }
	for _, odd := range [][2]string{
		{strings.ToUpper(id), valid},
		{"{" + id + "}", valid},
		{strings.ReplaceAll(id, "-", ""), valid},
		{id + " ", valid},
		{" " + id, valid},
		{id + "\n", valid},
		{id + "\n" + id, valid},
		{id[:35], valid},
		{strings.Repeat(id, 1000), valid},
		{"null", valid},
		{id, valid + "\n"},
		{id, "\n" + valid},
		{id, valid + "."},
		{id, valid + valid},
		{id, strings.ToUpper(valid)},
		{id, seal(part[0], part[1], part[2], strings.ToUpper(part[3])+"G")},
		{id, seal(part[0], part[1], part[2], part[3][:62])},
		{id, seal(part[0], part[1], part[2], part[3][:63])},
		{id, seal(part[0], part[1], part[2], part[3]+"0")},
		{id, seal(part[0], part[1], part[2], part[3][:63]+"g")},
		{id, seal(part[0], part[1], part[2], "")},
		{id, seal(part[0], part[1], part[3])},
		{id, seal(part[0], "0"+part[1], part[2], part[3])},
		{id, seal(part[0], "9999999999", part[2], part[3])},
		{id, seal(part[0], "99999999999999999999", part[2], part[3])},
		{id, seal(part[0], "-"+part[1], part[2], part[3])},
		{id, seal(part[0], "١٢٣٤٥٦٧٨٩٠", part[2], part[3])},
		{id, seal(part[0], part[1], "0"+part[2], part[3])},
		{id, seal(part[0], part[1], "99999999999999999999", part[3])},
		{id, seal(part[0], part[1], "", part[3])},
		{id, seal("", part[1], part[2], part[3])},
		{id, seal(part[0]+" ", part[1], part[2], part[3])},
		{id, seal("%", part[1], part[2], part[3])},
		{id, seal("' or true --", part[1], part[2], part[3])},
		{id, seal(strings.Repeat("a", 33), part[1], part[2], part[3])},
		{id, strings.Repeat(".", 100_000)},
		{id, strings.Repeat("ü", 1000)},
	} {
		c.identity = func(*world, uint32) (string, string) { return odd[0], odd[1] }
		require.Equal(t, outcome{tag: "SELECT 1", rows: [][]string{{"nobody"}}, said: "nobody\n"}, c.run(t, whoAmI), "%.200q", odd)
	}
}

// TestSealWithoutAnID has a good seal say of whom it is, where nobody has said so: what
// is sealed is the id, the expiry and the rest in a row.
func TestSealWithoutAnID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.Connect(t, "rowhouse_api") // on which app.user_id was never set
	part := strings.Split(w.seal(personas[0], w.b.UserID, conn.PgConn().PID()), ".")
	crafted := strings.Join([]string{part[0], w.b.UserID.String() + "|" + part[1], part[2], part[3]}, ".")
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "set local role "+personas[0])
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select set_config('app.user_seal', $1, true)", crafted)
	require.NoError(t, err)
	var nobody bool
	require.NoError(t, tx.QueryRow(t.Context(), "select app.current_user_id() is null").Scan(&nobody))
	require.True(t, nobody)
}

// TestSealIsNotForOthers uses a good seal where it was not made for.
func TestSealIsNotForOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, personas[0], w.b.UserID)
	stolen := w.seal(personas[0], w.b.UserID, b.conn.PgConn().PID())
	for _, login := range []string{"rowhouse_api", "rowhouse_worker"} {
		thief := w.connect(t, &caller{name: login, login: login, role: personas[0], identity: func(*world, uint32) (string, string) {
			return w.b.UserID.String(), stolen
		}})
		require.Equal(t, [][]string{{"nobody"}}, thief.run(t, whoAmI).rows, "a seal on another connection")
	}
	for _, persona := range personas[1:] {
		c := *b
		c.role = persona
		c.identity = func(*world, uint32) (string, string) { return w.b.UserID.String(), stolen }
		require.Equal(t, [][]string{{"nobody"}}, c.run(t, whoAmI).rows, "a landlord's seal for %s", persona)
	}

	// it ends while the transaction goes on
	b.identity = func(_ *world, pid uint32) (string, string) {
		return w.b.UserID.String(), w.ring.Sign(personas[0], w.b.UserID, time.Now().Add(2*time.Second), pid)
	}
	b.begin(t)
	require.Equal(t, [][]string{{w.b.UserID.String()}}, b.do(t, whoAmI).rows)
	require.Eventually(t, func() bool { return b.do(t, whoAmI).rows[0][0] == "nobody" }, 10*time.Second, 100*time.Millisecond)
	b.end(t)
}

// TestNothingStays lets B leave what can be left on a connection, and A take it
// over: through the package that serves requests, with a pool of one.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	released := make(chan string, 1)
	one := w.Open(t, db.Config{MaxConns: 1, Configure: func(c *pgxpool.Config) {
		c.AfterRelease = func(conn *pgx.Conn) bool {
			var state string
			err := conn.QueryRow(context.Background(), `select concat_ws(' ', current_user, current_setting('role'), current_setting('app.user_id', true),
				(select count(*) from pg_cursors where name <> ''), (select count(*) from pg_listening_channels()))`).Scan(&state)
			released <- fmt.Sprint(state, err)
			return true
		}
	}})
	run := func(ctx context.Context, sql string) (said string, err error) {
		err = one.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
			rows, err := tx.Query(ctx, sql)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				values, err := rows.Values()
				if err != nil {
					return err
				}
				said += fmt.Sprintln(values...)
			}
			return rows.Err()
		})
		require.Equal(t, "rowhouse_api none  0 0<nil>", <-released, sql)
		return said, err
	}
	a, b := w.a.Context(t), w.b.Context(t)
	for _, left := range []struct{ leave, find string }{
		{"declare kept cursor with hold for select * from app.units", "fetch all from kept"},
		{"select set_config('app.user_id', current_setting('app.user_id'), false)::text, set_config('app.user_seal', current_setting('app.user_seal'), false)", "select current_setting('app.user_id', true) || current_setting('app.user_seal', true) || app.current_user_id()"},
		{"select set_config('search_path', 'bravo-landlord', false)", "select current_setting('search_path')"},
		{"select set_config('role', 'rowhouse_user', false)", "select current_user::text || current_setting('role')"},
		{"select set_config('bravo.note', 'bravo-landlord', false)", "select current_setting('bravo.note', true)"},
		{"listen \"bravo-landlord\"", "select pg_listening_channels()::text"},
		{"prepare mine as select name from app.units", "execute mine"},
		{"select name from app.units", "select name from app.units"},
	} {
		_, err := run(b, left.leave)
		require.NoError(t, err, left.leave)
		said, err := run(a, left.find)
		if err != nil {
			said += err.Error()
		}
		outcome{said: said}.keeps(t, append(secrets, "bravo-landlord", "rowhouse_user"), left.find)
	}
	said, err := run(a, "select app.current_user_id()::text")
	require.NoError(t, err)
	require.Contains(t, said, w.a.UserID.String())
	w.unharmed(t, "taking over a connection")
}

// TestPlansAreNobodys executes statements that were prepared, and planned, for
// another caller on the same connection.
func TestPlansAreNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.secrets(t, w.b.UserID)
	for _, name := range w.tables {
		for _, persona := range personas {
			if tables[name].grants[persona].reads == "" {
				continue
			}
			b := w.as(t, persona, actor(persona, w.b))
			sql := narrow("select * from "+name, name, persona)
			n, ofOwner := len(b.run(t, sql).rows), len(b.run(t, sql+" where "+tables[name].owner+" = "+quote(w.b.UserID.String())).rows)
			if persona == "rowhouse_landlord" {
				require.Positive(t, n, sql)
			}
			a, nobody := *b, *b
			a.identity, nobody.identity = sealed(persona, actor(persona, w.a)), nil
			ofA := len(a.run(t, sql).rows)
			for _, mode := range []string{"auto", "force_generic_plan", "force_custom_plan"} {
				b.run(t, "deallocate all; set plan_cache_mode = "+mode)
				require.Empty(t, b.run(t, "prepare p as "+sql).code)
				require.Empty(t, b.run(t, "prepare q (uuid) as "+sql+" where "+tables[name].owner+" = $1").code)
				for range 7 { // from the sixth on it may be a generic plan
					require.Len(t, b.run(t, "execute p").rows, n)
					require.Len(t, b.run(t, "execute q ('"+w.b.UserID.String()+"')").rows, ofOwner)
				}
				for c, count := range map[*caller]int{&a: ofA, &nobody: 0} {
					o := c.run(t, "execute p")
					o.keeps(t, secrets, name)
					require.Len(t, o.rows, count, name)
					require.Empty(t, c.run(t, "execute q ('"+w.b.UserID.String()+"')").rows)
				}
			}
		}
	}
}

// TestTemporaryTypes allows what the database forbids, temporary objects, and
// puts types in the way of the functions that run as their owner. A domain of
// the caller's named like a type in such a function would run its check there.
func TestTemporaryTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Exec(t, "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$")
	// so that removal does not refuse at once
	w.Exec(t, "insert into app.account_deletions (owner_user_id, state, remove_after, created_by) values ($1, 'REMOVING', now(), $1)", w.a.UserID)
	for signature, f := range functions {
		if !f.definer {
			continue
		}
		called := slices.Contains(f.callers, personas[0])
		a := w.as(t, personas[0], w.a.UserID) // a connection that has not compiled the function yet
		o := a.run(t, `create function pg_temp.spy() returns boolean language plpgsql as 'begin raise ''code of the caller runs as %'', current_user; end'`)
		require.Empty(t, o.code, o.said)
		for _, kind := range []string{"uuid", "text", "bytea", "int8", "bool", "timestamptz", "interval", "name"} {
			o := a.run(t, fmt.Sprintf("create domain pg_temp.%[1]s as pg_catalog.%[1]s check (pg_temp.spy())", kind))
			require.Empty(t, o.code, o.said)
		}
		name, arguments, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
		switch arguments {
		case "":
		case "text[]":
			arguments = "'{tickets}'"
		case "integer":
			arguments = "0" // rows at most
		case "uuid[],uuid[],uuid[],uuid[]":
			arguments = "'{}', '{}', '{}', '{}'"
		default:
			arguments = "'" + uuid.NewString() + "'"
		}
		sql := fmt.Sprintf("select %s(%s)", name, arguments)
		if !called { // a trigger: these fire all of them
			sql = fmt.Sprintf("insert into app.tickets (unit_id, title) values ('%s', 'x'); update app.units set name = 'x' || name", w.a.UnitID)
			sql += fmt.Sprintf("; set local role rowhouse_user; select set_config('app.user_seal', '%s', true); update app.users set phone = '1'",
				w.seal("rowhouse_user", w.a.UserID, a.conn.PgConn().PID()))
		}
		o = a.run(t, sql)
		require.Empty(t, o.code, "%s: %s", signature, o.said)
	}
}
