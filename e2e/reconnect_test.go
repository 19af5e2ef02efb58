package e2e

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// wire is a TCP proxy to the bus whose connections can be cut.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	conns []net.Conn
}

func newWire(t *testing.T, url string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, to: strings.TrimPrefix(url, "nats://")}
	go w.serve()
	t.Cleanup(func() { _ = listener.Close(); w.cut() })
	return w
}

func (w *wire) url() string { return "nats://" + w.listener.Addr().String() }

func (w *wire) serve() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		go pump(in, out)
		go pump(out, in)
	}
}

func pump(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// cut closes every connection, and returns how many there were; new ones are accepted.
func (w *wire) cut() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.conns) / 2
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
	return n
}

// The requester's connection breaks in mid-answer: it reconnects, and the answer goes on, or the gap
// is named.
func TestRequesterReconnects(t *testing.T) {
	f, truth := bigFleet(t)
	w := newWire(t, f.url)
	direct := f.url
	f.url = w.url()
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.url = direct
	f.waiting()
	if w.cut() == 0 {
		t.Fatal("nothing was connected through the wire")
	}
	_, status := check(t, q.finish(rest), truth, "EVERYWHERE")
	t.Logf("after the requester reconnected: %v", status)
	for node, s := range status {
		if s != "complete" {
			t.Errorf("%s is %q: what a node keeps must be enough to go on", node, s)
		}
	}
}

// A node's connection breaks in mid-answer.
func TestNodeReconnects(t *testing.T) {
	f, truth := bigFleet(t)
	f.nodes["node2"].end(syscall.SIGKILL)
	w := newWire(t, f.url)
	direct := f.url
	f.url = w.url()
	f.node("node2", "--logs", filepath.Join(f.home, "logs", "node2.log"))
	f.url = direct
	f.up(4)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.waiting()
	if w.cut() == 0 {
		t.Fatal("nothing was connected through the wire")
	}
	_, status := check(t, q.finish(rest), truth, "EVERYWHERE")
	t.Logf("after node2 reconnected: %v", status)
	for node, s := range status {
		if s != "complete" {
			t.Errorf("%s is %q: what a node keeps must be enough to go on", node, s)
		}
	}
}
