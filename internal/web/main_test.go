package web_test

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

// logged is everything that the process has logged, at any level.
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

// requireUnlogged requires that none of texts has been logged.
func requireUnlogged(t testing.TB, texts ...string) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		for n, text := range texts {
			require.NotEmpty(t, text)
			require.False(t, strings.Contains(line, text), "secret %d is in the log: %s", n, strings.ReplaceAll(line, text, "[secret]"))
		}
	}
}

// dumpLog shows what the process has complained of.
func dumpLog(t testing.TB) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		if strings.Contains(line, "WARN") || strings.Contains(line, "ERROR") {
			t.Log(line)
		}
	}
}
