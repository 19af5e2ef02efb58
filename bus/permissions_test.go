package bus_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// documented starts a server with the permissions that PROTOCOL.md gives.
func documented(t *testing.T) *bustest.Bus {
	t.Helper()
	text, err := os.ReadFile("../PROTOCOL.md")
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "```conf\n")
	config, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("PROTOCOL.md has no ```conf block")
	}
	return bustest.Start(t, bustest.Config(config))
}

func as(user string) func(*bus.Options) {
	return func(o *bus.Options) {
		o.Server = strings.Replace(o.Server, "nats://", "nats://"+user+":change%20me@", 1)
	}
}

// With the documented permissions everything works, and each role is kept to its own.
func TestDocumentedPermissions(t *testing.T) {
	b := documented(t)
	ann := b.Connect("ann", as("ann"))
	web1 := serve(t, b.Connect("web1", bustest.AsResponder, as("web1")), record("web1"))
	bustest.Eventually(t, "web1 is registered", web1.service.Registered)
	r := roster(t, ann)
	if names(r) != "web1" || r.Kind != bus.Registered {
		t.Errorf("%s roster: %s", r.Kind, names(r))
	}
	must(t, ann.Presence(t.Context(), &r))
	if !r.Nodes[0].Live {
		t.Error("web1 is down")
	}
	a := ask(t, ann, "q1")
	must(t, a.session.AskAll(a.query))
	bustest.Eventually(t, "an answer to a query to all", a.heard(bus.EventFrame, "web1"))
	must(t, a.session.AskNode("web2", a.query))
	bustest.Eventually(t, "no responders", a.heard(bus.EventNoResponders, "web2"))
	must(t, a.session.Control("web1", &schemas.Control{Limit: 1}))
	bustest.Eventually(t, "control", web1.has(func(n *node) bool { return len(n.controls) == 1 }))
	must(t, a.session.Cancel(&schemas.Cancel{}))
	bustest.Eventually(t, "cancel", web1.has(func(n *node) bool { return len(n.cancels) == 1 }))
	must(t, web1.service.Publish(bus.Key{User: "ann", Client: "over", ID: "q"}, end()))
	bustest.Eventually(t, "gone", web1.has(func(n *node) bool { return len(n.gone) == 1 }))

	// A coordinator answers ann's questions, as many messages as it likes, and nobody without one.
	text := b.Connect("text", as("text"))
	stop, err := text.ServeText("web1", func(r *bus.TextRequest) {
		reply, err := text.OpenTextReply(r, func() {})
		if err != nil {
			t.Error(err)
			return
		}
		defer reply.Close()
		for range 20 {
			if err := reply.Send([]byte(r.User)); err != nil {
				t.Error(err)
			}
		}
		if err := reply.End(0); err != nil {
			t.Error(err)
		}
	})
	must(t, err)
	defer stop()
	login := strings.Replace(b.URL(), "nats://", "nats://ann:change%20me@", 1)
	asker, err := nats.Connect(login, nats.CustomInboxPrefix("_INBOX.ann"))
	must(t, err)
	defer asker.Close()
	inbox, err := asker.SubscribeSync(asker.NewInbox())
	must(t, err)
	must(t, asker.PublishRequest("trawl.v1.text.ann", inbox.Subject, []byte("x")))
	for i := range 21 {
		m, err := inbox.NextMsg(10 * time.Second)
		must(t, err)
		if got := string(m.Data); (i < 20) != (got == "ann") {
			t.Errorf("message %d is %q", i, got)
		}
	}
	asking := ask(t, text, "q1")
	must(t, asking.session.AskAll(asking.query))
	bustest.Eventually(t, "an answer to a coordinator", asking.heard(bus.EventFrame, "web1"))

	// A requester that says it is another: the server refuses, and it hears of that.
	forger := ask(t, b.Connect("bob", as("ann")), "q1")
	must(t, forger.session.AskAll(forger.query))
	bustest.Eventually(t, "a refusal", forger.heard(bus.EventFailed, ""))
	// A node that says it is another: what it publishes reaches nobody, and it is not registered.
	liar := serve(t, b.Connect("web1", bustest.AsResponder, as("web1")), record("db1"))
	must(t, liar.service.Publish(bus.Key{User: "ann", Client: a.scatter.Client(), ID: "q1"}, end()))
	must(t, web1.service.Publish(bus.Key{User: "ann", Client: a.scatter.Client(), ID: "q1"}, end()))
	if _, err := ann.Forget(t.Context(), "*"); err == nil || !strings.Contains(err.Error(), "STREAM.PURGE.KV_trawl_nodes") {
		t.Errorf("a requester that forgets gets %v", err)
	}
	removed, err := b.Connect("admin", as("admin")).Forget(t.Context(), "*")
	if err != nil || strings.Join(removed, " ") != "web1" {
		t.Errorf("the administrator removed %q, %v", removed, err)
	}
	if a.heard(bus.EventFrame, "db1")() || liar.service.Registered() {
		t.Error("db1 is on the bus")
	}
}

