package seal

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// printBytes is how much of a log's start, and of what was sealed last, it is known by.
const printBytes = 4 << 10

// part is a run of a Log's, and where it is in its block.
type part struct {
	Run
	block *Block
	at    int64 // of From in the block's content
	line  int64 // lines of the block before it
	mark  int64 // of the Store when it was published
}

// Log is the sealed part of a log. It does not change: a Store replaces it.
type Log struct {
	ID      ID
	Service string
	path    string // if it is a stretch of another Log: that one's
	parts   []part // in the order of the log; none overlap
}

func (l *Log) last() *part { return &l.parts[len(l.parts)-1] }

// Path is the shortest of the names under which it was sealed: rotation makes them longer.
func (l *Log) Path() string {
	if l.path != "" {
		return l.path
	}
	name := l.last().Path
	for i := range l.parts {
		if len(l.parts[i].Path) < len(name) {
			name = l.parts[i].Path
		}
	}
	return name
}

// Inode is the device and the inode of its file, when it was sealed last.
func (l *Log) Inode() (dev, ino uint64) { return l.last().Dev, l.last().Ino }

// ModTime is when it was written last, as far as it is sealed: nanoseconds since 1970.
func (l *Log) ModTime() int64 { return l.last().ModTime }

// End is the offset up to which it is sealed, and how many lines stand before it.
func (l *Log) End() (offset, lines int64) { return l.last().To, l.last().Line + l.last().Lines }

// LastTime is the time of the last line that is sealed, nanoseconds since 1970, if it is known.
func (l *Log) LastTime() (ns int64, known bool) { return l.last().Last, l.last().LastKnown }

// Start is the offset of the first byte that its blocks still have, and how many lines stood before it.
func (l *Log) Start() (offset, lines int64) { return l.parts[0].From, l.parts[0].Line }

// sealed is when its oldest block was made: nanoseconds since 1970.
func (l *Log) sealed() int64 { return l.parts[0].block.Sealed }

// Bytes is how much its blocks have of it.
func (l *Log) Bytes() (n int64) {
	for i := range l.parts {
		n += l.parts[i].To - l.parts[i].From
	}
	return n
}

// with is the Log with the runs of one more block.
func (l *Log) with(more ...part) *Log {
	next := *l
	next.parts = slices.Concat(l.parts, more)
	slices.SortStableFunc(next.parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To)) })
	end := int64(-1)
	next.parts = slices.DeleteFunc(next.parts, func(p part) bool { // what is there twice is there once
		twice := p.From < end
		end = max(end, p.To)
		return twice
	})
	return &next
}

// without is the Log without a block; nil if nothing is left of it.
func (l *Log) without(id ID) *Log {
	next := *l
	next.parts = slices.DeleteFunc(slices.Clone(l.parts), func(p part) bool { return p.block.ID == id })
	if len(next.parts) == 0 {
		return nil
	}
	return &next
}

// upTo is the Log as it was at a mark of the Store; nil if it was not there.
func (l *Log) upTo(mark int64) *Log {
	if n := slices.IndexFunc(l.parts, func(p part) bool { return p.mark > mark }); n >= 0 {
		if n == 0 {
			return nil
		}
		next := *l
		next.parts = l.parts[:n:n]
		return &next
	}
	return l
}

// Stretch is what a block has of a Log, from byte From to byte To.
type Stretch struct {
	*Block
	From, To int64
}

// Stretches are what the blocks have of the Log, in its order.
func (l *Log) Stretches() []Stretch {
	out := make([]Stretch, len(l.parts))
	for i := range l.parts {
		out[i] = Stretch{l.parts[i].block, l.parts[i].From, l.parts[i].To}
	}
	return out
}

// Only returns the stretches of the Log that the blocks have which keep admits, in order: each is a Log of the same
// ID and Path, whose Text begins with its first byte. What is next to each other is one stretch.
func (l *Log) Only(keep func(*Block) bool) (stretches []*Log) {
	for i := 0; i < len(l.parts); {
		n := i
		for n < len(l.parts) && (n == i || l.parts[n].From == l.parts[n-1].To) && keep(l.parts[n].block) {
			n++
		}
		if n > i {
			next := *l
			next.path, next.parts = l.Path(), l.parts[i:n:n]
			stretches = append(stretches, &next)
		}
		i = max(n, i+1)
	}
	return stretches
}

// Blocks are those that hold the Log, in its order; one that has several stretches of it comes once.
func (l *Log) Blocks() (blocks []*Block) {
	seen := map[ID]bool{}
	for i := range l.parts {
		if b := l.parts[i].block; !seen[b.ID] {
			seen[b.ID] = true
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// isIn says whether a file of that size begins with what is sealed: by the start of it, and what stands
// before its end.
func (l *Log) isIn(at io.ReaderAt, size int64) (bool, error) {
	p := l.last()
	if size < p.To {
		return false, nil
	}
	head, err := sumAt(at, 0, p.HeadBytes)
	if err != nil || head != p.Head {
		return false, err
	}
	tail, err := tailAt(at, p.To)
	return err == nil && tail == p.Tail, err
}

// tailAt is the sum of the last 4 KiB before an offset.
func tailAt(at io.ReaderAt, off int64) (uint64, error) {
	n := min(off, printBytes)
	return sumAt(at, off-n, int(n))
}

// sumAt is the xxHash64 of n bytes at off.
func sumAt(r io.ReaderAt, off int64, n int) (uint64, error) {
	p := make([]byte, n)
	if got, err := r.ReadAt(p, off); got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return xxhash.Sum64(p), nil
}

// same says whether a file has the device, the inode and the birth of a log.
func (i *Identity) same(o *Identity) bool {
	return i.Dev == o.Dev && i.Ino == o.Ino && (i.Born == o.Born || i.Born == 0 || o.Born == 0)
}
