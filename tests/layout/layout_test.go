// Package layout keeps the import diagram true.
package layout

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "rowhouse"

// allowed lists, for every package of ours, the packages of ours that it may
// import. Read it top to bottom: none imports one above it.
var allowed = map[string][]string{
	"cmd/rowhouse":              {"internal/apiurl", "internal/app", "internal/config", "internal/importcli", "internal/isolationreport", "internal/probe", "internal/seed", "internal/telemetry"},
	"internal/app":              {"internal/accounts", "internal/auth", "internal/authhooks", "internal/config", "internal/contractorsearch", "internal/db", "internal/farewell", "internal/guard", "internal/httpapi", "internal/imports", "internal/invitemail", "internal/invitetoken", "internal/isolationreport", "internal/jobs", "internal/legacy", "internal/localauth", "internal/localpg", "internal/mail", "internal/mailcatcher", "internal/migrate", "internal/policy", "internal/portcheck", "internal/roles", "internal/seal", "internal/sealedcookie", "internal/seed", "internal/storage", "internal/takeout", "internal/web"},
	"internal/dbtest":           {"internal/auth", "internal/db", "internal/invitetoken", "internal/localpg", "internal/migrate", "internal/seal"},
	"internal/httpapi":          {"internal/accounts", "internal/auth", "internal/contractorsearch", "internal/csvfile", "internal/db", "internal/errs", "internal/exports", "internal/farewell", "internal/guard", "internal/imagemeta", "internal/imports", "internal/invitetoken", "internal/isolationreport", "internal/peer", "internal/problem", "internal/query", "internal/ratelimit", "internal/requestid", "internal/roles", "internal/storage", "internal/takeout"},
	"internal/web":              {"internal/authclient", "internal/errs", "internal/problem", "internal/ratelimit", "internal/sealedcookie"},
	"internal/authclient":       {"internal/errs"},
	"internal/isolationreport":  {"internal/guard", "internal/policy", "internal/probe"},
	"internal/legacy":           {"internal/migrate"},
	"internal/farewell":         {"internal/db", "internal/errs", "internal/jobs", "internal/query", "internal/storage", "internal/takeout"},
	"internal/takeout":          {"internal/csvfile", "internal/db", "internal/errs", "internal/jobs", "internal/query", "internal/storage"},
	"internal/authhooks":        {"internal/accounts", "internal/auth", "internal/db", "internal/errs", "internal/mail", "internal/peer", "internal/problem", "internal/query"},
	"internal/seed":             {"internal/accounts", "internal/auth", "internal/db", "internal/query"},
	"internal/contractorsearch": {"internal/db", "internal/query"},
	"internal/exports":          {"internal/csvfile", "internal/query"},
	"internal/imports":          {"internal/csvfile", "internal/db", "internal/errs", "internal/invitetoken", "internal/jobs", "internal/query", "internal/requestid"},
	"internal/accounts":         {"internal/auth", "internal/db", "internal/query"},
	"internal/roles":            {"internal/db"},
	"internal/guard":            {"internal/auth", "internal/db", "internal/errs", "internal/query", "policies"},
	"internal/policy":           {"internal/guard", "internal/localpg", "internal/migrate", "internal/seal", "policies"},
	"internal/invitemail":       {"internal/auth", "internal/db", "internal/errs", "internal/invitetoken", "internal/jobs", "internal/mail", "internal/problem", "internal/query"},
	"internal/jobs":             {"internal/auth", "internal/requestid"},
	"internal/migrate":          {"internal/query", "internal/seal", "policies", "sql/migrations"},
	"internal/db":               {"internal/auth", "internal/errs", "internal/requestid", "internal/seal", "sql/session"},
	"internal/storage":          {"internal/auth"},
	"internal/telemetry":        {"internal/auth", "internal/requestid"},
	"internal/ratelimit":        {"internal/errs", "internal/peer", "internal/problem"},
	"internal/problem":          {"internal/errs", "internal/requestid"},
	"internal/auth":             {"internal/errs"},
	"internal/config":           {"internal/invitetoken", "internal/seal", "internal/sealedcookie"},
	"internal/localpg":          {"internal/portcheck"},
	"internal/csvfile":          {},
	"internal/logtest":          {"internal/telemetry"},
	"internal/mailcatcher":      {"internal/mail"},
	"internal/mail":             {},
	"internal/invitetoken":      {},
	"internal/imagemeta":        {},
	"internal/localauth":        {},
	"internal/peer":             {},
	"internal/portcheck":        {},
	"internal/importcli":        {"internal/apiurl"},
	"internal/probe":            {"internal/apiurl"},
	"internal/apiurl":           {},
	"internal/query":            {},
	"internal/requestid":        {},
	"internal/seal":             {},
	"internal/sealedcookie":     {},
	"internal/errs":             {},
	"policies":                  {},
	"sql/migrations":            {},
	"sql/session":               {},
	"tests/advisors":            {},
	"tests/alerts":              {},
	"tests/api":                 {},
	"tests/auth":                {},
	"tests/bench":               {},
	"tests/e2e":                 {},
	"tests/imports":             {},
	"tests/isolation":           {},
	"tests/isolation/result":    {"internal/isolationreport"},
	"tests/layout":              {},
	"tests/mutate":              {},
	"tests/supabase":            {},
	"tests/supabase-cli":        {},
}

// owners lists who alone may import a package of somebody else. The pool is the
// one that matters: whoever has it is past the policies' door.
var owners = map[string][]string{
	"github.com/jackc/pgx/v5/pgxpool":             {"internal/db", "internal/dbtest", "internal/app", "internal/jobs", "internal/localauth", "internal/migrate"},
	"github.com/jackc/pgx/v5/stdlib":              {"internal/dbtest", "internal/migrate"},
	"database/sql":                                {"internal/migrate"},
	"github.com/pressly/goose/v3":                 {"internal/migrate"},
	"github.com/danielgtaylor/huma/v2":            {"internal/httpapi"},
	"github.com/fergusstrange/embedded-postgres":  {"internal/localpg"},
	"github.com/riverqueue/river":                 {"internal/jobs"},
	"github.com/emersion/go-smtp":                 {"internal/mailcatcher"},
	"github.com/wneessen/go-mail":                 {"internal/mail"},
	"github.com/testcontainers/testcontainers-go": {"internal/dbtest"},
	"github.com/lestrrat-go/jwx/v2/jwt":           {"internal/auth", "internal/localauth"},
	"rowhouse/internal/dbtest":                    {},
	"rowhouse/internal/logtest":                   {},
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	require.NoError(t, err)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string // of the package itself; tests may import what they test and dbtest
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is not in the diagram: add it, with what it may import", name)
		}
		for _, imp := range pkg.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok && !slices.Contains(may, ours) {
				t.Errorf("%s may not import %s", name, ours)
			}
			if only, ok := owners[imp]; ok && !slices.Contains(only, name) {
				t.Errorf("%s may not import %s; ask %v", name, imp, only)
			}
		}
	}
}
