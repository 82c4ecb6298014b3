package e2e

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/probe"
	"rowhouse/internal/seed"
)

// probed is how long a probe without a bound on its rate may take on a busy machine: it
// sends a few thousand requests.
const probed = 4 * time.Minute

// probeOf runs the probe against an instance until it ends.
func (i instance) probeOf(t testing.TB, args ...string) (code int, output string, report probe.Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	p := i.startProbe(t, append(args, "--rate", "0", "--json", file)...)
	code = p.exit(t, probed)
	text, err := os.ReadFile(file)
	require.NoError(t, err, p.output.String())
	require.NoError(t, json.Unmarshal(text, &report))
	require.NotContains(t, p.output.String()+string(text), "eyJ", "a token")
	require.NotContains(t, p.output.String()+string(text), seed.Password)
	return code, p.output.String(), report
}

func (i instance) startProbe(t testing.TB, args ...string) *process {
	t.Helper()
	return start(t, environment{"SUPABASE_URL": i.auth}, append([]string{"isolation", "--url", i.api}, args...)...)
}

// clean fails if the probe has left anything in the demo landlords' books but what
// nobody can delete.
func (i instance) clean(t testing.TB) {
	t.Helper()
	for _, landlord := range []string{"landlord-a@example.com", "landlord-b@example.com"} {
		c := signIn(t, i.auth, i.api, landlord, seed.Password)
		for path, stay := range map[string]int{
			"properties": 2, "units": 6, "tenancies": 0, "contractors": 0, "tickets": 0, "tenants": 1, "tenant-invites": 1,
		} {
			query := "?archived=all"
			if path == "tenancies" || path == "tenant-invites" {
				query = ""
			}
			a := c.must(t, http.StatusOK, "GET", "/api/v1/"+path+query, nil)
			var page unitsPage
			a.into(t, &page)
			require.Equal(t, stay, page.Pagination.Total, "%s of %s: %s", path, landlord, a.body)
		}
		require.NotContains(t, c.must(t, http.StatusOK, "GET", "/api/v1/tenant-invites", nil).body, `"PENDING"`)
	}
}

func (i instance) unlimited() instance {
	i.env = i.env.with(environment{"RATE_LIMIT_PER_MINUTE": "0"})
	return i
}

func TestIsolationHeld(t *testing.T) {
	t.Parallel()
	i := newInstance(t).unlimited()
	p := i.start(t)
	furnished := func() bool {
		return strings.Contains(i.demo(t).must(t, http.StatusOK, "GET", "/api/v1/contractors", nil).body, "isolation probe")
	}

	// one that cannot clean up after itself
	killed := i.startProbe(t, "--rate", "20")
	killed.until(t, probed, furnished, "it makes no rows")
	require.NoError(t, killed.cmd.Process.Kill())
	killed.exit(t, soon)
	require.True(t, furnished())

	dir := t.TempDir()
	html, junit := filepath.Join(dir, "report.html"), filepath.Join(dir, "report.xml")
	code, output, report := i.probeOf(t, "--html", html, "--junit", junit)
	require.Zero(t, code, output)
	require.True(t, strings.HasPrefix(output, "HELD: "), output)
	require.Equal(t, probe.Held, report.Verdict)
	require.Positive(t, report.Leftovers)
	require.Empty(t, report.NotDeleted)
	require.Len(t, report.Operations, report.Count(probe.OperationHeld))
	checkOperations(t, i, report)
	i.clean(t)

	page, err := os.ReadFile(html)
	require.NoError(t, err)
	require.Contains(t, string(page), "<h1>HELD</h1>")
	text, err := os.ReadFile(junit)
	require.NoError(t, err)
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(text, &suites))
	require.Equal(t, len(report.Operations)+1, suites.Suite.Tests)
	require.Zero(t, suites.Suite.Failures)

	// stopped in the middle
	stopped := i.startProbe(t, "--rate", "20")
	stopped.until(t, probed, furnished, "it makes no rows")
	stopped.signal(t, syscall.SIGINT)
	require.Equal(t, 2, stopped.exit(t, probed), stopped.output.tail())
	require.Contains(t, stopped.output.String(), "INCOMPLETE: ")
	i.clean(t)

	t.Run("on a schedule", func(t *testing.T) { testIsolationSchedule(t, i) })
	i.ctrlC(t, p)
}

