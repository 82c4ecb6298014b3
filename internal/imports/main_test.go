package imports_test

import (
	"os"
	"testing"

	"rowhouse/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
