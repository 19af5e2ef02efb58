package bus_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

func roster(t testing.TB, conn *bus.Conn) bus.Roster {
	t.Helper()
	r, err := conn.Roster(t.Context())
	must(t, err)
	return r
}

func names(r bus.Roster) string {
	var all []string
	for _, n := range r.Nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

// stranger is a plain NATS client, with a KV view of the roster bucket.
func stranger(t testing.TB, b *bustest.Bus) (*nats.Conn, jetstream.KeyValue) {
	t.Helper()
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bus.RosterBucket})
	must(t, err)
	return nc, kv
}

func TestRegisteredRoster(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	conn := b.Connect("alice")
	n2 := serve(t, b.Connect("root", bustest.AsResponder), record("n2"))
	n1 := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	bustest.Eventually(t, "both are registered", func() bool { return n1.service.Registered() && n2.service.Registered() })
	r := roster(t, conn)
	if names(r) != "n1 n2" || r.Kind != bus.Registered {
		t.Fatalf("roster is %s: %s", r.Kind, names(r))
	}
	if got := r.Nodes[0]; got.Host != "n1.example" || !slices.Equal(got.Groups, []string{"web"}) || time.Since(got.Seen).Abs() > time.Minute {
		t.Errorf("record of n1: %+v", got)
	}

	n1.close() // it is down, and known nevertheless
	must(t, conn.Presence(t.Context(), &r))
	if r.Nodes[0].Live || !r.Nodes[1].Live {
		t.Errorf("presence of n1 %v, of n2 %v", r.Nodes[0].Live, r.Nodes[1].Live)
	}
	b.Restart()
	bustest.Eventually(t, "the roster after a restart", func() bool {
		r, err := conn.Roster(t.Context())
		return err == nil && r.Kind == bus.Registered && names(r) == "n1 n2"
	})
}

func TestRecordFollowsTheNode(t *testing.T) {
	b := bustest.StartInProcess(t)
	conn := b.Connect("alice")
	n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	bustest.Eventually(t, "registered", n.service.Registered)
	n.mu.Lock()
	n.record.Files = 42
	n.mu.Unlock()
	n.service.Changed()
	bustest.Eventually(t, "the new record", func() bool { return roster(t, conn).Nodes[0].Files == 42 })
}

func TestEphemeralNodeLeaves(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("alice")
	passing := record("pod-1")
	passing.Ephemeral = true
	n1 := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	pod := serve(t, b.Connect("root", bustest.AsResponder), passing)
	bustest.Eventually(t, "both are registered", func() bool { return n1.service.Registered() && pod.service.Registered() })
	pod.close()
	n1.close()
	if got := names(roster(t, conn)); got != "n1" {
		t.Errorf("roster after both left: %q", got)
	}
}

func TestForget(t *testing.T) {
	b := bustest.Start(t)
	_, kv := stranger(t, b)
	for _, name := range []string{"web1", "web2", "db1"} {
		r := record(name)
		_, err := kv.Put(t.Context(), name, schemas.AppendNode(nil, &r))
		must(t, err)
	}
	conn := b.Connect("admin")
	removed, err := conn.Forget(t.Context(), "web*")
	if err != nil || strings.Join(removed, " ") != "web1 web2" {
		t.Fatalf("removed %q, %v", removed, err)
	}
	if got := names(roster(t, conn)); got != "db1" {
		t.Errorf("roster is %q", got)
	}
	if removed, err := conn.Forget(t.Context(), "nobody"); err != nil || len(removed) != 0 {
		t.Errorf("removed %q, %v", removed, err)
	}
	if _, err := conn.Forget(t.Context(), "[x"); err == nil {
		t.Error("a broken glob is no error")
	}
}

func TestForgetNeedsARoster(t *testing.T) {
	b := bustest.Start(t, bustest.NoJetStream)
	if _, err := b.Connect("admin").Forget(t.Context(), "*"); err == nil || !strings.Contains(err.Error(), "no roster") {
		t.Errorf("error is %v", err)
	}
}

