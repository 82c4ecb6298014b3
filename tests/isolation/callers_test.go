package isolation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/seal"
)

const denied = "42501"

// caller is somebody with a connection who runs SQL of their own choice on it.
type caller struct {
	name  string
	login string
	// session is whom the session speaks as, for roles that cannot log in.
	session string
	// role is what the transaction becomes; empty stays what it is.
	role string
	// who is the user whom the database should take the caller for, if any.
	who uuid.UUID
	// identity is app.user_id and app.user_seal; nil sets neither.
	identity func(w *world, pid uint32) (id, seal string)
	// token is of an invite, and email an address that is proven to be the caller's.
	token, email string
	// logged is the entry of support_accesses that the caller names.
	logged string
	// sight is what the caller should see, where that is not their own rows alone.
	sight view
	// rowSecurity is sent as a setting unless it is empty.
	rowSecurity string

	w    *world
	conn *pgx.Conn
}

// effective is the role whose rights the caller has.
func (c *caller) effective() string {
	for _, name := range []string{c.role, c.session} {
		if name != "" {
			return name
		}
	}
	return c.login
}

// sealed is the identity that the server gives.
func sealed(persona string, id uuid.UUID) func(*world, uint32) (string, string) {
	return func(w *world, pid uint32) (string, string) { return id.String(), w.seal(persona, id, pid) }
}

// as is somebody whom the server has let in.
func (w *world) as(t testing.TB, persona string, who uuid.UUID) *caller {
	t.Helper()
	return w.connect(t, &caller{name: persona, login: "rowhouse_api", role: persona, who: who, identity: sealed(persona, who)})
}

func (w *world) connect(t testing.TB, c *caller) *caller {
	t.Helper()
	c.w, c.conn = w, w.Connect(t, c.login)
	if c.session != "" {
		_, err := c.conn.Exec(t.Context(), "set session authorization "+c.session)
		require.NoError(t, err)
	}
	return c
}

// begin opens a transaction as the caller.
func (c *caller) begin(t testing.TB) {
	t.Helper()
	script := "begin;"
	if c.role != "" {
		script += "set local role " + c.role + ";"
	}
	if c.rowSecurity != "" {
		script += "set local row_security = " + c.rowSecurity + ";"
	}
	if c.identity != nil {
		id, seal := c.identity(c.w, c.conn.PgConn().PID())
		script += "select set_config('app.user_id', " + quote(id) + ", true), set_config('app.user_seal', " + quote(seal) + ", true)"
	}
	if c.token != "" {
		script += fmt.Sprintf("; select set_config('app.invite_hash', '%x', true), set_config('app.user_email', %s, true)", sha256.Sum256([]byte(c.token)), quote(c.email))
	}
	if c.logged != "" {
		script += "; select set_config('app.support_access', " + quote(c.logged) + ", true)"
	}
	_, err := c.conn.PgConn().Exec(t.Context(), script).ReadAll()
	require.NoError(t, err, c.name)
}

// outcome is what the caller learns of a statement.
type outcome struct {
	code string // SQLSTATE, empty for success
	tag  string // such as "UPDATE 0"
	rows [][]string
	said string // everything, errors included
}

// run runs sql in a transaction of its own and commits it.
func (c *caller) run(t testing.TB, sql string) outcome {
	t.Helper()
	c.begin(t)
	o := c.do(t, sql)
	c.end(t)
	return o
}

// do runs sql in the open transaction.
func (c *caller) do(t testing.TB, sql string) outcome {
	t.Helper()
	if strings.HasPrefix(sql, "copy ") {
		return c.copy(t, sql)
	}
	results, err := c.conn.PgConn().Exec(t.Context(), sql).ReadAll()
	o := failure(t, sql, err)
	for _, result := range results {
		o.tag = result.CommandTag.String()
		for _, row := range result.Rows {
			texts := make([]string, len(row))
			for i, value := range row {
				texts[i] = string(value)
			}
			o.rows = append(o.rows, texts)
			o.said += strings.Join(texts, "|") + "\n"
		}
	}
	return o
}

func (c *caller) copy(t testing.TB, sql string) outcome {
	t.Helper()
	var data bytes.Buffer
	var err error
	if strings.Contains(sql, " from stdin") {
		_, err = c.conn.PgConn().CopyFrom(t.Context(), strings.NewReader(""), sql)
	} else {
		_, err = c.conn.PgConn().CopyTo(t.Context(), &data, sql)
	}
	o := failure(t, sql, err)
	o.said += data.String()
	return o
}

