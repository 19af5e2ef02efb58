package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
)

// Ctrl-C counts from the first moment on, also while something that is no bus keeps the connection
// waiting.
func TestInterruptedWhileConnecting(t *testing.T) {
	for _, args := range [][]string{{"grep", "x"}, {"nodes"}, {"nodes", "forget", "x"}} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			conn, err := listener.Accept()
			cancel(errInterrupted)
			if err == nil {
				defer conn.Close()
				<-t.Context().Done()
			}
		}()
		var out, errout bytes.Buffer
		args = append(args, "--server", "nats://"+listener.Addr().String())
		if status := run(ctx, args, strings.NewReader(""), &out, &errout); status != exitInterrupted || errout.Len() > 0 {
			t.Errorf("%v: status %d, %s", args, status, errout.String())
		}
		listener.Close()
	}
}

// What no node could serve is refused before it is sent: the bus is not even looked for.
func TestRefusedBeforeConnecting(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"grep x [", `bad glob "["`},
		{"grep x ../../etc/passwd", `".." is refused`},
		{"grep --service [ x", `bad glob "["`},
	} {
		status, _, errout := trawl(t, append(strings.Fields(c.args), "--server", "nats://127.0.0.1:1")...)
		if status != exitUsage || !strings.Contains(errout, c.want) {
			t.Errorf("%s: status %d, %s, want %s", c.args, status, errout, c.want)
		}
	}
	status, _, errout := trawl(t, "grep", "-A9223372036854775807", "-B", "99999999999999999999", "x", "--server", "nats://127.0.0.1:1")
	if status != exitUsage || !strings.Contains(errout, "no connection to the bus") {
		t.Errorf("huge context: status %d, %s", status, errout)
	}
}
