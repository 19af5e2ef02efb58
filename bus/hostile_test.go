package bus_test

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// A stranger who may publish anywhere sends rubbish everywhere: nothing of it reaches a handler, and
// the node answers as before.
func TestHostileMessagesToANode(t *testing.T) {
	b := bustest.Start(t)
	n := serve(t, b.Connect("root"), record("n1"))
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	whole := schemas.AppendQuery(nil, &schemas.Query{ID: "q", User: "ann", Client: "c", Patterns: []string{"x"}, MaxCount: -1, Timeout: time.Minute})
	payloads := [][]byte{nil, {0}, []byte("\xdd\xff\xff\xff\xff"), []byte("\xdb\xff\xff\xff\xff"), []byte(strings.Repeat("\x91", 1<<20)), whole[:len(whole)-1]}
	seed := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		p := make([]byte, seed.IntN(64))
		for i := range p {
			p[i] = byte(seed.Uint32())
		}
		payloads = append(payloads, p)
	}
	for _, subject := range []string{
		"trawl.v1.q.ann.all", "trawl.v1.q.ann.grp.web", "trawl.v1.node.n1.q.ann", "trawl.v1.ctl.n1.ann.c.q", "trawl.v1.cancel.ann.c.q",
		"trawl.v1.hb.n1", "trawl.v1.node.n1.gone.ann.c.q", "trawl.v1.node.n1.ping", "trawl.v1.ping",
	} {
		for _, p := range payloads {
			must(t, nc.PublishRequest(subject, "trawl.v1.q.victim.all", p))
		}
	}
	// Well formed, but where no token may stand.
	must(t, nc.Publish("trawl.v1.q.ann\xff.all", whole))
	must(t, nc.Flush())
	a := ask(t, b.Connect("alice"), "q1")
	must(t, a.session.AskAll(a.query))
	bustest.Eventually(t, "an answer", a.heard(bus.EventFrame, "n1"))
	n.mu.Lock()
	defer n.mu.Unlock()
	if strings.Join(n.queries, " ") != "alice/q1" || len(n.controls)+len(n.cancels)+len(n.gone)+len(n.duplicates) != 0 {
		t.Errorf("queries %q, controls %v, cancels %v, gone %v, duplicates %v", n.queries, n.controls, n.cancels, n.gone, n.duplicates)
	}
}

// Who a frame is from, and for which query, is its subject's word, whatever it holds.
func TestForgedAnswers(t *testing.T) {
	b := bustest.Start(t)
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	conn := b.Connect("alice")
	a := ask(t, conn, "q1")
	roster(t, conn) // a round trip: the server knows the subscription
	mine := "trawl.v1.res.alice." + a.scatter.Client() + "."
	pong := record("n1")
	forged := schemas.AppendNode(nil, &pong)
	for subject, payload := range map[string][]byte{
		"trawl.v1.res.bob." + a.scatter.Client() + ".q1.n1": end(), // another user
		"trawl.v1.res.alice.other.q1.n1":                    end(), // another client
		mine + "q2.n1":                                      end(), // another query
		mine + "q1._":                                       end(), // no node
		mine + "q1.n1.x":                                    end(), // too long
		mine + "ping.n2":                                    forged,
		mine + "ping.n1":                                    []byte("\xdd\xff\xff\xff\xff"),
		mine + "ping._":                                     forged,
	} {
		must(t, nc.Publish(subject, payload))
	}
	must(t, nc.Publish(mine+"q1.last", end()))
	bustest.Eventually(t, "the last frame", a.heard(bus.EventFrame, "last"))
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) != 1 {
		t.Errorf("%d events, want that one: %+v", len(a.events), a.events)
	}
}

func TestSessionRefusesWhatIsNotItsOwn(t *testing.T) {
	b := bustest.StartInProcess(t)
	a := ask(t, b.Connect("alice"), "q1")
	other := *a.query
	other.Client = "other"
	if err := a.session.AskAll(&other); err == nil {
		t.Error("it sends the query of another client")
	}
	for _, node := range []string{"", "*", ">", "a.b", "a b", strings.Repeat("n", 65)} {
		if a.session.AskNode(node, a.query) == nil || a.session.Ping(node) == nil || a.session.Control(node, &schemas.Control{}) == nil {
			t.Errorf("it sends to node %q", node)
		}
	}
	for _, id := range []string{"", "ping", "a.b", "q1"} {
		if _, err := a.scatter.Open(id, func(bus.Event) {}); err == nil {
			t.Errorf("it opens query %q", id)
		}
	}
	a.session.Close()
	if _, err := a.scatter.Open("q1", func(bus.Event) {}); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
}

// A session that takes nothing loses the newest frames, and is told so; the connection stays.
func TestSlowSession(t *testing.T) {
	b := bustest.Start(t)
	var log syncBuffer
	conn := b.Connect("alice", func(o *bus.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	scatter, err := bus.NewScatter(conn, 1<<20)
	must(t, err)
	t.Cleanup(scatter.Close)
	block, events := make(chan struct{}), make(chan bus.Event, 1<<16)
	session, err := scatter.Open("q1", func(e bus.Event) {
		if e.Kind == bus.EventFrame {
			<-block
		}
		events <- e
	})
	must(t, err)
	t.Cleanup(session.Close)
	roster(t, conn) // a round trip: the server knows the subscription
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	frame := make([]byte, 128<<10)
	const sent = 400 // 50 MiB, three times what may wait
	for range sent {
		must(t, nc.Publish("trawl.v1.res.alice."+scatter.Client()+".q1.n1", frame))
	}
	bustest.Eventually(t, "the client drops messages", func() bool { return strings.Contains(log.String(), "slow consumer") })
	close(block)
	frames := 0
	for e := range events {
		if e.Kind == bus.EventFailed {
			if e.Err != bus.ErrSlow {
				t.Errorf("error is %v", e.Err)
			}
			break
		}
		frames++
	}
	if frames == 0 || frames >= sent {
		t.Errorf("%d of %d frames came before the news", frames, sent)
	}
	if got := roster(t, conn); len(got.Nodes) != 0 {
		t.Errorf("roster is %v", got)
	}
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestUserIsThatOfTheSubject(t *testing.T) {
	b := bustest.Start(t)
	n := serve(t, b.Connect("root"), record("n1"))
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	q := schemas.Query{ID: "q1", User: "victim", Client: "c", Patterns: []string{"x"}, MaxCount: -1, Timeout: time.Minute}
	must(t, nc.Publish("trawl.v1.q.mallory.all", schemas.AppendQuery(nil, &q)))
	bustest.Eventually(t, "the query", n.has(func(n *node) bool { return len(n.queries) == 1 }))
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queries[0] != "mallory/q1" {
		t.Errorf("query is %s", n.queries[0])
	}
}
