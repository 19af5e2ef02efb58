package mover

import (
	"context"
	"errors"
	"io"

	"github.com/trawl-logs/trawl/schemas"
)

// ErrConflict says that a record is not at the revision that was given.
var ErrConflict = errors.New("the block's record has changed meanwhile")

// ErrNoList says that there is no block list: no JetStream, or no bucket yet.
var ErrNoList = errors.New("there is no block list")

// Fleet is what the sealed blocks of a node need of the other nodes. Its methods may be slow, and fail while the
// bus cannot be reached.
type Fleet interface {
	// Blocks calls take with each record of the block list that the filter admits, and its revision, in no order;
	// take may keep the record. listed is the list's revision. Where there is no list, err is ErrNoList; after an
	// error, take has not heard of all.
	Blocks(ctx context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (listed uint64, err error)
	// Listed tells the revision of the list, to which that of every later write is added, and the time by the bus's clock in Unix
	// nanoseconds. Where there is no list, err is ErrNoList.
	Listed(ctx context.Context) (revision uint64, now int64, err error)
	// Put writes a record if the one that is there has that revision (0: there is none); ErrConflict if it has
	// not. It returns the new revision. After another error it may have been written nevertheless.
	Put(ctx context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error)
	// Remove removes a record on the same terms.
	Remove(ctx context.Context, b *schemas.BlockRecord, revision uint64) error
	// Nodes is the roster: all nodes that have not been forgotten, whether or not they are up.
	Nodes(ctx context.Context) ([]schemas.Node, error)
	// Up tells which of the nodes answer at the moment.
	Up(ctx context.Context, nodes []string) (map[string]bool, error)
	// Copy writes the file of a block to w, from byte at on, as the node from has it. Whoever writes slowly
	// slows that node down: no more is on the way than the requester's window.
	Copy(ctx context.Context, from, home string, id schemas.BlockID, at int64, w io.Writer) error
	// Draining tells whether this node is to give its blocks away.
	Draining(ctx context.Context) (bool, error)
}
