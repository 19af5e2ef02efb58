package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// ErrMissing says that lines are neither in a block nor in a live file.
var ErrMissing = errors.New("sealed lines are missing")

const (
	// keptFrames bounds the frames that a Text has unpacked at once, and keptBytes what they take, but for
	// two of them: those of neighbouring segments of a search.
	keptFrames = 8
	keptBytes  = 4 << 20
	// keptBlocks bounds the blocks that it has open.
	keptBlocks = 4
)

// Text is a Log as one file: what is sealed from its blocks, the rest from the live file. Where retention has
// dropped the start, and no live file has it, it begins where the blocks do: see Start. It is safe for
// concurrent use.
type Text struct {
	s        *Store
	log      *Log
	live     io.ReaderAt // nil: there is none
	liveSize int64
	base     int64 // offset in the log of the first byte; and the lines before it
	line     int64
	end      int64 // offset in the log behind the last byte

	mu     sync.Mutex
	open   []*openBlock   // the last used last
	frames []*cachedFrame // the last used last
	free   [][]byte
	closed bool
}

type openBlock struct {
	*Reader
	f     *os.File
	users int
}

type cachedFrame struct {
	block ID
	n     int
	from  int64
	text  []byte
}

// Text opens a Log for reading. live is the file it goes on in, of that size; nil if it is gone. Close it, and
// the View after it.
func (v *View) Text(l *Log, live io.ReaderAt, size int64) *Text {
	t := &Text{s: v.s, log: l, live: live, liveSize: size}
	if live == nil {
		t.base, t.line = l.Start()
	}
	t.end, _ = l.End()
	t.end = max(t.end, t.liveSize)
	return t
}

// Stretch opens a Log for reading from byte from to byte to, where lines begin or the Text of it ends: as if
// there were nothing else of it. live and size are Text's. It reads what stands before from in the block, or
// beside all blocks, to count its lines.
func (v *View) Stretch(l *Log, live io.ReaderAt, size, from, to int64) (*Text, error) {
	t := v.Text(l, live, size)
	if from < t.base || to > t.end || from > to {
		return nil, errors.Join(fmt.Errorf("%w: bytes %d to %d of %s", ErrMissing, from, to, l.Path()), t.Close())
	}
	var known int64
	if known, t.line, _, _ = l.Before(from); known < from {
		lines, err := countIn(io.NewSectionReader(t, known-t.base, from-known))
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.line += lines
	}
	t.base, t.end = from, to
	return t, nil
}

// Before is the last offset up to from at which it is known what stood before it: how many lines, and the last time
// of these, nanoseconds since 1970, if that is known.
func (l *Log) Before(from int64) (at, lines, prior int64, known bool) {
	for i := range l.parts {
		switch p := &l.parts[i]; {
		case p.To <= from:
			at, lines, prior, known = p.To, p.Line+p.Lines, p.Last, p.LastKnown
		case p.From <= from:
			return p.From, p.Line, p.Prior, p.PriorKnown
		}
	}
	return at, lines, prior, known
}

