package main

import (
	"fmt"
	"io"

	"github.com/trawl-logs/trawl/schemas"
)

// sealedBlocks lists sealed blocks, a row a block.
func (f *blocksFlags) sealedBlocks(w io.Writer, answers []nodeBlocks) error {
	return blockTable(w, "NODE\tSERVICE\tFROM\tTO\tLINES\tBYTES\tSTORED\tLOGS\tHOME\tBLOCK", func(w io.Writer) {
		for _, a := range answers {
			none := func(why string) { fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t-\t-\t-\t%s\n", a.Node, shown(why)) }
			switch {
			case a.Index == nil:
				none(a.Error)
				continue
			case a.Sealed == nil:
				none("no source says store: sealed, and none is of another node")
				continue
			}
			for _, b := range a.Sealed.Blocks {
				stored := formatBytes(b.Stored)
				if b.Away {
					stored = "away"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\n", a.Node, shown(b.Service), blockTime(b.First), blockTime(b.Last), b.Lines,
					formatBytes(b.Bytes), stored, b.Logs, homeOf(&b, a.Node), shown(b.ID))
			}
			if n := a.Sealed.Further; n > 0 {
				none("and " + plural(n, "block") + " more, older ones")
			}
		}
	})
}

// homeOf is the node that sealed a block.
func homeOf(b *schemas.SealedBlock, lister string) string {
	if b.Home == "" {
		return lister
	}
	return shown(b.Home)
}

// sealedVerdict says on w what is wrong with sealed blocks, and whether anything is.
func sealedVerdict(w io.Writer, a *nodeBlocks) (wrong bool) {
	if a.Sealed == nil {
		return false
	}
	if a.Sealed.Refused != "" {
		fmt.Fprintf(w, "trawl: %s: nothing is sealed: %s\n", a.Node, shown(a.Sealed.Refused))
	}
	for _, b := range a.Sealed.Blocks {
		if b.Err != "" {
			fmt.Fprintf(w, "trawl: %s: sealed block %s: %s\n", a.Node, shown(b.ID), shown(b.Err))
			wrong = true
		}
	}
	return wrong
}

// sealedReport is the sealed blocks of a node in JSON.
type sealedReport struct {
	Refused string        `json:"refused,omitempty"` // why nothing is sealed
	Settled bool          `json:"settled"`           // nothing was left to be sealed
	Further int64         `json:"further"`           // older blocks that are not listed
	Blocks  []sealedBlock `json:"blocks"`
}

type sealedBlock struct {
	ID       string  `json:"id"`
	Service  string  `json:"service"`
	First    *string `json:"first"`
	Last     *string `json:"last"`
	Lines    int64   `json:"lines"`
	Bytes    int64   `json:"bytes"`
	Stored   int64   `json:"stored"`
	Logs     int64   `json:"logs"`
	Checksum string  `json:"checksum"`
	Home     string  `json:"home"` // the node that sealed it
	Away     bool    `json:"away"` // its lines are at other nodes
	Error    string  `json:"error,omitempty"`
}

func reportSealed(x *schemas.SealedCheckup, node string) *sealedReport {
	if x == nil {
		return nil
	}
	r := &sealedReport{Refused: x.Refused, Settled: x.Settled, Further: x.Further, Blocks: []sealedBlock{}}
	for _, b := range x.Blocks {
		r.Blocks = append(r.Blocks, sealedBlock{b.ID, b.Service, stamp(b.First), stamp(b.Last), b.Lines, b.Bytes, b.Stored, b.Logs,
			fmt.Sprintf("%016x", b.Checksum), homeOf(&b, node), b.Away, b.Err})
	}
	return r
}
