package timeorder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/trawl-logs/trawl/responder/scan"
)

const (
	sortBytes = 4 << 20   // of units that wait to be sorted
	unitBytes = 256 << 10 // a longer unit is spilled as it comes, as a run of its own
	entryCost = 48        // of a unit beside its rows
)

// sorter sorts units, of which it keeps at most so many bytes. Those beyond become sorted runs in a
// spill. Units come from many goroutines; their keys are all different.
type sorter struct {
	spill *spill
	most  int

	mu    sync.Mutex
	arena []byte
	units []entry
	runs  []*run
}

// entry is a unit in the arena.
type entry struct {
	key     key
	at, len int
}

// add takes an encoded unit, and keeps none of its memory.
func (s *sorter) add(k key, unit []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.units) > 0 && len(s.arena)+len(unit)+entryCost*len(s.units) > s.most {
		if err := s.spillUnits(); err != nil {
			return err
		}
	}
	s.units = append(s.units, entry{k, len(s.arena), len(unit)})
	s.arena = append(s.arena, unit...)
	return nil
}

func (s *sorter) sort() {
	slices.SortFunc(s.units, func(a, b entry) int { return a.key.compare(b.key) })
}

// spillUnits makes a run of what is kept.
func (s *sorter) spillUnits() error {
	s.sort()
	w := runWriter{s: s.spill}
	for _, u := range s.units {
		if err := w.write(s.arena[u.at : u.at+u.len]); err != nil {
			return err
		}
	}
	first := s.units[0].key
	s.arena, s.units = s.arena[:0], s.units[:0]
	return s.addRun(first, &w)
}

// addRun adds what was written as a run. mu is held.
func (s *sorter) addRun(first key, w *runWriter) error {
	if err := w.flush(); err != nil {
		return err
	}
	s.runs = append(s.runs, &run{first: first, spill: s.spill, extents: w.extents})
	return nil
}

// sources are what was sorted, once nothing is added any more.
func (s *sorter) sources() []source {
	var all []source
	for _, r := range s.runs {
		r.bytes = min(64<<10, max(4<<10, 4*s.most/len(s.runs)))
		all = append(all, r)
	}
	if len(s.units) > 0 {
		s.sort()
		all = append(all, &run{first: s.units[0].key, kept: s})
	}
	return all
}

// feeder gives a sorter the units of one input.
type feeder struct {
	s     *sorter
	input int
	split splitter
	rows  []row
	key   key
	unit  []byte
	long  *runWriter // of a unit that is too long to be kept
}

// batch takes a batch of the input's results.
func (f *feeder) batch(b *scan.Batch) error {
	f.rows = f.split.rows(f.rows[:0], b)
	for i := range f.rows {
		r := &f.rows[i]
		if r.start {
			if err := f.end(); err != nil {
				return err
			}
			f.key = key{r.key, f.input, f.key.seq + 1}
		}
		if f.unit = appendRow(f.unit, r, f.key); len(f.unit) >= unitBytes {
			if f.long == nil {
				f.long = &runWriter{s: f.s.spill}
			}
			if err := f.long.write(f.unit); err != nil {
				return err
			}
			f.unit = f.unit[:0]
		}
	}
	return nil
}

// end ends the last unit.
func (f *feeder) end() error {
	unit, long := f.unit, f.long
	f.unit, f.long = f.unit[:0], nil
	switch {
	case long != nil:
		if err := long.write(unit); err != nil {
			return err
		}
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		return f.s.addRun(f.key, long)
	case len(unit) > 0:
		return f.s.add(f.key, unit)
	}
	return nil
}

// A row is encoded as
//
//	flags, [time of the unit, input, seq if it starts one,] time, number, offset, length of text, text
//
// each but the flags and the text a varint.
const (
	flagBinary = 1 << iota
	flagStart
	flagMore
	flagContinues
	flagGroup
	flagContext
)

