// Package clock gives a search its clocks: it finds out, file by file, in which form the lines have
// their times, and remembers it, so that the next search need not.
//
// A Cache belongs to a node. Its Attach prepares one search: it wraps the inputs, so that a file's form
// is found when it is opened, and sets the search's NewClock. A file that cannot hold a line of the
// time range is not opened. Of one whose times were all read before, by Prove or by a search in time
// order, those pieces are searched in which such lines are (outline.go). Of any other that is large, and
// that samples show to be sorted, only the part is searched in which they can be (order.go says what is
// promised), and it is counted: Assumed. One whose times cannot be read is an error of that file,
// since neither all of its lines nor none would be right.
package clock

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

// ErrNoTimes is the error of a file that is searched by time and has none that can be read.
var ErrNoTimes = errors.New("no timestamps found: not searched by time")

const (
	// sampleBytes is how much of a file's head, and of its tail, its form is found from.
	sampleBytes = HeadBytes
	// printBytes is how much of a file's head tells whether it is still the same file.
	printBytes = 4 << 10
	// margin is how far the times in a file may be ahead of its modification time: zones are mistaken
	// by up to 14 hours, clocks differ.
	margin = 24 * time.Hour
	// cacheFiles is how many files a Cache remembers, at 400 bytes each, and cacheProbes how many
	// samples of their order, at 16 bytes.
	cacheFiles  = 16 << 10
	cacheProbes = 256 << 10
)

// oldest is the first modification time that is believed: what is packed reproducibly has one of the
// first days of 1970 or 1980.
var oldest = time.Date(1980, 1, 3, 0, 0, 0, 0, time.UTC)

// HeadBytes is how much of an archive's content its form is found from.
const HeadBytes = 64 << 10

// ID is what a file is known by whatever its name: device and inode.
type ID struct{ Dev, Ino uint64 }

// File is what is known of an input beside its content.
type File struct {
	ID      ID // zero: nothing is remembered of it, but by Sealed
	ModTime time.Time
	Zone    *time.Location // of times that name none; nil: the node's
	Form    string         // as timestamp.Options has it; empty: to be found out
	Sealed  Sealed         // if it is set, nothing is remembered by ID
}

// Cache remembers the forms of files. It is safe for concurrent use.
type Cache struct {
	seed  maphash.Seed
	mu    sync.Mutex
	known map[ID]*known
	kept  int // probes of the orders in known

	forms     map[formKey]*timestamp.Form // none says something else of every file
	stretches map[stretch]*known          // of sealed logs

	pieces int   // of the outlines in known
	full   int64 // fullBytes, but in tests
}

// known is what was found of a file in one state of it.
type known struct {
	form    *timestamp.Form // nil: none
	size    int64           // 0: of a compressed file
	modTime time.Time
	printed int       // bytes of the head that print is of
	print   uint64    // of the first bytes
	order   *order    // nil: not known; not changed once it is here
	outline *outlined // likewise
}

// NewCache returns an empty Cache.
func NewCache() *Cache {
	return &Cache{seed: maphash.MakeSeed(), known: map[ID]*known{}, forms: map[formKey]*timestamp.Form{}, stretches: map[stretch]*known{}, full: fullBytes}
}

// Search is one search with clocks.
type Search struct {
	cache      *Cache
	of         func(i int) File
	o          *scan.Options
	timed      bool // a time decides whether a line is selected
	exhaustive bool
	terminator byte
	forms      []atomic.Pointer[timestamp.Form]
	read       atomic.Int64
	assumed    atomic.Int64
	unproven   []atomic.Bool
}

