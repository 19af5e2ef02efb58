package seal

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/trawl-logs/trawl/responder/block"
)

func (s *Store) indexPath(x [2]uint64) string { return filepath.Join(s.dir, block.Name(x[0], x[1])) }

// size is what a block and its index take.
func (s *Store) size(b *Block) int64 {
	n := b.Stored
	if info, err := os.Stat(s.indexPath(b.ID.index())); err == nil {
		n += info.Size()
	}
	return n
}

// newest is when the last of a block's lines was written, as far as that is known.
func (b *Block) newest() int64 {
	if b.Timed {
		return b.MaxTime
	}
	return b.Window + b.Span
}

// retain drops the oldest blocks: those whose age is over, and as many as need be that more bytes have room.
// It returns what the rest takes. A log loses its start, never a part from between; and while a file goes on
// with a log, that keeps the last of its blocks, which says up to where it is sealed.
func (z *Sealer) retain(more int64) (taken int64) {
	blocks := z.s.Blocks()
	slices.SortStableFunc(blocks, func(a, b *Block) int { return cmp.Compare(a.Window, b.Window) })
	sizes := make([]int64, len(blocks))
	for i, b := range blocks {
		sizes[i] = z.s.size(b)
		taken += sizes[i]
	}
	oldest := z.o.Now().Add(-z.o.Age).UnixNano()
	for again := true; again; { // what was not the first of its log may be now
		again = false
		for i, b := range blocks {
			old := z.o.Age > 0 && b.newest() < oldest
			full := z.o.Most > 0 && taken+more > z.o.Most
			if sizes[i] < 0 || !old && !full || z.needed(b) {
				continue
			}
			taken -= sizes[i]
			sizes[i], again = -1, true
			z.s.drop(b.ID)
		}
	}
	return taken
}

// needed says whether a block must stay: a run of it is not the first of its log, or the only one of a log
// that a file may go on with.
func (z *Sealer) needed(b *Block) bool {
	z.s.mu.Lock()
	defer z.s.mu.Unlock()
	for i := range b.Runs {
		l := z.s.logs[b.Runs[i].Log]
		if l == nil {
			continue
		}
		if l.parts[0].block.ID != b.ID {
			return true
		}
		p := l.last()
		if p.block.ID == b.ID && (!z.looked || z.goesOn(l)) {
			return true
		}
	}
	return false
}

// goesOn says whether a file may go on with a log.
func (z *Sealer) goesOn(l *Log) bool {
	p := l.last()
	for _, t := range z.tails {
		if t.id == l.ID && !t.foreign {
			return true
		}
	}
	return slices.ContainsFunc(z.files, func(c Candidate) bool { return c.Dev == p.Dev && c.Ino == p.Ino })
}

// room makes room for a block.
func (z *Sealer) room(more int64) error {
	if z.o.Most <= 0 {
		return nil
	}
	if taken := z.retain(more); taken+more > z.o.Most {
		return fmt.Errorf("sealed blocks take %d bytes of the %d that they may, and none of them may go", taken, z.o.Most)
	}
	return nil
}
