package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/portcheck"
	"rowhouse/internal/seed"
)

const ctrlCWithin = 5 * time.Second

// instance is where one `rowhouse dev` lives, running or not.
type instance struct {
	env              environment
	api, auth, mails string // base URLs
}

func newInstance(t testing.TB) instance {
	t.Helper()
	addr, authAddr, mailAddr, smtpAddr := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	_, postgresPort, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	_, authPort, err := net.SplitHostPort(authAddr)
	require.NoError(t, err)
	return instance{
		env: environment{
			"ADDR": addr, "DEV_AUTH_ADDR": authAddr, "DEV_MAIL_ADDR": mailAddr, "DEV_SMTP_ADDR": smtpAddr,
			"DEV_POSTGRES_PORT": postgresPort, "ROWHOUSE_DIR": tempDir(t), "PG_BIN": os.Getenv("ROWHOUSE_TEST_POSTGRES_BIN"),
		},
		api: "http://" + addr, auth: "http://localhost:" + authPort, mails: "http://" + mailAddr,
	}
}

func (i instance) start(t testing.TB) *process {
	t.Helper()
	p := start(t, i.env, "dev")
	p.says(t, "Stop it with Ctrl-C")
	p.serves(t, i.api)
	return p
}

// ctrlC ends p as a terminal would, and looks for anything left of it.
func (i instance) ctrlC(t testing.TB, p *process) {
	t.Helper()
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.exit(t, ctrlCWithin), p.output.tail())
	require.Empty(t, processesOf(i.env["ROWHOUSE_DIR"]))
}

func (i instance) demo(t testing.TB) client {
	t.Helper()
	return signIn(t, i.auth, i.api, "landlord-a@example.com", seed.Password)
}

func TestDev(t *testing.T) {
	t.Parallel()
	i := newInstance(t)

	p := i.start(t)
	for _, line := range []string{
		i.api[len("http://127.0.0.1"):] + "/api/v1", "/docs/", i.auth + "/auth/v1", ":" + i.env["DEV_POSTGRES_PORT"],
		"landlord-a@example.com", "landlord-b@example.com", seed.Password, i.env["DEV_MAIL_ADDR"][len("127.0.0.1"):],
	} {
		require.Contains(t, p.output.String(), line)
	}
	demo := i.demo(t)
	first := demo.units(t, "")
	require.Equal(t, 6, first.Pagination.Total, "demo data")
	gone := first.Units[0].ID
	demo.must(t, http.StatusNoContent, "DELETE", "/api/v1/units/"+gone.String(), nil)
	kept := demo.create(t, "/api/v1/units", object{"name": "Garden house"})
	t.Run("mails and hooks", func(t *testing.T) { testMailsAndHooks(t, i) })
	t.Run("two landlords", func(t *testing.T) { testTwoLandlords(t, i) })
	t.Run("somebody signs up on the page", func(t *testing.T) { testSignUpPage(t, i) })
	t.Run("an invite is mailed", func(t *testing.T) { testDevMail(t, i) })
	t.Run("a second instance", func(t *testing.T) { testSecondInstance(t, i, p) })
	i.ctrlC(t, p)

	p = i.start(t)
	demo = i.demo(t)
	demo.must(t, http.StatusOK, "GET", "/api/v1/units/"+kept.String(), nil)
	demo.must(t, http.StatusNotFound, "GET", "/api/v1/units/"+gone.String(), nil)
	require.Equal(t, 6, demo.units(t, "").Pagination.Total, "a restart adds no demo data and brings none back")

	require.NoError(t, p.cmd.Process.Kill())
	p.exit(t, soon)
	p = i.start(t)
	require.Equal(t, 6, i.demo(t).units(t, "").Pagination.Total, "after a kill")
	// as browsers do, which keep a connection open for later
	for _, base := range []string{i.api, i.auth} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		require.NoError(t, err)
		defer conn.Close()
	}
	i.ctrlC(t, p)
}

// testMailsAndHooks: what the auth server does reaches the API, by its hooks and by
// the webhook of its database, and its mails are caught.
func testMailsAndHooks(t *testing.T, i instance) {
	ann := signUp(t, i.auth, i.api, "hooked@example.com")
	conn, err := pgx.Connect(t.Context(), i.postgres(t))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var profiles int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from app.users where email = 'hooked@example.com'").Scan(&profiles))
	require.Equal(t, 1, profiles, "there before the first request")
	ann.must(t, http.StatusOK, "GET", "/api/v1/me", nil)

	_, err = conn.Exec(t.Context(), "update auth.users set email = 'renamed@example.com', updated_at = now() where email = 'hooked@example.com'")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var renamed bool
		require.NoError(t, conn.QueryRow(t.Context(), "select exists (select from app.users where email = 'renamed@example.com')").Scan(&renamed))
		return renamed
	}, soon, 50*time.Millisecond, "the profile follows the user")

	answer, err := http.Post(i.auth+"/auth/v1/recover", "application/json", strings.NewReader(`{"email":"renamed@example.com"}`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	page, err := http.Get(i.mails)
	require.NoError(t, err)
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "renamed@example.com")
}

