package bus_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// fleet puts n nodes on the bus, shared over conns connections, that answer every query with one End.
func fleet(b *testing.B, server *bustest.Bus, n, conns int) {
	b.Helper()
	connections := make([]*bus.Conn, conns)
	for i := range connections {
		connections[i] = server.Connect("root", bustest.AsResponder)
	}
	nodes := make([]*node, n)
	for i := range nodes {
		nodes[i] = serve(b, connections[i%conns], record(fmt.Sprintf("n%05d", i)))
	}
	for _, node := range nodes {
		bustest.Eventually(b, "all are registered", node.service.Registered)
	}
}

// gather asks all through a new session, and returns when n nodes have answered.
func gather(b *testing.B, scatter *bus.Scatter, id string, n int) {
	b.Helper()
	ends := make(chan string, n)
	session, err := scatter.Open(id, func(e bus.Event) {
		if e.Kind == bus.EventFrame {
			ends <- e.Node
		}
	})
	must(b, err)
	defer session.Close()
	must(b, session.AskAll(&schemas.Query{ID: id, Client: scatter.Client(), Patterns: []string{"x"}, MaxCount: -1, Timeout: time.Minute}))
	for range n {
		<-ends
	}
}

// reportMedian reports the median of the times, in µs: a mean would tell of the machine's pauses.
func reportMedian(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-µs")
}

// One query to all, one empty answer from each, over TCP on a connection that is there.
func BenchmarkScatterGather(b *testing.B) {
	for _, size := range []struct{ nodes, conns int }{{1, 1}, {4, 4}, {1000, 8}} {
		b.Run(fmt.Sprintf("nodes=%d", size.nodes), func(b *testing.B) {
			server := bustest.Start(b)
			fleet(b, server, size.nodes, size.conns)
			scatter, err := bus.NewScatter(server.Connect("alice"), 16<<20)
			must(b, err)
			defer scatter.Close()
			times, i := []time.Duration{}, 0
			for b.Loop() {
				start := time.Now()
				gather(b, scatter, fmt.Sprintf("q%d", i), size.nodes)
				times = append(times, time.Since(start))
				i++
			}
			reportMedian(b, times)
		})
	}
}

// What a command does from its start on: connect, read the roster, ask, gather, leave.
func BenchmarkConnectRosterScatterGather(b *testing.B) {
	server := bustest.Start(b)
	fleet(b, server, 4, 4)
	times := []time.Duration{}
	for b.Loop() {
		start := time.Now()
		conn, err := bus.Connect(server.Options("alice"))
		must(b, err)
		scatter, err := bus.NewScatter(conn, 16<<20)
		must(b, err)
		r, err := conn.Roster(b.Context())
		must(b, err)
		gather(b, scatter, "q", len(r.Nodes))
		conn.Close()
		times = append(times, time.Since(start))
	}
	reportMedian(b, times)
}

func BenchmarkRoster(b *testing.B) {
	for _, nodes := range []int{4, 1000} {
		b.Run(fmt.Sprintf("registered=%d", nodes), func(b *testing.B) {
			server := bustest.Start(b)
			fleet(b, server, nodes, 4)
			conn := server.Connect("alice")
			times := []time.Duration{}
			for b.Loop() {
				start := time.Now()
				r, err := conn.Roster(b.Context())
				must(b, err)
				if len(r.Nodes) != nodes || r.Kind != bus.Registered {
					b.Fatalf("%s roster of %d", r.Kind, len(r.Nodes))
				}
				times = append(times, time.Since(start))
			}
			reportMedian(b, times)
		})
	}
}