// end commits, or rolls back what failed.
func (c *caller) end(t testing.TB) {
	t.Helper()
	_, err := c.conn.PgConn().Exec(context.WithoutCancel(t.Context()), "commit").ReadAll()
	require.NoError(t, err, c.name)
}

func failure(t testing.TB, sql string, err error) outcome {
	t.Helper()
	if err == nil {
		return outcome{}
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	require.True(t, ok, "%s: %v", sql, err)
	return outcome{code: pg.Code, said: strings.Join([]string{
		pg.Severity, pg.Message, pg.Detail, pg.Hint, pg.InternalQuery, pg.Where, pg.ConstraintName, "",
	}, "\n")}
}

// keeps fails the test if the answer holds one of the secrets that the attack
// itself did not name.
func (o outcome) keeps(t testing.TB, secrets []string, attack string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(o.said, secret) && !strings.Contains(attack, secret) {
			require.Fail(t, "another's row is in the answer", "%s\nsecret %q in\n%s", attack, secret, o.said)
		}
	}
}

// callers are all kinds of callers; those of A and B come first.
func (w *world) callers(t testing.TB) []*caller {
	t.Helper()
	const landlord = "rowhouse_landlord"
	a, b := w.a.UserID, w.b.UserID
	all := []*caller{
		{name: "A", login: "rowhouse_api", role: landlord, who: a, identity: sealed(landlord, a)},
		{name: "B", login: "rowhouse_api", role: landlord, who: b, identity: sealed(landlord, b)},
		{name: "A's profile", login: "rowhouse_api", role: "rowhouse_user", who: a, identity: sealed("rowhouse_user", a)},
		{name: "B's profile", login: "rowhouse_api", role: "rowhouse_user", who: b, identity: sealed("rowhouse_user", b)},
		{name: "A as support", login: "rowhouse_api", role: "rowhouse_support", who: a, identity: sealed("rowhouse_support", a)},
		{name: "A renting", login: "rowhouse_api", role: "rowhouse_tenant", who: a, identity: sealed("rowhouse_tenant", a)},
		{name: "A through the worker", login: "rowhouse_worker", role: landlord, who: a, identity: sealed(landlord, a)},
		{name: "API login without persona", login: "rowhouse_api", identity: sealed(landlord, b)},
		{name: "API login, sealed as itself", login: "rowhouse_api", identity: sealed("none", b)},
		{name: "worker login without persona", login: "rowhouse_worker", identity: sealed(landlord, b)},
		{name: "migrator", login: "rowhouse_migrator", identity: sealed(landlord, b)},
		{name: "owner", login: "rowhouse_migrator", role: "rowhouse_owner", identity: sealed(landlord, b), rowSecurity: "on"},
		// no server seals for these two; the wall should stand even so
		{name: "owner sealed as B", login: "rowhouse_migrator", role: "rowhouse_owner", identity: sealed("rowhouse_owner", b), rowSecurity: "on"},
		{name: "remover sealed as A", login: "rowhouse_migrator", role: "rowhouse_remover", who: a, identity: sealed("rowhouse_remover", a)},
		{name: "remover with B's seal", login: "rowhouse_migrator", role: "rowhouse_remover", identity: sealed(landlord, b)},
		{name: "service_role", login: "postgres", session: "service_role", identity: sealed(landlord, b)},
		{name: "service_role without row security", login: "postgres", session: "service_role", identity: sealed(landlord, b), rowSecurity: "off"},
		{name: "anon", login: "postgres", session: "anon", identity: sealed(landlord, b)},
		{name: "authenticated", login: "postgres", session: "authenticated", identity: sealed(landlord, b)},
	}
	// whoever cannot prove who they are is nobody, in each persona
	for _, persona := range personas {
		for _, i := range w.impostures(persona) {
			all = append(all, &caller{name: i.name + " as " + persona, login: "rowhouse_api", role: persona, identity: i.identity})
		}
	}
	// all of one login on one connection, as in a pool
	shared := map[string]*pgx.Conn{}
	for _, c := range all {
		who := c.login + " " + c.session
		if shared[who] == nil {
			shared[who] = w.connect(t, c).conn
		}
		c.w, c.conn = w, shared[who]
	}
	return all
}