// testSignUpPage: the page says that a mail was sent, and it is among the mails.
func testSignUpPage(t *testing.T, i instance) {
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	_, port, err := net.SplitHostPort(i.env["ADDR"])
	require.NoError(t, err)
	submit := func(path string, form url.Values) http.Header {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost:"+port+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://localhost:"+port)
		answer, err := browser.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, path)
		return answer.Header
	}
	credentials := object{"email": "page@example.com", "password": "a long password"}
	answer := submit("/auth/sign-up", url.Values{"email": {"page@example.com"}, "password": {"a long password"}})
	require.Equal(t, "/auth/sent", answer.Get("Location"))
	link, err := url.Parse(i.mailTo(t, "page@example.com")[0])
	require.NoError(t, err)
	require.Equal(t, "localhost:"+port+"/auth/confirm", link.Host+link.Path)
	newClient(i.auth, "").must(t, http.StatusBadRequest, "POST", "/auth/v1/token?grant_type=password", credentials)
	query := link.Query()
	answer = submit("/auth/confirm", url.Values{"tokenHash": {query.Get("token_hash")}, "type": {query.Get("type")}, "next": {query.Get("redirect_to")}})
	require.Contains(t, answer.Get("Set-Cookie"), "__Host-rowhouse-session")
	newClient(i.auth, "").must(t, http.StatusOK, "POST", "/auth/v1/token?grant_type=password", credentials)
}

// postgres is the embedded server's address for its superuser.
func (i instance) postgres(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.env["ROWHOUSE_DIR"], "secrets.json"))
	require.NoError(t, err)
	var secrets struct{ Superuser string }
	require.NoError(t, json.Unmarshal(text, &secrets))
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", secrets.Superuser), Host: "127.0.0.1:" + i.env["DEV_POSTGRES_PORT"], Path: "postgres"}
	return u.String()
}

// testTwoLandlords is the story of the README over bare HTTP, with what a shell
// cannot compare.
func testTwoLandlords(t *testing.T, i instance) {
	ann := signUp(t, i.auth, i.api, "ann@example.com")
	bob := signUp(t, i.auth, i.api, "bob@example.com")
	bobs := map[string]string{}
	for _, c := range []client{ann, bob} {
		refused := c.must(t, http.StatusForbidden, "POST", "/api/v1/properties", object{"name": "Canal House"})
		require.Contains(t, refused.body, `"next":"/onboarding/company"`)
		c.introduce(t)
		property := c.create(t, "/api/v1/properties", object{"name": "Canal House", "city": "Utrecht"})
		unit := c.create(t, "/api/v1/units", object{"name": "Flat 1", "propertyId": property})
		loft := c.create(t, "/api/v1/units", object{"name": "Loft"})
		garage := c.create(t, "/api/v1/units", object{"name": "Garage", "kind": "parking"})
		bobs = map[string]string{
			"/api/v1/properties/" + property.String(): "/api/v1/properties/", "/api/v1/units/" + unit.String(): "/api/v1/units/",
			"/api/v1/units/" + loft.String(): "/api/v1/units/", "/api/v1/units/" + garage.String(): "/api/v1/units/",
		}

		one, two := c.units(t, "?limit=2&page=1"), c.units(t, "?limit=2&page=2")
		require.Equal(t, []int{3, 2}, []int{one.Pagination.Total, one.Pagination.TotalPages})
		require.True(t, one.Pagination.HasNext && two.Pagination.HasPrev && !two.Pagination.HasNext)
		require.Equal(t, []string{"Flat 1", "Garage", "Loft"}, []string{one.Units[0].Name, one.Units[1].Name, two.Units[0].Name})
		require.Equal(t, property, *one.Units[0].PropertyID)
	}

	const nobodys = "11111111-2222-4333-8444-555555555555"
	for path, collection := range bobs {
		for _, request := range []struct {
			method string
			body   any
			status int
		}{
			{"GET", nil, http.StatusNotFound},
			{"PUT", object{"name": "mine now"}, http.StatusForbidden},
			{"PATCH", object{"name": "mine now"}, http.StatusForbidden},
			{"DELETE", nil, http.StatusForbidden},
		} {
			theirs := ann.must(t, request.status, request.method, path, request.body, "X-Request-Id", "the-same-for-both")
			missing := ann.must(t, request.status, request.method, collection+nobodys, request.body, "X-Request-Id", "the-same-for-both")
			require.Equal(t, missing.body, theirs.body, "%s %s", request.method, path)
			missing.header.Del("Date")
			theirs.header.Del("Date")
			missing.header.Del("X-Ratelimit-Remaining") // counts down
			theirs.header.Del("X-Ratelimit-Remaining")
			require.Equal(t, missing.header, theirs.header, "%s %s", request.method, path)
		}
		bob.must(t, http.StatusOK, "GET", path, nil)
	}
}