// Whoever may write the bucket may write rubbish: the node stays known by its key, and by no other name.
func TestRosterOfHostileRecords(t *testing.T) {
	b := bustest.Start(t)
	_, kv := stranger(t, b)
	liar := record("n1")
	for key, value := range map[string][]byte{
		"rubbish": []byte("\xdd\xff\xff\xff\xff"), "empty": nil, "liar": schemas.AppendNode(nil, &liar), "a.b": []byte("x"), "deleted": []byte("x"),
	} {
		_, err := kv.Put(t.Context(), key, value)
		must(t, err)
	}
	must(t, kv.Delete(t.Context(), "deleted"))
	r := roster(t, b.Connect("alice"))
	if got := names(r); got != "empty liar rubbish" {
		t.Errorf("roster is %q", got)
	}
	for _, n := range r.Nodes {
		if n.Host != "" {
			t.Errorf("%s took the record of another: %+v", n.Name, n.Node)
		}
	}
}

// The server answers a multi-subject get of more than 1,024 records with an error.
func TestLargeRosterFallsBackToAWatcher(t *testing.T) {
	b := bustest.Start(t)
	nc, _ := stranger(t, b)
	js, err := jetstream.New(nc)
	must(t, err)
	for i := range 1100 {
		r := record(fmt.Sprintf("n%04d", i))
		_, err := js.PublishAsync("$KV."+bus.RosterBucket+"."+r.Name, schemas.AppendNode(nil, &r))
		must(t, err)
	}
	<-js.PublishAsyncComplete()
	r := roster(t, b.Connect("alice"))
	if len(r.Nodes) != 1100 || r.Kind != bus.Registered || r.Nodes[1099].Host != "n1099.example" {
		t.Errorf("%s roster of %d nodes", r.Kind, len(r.Nodes))
	}
}

func TestDiscoveredRoster(t *testing.T) {
	b := bustest.Start(t, bustest.NoJetStream)
	conn := b.Connect("alice")
	if r := roster(t, conn); r.Kind != bus.Discovered || len(r.Nodes) != 0 {
		t.Errorf("empty bus: %+v", r)
	}
	n1 := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	n2 := serve(t, b.Connect("root", bustest.AsResponder), record("n2"))
	r := roster(t, conn)
	if r.Kind != bus.Discovered || names(r) != "n1 n2" || !r.Nodes[0].Live || r.Nodes[1].Host != "n2.example" {
		t.Errorf("discovered %+v", r)
	}
	if n1.service.Registered() {
		t.Error("n1 says that it is registered")
	}
	// n1 hears of n2, which then stops: it is remembered.
	bustest.Eventually(t, "n2 is remembered", func() bool {
		n2.service.Changed() // a beacon, among others
		n2.close()
		defer func() { n2 = serve(t, n2.conn, n2.record) }()
		r := roster(t, conn)
		return names(r) == "n1 n2" && r.Nodes[0].Live && !r.Nodes[1].Live
	})
}

// A roster that cannot be read must not turn into a shorter one, without which an answer looks complete.
func TestSilentJetStreamIsAnError(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.NoJetStream)
	serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	_, err = nc.SubscribeSync("$JS.API.DIRECT.GET.KV_" + bus.RosterBucket)
	must(t, err)
	must(t, nc.Flush())
	if r, err := b.Connect("alice").Roster(t.Context()); err == nil || !strings.Contains(err.Error(), "JetStream does not answer") {
		t.Errorf("roster is %+v, %v", r, err)
	}
}

// A server that cannot load a record says so after those before it: that is no shorter roster.
func TestRosterThatBreaksOffIsNotTaken(t *testing.T) {
	b := bustest.Start(t, bustest.NoJetStream)
	serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	serve(t, b.Connect("root", bustest.AsResponder), record("n2"))
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	_, err = nc.Subscribe("$JS.API.DIRECT.GET.KV_"+bus.RosterBucket, func(m *nats.Msg) {
		first := record("n1")
		head := nats.Header{"Nats-Subject": {"$KV." + bus.RosterBucket + ".n1"}}
		_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: head, Data: schemas.AppendNode(nil, &first)})
		_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header{"Status": {"404"}, "Description": {"Message Not Found"}}})
	})
	must(t, err)
	must(t, nc.Flush())
	if r := roster(t, b.Connect("alice")); names(r) != "n1 n2" {
		t.Errorf("%s roster of %s", r.Kind, names(r))
	}
}

func TestRosterHonoursItsContext(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.Roster(ctx); err == nil {
		t.Error("no error")
	}
}