func appendRow(dst []byte, r *row, k key) []byte {
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{r.binary, flagBinary}, {r.start, flagStart}, {r.more, flagMore}, {r.continues, flagContinues}, {r.group, flagGroup}, {r.context, flagContext}} {
		if f.set {
			flags |= f.bit
		}
	}
	dst = append(dst, flags)
	if r.start {
		dst = binary.AppendVarint(dst, k.time)
		dst = binary.AppendVarint(dst, int64(k.input))
		dst = binary.AppendVarint(dst, k.seq)
	}
	for _, v := range []int64{r.time, r.number, r.offset, int64(len(r.text))} {
		dst = binary.AppendVarint(dst, v)
	}
	return append(dst, r.text...)
}

// rowReader is what rows are decoded from.
type rowReader interface {
	io.Reader
	io.ByteReader
}

// readRow reads a row into r, whose text is used again, and the key of its unit into k if it starts
// one. io.EOF says that there was none.
func readRow(in rowReader, r *row, k *key) error {
	flags, err := in.ReadByte()
	if err != nil {
		return err
	}
	*r = row{
		text: r.text[:0], binary: flags&flagBinary != 0, start: flags&flagStart != 0, more: flags&flagMore != 0,
		continues: flags&flagContinues != 0, group: flags&flagGroup != 0, context: flags&flagContext != 0,
	}
	number := func() (v int64) {
		if err == nil {
			v, err = binary.ReadVarint(in)
		}
		return v
	}
	if r.start {
		k.time, k.input, k.seq = number(), int(number()), number()
	}
	r.time, r.number, r.offset = number(), number(), number()
	n := number()
	if err == nil {
		r.key, r.text = k.time, slices.Grow(r.text, int(n))[:n]
		_, err = io.ReadFull(in, r.text)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read what was sorted: %w", err)
	}
	return nil
}

// run is a source of sorted units: those in a spill, or those that a sorter kept.
type run struct {
	first key
	// Of a spilled run; bytes is how much of it is read at once.
	spill   *spill
	extents []extent
	bytes   int
	// Of what was kept.
	kept *sorter
	unit int

	in      rowReader
	opened  bool
	over    bool
	key     key // of rows[now]
	rows    [2]row
	now     int
	pending bool // rows[now] is there to be taken
}

func (r *run) bound() (key, bool) {
	if !r.opened {
		return r.first, false
	}
	return r.key, r.pending
}

// fetch reads the first row.
func (r *run) fetch() error {
	if r.over {
		return io.EOF
	}
	r.opened = true
	if r.kept == nil {
		r.in = bufio.NewReaderSize(&extentReader{r.spill.file, r.extents}, r.bytes)
	} else {
		r.in = (*keptReader)(r)
	}
	return r.advance()
}

// advance reads the next row.
func (r *run) advance() error {
	err := readRow(r.in, &r.rows[r.now], &r.key)
	r.pending = err == nil
	if err == io.EOF {
		r.over, r.in = true, nil
	}
	return err
}

func (r *run) input() int { return r.key.input }

func (r *run) row() (*row, error) {
	taken := &r.rows[r.now]
	r.now = 1 - r.now
	if err := r.advance(); err != nil && err != io.EOF {
		return nil, err
	}
	return taken, nil
}

func (r *run) close() {}

// keptReader reads the units that a sorter kept, in their order.
type keptReader run

func (r *keptReader) unread() []byte {
	for r.unit < len(r.kept.units) {
		if u := &r.kept.units[r.unit]; u.len > 0 {
			return r.kept.arena[u.at : u.at+u.len]
		}
		r.unit++
	}
	return nil
}

func (r *keptReader) take(n int) {
	u := &r.kept.units[r.unit]
	u.at, u.len = u.at+n, u.len-n
}

func (r *keptReader) ReadByte() (byte, error) {
	b := r.unread()
	if len(b) == 0 {
		return 0, io.EOF
	}
	r.take(1)
	return b[0], nil
}

func (r *keptReader) Read(p []byte) (int, error) {
	b := r.unread()
	if len(b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b)
	r.take(n)
	return n, nil
}
