// Package logtest keeps what a test's process logs, so that tests can look for what
// must be there, and for what must not.
package logtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/telemetry"
)

// Log is everything that the process has logged, at any level, as lines of JSON. Tests
// run side by side: look in it for a text that only your test uses.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Capture has slog's default logger write to the result. It is for TestMain.
func Capture() *Log {
	l := &Log{}
	handler, err := telemetry.NewHandler(l, "debug", "json")
	if err != nil {
		panic(err) // level and form are known
	}
	slog.SetDefault(slog.New(handler))
	return l
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// RequireWithout requires that none of texts was logged, without printing them, or
// everything else that was.
func (l *Log) RequireWithout(t testing.TB, texts ...string) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		for n, text := range texts {
			require.NotEmpty(t, text)
			require.False(t, strings.Contains(line, text), "text %d is in the log: %s", n, strings.ReplaceAll(line, text, "[it]"))
		}
	}
}

// Complaints shows the test's reader the warnings and errors so far.
func (l *Log) Complaints(t testing.TB) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, "WARN") || strings.Contains(line, "ERROR") {
			t.Log(line)
		}
	}
}
