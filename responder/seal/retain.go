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

// size is what a block and its index take; next to nothing, if it is away.
func (s *Store) size(b *Block) int64 {
	n := b.here()
	if b.Away {
		return n
	}
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
// It returns what the rest takes. A log loses its start, never a part from between. The last block of a log
// that a file goes on with, which says up to where it is sealed, goes only when nothing else may: what it had
// is found in the file.
func (z *Sealer) retain(more int64) (taken int64) {
	blocks := z.s.Blocks()
	slices.SortStableFunc(blocks, func(a, b *Block) int { return cmp.Compare(a.Window, b.Window) })
	sizes := make([]int64, len(blocks))
	for i, b := range blocks {
		sizes[i] = z.s.size(b)
		taken += sizes[i]
	}
	dropSome := func(last bool) (any bool) {
		for i, b := range blocks {
			full := z.o.Most > 0 && taken+more > z.o.Most && (!last || more <= z.o.Most)
			if sizes[i] < 0 || !full && !z.old(b, last) || z.needed(b, last) {
				continue
			}
			taken -= sizes[i]
			sizes[i], any = -1, true
			z.s.drop(b.ID)
			if last { // others may go now, that are older
				break
			}
		}
		return any
	}
	for dropSome(false) || dropSome(true) { // what was not the first of its log may be now
	}
	z.release()
	return taken
}

// old says whether a block's age is over. Of the last one of a log, all its lines have to be of windows that
// forgo passes over, of whatever length they are now: else they would be sealed again after a restart.
func (z *Sealer) old(b *Block, last bool) bool {
	if z.o.Retired != nil {
		return z.o.Retired(b.ID)
	}
	newest := b.newest()
	if last {
		newest = max(newest, b.Window+b.Span) + int64(z.o.Window)
	}
	return z.o.Age > 0 && newest < z.o.Now().Add(-z.o.Age).UnixNano()
}

// needed says whether a block must stay: a run of it is not the first of its log; or is the only one of a log
// that a file may go on with, unless the last one may go where the file is known.
func (z *Sealer) needed(b *Block, last bool) bool {
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
		if l.last().block.ID != b.ID {
			continue
		}
		if !z.looked || z.mayGoOn(l) || !last && z.goesOn(l) {
			return true
		}
	}
	return false
}

// goesOn says whether a file goes on with a log.
func (z *Sealer) goesOn(l *Log) bool {
	for _, t := range z.tails {
		if t.log != nil && t.id == l.ID {
			return true
		}
	}
	return false
}

// mayGoOn says whether a file may go on with a log of which nothing is known but its inode. One that is known
// goes on with its own log: the inode may have been that of several.
func (z *Sealer) mayGoOn(l *Log) bool {
	k := [2]uint64{l.last().Dev, l.last().Ino}
	return z.tails[k] == nil && slices.ContainsFunc(z.files, func(c Candidate) bool { return c.Dev == k[0] && c.Ino == k[1] })
}

// release has the tails of logs that have no block any more go on where they are. They keep the log's name: if
// the machine fails before its last block is removed, that and the next one are of one log still.
func (z *Sealer) release() {
	z.s.mu.Lock()
	defer z.s.mu.Unlock()
	for _, t := range z.tails {
		if t.log != nil && z.s.logs[t.id] == nil {
			t.log = nil
		}
	}
}

// room makes room for a block.
func (z *Sealer) room(more int64) error {
	if z.o.Room != nil {
		return z.o.Room(more)
	}
	if z.o.Most <= 0 {
		return nil
	}
	if taken := z.retain(more); taken+more > z.o.Most {
		return fmt.Errorf("sealed blocks take %d bytes of the %d that they may, and none of them may go", taken, z.o.Most)
	}
	return nil
}
