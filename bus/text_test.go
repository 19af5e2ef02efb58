package bus_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
)

// outsider is a client that speaks NATS and nothing of ours.
func outsider(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// Each question reaches one coordinator, one to a node that node; who asks and about which node is
// read from the subject, and what would not be answered to an inbox is dropped.
func TestServeText(t *testing.T) {
	b := bustest.Start(t)
	var mu sync.Mutex
	var heard []string
	for _, node := range []string{"web1", "web2"} {
		conn := b.Connect("text")
		stop, err := conn.ServeText(node, func(r *bus.TextRequest) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, node+"|"+r.User+"|"+r.Node+"|"+string(r.Body)+"|"+r.Trace)
			reply, err := conn.OpenTextReply(r, func() {})
			if err != nil {
				t.Error(err)
				return
			}
			defer reply.Close()
			if reply.Send(nil) == nil {
				t.Error("an empty part was sent")
			}
			if reply.Send([]byte("part")) != nil || reply.End(3) != nil {
				t.Error("not sent")
			}
		})
		must(t, err)
		t.Cleanup(stop)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	nc := outsider(t, b.URL())
	for _, reply := range []string{"elsewhere", "trawl.v1.q.ann.all", "_INBOX", "_INBOX.", "_INBOX.a..b"} {
		if err := nc.PublishRequest("trawl.v1.text", reply, []byte("dropped")); err != nil {
			t.Fatal(err)
		}
	}
	must(t, nc.Publish("trawl.v1.text", []byte("dropped")))
	for _, ask := range []struct{ subject, want string }{
		{"trawl.v1.text", "*|||q1|" + trace},
		{"trawl.v1.text.ann", "*|ann||q1|" + trace},
		{"trawl.v1.node.web2.text", "web2||web2|q1|" + trace},
	} {
		inbox, err := nc.SubscribeSync(nc.NewInbox())
		must(t, err)
		must(t, nc.PublishMsg(&nats.Msg{Subject: ask.subject, Reply: inbox.Subject, Data: []byte("q1"), Header: nats.Header{"traceparent": {trace}}}))
		part, err := inbox.NextMsg(10 * time.Second)
		must(t, err)
		end, err := inbox.NextMsg(10 * time.Second)
		must(t, err)
		if string(part.Data) != "part" || len(end.Data) != 0 || end.Header.Get("Trawl-Status") != "3" {
			t.Errorf("%s: %q, then %q %v", ask.subject, part.Data, end.Data, end.Header)
		}
		mu.Lock()
		want := strings.TrimPrefix(ask.want, "*")
		if len(heard) != 1 || !strings.HasSuffix(heard[0], want) {
			t.Errorf("%s: %q, want one of %q", ask.subject, heard, ask.want)
		}
		heard = nil
		mu.Unlock()
	}
}

// An asker that is gone is noticed.
func TestTextReplyGone(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("text")
	gone, replies := make(chan struct{}, 8), make(chan *bus.TextReply, 1)
	stop, err := conn.ServeText("web1", func(r *bus.TextRequest) {
		reply, err := conn.OpenTextReply(r, func() { gone <- struct{}{} })
		if err != nil {
			t.Error(err)
		}
		replies <- reply
	})
	must(t, err)
	defer stop()
	nc := outsider(t, b.URL())
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	must(t, err)
	must(t, nc.PublishRequest("trawl.v1.text", inbox.Subject, []byte("x")))
	reply := <-replies
	defer reply.Close()
	must(t, reply.Send([]byte("part")))
	if _, err := inbox.NextMsg(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
		t.Fatal("gone while it listens")
	default:
	}
	nc.Close()
	bustest.Eventually(t, "the asker is gone", func() bool {
		must(t, reply.Send([]byte("part")))
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
}
