package e2e

import (
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A hostile peer hears everything on an open bus, and sends random, truncated, replayed and forged
// messages to everybody while queries run. Nothing ends, nothing grows, and no line enters an
// answer that is not in the logs.
func TestHostilePeer(t *testing.T) {
	f, truth := sampleFleet(t, 3, 1_000_000)
	conn, err := nats.Connect(f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := &hostile{conn: conn, random: mathrand.New(mathrand.NewPCG(1, 2)), heard: map[string][][]byte{}}
	if _, err := conn.Subscribe("trawl.v1.>", h.hear); err != nil {
		t.Fatal(err)
	}
	if r := f.grep("-c", "EVERYWHERE"); r.code != 0 { // gives the peer something to replay
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { h.attack(stop) })
	complete := 0
	for range 8 {
		r := f.grep("--output", "json", "--timeout", "20s", "EVERYWHERE")
		got, receipt := r.linesOf(t), r.receipt(t)
		for _, node := range truth.Nodes {
			n, want := got[node.Node], int(node.Tokens["EVERYWHERE"])
			switch status := receipt.status(node.Node); {
			case n > want, status == "complete" && n != want:
				t.Errorf("%s is %q with %d of %d lines", node.Node, status, n, want)
			case status == "complete":
				complete++
			}
		}
		for line := range strings.Lines(r.stdout) {
			if strings.Contains(line, forgedText) {
				t.Fatalf("a forged line entered the answer: %s", line)
			}
		}
	}
	close(stop)
	group.Wait()
	t.Logf("%d hostile messages; %d of 24 node answers were complete", h.sent, complete)
	if complete == 0 {
		t.Error("no node's answer was complete under attack")
	}
	f.checkResident()
	f.await("all is well again", 30*time.Second, func() bool { return f.grep("-q", "ABSENT").code == 1 })
}

const forgedText = "forged by a stranger"

// hostile is the peer. It keeps what it hears, by subject, to send it again elsewhere.
type hostile struct {
	conn   *nats.Conn
	random *mathrand.Rand
	sent   int

	mu       sync.Mutex
	heard    map[string][][]byte
	subjects []string
}

func (h *hostile) hear(m *nats.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.heard[m.Subject]; !known {
		if len(h.subjects) == 400 {
			return
		}
		h.subjects = append(h.subjects, m.Subject)
	}
	if len(h.heard[m.Subject]) < 4 && len(m.Data) < 64<<10 {
		h.heard[m.Subject] = append(h.heard[m.Subject], m.Data)
	}
}

// attack sends some thousand messages a second until stop is closed.
func (h *hostile) attack(stop chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for range 10 {
			if subject, data := h.next(); subject != "" {
				_ = h.conn.Publish(subject, data)
				h.sent++
			}
		}
	}
}

// next makes up a message: what was heard on one subject, mangled, on another or the same.
func (h *hostile) next() (string, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subjects) == 0 {
		return "", nil
	}
	from := h.subjects[h.random.IntN(len(h.subjects))]
	to := h.subjects[h.random.IntN(len(h.subjects))]
	if len(h.heard[from]) == 0 {
		return "", nil
	}
	data := append([]byte(nil), h.heard[from][h.random.IntN(len(h.heard[from]))]...)
	switch h.random.IntN(6) {
	case 0: // noise
		data = make([]byte, h.random.IntN(300))
		_, _ = rand.Read(data)
	case 1: // truncated
		data = data[:h.random.IntN(len(data)+1)]
	case 2: // a huge length somewhere
		if len(data) > 8 {
			at := h.random.IntN(len(data) - 5)
			data[at] = []byte{0xdd, 0xdb, 0xc6, 0xdf}[h.random.IntN(4)]
			binary.BigEndian.PutUint32(data[at+1:], 0xfffffff0)
		}
	case 3: // forged: text of its own in somebody's frame, of a run that is another's
		for i := range data {
			if n := len(data) - i; n < len(forgedText) {
				break
			} else if data[i] == 'r' && strings.HasPrefix(string(data[i:]), "req=") {
				copy(data[i:], forgedText)
			}
		}
		return h.elsewhere(to), data
	case 4: // replayed where it belongs, or to the wrong user, node or query
		return h.elsewhere(to), data
	case 5: // nested without end
		data = []byte(strings.Repeat("\x91", 4096))
	}
	return to, data
}

// elsewhere changes one token of a subject, so that the message pretends to be another's.
func (h *hostile) elsewhere(subject string) string {
	tokens := strings.Split(subject, ".")
	at := 2 + h.random.IntN(max(1, len(tokens)-2))
	if at < len(tokens) {
		other := strings.Split(h.subjects[h.random.IntN(len(h.subjects))], ".")
		tokens[at] = other[len(other)-1]
	}
	return strings.Join(tokens, ".")
}
