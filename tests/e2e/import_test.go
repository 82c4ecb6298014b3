package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
)

// importing is where somebody imports spreadsheets in a terminal.
type importing struct {
	t     testing.TB
	dir   string
	base  string
	ann   client
	token string
	had   uuid.UUID // an import that is there already
}

func newImporting(t testing.TB, d *dbtest.Database) importing {
	t.Helper()
	_, base := serve(t, forServe(t, d))
	l := d.Landlord(t, "ann")
	i := importing{t: t, dir: t.TempDir(), base: base, ann: as(t, base, l.UserID), had: l.ImportID}
	i.token = i.file("token", i.ann.token+"\n")
	return i
}

// works starts a worker.
func works(t testing.TB, d *dbtest.Database) {
	t.Helper()
	worksWith(t, d, environment{"STORAGE_DIR": t.TempDir()})
}

func worksWith(t testing.TB, d *dbtest.Database, more environment) {
	t.Helper()
	start(t, more.with(environment{
		"WORKER_DATABASE_URL": d.URL("rowhouse_worker"), "SEAL_KEYS": dbtest.KeysText, "INVITE_KEYS": dbtest.InviteKeysText,
		"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "no-reply@rowhouse.example", "PUBLIC_URL": "https://rowhouse.example",
	}), "worker").says(t, "working")
}

func (i importing) file(name, text string) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	require.NoError(i.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// run runs the command to its end; nobody but its landlord learns their token.
func (i importing) run(args ...string) (code int, output string) {
	i.t.Helper()
	p := start(i.t, nil, append([]string{"import", "--url", i.base, "--token-file", i.token}, args...)...)
	code = p.exit(i.t, startWithin)
	require.NotContains(i.t, p.output.String(), i.ann.token)
	return code, p.output.String()
}

// imports are the states of those that were made.
func (i importing) imports() (states []string) {
	i.t.Helper()
	var list struct {
		Imports []struct {
			ID    uuid.UUID
			State string
		}
	}
	i.ann.must(i.t, http.StatusOK, "GET", "/api/v1/imports", nil).into(i.t, &list)
	for _, b := range list.Imports {
		if b.ID != i.had {
			states = append(states, b.State)
		}
	}
	return states
}

func TestImportCommand(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	i := newImporting(t, d)
	works(t, d)
	before := i.ann.units(t, "").Pagination.Total

	units := i.file("units.csv", "Einheit;Ort\nAttic;Delft\nCellar;Delft\n")
	code, output := i.run("units", units, "--dry-run")
	require.Zero(t, code, output)
	require.Contains(t, output, "units.csv: 2 rows\n")
	require.Regexp(t, `(?m)^ *create +update +unchanged +skip +error +warning *\n *2 +0 +0 +0 +0 +0`, output)
	require.Contains(t, output, "Nothing was changed.")
	require.Empty(t, i.imports(), "a dry run leaves nothing behind")
	require.Equal(t, before, i.ann.units(t, "").Pagination.Total)

	code, output = i.run("units", units)
	require.Zero(t, code, output)
	require.Contains(t, output, "2 of 2 rows")
	require.Contains(t, output, "units.csv: 2 rows, COMPLETED")
	require.Equal(t, before+2, i.ann.units(t, "").Pagination.Total)

	code, output = i.run("units", units)
	require.Zero(t, code, output)
	require.Regexp(t, `(?m)^ *0 +0 +2 +0 +0`, output)
	require.Contains(t, output, "This very file was sent before.")
	require.NoFileExists(t, units+".failed.csv")

	tenants := i.file("tenants.csv", "firstName,lastName,email,unit\nAda,Byron,ada@example.com,Attic\nGrace,Hopper,grace@,Cellar\nAlan,Turing,alan@example.com,=Roof\n")
	want := "\ufefffirstName,lastName,email,unit,row,error_code,error\n" +
		"Grace,Hopper,grace@,Cellar,3,invalid_email,email: This is not an e-mail address.\n" +
		"Alan,Turing,alan@example.com,'=Roof,4,unknown_unit,unit: There is no such unit.\n"
	for _, args := range [][]string{{"--dry-run"}, nil} {
		code, output = i.run(append([]string{"tenants", tenants}, args...)...)
		require.Equal(t, 2, code, output)
		require.Regexp(t, `(?m)^3 +email +invalid_email +This is not an e-mail address\.$`, output)
		require.Regexp(t, `(?m)^4 +unit +unknown_unit +There is no such unit\.$`, output)
		failed, err := os.ReadFile(tenants + ".failed.csv")
		require.NoError(t, err, output)
		require.Equal(t, want, string(failed))
		info, err := os.Stat(tenants + ".failed.csv")
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "people's addresses are in it")
		require.NoError(t, os.Remove(tenants+".failed.csv"))
	}
	require.Equal(t, []string{"PARTIAL", "COMPLETED", "COMPLETED"}, i.imports())
	code, output = i.run("tenants", i.file("mended.csv", want), "--unknown-units", "create")
	require.Equal(t, 2, code, output)
	require.Contains(t, i.ann.must(t, http.StatusOK, "GET", "/api/v1/units", nil).body, `"=Roof"`)

	left, err := filepath.Glob(filepath.Join(i.dir, "*.failed.csv*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(i.dir, "mended.csv.failed.csv")}, left)
}

// What can't be begun is said, and leaves nothing behind.
func TestImportCommandNotBegun(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	i := newImporting(t, d)
	file := i.file("tenants.csv", "firstName,lastName\nAda,Byron\n")
	elsewhere := httptest.NewServer(http.RedirectHandler(i.base, http.StatusTemporaryRedirect))
	t.Cleanup(elsewhere.Close)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"tenants", filepath.Join(i.dir, "absent.csv")}, "no such file"},
		{[]string{"tenants", i.file("empty.csv", "")}, "(empty_file, request "},
		{[]string{"tenants", i.file("large.csv", strings.Repeat("x", 10<<20+1))}, "larger than 10 MiB"},
		{[]string{"tenants", i.file("columns.csv", "who\x1b[2J,e-mail\nAda,ada@example.com\n")}, "There is no column firstName."},
		{[]string{"tenants", file, "--token-file", filepath.Join(i.dir, "absent")}, "--token-file: open"},
		{[]string{"tenants", file, "--token-file", i.file("prose", "not a token")}, "this is not an access token"},
		{[]string{"tenants", file, "--token-file", i.file("other", "x.y.z")}, "the token is not valid"},
		{[]string{"tenants", file, "--token-file", ""}, "ROWHOUSE_TOKEN"},
		{[]string{"tenants", file, "--url", "http://rowhouse.example"}, "clear text"},
		{[]string{"tenants", file, "--url", elsewhere.URL}, "sends us elsewhere"},
		{[]string{"tenants", file, "--url", "http://" + freeAddress(t)}, "connection refused"},
	} {
		code, output := i.run(c.args...)
		require.Equal(t, 1, code, "%v: %s", c.args, output)
		require.Contains(t, output, c.says, "%v", c.args)
		require.NotContains(t, output, "\x1b")
	}
	require.Empty(t, i.imports())

	env := environment{"ROWHOUSE_TOKEN": i.ann.token}
	code, output := outcome(t, env, "import", "--url", i.base, "tenants", file, "--dry-run")
	require.Zero(t, code, output)
	code, output = outcome(t, nil, "import", "--help")
	require.Zero(t, code)
	require.Contains(t, output, "Exit status: 0")
	require.NotRegexp(t, `--token\b[^-]`, output, "a token on the command line is everybody's")
}