// Attach prepares a search whose options ask for times or a range of them; of others nothing is
// changed. of is called once for each input, when it is opened, from any goroutine. An exhaustive
// search reads every file in full, whatever the range.
func (c *Cache) Attach(inputs []scan.Input, of func(i int) File, exhaustive bool, o *scan.Options) *Search {
	timed := o.Since != 0 || o.Until != 0
	s := &Search{cache: c, of: of, o: o, timed: timed, exhaustive: exhaustive, terminator: o.Terminator}
	if !s.timed && !(o.Times && o.Mode == scan.Lines) {
		return s
	}
	s.forms = make([]atomic.Pointer[timestamp.Form], len(inputs))
	s.unproven = make([]atomic.Bool, len(inputs))
	for i := range inputs {
		open := inputs[i].Open
		inputs[i].Open = func() (scan.File, error) { return s.open(i, open) }
	}
	o.NewClock = func(i int) scan.Clock {
		if form := s.forms[i].Load(); form != nil {
			return form.NewReader()
		}
		return nil
	}
	return s
}

// Read is how many bytes were read to find what has to be searched, beside what then was searched.
func (s *Search) Read() int64 { return s.read.Load() }

// Assumed is of how many files part was not searched because samples, and not all of their lines, say that
// they are in order.
func (s *Search) Assumed() int64 { return s.assumed.Load() }

// Unproven returns the inputs of which the next search would read less if Prove had read them.
func (s *Search) Unproven() (inputs []int) {
	for i := range s.unproven {
		if s.unproven[i].Load() {
			inputs = append(inputs, i)
		}
	}
	return inputs
}

// Over says whether a file was written last so long before since, Unix nanoseconds, that no line in it
// can be that late. A since of 0 is open.
func Over(modTime time.Time, since int64) bool {
	return since != 0 && modTime.After(oldest) && modTime.Add(margin).Before(time.Unix(0, since))
}

// open opens an input and finds its form. A panic is that input's error.
func (s *Search) open(i int, open func() (scan.File, error)) (f scan.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &scan.PanicError{Value: p, Stack: debug.Stack()}
		}
		if err != nil && f.Closer != nil {
			_ = f.Closer.Close() // opened for reading: nothing is lost
			f = scan.File{}
		}
	}()
	about := s.of(i)
	if !s.exhaustive && Over(about.ModTime, s.o.Since) {
		return scan.File{At: bytes.NewReader(nil)}, nil
	}
	if f, err = open(); err != nil {
		return f, err
	}
	form, empty, err := s.form(i, &f, &about)
	if err == nil && form == nil && s.timed && !empty {
		err = ErrNoTimes
	}
	if err == nil {
		s.forms[i].Store(form)
	}
	return f, err
}

// form finds the form of an open input, nil if it has none, and narrows the input to the range. What is
// read of a stream is put back.
func (s *Search) form(i int, f *scan.File, about *File) (form *timestamp.Form, empty bool, err error) {
	if f.Origin != nil { // which knows the times
		return nil, true, nil
	}
	if f.InOrder {
		return s.formOf(f.Head, len(f.Head) < sampleBytes, about), f.Size == 0, nil
	}
	if f.At != nil {
		if f.Size == 0 || f.Ranges != nil && toSearch(f) == 0 && (f.Dated || !s.timed) { // that it has times is known, or does not matter
			return nil, true, nil
		}
		at, size := &counter{at: f.At}, f.Size
		form, err = s.cache.find(at, size, about, s.terminator)
		if err == nil && form != nil {
			err = s.narrow(i, f, at, form, about)
		}
		s.count(min(at.read, size-toSearch(f)))
		return form, false, err
	}
	form, n := s.peek(f, about)
	return form, n == 0, nil
}

// toSearch is how much of an open file is going to be searched.
func toSearch(f *scan.File) (n int64) {
	if f.Ranges == nil {
		return f.Size - f.From
	}
	for _, g := range f.Ranges {
		n += max(0, min(g.To, f.Size)-max(g.From, f.From))
	}
	return n
}

// count notes bytes that were read and are not going to be searched.
func (s *Search) count(n int64) {
	s.read.Add(n)
	if s.o.Read != nil {
		s.o.Read.Add(n)
	}
}

// counter counts what is read.
type counter struct {
	at   io.ReaderAt
	read int64
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.at.ReadAt(p, off)
	c.read += int64(n)
	return n, err
}

