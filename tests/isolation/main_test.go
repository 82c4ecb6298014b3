package isolation

import (
	"log/slog"
	"os"
	"testing"

	"rowhouse/internal/dbtest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // a line for each request
	os.Exit(dbtest.Main(m))
}