// testSecondInstance starts another dev beside p, on the same ports and then in
// the same folder.
func testSecondInstance(t *testing.T, i instance, p *process) {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	elsewhere := newInstance(t).env
	_, port, err := net.SplitHostPort(i.env["ADDR"])
	require.NoError(t, err)
	_, authPort, err := net.SplitHostPort(i.env["DEV_AUTH_ADDR"])
	require.NoError(t, err)
	for name, c := range map[string]struct {
		env  environment
		says []string
	}{
		"the same in all":  {i.env, []string{"port " + port, "process " + pid, "rowhouse dev", "ADDR"}},
		"the API's port":   {elsewhere.with(environment{"ADDR": i.env["ADDR"]}), []string{"port " + port, "process " + pid}},
		"the local auth's": {elsewhere.with(environment{"DEV_AUTH_ADDR": i.env["DEV_AUTH_ADDR"]}), []string{"port " + authPort, "process " + pid}},
		"the mails' page":  {elsewhere.with(environment{"DEV_MAIL_ADDR": i.env["DEV_MAIL_ADDR"]}), []string{"process " + pid, "DEV_MAIL_ADDR"}},
		"the folder":       {elsewhere.with(environment{"ROWHOUSE_DIR": i.env["ROWHOUSE_DIR"]}), []string{"in use by process " + pid}},
		"the embedded Postgres": {
			elsewhere.with(environment{"DEV_POSTGRES_PORT": i.env["DEV_POSTGRES_PORT"]}),
			[]string{"port " + i.env["DEV_POSTGRES_PORT"], "postgres"},
		},
	} {
		code, output := outcome(t, c.env, "dev")
		require.Equal(t, 1, code, "%s: %s", name, output)
		for _, text := range c.says {
			require.Contains(t, output, text, name)
		}
	}
	require.Equal(t, 6, i.demo(t).units(t, "").Pagination.Total, "the first one goes on")
}

// A first start takes seconds. Ctrl-C in the middle of it leaves nothing behind
// and nothing that the next start trips over.
func TestDevInterruptedAtStart(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	p := start(t, i.env, "dev")
	p.says(t, "creating a database cluster")
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.exit(t, soon), p.output.tail()) // initdb is waited for, which a busy machine takes longer over
	require.Eventually(t, func() bool { return len(processesOf(i.env["ROWHOUSE_DIR"])) == 0 }, soon, 10*time.Millisecond,
		"what initdb had begun ends a moment after it")
	p = i.start(t)
	require.Equal(t, 6, i.demo(t).units(t, "").Pagination.Total)
	i.ctrlC(t, p)
}

func TestDevOnAnotherServer(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	i := newInstance(t)
	i.env["DATABASE_URL"] = server.URL("postgres")
	p := i.start(t)
	address, err := url.Parse(server.URL("postgres"))
	require.NoError(t, err)
	require.Contains(t, p.output.String(), address.Host)
	require.Equal(t, 6, i.demo(t).units(t, "").Pagination.Total)

	left := processesOf(i.env["ROWHOUSE_DIR"])
	require.Len(t, left, 1, "no embedded server: only rowhouse itself")
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var units int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from app.units").Scan(&units))
	require.Equal(t, 12, units, "two demo landlords")
	t.Run("a login is deleted", func(t *testing.T) { testLoginDeleted(t, i, conn) })
	i.ctrlC(t, p)
	require.NoError(t, conn.Ping(t.Context()), "the server that is not ours goes on")
}