// peek finds the form of a stream from what comes first, and puts that back. It waits for more only of
// a file, which is compressed, or where without a time nothing can be given: of a live stream, lines
// are wanted as they come.
func (s *Search) peek(f *scan.File, about *File) (form *timestamp.Form, n int) {
	head := make([]byte, sampleBytes)
	isFile := about.ID != ID{}
	var err error
	for tried := 0; form == nil && n < len(head) && err == nil; {
		var k int
		k, err = f.Stream.Read(head[n:])
		n += k
		if more := err == nil && n < len(head); more && (isFile || n < 2*tried) {
			continue
		}
		tried = n
		if form = s.formOf(head[:n], errors.Is(err, io.EOF), about); !s.timed {
			break
		}
	}
	if form != nil && isFile && !s.exhaustive && (err == nil || errors.Is(err, io.EOF)) && s.isLater(head[:n], form) {
		s.count(int64(n))
		if err == nil {
			s.assumed.Add(1)
		}
		f.Stream = bytes.NewReader(nil)
		return form, n
	}
	rest := f.Stream
	if err != nil { // it is met again where it belongs, after the lines before it
		rest = failing{err}
	}
	f.Stream = io.MultiReader(bytes.NewReader(head[:n]), rest)
	return form, n
}

// formOf finds the form of a stream from its head, or remembers it: that of a compressed file with the
// same head that was not written since.
func (s *Search) formOf(head []byte, whole bool, about *File) *timestamp.Form {
	return s.cache.HeadForm(head, whole, about, s.terminator)
}

// HeadForm finds the form of the times in an archive from the first HeadBytes of its content, or all of it,
// whole, if it has fewer; or remembers it. It is nil if there is none.
func (c *Cache) HeadForm(head []byte, whole bool, about *File, terminator byte) *timestamp.Form {
	printed := head[:min(len(head), printBytes)]
	k := c.get(about.ID)
	if k != nil && k.size == 0 && k.modTime.Equal(about.ModTime) && k.printed == len(printed) && c.print(printed) == k.print {
		return k.form
	}
	p := sample{text: lines(head, terminator)}
	if whole {
		p.tail = p.text
	} else {
		p.text = cutEnd(p.text)
	}
	form := p.detect(about)
	c.keep(about.ID, &known{form: form, modTime: about.ModTime, printed: len(printed), print: c.print(printed)})
	return form
}

// failing is the rest of a stream that ended or failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Form finds the form of the times in a file of lines, of size bytes, or remembers it; nil if it has none.
func (c *Cache) Form(at io.ReaderAt, size int64, about *File) (*timestamp.Form, error) {
	return c.find(at, size, about, '\n')
}

// find finds the form of a file, or remembers it: the same head, not shorter, and less than twice as
// long. Times without a year are bound anew to a file that was written since. Of what was sealed, nothing is read
// if the form is known.
func (c *Cache) find(at io.ReaderAt, size int64, about *File, terminator byte) (*timestamp.Form, error) {
	k := c.recall(about)
	if about.Sealed.Fixed && terminator == '\n' {
		if form := c.sealedForm(about); form != nil {
			return form, nil
		}
		if k != nil && k.size == size && k.modTime.Equal(about.ModTime) {
			return k.form, nil
		}
	}
	head := make([]byte, min(size, printBytes))
	if err := readAt(at, head, 0); err != nil {
		return nil, err
	}
	same := k != nil && size >= k.size && size < 2*k.size && c.print(head[:k.printed]) == k.print
	unchanged := same && k.size == size && k.modTime.Equal(about.ModTime)
	if unchanged || same && k.form != nil && !k.form.Stateful() {
		return k.form, nil
	}
	p, err := read(at, size, terminator)
	if err != nil {
		return nil, err
	}
	if same && k.form != nil {
		return k.form.Bind(p.text, p.tail, about.ModTime), nil
	}
	form := p.detect(about)
	c.keepForm(about, form)
	now := &known{form: form, size: size, modTime: about.ModTime, printed: len(head), print: c.print(head)}
	if k != nil && k.size > 0 && size >= k.size && c.print(head[:k.printed]) == k.print { // 0: of an archive that had this ID
		now.outline = k.outline // if its lines are still read so, which outline looks at
	}
	c.remember(about, now)
	return form, nil
}

