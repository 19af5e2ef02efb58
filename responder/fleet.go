package responder

import (
	"fmt"

	"github.com/trawl-logs/trawl/responder/mover"
)

// Fleet is what the sealed blocks of a node need of the other nodes.
type Fleet = mover.Fleet

// ErrConflict is what Fleet.Put and Fleet.Remove return where the record has another revision.
var ErrConflict = mover.ErrConflict

// ErrNoList is what Fleet.Blocks returns where there is no block list.
var ErrNoList = mover.ErrNoList

// ErrNoListNow is an ErrNoList where there may have been a list: nobody is there who would know.
var ErrNoListNow = fmt.Errorf("%w at the moment", ErrNoList)
