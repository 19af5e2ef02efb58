package responder

import "github.com/trawl-logs/trawl/responder/mover"

// Fleet is what the sealed blocks of a node need of the other nodes.
type Fleet = mover.Fleet

// ErrConflict is what Fleet.Put and Fleet.Remove return where the record has another revision.
var ErrConflict = mover.ErrConflict

// ErrNoList is what Fleet.Blocks returns where there is no block list.
var ErrNoList = mover.ErrNoList
