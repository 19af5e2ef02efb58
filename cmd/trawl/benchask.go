package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bench/growth"
	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/raw"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/schemas"
)

// newBenchAskCommand is for trawl bench --scale alone, which starts it as a process: a requester that
// is connected, and asks the simulated nodes what each line of stdin says. It answers each with a
// growth.Asked as a line of JSON.
func newBenchAskCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use: "bench-ask", Hidden: true, Short: "The requester of trawl bench --scale", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			collectLess(200) // as trawl grep does
			a, err := newBenchAsker(server)
			if err != nil {
				return err
			}
			defer a.close()
			for in := bufio.NewScanner(cmd.InOrStdin()); in.Scan(); {
				asked, err := a.order(cmd.Context(), in.Text())
				if cmd.Context().Err() != nil {
					return context.Cause(cmd.Context())
				}
				if err != nil { // a busy machine may answer the next one
					asked = &growth.Asked{Error: fmt.Sprintf("%s: %v", in.Text(), err)}
				}
				text, err := json.Marshal(asked)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "`URL` of the bus")
	return cmd
}

// benchAsker asks through trawl's requester and through bare NATS, each on a connection of its own.
type benchAsker struct {
	server    string
	conn      *bus.Conn
	transport *onbus.Transport
	raw       *raw.Asker
	window    int64
}

func newBenchAsker(server string) (*benchAsker, error) {
	a := &benchAsker{server: server, window: requester.DefaultWindow}
	var err error
	if a.conn, err = bus.Connect(bus.Options{Server: server, Name: "trawl bench"}); err != nil {
		return nil, err
	}
	if a.transport, err = onbus.New(a.conn, a.window, func(error) {}); err == nil {
		a.raw, err = raw.NewAsker(server)
	}
	if err != nil {
		a.conn.Close()
		return nil, err
	}
	return a, nil
}

func (a *benchAsker) close() {
	a.raw.Close()
	a.transport.Close()
	a.conn.Close()
}

// order does what a line says: "query LINES", "first LINES" for the same on a connection of its own, which has just been
// made, "gather NODES MESSAGES BYTES" or "stream NODES MESSAGES BYTES".
func (a *benchAsker) order(ctx context.Context, line string) (*growth.Asked, error) {
	var n, messages, size int
	var err error
	began := time.Now()
	if _, e := fmt.Sscanf(line, "query %d", &n); e == nil {
		return askFleet(ctx, a.transport, n)
	} else if _, e := fmt.Sscanf(line, "first %d", &n); e == nil {
		return a.first(ctx, n)
	} else if _, e := fmt.Sscanf(line, "gather %d %d %d", &n, &messages, &size); e == nil {
		err = a.raw.Gather(n, messages, size)
	} else if _, e := fmt.Sscanf(line, "stream %d %d %d", &n, &messages, &size); e == nil {
		err = a.raw.Stream(n, messages, size, int(a.window))
	} else {
		err = fmt.Errorf("no such order")
	}
	return &growth.Asked{Seconds: time.Since(began).Seconds()}, err
}

// first asks on a new connection, which remembers no roster. The time of making it does not count.
func (a *benchAsker) first(ctx context.Context, lines int) (*growth.Asked, error) {
	conn, err := bus.Connect(bus.Options{Server: a.server, Name: "trawl bench, first"})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	transport, err := onbus.New(conn, a.window, func(error) {})
	if err != nil {
		return nil, err
	}
	defer transport.Close()
	return askFleet(ctx, transport, lines)
}

// askFleet asks every node for so many lines.
func askFleet(ctx context.Context, transport *onbus.Transport, lines int) (*growth.Asked, error) {
	counted := &countedTransport{Transport: transport}
	t := &timing{transport: counted}
	began := time.Now()
	answer, err := requester.New(t, transport).Query(ctx, requester.NewQuery(fmt.Sprintf("lines %d", lines)))
	if err != nil {
		return nil, err
	}
	for range answer.Chunks() {
		// Its lines are in the receipt, which counts what was released.
	}
	took := time.Since(began)
	answer.Close()
	r := answer.Receipt()
	time.Sleep(afterwards(len(r.Nodes)))
	if want := int64(len(r.Nodes)) * int64(lines); r.Complete && r.Lines != want {
		return nil, fmt.Errorf("%d lines, want %d: %s", r.Lines, want, r.Text())
	}
	why := ""
	if i := slices.IndexFunc(r.Nodes, func(n requester.NodeReceipt) bool { return n.Status != schemas.StatusComplete }); i >= 0 {
		why = fmt.Sprintf("%s %s %s", r.Nodes[i].Node, r.Nodes[i].Status, r.Nodes[i].Reason)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return &growth.Asked{Seconds: took.Seconds(), Nodes: len(r.Nodes), Lines: r.Lines, Bytes: r.Bytes,
		Moved: t.bytes, Frames: t.frames, Sent: counted.sent.Load(), Complete: r.Complete, Why: why}, nil
}

// afterwards is how long it takes until so many nodes have heard that their Ends were taken. The user does not wait for
// that, and the bare NATS that is asked next shall not.
func afterwards(nodes int) time.Duration {
	return 2*time.Millisecond + time.Duration(nodes)*50*time.Microsecond
}

// countedTransport counts what the requester sends.
type countedTransport struct {
	requester.Transport
	sent atomic.Int64
}

// Open begins a session that counts.
func (c *countedTransport) Open(ctx context.Context, id string, recv func(requester.Incoming)) (requester.Session, error) {
	s, err := c.Transport.Open(ctx, id, recv)
	return countedSession{s, &c.sent}, err
}

type countedSession struct {
	requester.Session
	sent *atomic.Int64
}

// Send counts and sends.
func (s countedSession) Send(out requester.Outgoing) error {
	s.sent.Add(1)
	return s.Session.Send(out)
}