// Ctrl-C stops the import at the server, and not the watching alone.
func TestImportCommandStopped(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	i := newImporting(t, d)
	file := i.file("units.csv", "unit\n"+strings.ReplaceAll(uuid.NewString(), "-", "\n")+"\n")
	p := start(t, nil, "import", "--url", i.base, "--token-file", i.token, "units", file)
	p.says(t, "0 of 5 rows")
	require.Equal(t, []string{"RUNNING"}, i.imports())
	p.signal(t, syscall.SIGINT)
	p.says(t, "Stopping")
	works(t, d) // who finds an import that is to be stopped
	require.Equal(t, 1, p.exit(t, startWithin), p.output.tail())
	require.Contains(t, p.output.String(), "CANCELLED")
	require.Contains(t, p.output.String(), "stopped; the rows that were done by then stay")
	require.Equal(t, []string{"CANCELLED"}, i.imports())
}

// TestExportOfEverything asks for all that there is, which the worker makes where the
// server finds it.
func TestExportOfEverything(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	env := forServe(t, d).with(environment{"STORAGE_DIR": t.TempDir()})
	_, base := serve(t, env)
	l := d.Landlord(t, "ann")
	d.Exec(t, "delete from app.attachments where owner_user_id = $1", l.UserID) // which are in no store
	ann := as(t, base, l.UserID)
	worksWith(t, d, environment{"STORAGE_DIR": env["STORAGE_DIR"]})
	var export struct{ ID, State string }
	ann.must(t, http.StatusCreated, "POST", "/api/v1/exports", object{}).into(t, &export)
	at := "/api/v1/exports/" + export.ID
	for deadline := time.Now().Add(startWithin); export.State != "DONE"; time.Sleep(tick) {
		require.True(t, time.Now().Before(deadline), export.State)
		ann.must(t, http.StatusOK, "GET", at, nil).into(t, &export)
	}
	file := ann.must(t, http.StatusOK, "GET", at+"/download", nil).body
	require.True(t, strings.HasPrefix(file, "PK"))
}
