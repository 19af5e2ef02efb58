package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// node is a responder of a test that keeps what it heard, and answers each query with one End.
type node struct {
	t       testing.TB
	conn    *bus.Conn
	service *bus.Service
	answer  bool

	mu         sync.Mutex
	record     schemas.Node
	queries    []string // "user/id"
	compress   []string // queries that may be answered compressed
	controls   []bus.Key
	cancels    []bus.Key
	gone       []bus.Key
	reconnects int
	duplicates []string
}

func record(name string) schemas.Node {
	return schemas.Node{Name: name, Instance: "i-" + name, Host: name + ".example", Version: "test",
		Groups: []string{"web"}, Started: time.Now().UnixNano(), Ready: true}
}

// serve puts a node on the bus.
func serve(t testing.TB, conn *bus.Conn, r schemas.Node) *node {
	t.Helper()
	n := &node{t: t, conn: conn, record: r, answer: true}
	var err error
	if n.service, err = bus.Serve(context.Background(), conn, n.current, n.handlers()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

func (n *node) close() {
	if n.service != nil {
		n.service.Close()
		n.service = nil
	}
}

func (n *node) current() schemas.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.record
}

func (n *node) handlers() bus.Handlers {
	locked := func(f func()) {
		n.mu.Lock()
		defer n.mu.Unlock()
		f()
	}
	return bus.Handlers{
		Checkup: func(*schemas.CheckupRequest) *schemas.Checkup { return &schemas.Checkup{User: "test"} },
		Query: func(user string, q *schemas.Query) {
			locked(func() {
				n.queries = append(n.queries, user+"/"+q.ID)
				if q.Compress {
					n.compress = append(n.compress, q.ID)
				}
			})
			if n.answer {
				_ = n.service.Publish(bus.Key{User: user, Client: q.Client, ID: q.ID}, end())
			}
		},
		Control:   func(k bus.Key, _ *schemas.Control) { locked(func() { n.controls = append(n.controls, k) }) },
		Cancel:    func(k bus.Key, _ *schemas.Cancel) { locked(func() { n.cancels = append(n.cancels, k) }) },
		Gone:      func(k bus.Key) { locked(func() { n.gone = append(n.gone, k) }) },
		Reconnect: func() { locked(func() { n.reconnects++ }) },
		Duplicate: func(host string) { locked(func() { n.duplicates = append(n.duplicates, host) }) },
	}
}

// has reads the node's notes.
func (n *node) has(f func(n *node) bool) func() bool {
	return func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return f(n)
	}
}

// end is a whole empty answer.
func end() []byte {
	return schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{Instance: "i"}, End: &schemas.End{}})
}

// asker is a requester of a test that keeps the events of one query.
type asker struct {
	scatter *bus.Scatter
	session *bus.Session
	query   *schemas.Query

	mu     sync.Mutex
	events []bus.Event
}