func countIn(r io.Reader) (lines int64, err error) {
	buf := make([]byte, frameBytes)
	for {
		n, err := r.Read(buf)
		lines += int64(countLines(buf[:n]))
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// Prior is the last time before the Text, as of byte at of the Log, which is not behind its start: what
// stands between has to be looked at.
func (t *Text) Prior() (at, prior int64, known bool) {
	at, _, prior, known = t.log.Before(t.base)
	return at, prior, known
}

// parts are those that the Text has any bytes of.
func (t *Text) parts() []part {
	first := t.log.partAt(t.base)
	last := first
	for last < len(t.log.parts) && t.log.parts[last].From < t.end {
		last++
	}
	return t.log.parts[first:last]
}

// Size is the length in bytes.
func (t *Text) Size() int64 { return t.end - t.base }

// Start is what stood in the log before the Text begins: bytes, and lines.
func (t *Text) Start() (bytes, lines int64) { return t.base, t.line }

// ReadAt reads as io.ReaderAt does. What is damaged in a block is read from the live file, if there is one; the
// error is ErrMissing or ErrDamaged where bytes cannot be had.
func (t *Text) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	off += t.base
	n, size := 0, t.end
	for n < len(p) {
		at := off + int64(n)
		if at >= size {
			return n, io.EOF
		}
		i := t.log.partAt(at)
		if i < len(t.log.parts) && t.log.parts[i].From <= at {
			part := &t.log.parts[i]
			k, err := t.sealed(p[n:min(int64(len(p)), int64(n)+size-at)], part, at)
			if err != nil && t.live != nil && at < t.liveSize { // which has the lines as well
				if !errors.Is(err, ErrAway) {
					t.s.log.Warn("a live log is read in place of its sealed block", "block", part.block.ID, "err", err)
				}
				k, err = t.unsealed(p[n:min(int64(len(p)), int64(n)+min(part.To, size)-at)], at)
			}
			if n += k; err != nil {
				return n, err
			}
			continue
		}
		until := size
		if i < len(t.log.parts) {
			until = min(until, t.log.parts[i].From)
		}
		k, err := t.unsealed(p[n:min(int64(len(p)), int64(n)+until-at)], at)
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// partAt is the index of the first part that ends behind off.
func (l *Log) partAt(off int64) int {
	i, _ := slices.BinarySearchFunc(l.parts, off, func(p part, off int64) int {
		if p.To <= off {
			return -1
		}
		return 1
	})
	return i
}

// unsealed reads what no block has.
func (t *Text) unsealed(p []byte, at int64) (int, error) {
	if t.live != nil && at < t.liveSize {
		n, err := t.live.ReadAt(p[:min(int64(len(p)), t.liveSize-at)], at)
		if n > 0 {
			return n, nil // the error comes again
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return 0, fmt.Errorf("%w: from byte %d of %s on", ErrMissing, at, t.log.Path())
}

// sealed reads from the frame that holds the byte at, of a part that does, as far as that goes.
func (t *Text) sealed(p []byte, part *part, at int64) (int, error) {
	want := part.at + at - part.From // in the block's content
	p = p[:min(int64(len(p)), part.To-at)]
	t.mu.Lock()
	if f := t.cached(part.block.ID, want); f != nil {
		n := copy(p, f.text[want-f.from:])
		t.mu.Unlock()
		return n, nil
	}
	b, err := t.block(part.block)
	buf := t.buffer()
	t.mu.Unlock()
	if err != nil {
		return 0, err
	}
	i := b.frameAt(want)
	if i == len(b.frames) {
		err = fmt.Errorf("%w: %v has no byte %d", ErrDamaged, part.block.ID, want)
	} else {
		buf, err = b.Frame(i, buf)
	}
	if errors.Is(err, ErrDamaged) {
		t.s.spoil(part.block.ID, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b.users--
	t.trim()
	if err != nil {
		return 0, err
	}
	f := &cachedFrame{block: part.block.ID, n: i, from: b.frames[i].from, text: buf}
	t.keep(f)
	return copy(p, f.text[want-f.from:]), nil
}

// cached is the frame with a byte of a block, nil if it is not unpacked. mu is held.
func (t *Text) cached(id ID, off int64) *cachedFrame {
	for k, f := range t.frames {
		if f.block == id && f.from <= off && off < f.from+int64(len(f.text)) {
			t.frames = append(slices.Delete(t.frames, k, k+1), f)
			return f
		}
	}
	return nil
}

// keep adds a frame, and forgets the oldest ones. mu is held.
func (t *Text) keep(f *cachedFrame) {
	t.frames = append(t.frames, f)
	sum := 0
	for _, f := range t.frames {
		sum += len(f.text)
	}
	for len(t.frames) > keptFrames || len(t.frames) > 2 && sum > keptBytes {
		old := t.frames[0]
		sum -= len(old.text)
		t.frames = slices.Delete(t.frames, 0, 1)
		if len(t.free) < 2 && cap(old.text) <= 4*frameBytes {
			t.free = append(t.free, old.text)
		}
	}
}

func (t *Text) buffer() []byte {
	if n := len(t.free); n > 0 {
		b := t.free[n-1]
		t.free = t.free[:n-1]
		return b
	}
	return nil
}

// block opens a block. mu is held; users is counted up.
func (t *Text) block(b *Block) (*openBlock, error) {
	if t.closed {
		return nil, os.ErrClosed
	}
	for k, o := range t.open {
		if o.Block.ID == b.ID {
			t.open = append(slices.Delete(t.open, k, k+1), o)
			o.users++
			return o, nil
		}
	}
	r, f, err := t.s.openBlock(b)
	if err != nil {
		return nil, err
	}
	o := &openBlock{Reader: r, f: f, users: 1}
	t.open = append(t.open, o)
	return o, nil
}

// openBlock opens the file of a block.
func (s *Store) openBlock(b *Block) (*Reader, *os.File, error) {
	if b.Away {
		return nil, nil, fmt.Errorf("%w: %v", ErrAway, b.ID)
	}
	f, err := os.Open(s.path(b.ID))
	if err != nil {
		err = fmt.Errorf("open sealed block: %w", err)
		if errors.Is(err, fs.ErrNotExist) {
			s.spoil(b.ID, err)
		}
		return nil, nil, err
	}
	r, err := NewReader(f, b.Stored)
	if err == nil && r.Block.Checksum != b.Checksum {
		err = fmt.Errorf("%w: %v is another one", ErrDamaged, b.ID)
	}
	if err != nil {
		if errors.Is(err, ErrDamaged) {
			s.spoil(b.ID, err)
		}
		f.Close()
		return nil, nil, err
	}
	return r, f, nil
}

// trim closes blocks that nobody reads, the oldest first, until few are open. mu is held.
func (t *Text) trim() {
	most := keptBlocks
	if t.closed {
		most = 0
	}
	for k := 0; k < len(t.open) && len(t.open) > most; {
		if o := t.open[k]; o.users == 0 {
			_ = o.f.Close() // opened for reading: nothing is lost
			t.open = slices.Delete(t.open, k, k+1)
			continue
		}
		k++
	}
}

// Close closes what is open of the blocks; the live file stays as it is.
func (t *Text) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.frames, t.free = nil, nil
	t.trim()
	return nil
}

// Verify reads all of a block: it is Spoiled from then on, or not.
func (s *Store) Verify(b *Block) error {
	r, f, err := s.openBlock(b)
	if err != nil {
		return err
	}
	defer f.Close()
	switch err = r.Verify(); {
	case err == nil:
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.spoiled, b.ID)
	case errors.Is(err, ErrDamaged):
		s.spoil(b.ID, err)
	}
	return err
}
