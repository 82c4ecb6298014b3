// Package alerts tests the alert rules in deploy/alerts with Prometheus's own tool.
package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("there is no promtool here: it comes with Debian's package prometheus")
	}
	require.NoError(t, err)
	rules, err := filepath.Glob("../../deploy/alerts/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	for _, file := range rules {
		what := []string{"test", "rules", file}
		if !strings.HasSuffix(file, "_test.yml") {
			require.FileExists(t, strings.TrimSuffix(file, ".yml")+"_test.yml", "rules without a test")
			what = []string{"check", "rules", file}
		}
		out, err := exec.CommandContext(t.Context(), promtool, what...).CombinedOutput()
		require.NoError(t, err, "%s\n%s", file, out)
	}
}
