package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/raw"
	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

// newBenchFleetCommand is for trawl bench --scale alone, which starts it as a process: a bus, and
// simulated nodes on it, until a signal. It prints the bus's URL when all are in the roster.
func newBenchFleetCommand() *cobra.Command {
	var nodes int
	cmd := &cobra.Command{
		Use: "bench-fleet", Hidden: true, Short: "Simulated nodes for trawl bench --scale", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			collectLess(800) // as trawl bus does
			f, err := startSimulation(cmd.Context(), nodes)
			if err != nil {
				return err
			}
			defer f.stop()
			fmt.Fprintln(cmd.OutOrStdout(), f.server.URL())
			f.run(cmd.Context())
			return nil
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 1, "how many")
	return cmd
}

// simulation is a bus with nodes that answer as a responder does, through its outbox, with as many
// bytes of lines as the pattern says, but search nothing. They share some connections. On as many
// connections more there are as many nodes that speak bare NATS.
type simulation struct {
	server  *bus.Server
	nodes   []*simulatedNode
	closers []func()
}

// simulatedConnections are what the nodes share: 10,000 sockets would measure the machine's limits.
const simulatedConnections = 32

func startSimulation(ctx context.Context, n int) (s *simulation, err error) {
	s = &simulation{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	dir, err := os.MkdirTemp("", "trawl-scale-")
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(dir) })
	if s.server, err = bus.StartServer(bus.ServerOptions{Listen: "127.0.0.1:0", Store: filepath.Join(dir, "bus")}); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.server.Stop)
	connections := make([]*bus.Conn, min(n, simulatedConnections))
	for i := range connections {
		if connections[i], err = bus.Connect(bus.Options{Server: s.server.URL(), Name: "simulated", Responder: true}); err != nil {
			return nil, err
		}
		s.closers = append(s.closers, connections[i].Close)
	}
	for i := range n {
		node, err := newSimulatedNode(ctx, connections[i%len(connections)], fmt.Sprintf("node%05d", i+1))
		if err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, node)
	}
	stop, err := raw.Serve(s.server.URL(), n, len(connections))
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, stop)
	return s, s.registered(ctx)
}

// registered waits until all nodes stand in the roster.
func (s *simulation) registered(ctx context.Context) error {
	for _, node := range s.nodes {
		for !node.service.Registered() {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// stop ends everything at once, the nodes with their connections.
func (s *simulation) stop() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// run has the nodes say and repeat what is due, until ctx ends: those of one connection one after
// the other, since one of them may have to wait for the socket.
func (s *simulation) run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	for first := range min(len(s.nodes), simulatedConnections) {
		group.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				for i := first; i < len(s.nodes); i += simulatedConnections {
					s.nodes[i].tick()
				}
			}
		})
	}
}

// simulatedNode is one of them.
type simulatedNode struct {
	record  schemas.Node
	ready   chan struct{} // closed when service is set
	service *bus.Service
	publish func(k bus.Key, frame []byte) error // the service's

	mu      sync.Mutex
	ledger  *outbox.Ledger // a query that comes again behind its answer begins no other, as of another node of this name
	answers map[bus.Key]*simulatedAnswer
}

// simulatedAnswer is one answer that goes on.
type simulatedAnswer struct {
	box  *outbox.Outbox
	left int64 // bytes of lines to be sent
	end  schemas.End
}

func newSimulatedNode(ctx context.Context, conn *bus.Conn, name string) (*simulatedNode, error) {
	n := &simulatedNode{ready: make(chan struct{}), ledger: outbox.NewLedger(), answers: map[bus.Key]*simulatedAnswer{}}
	n.record = schemas.Node{Name: name, Instance: "i" + name, Host: name, Version: version(), Files: 1, Started: time.Now().UnixNano(), Ready: true}
	var err error
	n.service, err = bus.Serve(ctx, conn, func() schemas.Node { return n.record }, bus.Handlers{
		Query:   n.query,
		Control: n.control,
		Cancel:  func(k bus.Key, c *schemas.Cancel) { n.forget(k) },
		Gone:    n.forget, Reconnect: func() {}, Duplicate: func(string) {},
		Checkup: func(*schemas.CheckupRequest) *schemas.Checkup { return &schemas.Checkup{} },
	})
	if err != nil {
		return nil, err
	}
	n.publish = n.service.Publish
	close(n.ready)
	return n, nil
}