func ask(t testing.TB, conn *bus.Conn, id string) *asker {
	t.Helper()
	a := &asker{}
	var err error
	if a.scatter, err = bus.NewScatter(conn, 1<<20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.scatter.Close)
	a.query = &schemas.Query{ID: id, User: conn.User(), Client: a.scatter.Client(), Patterns: []string{"x"}, MaxCount: -1, Timeout: time.Minute}
	a.session, err = a.scatter.Open(id, func(e bus.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events = append(a.events, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *asker) heard(kind bus.EventKind, node string) func() bool {
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, e := range a.events {
			if e.Kind == kind && e.Node == node {
				return true
			}
		}
		return false
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestScatterReachesAllGroupAndNode(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	n1 := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	r2 := record("n2")
	r2.Groups = []string{"db"}
	n2 := serve(t, b.Connect("root", bustest.AsResponder), r2)
	conn := b.Connect("alice")
	for _, c := range []struct {
		id     string
		send   func(a *asker) error
		n1, n2 bool
	}{
		{"all", func(a *asker) error { return a.session.AskAll(a.query) }, true, true},
		{"grp", func(a *asker) error { return a.session.AskGroup("db", a.query) }, false, true},
		{"one", func(a *asker) error { return a.session.AskNode("n1", a.query) }, true, false},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := ask(t, conn, c.id)
			must(t, c.send(a))
			for peer, want := range map[*node]bool{n1: c.n1, n2: c.n2} {
				if want {
					bustest.Eventually(t, "a frame from "+peer.record.Name, a.heard(bus.EventFrame, peer.record.Name))
				} else if !peer.has(func(n *node) bool { return !contains(n.queries, "alice/"+c.id) })() {
					t.Errorf("%s got the query", peer.record.Name)
				}
			}
		})
	}
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

func TestControlAndCancelReachTheNode(t *testing.T) {
	b := bustest.StartInProcess(t)
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	a := ask(t, b.Connect("alice"), "q1")
	key := bus.Key{User: "alice", Client: a.scatter.Client(), ID: "q1"}
	must(t, a.session.Control("n1", &schemas.Control{Limit: 7}))
	must(t, a.session.Cancel(&schemas.Cancel{Reason: "enough"}))
	bustest.Eventually(t, "control", n.has(func(n *node) bool { return len(n.controls) == 1 && n.controls[0] == key }))
	bustest.Eventually(t, "cancel", n.has(func(n *node) bool { return len(n.cancels) == 1 && n.cancels[0] == key }))
}

// Where no network is on the way, nothing is compressed; a requester at another server may be far.
func TestCompressionIsForNetworks(t *testing.T) {
	for name, b := range map[string]*bustest.Bus{"loopback": bustest.Start(t), "in process": bustest.StartInProcess(t)} {
		n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
		a := ask(t, b.Connect("alice"), "near")
		a.query.Compress = true
		must(t, a.session.AskAll(a.query))
		bustest.Eventually(t, "the query", n.has(func(n *node) bool { return len(n.queries) == 1 }))
		if !n.has(func(n *node) bool { return len(n.compress) == 0 })() {
			t.Errorf("%s: to be compressed", name)
		}
		if a.query.Server != "" || !a.query.Compress {
			t.Errorf("%s: the caller's query was changed", name)
		}
	}
}

func TestCompressionForAnotherServer(t *testing.T) {
	b := bustest.Start(t)
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	q := schemas.Query{ID: "far", Client: "c", Patterns: []string{"x"}, Timeout: time.Minute, Compress: true, Server: "ANOTHER"}
	must(t, nc.Publish("trawl.v1.q.alice.all", schemas.AppendQuery(nil, &q)))
	bustest.Eventually(t, "a query to be compressed", n.has(func(n *node) bool { return len(n.compress) == 1 }))
}

func TestNobodySubscribed(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("alice")
	a := ask(t, conn, "q1")
	must(t, a.session.AskAll(a.query))
	bustest.Eventually(t, "no responders for all", a.heard(bus.EventNoResponders, ""))
	must(t, a.session.AskNode("n1", a.query))
	bustest.Eventually(t, "no responders for n1", a.heard(bus.EventNoResponders, "n1"))
	must(t, a.session.Ping("n2"))
	bustest.Eventually(t, "no responders for a ping", a.heard(bus.EventNoResponders, "n2"))

	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	must(t, a.session.Ping("n1"))
	bustest.Eventually(t, "pong", a.heard(bus.EventPong, "n1"))
	key := bus.Key{User: "bob", Client: "c", ID: "q9"}
	must(t, n.service.Publish(key, end()))
	bustest.Eventually(t, "gone", n.has(func(n *node) bool { return len(n.gone) == 1 && n.gone[0] == key }))
}

// Issue 2: after a twin had left, even cleanly, a node refused for most of a minute. One that leaves
// says so.
func TestATwinThatLeavesSaysSo(t *testing.T) {
	b := bustest.Start(t)
	old := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	second := record("n1")
	second.Instance, second.Host = "other", "two.example"
	n := serve(t, b.Connect("root", bustest.AsResponder), second)
	bustest.Eventually(t, "the second hears of the first", n.has(func(n *node) bool { return contains(n.duplicates, "n1.example") }))
	old.close()
	bustest.Eventually(t, "the name is its own", n.has(func(n *node) bool { return n.duplicates[len(n.duplicates)-1] == "" }))
}

// One that was killed is found out by its silence, within seconds.
func TestATwinThatDiesIsFoundOut(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("root", bustest.AsResponder)
	serve(t, conn, record("n1"))
	second := record("n1")
	second.Instance, second.Host = "other", "two.example"
	n := serve(t, b.Connect("root", bustest.AsResponder), second)
	bustest.Eventually(t, "the second hears of the first", n.has(func(n *node) bool { return contains(n.duplicates, "n1.example") }))
	conn.Close() // as a crash would
	bustest.Eventually(t, "the name is its own", n.has(func(n *node) bool { return n.duplicates[len(n.duplicates)-1] == "" }))
}

// A probe is answered by the server alone, with nobody subscribed, and not by one that is gone.
func TestProbe(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	a := ask(t, b.Connect("alice"), "q1")
	a.session.Probe()
	bustest.Eventually(t, "the server's answer", a.heard(bus.EventProbed, ""))
	b.Stop()
	bustest.Eventually(t, "the connection is lost", a.heard(bus.EventDisconnected, ""))
	a.mu.Lock()
	a.events = nil
	a.mu.Unlock()
	for range 100 { // bounded, whatever is asked
		a.session.Probe()
	}
	a.session.Close()
	if a.heard(bus.EventProbed, "")() {
		t.Error("a server that is gone has answered")
	}
}

func TestServiceCloseEndsSubscriptions(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	a := ask(t, b.Connect("alice"), "q1")
	must(t, a.session.Ping("n1"))
	bustest.Eventually(t, "pong", a.heard(bus.EventPong, "n1"))
	n.close()
	must(t, a.session.Ping("n1"))
	bustest.Eventually(t, "no responders", a.heard(bus.EventNoResponders, "n1"))
}

func TestRestartOfTheServer(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	a := ask(t, b.Connect("alice"), "q1")
	b.Restart()
	bustest.Eventually(t, "the requester hears of both", func() bool {
		return a.heard(bus.EventDisconnected, "")() && a.heard(bus.EventReconnected, "")()
	})
	bustest.Eventually(t, "the node hears of it", n.has(func(n *node) bool { return n.reconnects == 1 }))
	must(t, a.session.AskAll(a.query))
	bustest.Eventually(t, "an answer", a.heard(bus.EventFrame, "n1"))
}

func TestPublishWhileDisconnectedFails(t *testing.T) {
	b := bustest.Start(t)
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	b.Stop()
	bustest.Eventually(t, "publish fails", func() bool {
		return n.service.Publish(bus.Key{User: "u", Client: "c", ID: "q"}, end()) != nil
	})
}

func TestResponderWaitsForTheBus(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	options := b.Options("root")
	b.Stop()
	options.Responder = true
	conn, err := bus.Connect(options)
	must(t, err)
	t.Cleanup(conn.Close)
	serve(t, conn, record("n1"))
	b.Restart()
	a := ask(t, b.Connect("alice"), "q1")
	bustest.Eventually(t, "an answer", func() bool {
		must(t, a.session.Ping("n1"))
		return a.heard(bus.EventPong, "n1")()
	})
}

func TestDuplicateNodeName(t *testing.T) {
	b := bustest.Start(t)
	first := record("n1")
	first.Host = "one.example"
	second := record("n1")
	second.Instance, second.Host = "other", "two.example"
	n1 := serve(t, b.Connect("root", bustest.AsResponder), first)
	n2 := serve(t, b.Connect("root", bustest.AsResponder), second)
	bustest.Eventually(t, "the first hears of the second", n1.has(func(n *node) bool { return contains(n.duplicates, "two.example") }))
	bustest.Eventually(t, "the second hears of the first", n2.has(func(n *node) bool { return contains(n.duplicates, "one.example") }))
	if got := fmt.Sprint(n1.duplicates, n2.duplicates); got != "[two.example] [one.example]" {
		t.Errorf("reported %s", got)
	}
}
