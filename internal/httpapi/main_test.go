package httpapi_test

import (
	"os"
	"testing"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/logtest"
)

var logged = logtest.Capture()

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