func (c *Cache) print(head []byte) uint64 { return maphash.Bytes(c.seed, head) }

// get returns what is known of a file, nil if it is nothing.
func (c *Cache) get(id ID) *known {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id]
}

// keep remembers a file, if it has an ID, and forgets any other if there are too many.
func (c *Cache) keep(id ID, k *known) {
	if id == (ID{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, has := c.known[id]; has {
		c.kept -= old.probes()
		c.pieces -= old.pieces()
	} else if len(c.known) >= cacheFiles {
		for other, k := range c.known {
			delete(c.known, other)
			c.kept -= k.probes()
			c.pieces -= k.pieces()
			break
		}
	}
	c.known[id] = k
	c.kept += k.probes()
	c.pieces += k.pieces()
}

func (k *known) probes() int {
	if k.order == nil {
		return 0
	}
	return len(k.order.probes)
}

// orderOf returns what is known of the order of a file in the form, nil if it is nothing.
func (c *Cache) orderOf(id ID, form *timestamp.Form) *order {
	if k := c.get(id); k != nil && k.form == form {
		return k.order
	}
	return nil
}

// keepOrder remembers the order of a file, unless its form depends on when it was written. It forgets
// those of others if there are too many.
func (c *Cache) keepOrder(id ID, form *timestamp.Form, o *order) {
	k := c.get(id)
	if k == nil || k.form != form || form.Stateful() {
		return
	}
	with := *k
	with.order = o
	c.keep(id, &with)
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, k := range c.known {
		if c.kept <= cacheProbes {
			break
		}
		if n := k.probes(); n > 0 && other != id {
			without := *k
			without.order = nil
			c.known[other] = &without
			c.kept -= n
		}
	}
}

// sample is the first and the last lines of a file.
type sample struct{ text, tail []byte }

func read(at io.ReaderAt, size int64, terminator byte) (p sample, err error) {
	p.text = make([]byte, min(size, sampleBytes))
	if err := readAt(at, p.text, 0); err != nil {
		return p, err
	}
	p.text = lines(p.text, terminator)
	if size <= sampleBytes {
		p.tail = p.text
		return p, nil
	}
	p.text = cutEnd(p.text)
	p.tail = make([]byte, min(size-sampleBytes, sampleBytes))
	if err := readAt(at, p.tail, size-int64(len(p.tail))); err != nil {
		return p, err
	}
	p.tail = lines(p.tail, terminator)
	if i := bytes.IndexByte(p.tail, '\n'); i >= 0 {
		p.tail = p.tail[i+1:]
	}
	return p, nil
}

// detect finds the form: that of the head, or if its lines have no times, of the tail.
func (p *sample) detect(about *File) *timestamp.Form {
	o := timestamp.Options{Zone: about.Zone, ModTime: about.ModTime, Tail: p.tail, Form: about.Form}
	form, ok := timestamp.Detect(p.text, o)
	if !ok && len(p.tail) > 0 {
		form, ok = timestamp.Detect(p.tail, o)
	}
	if !ok {
		return nil
	}
	return form
}

func readAt(at io.ReaderAt, p []byte, off int64) error {
	n, err := at.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at %d", scan.ErrShrank, off+int64(n))
	}
	return err
}

// lines has each line of a sample end as the detector knows it.
func lines(text []byte, terminator byte) []byte {
	if terminator == 0 {
		return bytes.ReplaceAll(text, []byte{0}, []byte{'\n'})
	}
	return text
}

// cutEnd cuts a line off that is not there in full, if it is not the only one.
func cutEnd(text []byte) []byte {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}