// checkOperations wants the report to hold the operations of the document.
func checkOperations(t testing.TB, i instance, report probe.Report) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	newClient(i.api, "").must(t, http.StatusOK, "GET", "/openapi.json", nil).into(t, &document)
	var served, reported []string
	for _, methods := range document.Paths {
		for _, o := range methods {
			served = append(served, o.OperationID)
		}
	}
	for _, o := range report.Operations {
		reported = append(reported, o.ID)
	}
	require.ElementsMatch(t, served, reported)
}

func testIsolationSchedule(t *testing.T, i instance) {
	metrics, file := freeAddress(t), filepath.Join(t.TempDir(), "report.json")
	p := i.startProbe(t, "--rate", "0", "--schedule", "1h", "--metrics-listen", metrics, "--json", file)
	p.until(t, probed, func() bool { return strings.Contains(p.output.String(), "HELD: ") }, "it does not say HELD: ")
	said := ""
	p.until(t, soon, func() bool {
		a, err := newClient("http://"+metrics, "").try(t.Context(), "GET", "/metrics", nil)
		said = a.body
		return err == nil && strings.Contains(said, `rowhouse_isolation_probe_runs_total{verdict="HELD"} 1`)
	}, "it counts no run")
	for _, line := range []string{
		"rowhouse_isolation_probe_crossings 0", "rowhouse_isolation_probe_last_run_timestamp_seconds 1", "rowhouse_isolation_probe_last_success_timestamp_seconds 1",
		`rowhouse_isolation_probe_operations{outcome="not_covered"} 0`, "rowhouse_isolation_probe_duration_seconds ",
	} {
		require.Contains(t, said, "\n"+line)
	}
	p.until(t, soon, func() bool { _, err := os.Stat(file); return err == nil }, "it writes no report")
	p.signal(t, syscall.SIGINT)
	require.Zero(t, p.exit(t, probed), p.output.tail())
}

// A build whose one route is broken on purpose shows another landlord's unit.
func TestIsolationCrossed(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(tempDir(t), "rowhouse")
	out, err := exec.Command("go", "build", "-tags", "brokenroute", "-o", broken, "rowhouse/cmd/rowhouse").CombinedOutput()
	require.NoError(t, err, string(out))

	i := newInstance(t).unlimited()
	p := startProgram(t, broken, i.env, "dev")
	p.says(t, "Stop it with Ctrl-C")
	p.serves(t, i.api)

	code, output, report := i.probeOf(t)
	require.Equal(t, 1, code, output)
	require.True(t, strings.HasPrefix(output, "CROSSED: 1 of "), output)
	require.Equal(t, probe.Crossed, report.Verdict)
	require.NotEmpty(t, report.Crossings)
	for _, c := range report.Crossings {
		require.Equal(t, "getUnit", c.Operation)
	}
	require.Contains(t, output, "/propertyId")
	i.clean(t)
	i.ctrlC(t, p)
}

func TestIsolationRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  environment
		args []string
		says string
	}{
		"clear text":              {nil, []string{"--url", "http://rowhouse.example.com"}, "clear text"},
		"clear text to the login": {environment{"SUPABASE_URL": "http://auth.example.com"}, nil, "clear text"},
		"no passwords":            {environment{"SUPABASE_URL": "https://auth.example.com"}, []string{"--url", "https://rowhouse.example.com"}, "the password of landlord A is missing"},
		"one landlord":            {nil, []string{"--landlord-a", "x@example.com", "--landlord-b", "X@example.com"}, "are one"},
		"nobody there":            {nil, []string{"--url", "http://" + freeAddress(t)}, "fetch the OpenAPI document"},
	} {
		code, output := outcome(t, c.env, append([]string{"isolation"}, c.args...)...)
		require.Equal(t, 2, code, "%s: %s", name, output)
		require.Contains(t, output, c.says, name)
	}
}