type imposture struct {
	name     string
	identity func(w *world, pid uint32) (id, seal string)
}

// impostures are the ways to claim to be B without a valid seal for B.
func (w *world) impostures(persona string) []imposture {
	b := w.b.UserID.String()
	another := personas[(slices.Index(personas, persona)+1)%len(personas)]
	signed := func(change func(seal []string)) func(*world, uint32) (string, string) {
		return func(w *world, pid uint32) (string, string) {
			seal := strings.Split(w.seal(persona, w.b.UserID, pid), ".")
			change(seal)
			return b, strings.Join(seal, ".")
		}
	}
	lasting := func(d time.Duration) func(*world, uint32) (string, string) {
		return func(w *world, pid uint32) (string, string) {
			return b, w.ring.Sign(persona, w.b.UserID, time.Now().Add(d), pid)
		}
	}
	strangers, err := seal.ParseKeyring("now:c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXI=")
	if err != nil {
		panic(err) // the text is a constant
	}
	return []imposture{
		{"nobody", nil},
		{"empty settings", func(*world, uint32) (string, string) { return "", "" }},
		{"garbage", func(*world, uint32) (string, string) { return "'; drop table app.units; --", "\x01.%s.-1.\\x" }},
		{"id without seal", func(*world, uint32) (string, string) { return b, "" }},
		{"seal without id", func(w *world, pid uint32) (string, string) { return "", w.seal(persona, w.b.UserID, pid) }},
		{"forged seal", signed(func(s []string) { s[3] = strings.Repeat("0", 64) })},
		{"bent seal", signed(func(s []string) { s[3] = bend(s[3]) })},
		{"seal with a later expiry", signed(func(s []string) { s[1] = bend(s[1]) })},
		{"seal of the coming key's name", signed(func(s []string) { s[0] = "next" })},
		{"unknown key", signed(func(s []string) { s[0] = "unknown" })},
		{"another's keys", func(w *world, pid uint32) (string, string) {
			return b, strangers.Sign(persona, w.b.UserID, time.Now().Add(time.Minute), pid)
		}},
		{"expired seal", lasting(-time.Second)},
		{"seal too far in the future", lasting(10 * time.Minute)},
		{"seal of another persona", sealed(another, w.b.UserID)},
		{"seal of no persona", sealed("none", w.b.UserID)},
		{"seal of another backend", func(w *world, pid uint32) (string, string) { return b, w.seal(persona, w.b.UserID, pid+1) }},
		{"seal of any backend", func(w *world, _ uint32) (string, string) { return b, w.seal(persona, w.b.UserID, 0) }},
		{"seal of another user", func(w *world, pid uint32) (string, string) { return b, w.seal(persona, w.a.UserID, pid) }},
		{"nobody's id", func(w *world, pid uint32) (string, string) {
			return uuid.Nil.String(), w.seal(persona, w.b.UserID, pid)
		}},
	}
}

// bend changes a text's last character to another digit.
func bend(text string) string {
	last := "1"
	if strings.HasSuffix(text, last) {
		last = "2"
	}
	return text[:len(text)-1] + last
}

// hopeless reports whether the grants alone refuse the caller, as they refuse the
// same role with A's seal; an imposture adds nothing to that.
func (c *caller) hopeless(name string) bool {
	_, granted := tables[name].grants[c.role]
	return c.who == uuid.Nil && slices.Contains(personas, c.role) && !granted
}

// sees reports whether the caller may read a table, and whose rows of it.
func (c *caller) sees(name string) (uuid.UUID, bool) {
	g := tables[name].grants[c.effective()]
	if g.reads == "" {
		return uuid.Nil, c.effective() == "rowhouse_owner"
	}
	if c.sight != nil {
		return c.who, true
	}
	if _, special := g.rows["select"]; special && tables[name].owner != "id" {
		return uuid.Nil, true // none of these callers rents or holds an invite
	}
	return c.who, true
}

var everything = regexp.MustCompile(`(\w+\.)?\*`)

// narrow asks for the columns that a role may read instead of all.
func narrow(sql, name, role string) string {
	reads := tables[name].grants[role].reads
	if reads == "" || reads == all {
		return sql
	}
	return everything.ReplaceAllStringFunc(sql, func(star string) string {
		prefix := strings.TrimSuffix(star, "*")
		return prefix + strings.Join(words(reads), ", "+prefix)
	})
}
