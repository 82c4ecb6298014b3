package httpapi_test

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/telemetry"
)

// logged is everything that the process has logged, at any level. Tests run side
// by side: look in it for a text that only your test uses.
var logged record

func TestMain(m *testing.M) {
	handler, err := telemetry.NewHandler(&logged, "debug", "json")
	if err != nil {
		panic(err)
	}
	slog.SetDefault(slog.New(handler))
	os.Exit(dbtest.Main(m))
}

type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// requireUnlogged requires that none of texts has been logged, without printing
// everything else that has.
func requireUnlogged(t testing.TB, texts ...string) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		for _, text := range texts {
			require.False(t, strings.Contains(line, text), "%q is in the log: %s", text, line)
		}
	}
}
