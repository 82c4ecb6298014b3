package imports_test

import (
	"os"
	"testing"

	"rowhouse/internal/dbtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		work()
		return
	}
	os.Exit(dbtest.Main(m))
}
