package httpapi_test

import (
	"bytes"
	"log/slog"
	"os"
	"sync"
	"testing"

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
