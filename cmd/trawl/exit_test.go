package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A bus that closed the connection in the handshake was taken for a stdout that had been closed: the
// command ended with 141, and said nothing.
func TestOnlyStdoutIsAPipe(t *testing.T) {
	for want, err := range map[int]error{
		exitPipe:  &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE},
		exitUsage: &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)},
	} {
		var errout bytes.Buffer
		got := exitStatus(fmt.Errorf("wrapped: %w", err), &errout)
		if said := strings.Contains(errout.String(), "broken pipe"); got != want || said == (want == exitPipe) {
			t.Errorf("%v: exit %d, want %d; said %q", err, got, want, errout.String())
		}
	}
}
