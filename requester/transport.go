package requester

import (
	"context"

	"github.com/trawl-logs/trawl/schemas"
)

// Transport carries queries to nodes and their frames back. One Transport serves many queries at
// once.
type Transport interface {
	// User and Client are the tokens of the subjects under which queries are sent and frames come
	// back; Client is random per process.
	User() string
	Client() string

	// MaxQuery is the most bytes of an encoded query that can be sent now: schemas.MaxQuery, or less.
	MaxQuery() int

	// Open makes ready to receive everything about the query of that id, and subscribes before it
	// returns. It calls recv for each Incoming, one call at a time, until the session is closed;
	// recv does not block.
	Open(ctx context.Context, id string, recv func(Incoming)) (Session, error)
}

// Session is one query's side of a Transport.
type Session interface {
	// Send publishes, and does not wait for what comes of it. An error says that the message did
	// not leave; the query goes on, since all of it is repeated where that matters.
	Send(Outgoing) error
	// Close ends the session. When it has returned, recv is not called any more.
	Close() error
}

// Outgoing is what a requester sends: Ask, Grant, Quit, Ping, Probe or Listen.
type Outgoing interface{ outgoing() }

// Ask sends the query, or, with a Part that is not 0, another of the id that PartID gives: blocks of a node that has
// failed are asked of others as parts of their own. All that is said of an answer to it has the same Part.
type Ask struct {
	Query *schemas.Query
	To    To
	Part  int
}

// To says whom an Ask is for: one node, one group, or (both empty) all.
type To struct{ Node, Group string }

// Grant sends a control to one node.
type Grant struct {
	Node    string
	Control schemas.Control
	Part    int
}

// Quit cancels the query on every node, with all its parts.
type Quit struct{ Cancel schemas.Cancel }

// Ping asks a node for a sign of life, which comes as a Pong, or as NoResponders.
type Ping struct {
	Node string
	Part int
}

// Probe asks the bus itself for a sign of life, which comes as Probed: all that the bus had for the
// requester before has then come too. Some may be sent before the first is answered.
type Probe struct{}

// Listen has the beacons of nodes reported, as Beacon, until the session is closed.
type Listen struct{}

func (Ask) outgoing()    {}
func (Grant) outgoing()  {}
func (Quit) outgoing()   {}
func (Ping) outgoing()   {}
func (Probe) outgoing()  {}
func (Listen) outgoing() {}

// Incoming is what a Transport reports: Beacon, FrameMsg, NoResponders, Pong, Probed, Disconnected or
// Reconnected.
type Incoming interface{ incoming() }

// FrameMsg is a frame as it came. Node is the token of the subject, which that node alone may
// publish on. Msg is the receiver's from then on: nothing may write to it any more.
type FrameMsg struct {
	Node string
	Msg  []byte
}

// NoResponders says that nobody is subscribed for an Ask or a Ping to this node; with Node empty,
// that nobody is for an Ask to all or to a group.
type NoResponders struct{ Node string }

// Pong answers a Ping. Node is the token that was pinged.
type Pong struct {
	Node   string
	Record schemas.Node
}

// Beacon says that a node is there, or, if its record is not ready, that it leaves. A Transport reports
// the beacons that it hears to queries that follow; Record has none of a node's lists.
type Beacon struct{ Record schemas.Node }

// Probed answers a Probe: the connection is alive.
type Probed struct{}

// Disconnected says that the connection is lost: until Reconnected comes, silence means nothing.
type Disconnected struct{}

// Reconnected says that there is a connection again, or a new one; what was on the way is lost.
type Reconnected struct{}

func (Beacon) incoming()       {}
func (FrameMsg) incoming()     {}
func (NoResponders) incoming() {}
func (Pong) incoming()         {}
func (Probed) incoming()       {}
func (Disconnected) incoming() {}
func (Reconnected) incoming()  {}

// RosterKind says where the list of known nodes comes from.
type RosterKind string

const (
	RosterRegistered RosterKind = "registered" // the nodes' own records on the bus
	RosterGiven      RosterKind = "given"      // a list by the user
	RosterDiscovered RosterKind = "discovered" // those that answered a ping, and whom they remember
)

// Roster knows the nodes, whether or not they are up.
type Roster interface {
	// Known returns all known nodes, of which the query's selection is taken. A node that is known
	// by name alone has a record with nothing but Name.
	Known(ctx context.Context) ([]schemas.Node, RosterKind, error)
}

// BlockList knows the sealed blocks of the fleet.
type BlockList interface {
	// Blocks calls take with each record that the filter admits, and its revision; listed is the revision of the
	// whole list, which holds all of them: 0 if there is no list. A record that cannot be read is an error, since
	// without it an answer would look complete.
	Blocks(ctx context.Context, f schemas.BlockFilter, take func(b *schemas.BlockRecord, revision uint64)) (listed uint64, err error)
}

// Rememberer is a Roster that may have what it knows at hand. A query to those nodes goes out at once, and
// whether they are still all is asked meanwhile.
type Rememberer interface {
	Roster
	// Remembered returns what Known has returned a moment ago; nodes is not to be changed. Not ok: nothing is
	// remembered.
	Remembered() (nodes []schemas.Node, kind RosterKind, holds Holds, ok bool)
}

// Holds says whether Known would return what is remembered. After false the query begins anew with what it does
// return; after an error the query fails with it, as after one of Known.
type Holds func(ctx context.Context) (bool, error)

// GivenRoster is a fixed list of node names.
type GivenRoster []string

// Known returns the list.
func (g GivenRoster) Known(context.Context) ([]schemas.Node, RosterKind, error) {
	nodes := make([]schemas.Node, len(g))
	for i, name := range g {
		nodes[i].Name = name
	}
	return nodes, RosterGiven, nil
}