// testLoginDeleted deletes a landlord's login, and one of a tenant of theirs, where the
// identity provider keeps them. Nothing of their books goes, and whoever signs up with
// the address afterwards is somebody else.
func testLoginDeleted(t *testing.T, i instance, conn *pgx.Conn) {
	cleo := signUp(t, i.auth, i.api, "cleo@example.com")
	cleo.introduce(t)
	unit := cleo.create(t, "/api/v1/units", object{"name": "Flat"})
	tenant := cleo.create(t, "/api/v1/tenants", object{"firstName": "Kim", "lastName": "Kay"})
	cleo.create(t, "/api/v1/tenancies", object{"unitId": unit, "tenantId": tenant, "startDate": "2026-01-01"})
	cleo.create(t, "/api/v1/tickets", object{"unitId": unit, "tenantId": tenant, "title": "Drip"})
	signUp(t, i.auth, i.api, "kim@example.com").must(t, http.StatusOK, "GET", "/api/v1/me", nil)
	_, err := conn.Exec(t.Context(), "update app.tenants set user_id = (select id from app.users where email = 'kim@example.com') where id = $1", tenant)
	require.NoError(t, err)
	books := func() (text string) {
		for _, table := range []string{"units", "tenants", "tenancies", "tickets", "ticket_events", "landlord_cards", "audit_log"} {
			var rows string
			require.NoError(t, conn.QueryRow(t.Context(), "select string_agg(x::text, ' ' order by x::text) from app."+table+" x").Scan(&rows))
			text += rows + "\n"
		}
		return text
	}
	before := books()
	tag, err := conn.Exec(t.Context(), "delete from auth.users where email in ('cleo@example.com', 'kim@example.com')")
	require.NoError(t, err)
	require.EqualValues(t, 2, tag.RowsAffected())
	require.Eventually(t, func() bool {
		var gone int
		err := conn.QueryRow(t.Context(), "select count(*) from app.users where provider_deleted_at is not null and email in ('cleo@example.com', 'kim@example.com')").Scan(&gone)
		return err == nil && gone == 2
	}, 10*time.Second, 20*time.Millisecond, "the hook has told of both")
	require.Equal(t, before, books())
	newClient(i.auth, "").must(t, http.StatusBadRequest, "POST", "/auth/v1/token?grant_type=password",
		object{"email": "cleo@example.com", "password": "a long password"})

	for _, email := range []string{"cleo@example.com", "kim@example.com"} {
		other := signUp(t, i.auth, i.api, email)
		other.introduce(t)
		require.Zero(t, other.units(t, "").Pagination.Total)
		other.must(t, http.StatusNotFound, "GET", "/api/v1/units/"+unit.String(), nil)
		var homes struct{ Homes []any }
		other.must(t, http.StatusOK, "GET", "/api/v1/portal/homes", nil).into(t, &homes)
		require.Empty(t, homes.Homes)
	}
}

// The README's walk runs as it stands there, against the default ports.
func TestReadme(t *testing.T) {
	t.Parallel()
	curl := tool(t, "curl")
	for _, port := range []int{8080, 9999, 5499, 8025, 1025} {
		if holder, taken := holderOf(t, port); taken {
			t.Fatalf("port %d, which the README names, is taken by %s", port, holder)
		}
	}
	i := instance{
		env: environment{"ROWHOUSE_DIR": tempDir(t), "PG_BIN": os.Getenv("ROWHOUSE_TEST_POSTGRES_BIN")},
		api: "http://localhost:8080", auth: "http://localhost:9999",
	}
	p := i.start(t)

	sh := exec.Command("sh", "-eu")
	sh.Stdin = strings.NewReader(readmeBlock(t, "## Try it with curl"))
	sh.Env = []string{"PATH=" + os.Getenv("PATH")}
	output, err := sh.CombinedOutput()
	require.NoError(t, err, "%s\n%s", curl, output)
	checkReadmeOutput(t, string(output))
	i.ctrlC(t, p)
}

func checkReadmeOutput(t *testing.T, output string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	require.Len(t, lines, 8, "two pages, then two ids with three requests each:\n%s", output)
	require.Contains(t, lines[0], `"Flat 1"`)
	require.Contains(t, lines[0], `"Garage"`)
	require.Contains(t, lines[0], `"hasNext":true`)
	require.Contains(t, lines[1], `"Loft"`)
	require.Contains(t, lines[1], `"hasNext":false`)
	require.Equal(t, lines[2:5], lines[5:8], "Bob's unit and nobody's")
	require.Contains(t, lines[2], `"code":"not_found"`)
	require.True(t, strings.HasSuffix(lines[2], " 404"), lines[2])
	for _, line := range lines[3:5] {
		require.Contains(t, line, `"code":"forbidden"`)
		require.True(t, strings.HasSuffix(line, " 403"), line)
	}
}

// readmeBlock is the one sh block under heading.
func readmeBlock(t testing.TB, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	require.True(t, found, "README.md has no heading %q", heading)
	section, _, _ = strings.Cut(section, "\n## ")
	parts := strings.Split(section, "```")
	require.Len(t, parts, 3, "one fenced block under %q", heading)
	block, isShell := strings.CutPrefix(parts[1], "sh\n")
	require.True(t, isShell, "the block under %q is not sh", heading)
	return block
}

func holderOf(t testing.TB, port int) (string, bool) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
		if err == nil {
			require.NoError(t, conn.Close())
			return portcheck.Holder(port), true
		}
	}
	return "", false
}
