// Package raw speaks NATS and nothing of trawl's protocol: it is what trawl is measured beside. Serve
// puts nodes on a bus that answer with as many bytes as they are asked for, and an Asker asks them all
// at once (Gather), or lets a stream flow from each (Stream).
package raw

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	askAll  = "raw.ask"   // to all nodes
	askNode = "raw.pull." // to one, its number follows
)

// Limit bounds how long Gather and Stream wait for an answer.
const Limit = time.Minute

// answer is what an ask carries: how many messages to send, and of how many bytes each.
type answer struct{ messages, bytes uint32 }

func (a answer) encode() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, a.messages), a.bytes)
}

func decodeAnswer(b []byte) (a answer, ok bool) {
	if len(b) != 8 {
		return a, false
	}
	return answer{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}, true
}

// Serve subscribes n nodes over so many connections to the bus at url. The func it returns takes them
// off the bus.
func Serve(url string, n, connections int) (stop func(), err error) {
	var all []*nats.Conn
	stop = func() {
		for _, nc := range all {
			nc.Close()
		}
	}
	for range connections {
		nc, err := nats.Connect(url)
		if err != nil {
			stop()
			return nil, fmt.Errorf("connect: %w", err)
		}
		all = append(all, nc)
	}
	for i := range n {
		nc, name := all[i%connections], strconv.Itoa(i)
		reply := func(m *nats.Msg) {
			a, ok := decodeAnswer(m.Data)
			if !ok {
				return
			}
			data := make([]byte, a.bytes)
			for range a.messages {
				if nc.Publish(m.Reply+"."+name, data) != nil {
					return // the connection is closed
				}
			}
		}
		for _, subject := range []string{askAll, askNode + name} {
			if _, err := nc.Subscribe(subject, reply); err != nil {
				stop()
				return nil, fmt.Errorf("subscribe %s: %w", subject, err)
			}
		}
	}
	for _, nc := range all {
		if err := nc.FlushTimeout(Limit); err != nil {
			stop()
			return nil, fmt.Errorf("flush: %w", err)
		}
	}
	return stop, nil
}

// Asker asks the nodes that Serve has put on a bus. One call at a time.
type Asker struct {
	nc  *nats.Conn
	in  string // the subject that answers come below
	got chan arrived
}

type arrived struct {
	node  string
	bytes int
}

// pending is how many bytes may wait for an Asker; a Stream keeps far below it.
const pending = 256 << 20

// NewAsker connects to the bus at url.
func NewAsker(url string) (*Asker, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	a := &Asker{nc: nc, in: nats.NewInbox(), got: make(chan arrived, 1<<16)}
	sub, err := nc.Subscribe(a.in+".*", func(m *nats.Msg) {
		a.got <- arrived{m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], len(m.Data)}
	})
	if err == nil {
		err = sub.SetPendingLimits(-1, pending)
	}
	if err == nil {
		err = nc.FlushTimeout(Limit)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return a, nil
}

// Close leaves the bus.
func (a *Asker) Close() { a.nc.Close() }

// Gather asks all n nodes for so many messages of so many bytes, and returns when the last is there.
func (a *Asker) Gather(n, messages, bytes int) error {
	if err := a.nc.PublishRequest(askAll, a.in, answer{uint32(messages), uint32(bytes)}.encode()); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	for i := range n * messages {
		select {
		case <-a.got:
		case <-limit.C:
			return fmt.Errorf("%d of %d messages came within %v", i, n*messages, Limit)
		}
	}
	return nil
}

// Stream lets so many messages of so many bytes flow from each of n nodes, of which at most window
// bytes are asked for and not there yet, and returns when all are there. Each node is asked for half
// of its share while the other half is on its way.
func (a *Asker) Stream(n, messages, bytes, window int) error {
	batch := max(1, window/n/bytes/2)
	asked, left := map[string]int{}, n*messages
	ask := func(node string) error {
		k := min(batch, messages-asked[node])
		if k <= 0 {
			return nil
		}
		asked[node] += k
		return a.nc.PublishRequest(askNode+node, a.in, answer{uint32(k), uint32(bytes)}.encode())
	}
	for i := range n {
		for range 2 {
			if err := ask(strconv.Itoa(i)); err != nil {
				return fmt.Errorf("ask: %w", err)
			}
		}
	}
	came := map[string]int{}
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	for ; left > 0; left-- {
		select {
		case m := <-a.got:
			if came[m.node]++; came[m.node]%batch == 0 {
				if err := ask(m.node); err != nil {
					return fmt.Errorf("ask: %w", err)
				}
			}
		case <-limit.C:
			return fmt.Errorf("%d messages did not come within %v", left, Limit)
		}
	}
	return nil
}
