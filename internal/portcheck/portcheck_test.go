package portcheck_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/portcheck"
)

func TestListen(t *testing.T) {
	t.Parallel()

	held, err := portcheck.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = held.Close() })
	port := held.Addr().(*net.TCPAddr).Port

	_, err = portcheck.Listen(t.Context(), held.Addr().String())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, fmt.Sprintf("port %d is taken by ", port))
	if runtime.GOOS == "linux" {
		require.ErrorContains(t, err, fmt.Sprintf("process %d (%s", os.Getpid(), os.Args[0]))
	}

	require.NoError(t, held.Close())
	require.Equal(t, "another process", portcheck.Holder(port))
}

func TestListenElsewhere(t *testing.T) {
	t.Parallel()

	_, err := portcheck.Listen(t.Context(), "192.0.2.1:0")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
}
