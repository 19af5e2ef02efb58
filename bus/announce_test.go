package bus_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// Every node is found, alone by its instance, with what it offers and has done; schemas are JSON.
func TestAnnounce(t *testing.T) {
	b := bustest.Start(t)
	for _, name := range []string{"web1", "web2"} {
		stop, err := b.Connect("node").Announce(bus.Announcement{
			Node: func() schemas.Node {
				n := record(name)
				n.Version, n.Groups, n.Services = "v1.2.3", []string{"web"}, []string{"nginx", "api"}
				return n
			},
			Queries: func() bus.Served {
				return bus.Served{Queries: 4, Lines: 5, Bytes: 6, Errors: 1, LastError: "busy", Time: 8 * time.Second}
			},
			Text: func() (bus.Served, bool) { return bus.Served{}, name == "web2" },
		})
		must(t, err)
		t.Cleanup(stop)
	}
	nc := outsider(t, b.URL())
	bustest.Eventually(t, "both answer a ping", func() bool { return len(asked[micro.Ping](t, nc, "$SRV.PING")) == 2 })
	infos := asked[micro.Info](t, nc, "$SRV.INFO.trawl")
	if len(infos) != 2 {
		t.Fatalf("%d infos", len(infos))
	}
	for _, info := range infos {
		node := info.Metadata["node"]
		if info.Type != micro.InfoResponseType || info.Version != "1.2.3" || info.Metadata["groups"] != "web" || info.Metadata["services"] != "nginx,api" ||
			info.Description != node+": groups web: services nginx,api" {
			t.Errorf("%+v", info)
		}
		if want := map[string]int{"web1": 1, "web2": 2}[node]; len(info.Endpoints) != want {
			t.Errorf("%s: %d endpoints", node, len(info.Endpoints))
		}
		for _, e := range info.Endpoints {
			for _, schema := range []string{"request_schema", "response_schema"} {
				if !json.Valid([]byte(e.Metadata[schema])) {
					t.Errorf("%s of %s: %s", schema, e.Name, e.Metadata[schema])
				}
			}
		}
		stats := asked[micro.Stats](t, nc, "$SRV.STATS.trawl."+info.ID)
		if len(stats) != 1 {
			t.Fatalf("%d stats of one instance", len(stats))
		}
		e := stats[0].Endpoints[0]
		if e.NumRequests != 4 || e.NumErrors != 1 || e.AverageProcessingTime != 2*time.Second || e.LastError != "busy" ||
			!strings.Contains(string(e.Data), `"lines":5,"bytes":6`) {
			t.Errorf("%+v", e)
		}
	}
	// Nobody's subject but an inbox is answered to.
	sub, err := nc.SubscribeSync("elsewhere")
	must(t, err)
	must(t, nc.PublishRequest("$SRV.PING", "elsewhere", nil))
	if got := asked[micro.Ping](t, nc, "$SRV.PING"); len(got) != 2 {
		t.Errorf("%d pongs", len(got))
	}
	if n, _, _ := sub.Pending(); n != 0 {
		t.Errorf("%d answers elsewhere", n)
	}
}

// asked asks all, and returns what comes until 200 ms of silence.
func asked[T any](t *testing.T, nc *nats.Conn, subject string) (all []T) {
	t.Helper()
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	must(t, err)
	must(t, nc.PublishRequest(subject, inbox.Subject, nil))
	for {
		m, err := inbox.NextMsg(200 * time.Millisecond)
		if err != nil {
			return all
		}
		var one T
		if len(m.Data) == 0 {
			continue // nobody yet
		}
		must(t, json.Unmarshal(m.Data, &one))
		all = append(all, one)
	}
}