// Administrators keep standing queries, nodes read them and publish what they find, requesters listen.
func TestDocumentedPermissionsOfStandingQueries(t *testing.T) {
	b := documented(t)
	ann := b.Connect("ann", as("ann"))
	if all, err := ann.Standing(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("before one was added there are %v, %v", all, err)
	}
	admin := b.Connect("admin", as("admin"))
	web1 := b.Connect("web1", bustest.AsResponder, as("web1"))
	seen := make(chan []bus.Kept, 100)
	following, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web1.FollowStanding(following, func(all []bus.Kept) { seen <- all }) }()
	heard := func(n int) []bus.Kept {
		t.Helper()
		for {
			select {
			case all := <-seen:
				if len(all) == n {
					return all
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("no %d standing queries at the node", n)
			}
		}
	}
	must(t, admin.AddStanding(t.Context(), standing("errors", true), bus.LiveLimits{Age: time.Hour, Bytes: 1 << 20}))
	must(t, admin.AddStanding(t.Context(), standing("warnings", false), bus.LiveLimits{}))
	if all := heard(2); all[0].Name != "errors" || all[1].Name != "warnings" {
		t.Errorf("the node has %+v", all)
	}
	if err := admin.AddStanding(t.Context(), standing("errors", true), bus.LiveLimits{Age: time.Hour}); !errors.Is(err, bus.ErrStandingExists) {
		t.Errorf("added again: %v", err)
	}
	if err := ann.AddStanding(t.Context(), standing("own", false), bus.LiveLimits{}); err == nil {
		t.Error("a requester adds one")
	}
	if all, err := ann.Standing(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("ann sees %v, %v", all, err)
	}

	enough := errors.New("enough")
	for _, test := range []struct {
		name string
		o    bus.LiveOptions
	}{{"warnings", bus.LiveOptions{}}, {"errors", bus.LiveOptions{Durable: true}}, {"errors", bus.LiveOptions{Durable: true, Consumer: "siem"}}} {
		published := make(chan error, 1)
		publish := func() {
			go func() {
				published <- web1.PublishLive(t.Context(), "web1", test.name, test.o.Durable, "1", []byte("found"))
			}()
		}
		err := ann.Live(t.Context(), test.name, test.o, publish, func(m bus.LiveMessage) error {
			if m.Node != "web1" || string(m.Data) != "found" {
				t.Errorf("%s: %s published %q", test.name, m.Node, m.Data)
			}
			must(t, m.Acknowledge())
			return enough
		})
		if !errors.Is(err, enough) {
			t.Errorf("%s: %v", test.name, err)
		}
		must(t, <-published) // before its stream is removed
	}
	must(t, admin.RemoveStanding(t.Context(), "errors"))
	heard(1)
	if err := admin.RemoveStanding(t.Context(), "errors"); !errors.Is(err, bus.ErrNoStanding) {
		t.Errorf("removed again: %v", err)
	}
	stop()
	must(t, <-ended)
}

// Nodes keep the block list, requesters read it, administrators say which nodes drain; a node asks others for copies.
func TestDocumentedPermissionsOfBlocks(t *testing.T) {
	b := documented(t)
	web1 := b.Connect("web1", bustest.AsResponder, as("web1"))
	ann, text, admin := b.Connect("ann", as("ann")), b.Connect("text", as("text")), b.Connect("admin", as("admin"))
	const many = 1030 // more than one answer has
	putMany(t, web1, many)
	one := block(1, "api", "web1", midday, midday)
	for name, conn := range map[string]*bus.Conn{"ann": ann, "text": text, "admin": admin, "web1": web1} {
		for _, f := range []schemas.BlockFilter{{Services: []string{"api"}, Since: midday}, {Services: []string{"none"}}} {
			if ids, _ := listed(t, conn, f); len(ids) != many && !(len(ids) == 0 && f.Services != nil && f.Services[0] == "none") {
				t.Errorf("%s reads %d blocks", name, len(ids))
			}
		}
		must(t, admin.Drain(t.Context(), "web1", true))
		if is, err := conn.Drains(t.Context(), "web1"); err != nil || !is {
			t.Errorf("%s: web1 drains: %v, %v", name, is, err)
		}
		if name == "admin" {
			continue
		}
		if err := conn.Drain(t.Context(), "web1", false); err == nil {
			t.Errorf("%s ends what the administrator began", name)
		}
	}
	if _, err := ann.PutBlock(t.Context(), one, 0); err == nil || !strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
		t.Errorf("a requester that lists a block gets %v", err)
	}
	_, revisions := listed(t, web1, schemas.BlockFilter{Services: []string{"api"}})
	must(t, web1.RemoveBlock(t.Context(), one, revisions[one.ID]))

	node := serve(t, web1, record("web1"))
	bustest.Eventually(t, "registered", node.service.Registered)
	r := roster(t, web1)
	if err := web1.Presence(t.Context(), &r); err != nil || len(r.Nodes) != 1 || !r.Nodes[0].Live {
		t.Errorf("a node sees %+v, %v", r, err)
	}
	a := ask(t, web1, "q1")
	must(t, a.session.AskNode("web1", a.query))
	bustest.Eventually(t, "an answer to a node", a.heard(bus.EventFrame, "web1"))
	must(t, a.session.Control("web1", &schemas.Control{Limit: 1}))
	must(t, a.session.Cancel(&schemas.Cancel{}))
}

func standing(name string, durable bool) *schemas.Standing {
	return &schemas.Standing{Name: name, Created: 1, Sample: 1, Durable: durable, Query: schemas.Query{
		ID: name, Client: name, Patterns: []string{"x"}, Mode: schemas.ModeFollow, MaxCount: -1, Order: schemas.OrderArrival, Timeout: time.Hour}}
}

// Without JetStream there is nowhere to keep them, which is said.
func TestStandingQueriesWantJetStream(t *testing.T) {
	conn := bustest.Start(t, bustest.NoJetStream).Connect("ann")
	_, err := conn.Standing(t.Context())
	for what, err := range map[string]error{
		"list": err, "add": conn.AddStanding(t.Context(), standing("a", false), bus.LiveLimits{}), "remove": conn.RemoveStanding(t.Context(), "a"),
	} {
		if !errors.Is(err, bus.ErrNoJetStream) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
