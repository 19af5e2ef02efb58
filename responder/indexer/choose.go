package indexer

import (
	"cmp"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
)

// Log is a file that may be indexed.
type Log struct {
	ID      ID
	Path    string
	Service string
	Size    int64
	ModTime time.Time
	Packed  bool // by its name: an archive
}

// content is about how large what a log holds is: logs are packed to a tenth, most of them.
func (l *Log) content() int64 {
	if l.Packed {
		return 10 * l.Size
	}
	return l.Size
}

// perByte is how large an index is taken to be of a log that has none yet: docs/index.md.
const perByte = 0.055

// choose says which logs shall have an index, the newest first, so that all indexes together have at
// most so many bytes; and which of the stored indexes belong to none of these. minBytes is the least
// size of a log that is worth one.
func choose(logs []Log, stored []block.Stored, most, minBytes int64) (build []Log, remove []ID) {
	bytes := map[ID]int64{}
	for _, x := range stored {
		bytes[ID{x.Dev, x.Ino}] = x.Bytes
	}
	newest := slices.Clone(logs)
	slices.SortStableFunc(newest, func(a, b Log) int { return cmp.Or(b.ModTime.Compare(a.ModTime), cmp.Compare(a.Path, b.Path)) })
	keep := map[ID]bool{}
	sum := int64(0)
	for _, l := range newest {
		if have, ok := bytes[l.ID]; !keep[l.ID] && (ok || l.content() >= minBytes) {
			need := max(have, int64(float64(l.content())*perByte))
			if sum += need; sum > most {
				break
			}
			keep[l.ID] = true
			build = append(build, l)
		}
	}
	for _, x := range stored {
		if id := (ID{x.Dev, x.Ino}); !keep[id] {
			remove = append(remove, id)
		}
	}
	return build, remove
}
