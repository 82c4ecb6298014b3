// Package portcheck opens listening sockets and, where a port is taken, says by
// whom: "address already in use" alone sends people hunting.
package portcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Listen opens a TCP listener on address ("127.0.0.1:8080"). If the port is
// taken, the error names the port and its holder, and errors.Is recognises it
// as syscall.EADDRINUSE.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen: %w", err)
	}

	_, service, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	port, lookupErr := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if lookupErr != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return nil, fmt.Errorf("port %d is taken by %s: %w", port, Holder(port), err)
}

// Holder describes who listens on a TCP port of this machine, for a message to
// people: "process 4711 (postgres -D /data)". Where that cannot be found out
// (another system than Linux, another user's process) it says "another process".
func Holder(port int) string {
	inodes := listeners(port)
	if len(inodes) == 0 {
		return "another process"
	}

	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well-formed
	for _, descriptor := range descriptors {
		target, err := os.Readlink(descriptor)
		if err != nil || !inodes[target] {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(descriptor, "/")[2])
		if err != nil {
			continue
		}
		return Process(pid)
	}
	return "another process"
}

// Process describes a running process by its id and, where it can be read, its
// command line.
func Process(pid int) string {
	command := Command(pid)
	if command == "" {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, command)
}

// Command is the command line of a running process; empty if there is no such
// process, if it has ended and nobody has reaped it, or if it cannot be read.
func Command(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if runtime.GOOS != "linux" {
		line, err = exec.CommandContext(context.Background(), "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	}
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
}

// listeners returns the sockets that listen on port, in the form in which
// /proc/<pid>/fd names them.
func listeners(port int) map[string]bool {
	// Columns of /proc/net/tcp: sl, local_address, rem_address, st, ..., inode
	// as the tenth; addresses end in :PORT in hex and 0A is LISTEN.
	const (
		local, state, inode = 1, 3, 9
		listening           = "0A"
	)
	suffix := fmt.Sprintf(":%04X", port)

	found := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			column := strings.Fields(line)
			if len(column) > inode && column[state] == listening && strings.HasSuffix(column[local], suffix) {
				found["socket:["+column[inode]+"]"] = true
			}
		}
	}
	return found
}
