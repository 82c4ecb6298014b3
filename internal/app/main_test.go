package app

import (
	"os"
	"testing"

	"rowhouse/internal/dbtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		work() // a worker that TestChaos starts, and kills
		return
	}
	os.Exit(dbtest.Main(m))
}