// simulatedLine is what answers consist of.
var simulatedLine = append(bytes.Repeat([]byte("x"), 99), '\n')

// simulatedText is a Data frame's worth of lines.
var simulatedText = sync.OnceValue(func() []byte {
	return bytes.Repeat(simulatedLine, (schemas.DataTarget-4096)/len(simulatedLine))
})

// query begins an answer; the pattern is "lines N", N of them.
func (n *simulatedNode) query(user string, q *schemas.Query) {
	<-n.ready
	k, now := bus.Key{User: user, Client: q.Client, ID: q.ID}, time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	known, end := n.ledger.Start(outbox.Key(k), now)
	switch a := n.answers[k]; {
	case a != nil:
		a.box.Asked(now)
		n.pump(k, a, now)
		return
	case known != outbox.Fresh:
		if end != nil {
			_ = n.publish(k, end) // what is lost is asked for again
		}
		return
	}
	lines, _ := strconv.ParseInt(strings.TrimPrefix(q.Patterns[0], "lines "), 10, 64) // another pattern matches nothing
	a := &simulatedAnswer{left: lines * int64(len(simulatedLine)), end: schemas.End{Files: 1, Lines: lines}}
	a.box = outbox.New(outbox.Options{Run: rand.Uint64() | 1, Terminator: '\n', Credit: q.Credit, Compress: q.Compress, Timeout: q.Timeout, Jitter: q.Jitter, Reuse: true}, now)
	n.answers[k] = a
	a.box.Hello(&schemas.Hello{Instance: n.record.Instance, Host: n.record.Host, Version: n.record.Version, Files: 1}, now)
	n.pump(k, a, now)
}

// pump sends what there is credit for. mu is held.
func (n *simulatedNode) pump(k bus.Key, a *simulatedAnswer, now time.Time) {
	for {
		for _, frame := range a.box.Take() {
			_ = n.publish(k, frame) // what is lost is repeated
		}
		if a.left == 0 || a.box.Room() == 0 || a.box.State() != outbox.Working {
			break
		}
		text := simulatedText()
		text = text[:min(a.left, int64(len(text)))]
		a.left -= int64(len(text))
		a.box.Data([]schemas.Chunk{{File: "simulated.log", Text: text}}, now)
	}
	switch {
	case a.box.State() == outbox.Done:
		n.over(k, a, now)
	case a.left == 0 && a.box.State() == outbox.Working && !a.box.Unsent():
		a.box.End(&a.end, now)
		n.pump(k, a, now)
	}
}

// control takes what a requester says about its answer.
func (n *simulatedNode) control(k bus.Key, c *schemas.Control) {
	<-n.ready
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if a := n.answers[k]; a != nil {
		a.box.Control(c, now)
		n.pump(k, a, now)
	} else if end := n.ledger.End(outbox.Key(k), now); end != nil && c.Resend != 0 {
		_ = n.publish(k, end) // what is lost is asked for again
	}
}

// forget ends an answer that nobody wants any more.
func (n *simulatedNode) forget(k bus.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	n.ledger.Cancel(outbox.Key(k), now)
	if a := n.answers[k]; a != nil {
		n.over(k, a, now)
	}
}

// over forgets an answer but for its End. mu is held.
func (n *simulatedNode) over(k bus.Key, a *simulatedAnswer, now time.Time) {
	n.ledger.Finish(outbox.Key(k), a.box.EndFrame(), now)
	delete(n.answers, k)
}

func (n *simulatedNode) tick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for k, a := range n.answers {
		a.box.Tick(now)
		n.pump(k, a, now)
	}
}
