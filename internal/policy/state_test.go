package policy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/policy"
)

var update = flag.Bool("update", false, "write policies/state.json anew")

// TestStateIsOfThisBuild compares state.json with a database that is migrated
// from the files. When they have changed: make generate.
func TestStateIsOfThisBuild(t *testing.T) {
	t.Parallel()
	// of a server of its own: other tests alter roles
	facts, err := policy.Look(t.Context(), dbtest.Clone(t, dbtest.StartServer(t)).URL("postgres"))
	require.NoError(t, err)

	var file bytes.Buffer
	file.WriteString("[\n")
	encoder := json.NewEncoder(&file) // a fact a line
	encoder.SetEscapeHTML(false)
	for i, fact := range facts {
		if i > 0 {
			file.Truncate(file.Len() - 1)
			file.WriteString(",\n")
		}
		require.NoError(t, encoder.Encode(fact))
	}
	file.WriteString("]\n")
	const name = "../../policies/state.json"
	if *update {
		require.NoError(t, os.WriteFile(name, file.Bytes(), 0o644))
		return
	}
	stored, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(stored), file.String(), "if this is meant: make generate")
}
